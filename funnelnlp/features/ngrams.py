"""Vectorised lookup of n-grams: from arrays of small integers to feature numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class KeyTable:
    """Open-addressing hash table from non-negative int64 keys to numbers, read with NumPy.

    ``np.searchsorted`` needs some fifteen cache-missing steps a key; this needs one or two.

    Parameters
    ----------
    keys : ndarray of int64, shape (n,)
        Distinct and non-negative.
    numbers : ndarray of int64, shape (n,), optional
        What each key leads to; its position when not given.

    Examples
    --------
    >>> KeyTable(np.array([7, 40, 3])).find(np.array([3, 8, 7]))
    array([ 2, -1,  0])
    """

    def __init__(self, keys: Ints, numbers: Ints | None = None) -> None:
        numbers = np.arange(len(keys)) if numbers is None else numbers
        bits = max(4, int(2 * len(keys) + 1).bit_length())
        self._shift = np.uint64(64 - bits)
        self._mask = (1 << bits) - 1
        self._keys = np.full(1 << bits, -1, dtype=np.int64)
        self._values = np.full(1 << bits, -1, dtype=np.int64)
        pending = np.arange(len(keys))
        slots = self._slots(keys)
        while len(pending):
            free = self._keys[slots] < 0
            # Of several keys for one free slot the first wins; the others move on with the rest.
            _, first = np.unique(np.where(free, slots, -1 - np.arange(len(slots))), return_index=True)
            winners = first[free[first]]
            self._keys[slots[winners]] = keys[pending[winners]]
            self._values[slots[winners]] = numbers[pending[winners]]
            rest = np.ones(len(pending), dtype=bool)
            rest[winners] = False
            pending, slots = pending[rest], (slots[rest] + 1) & self._mask

    def _slots(self, keys: Ints) -> Ints:
        with np.errstate(over="ignore"):
            return ((keys.astype(np.uint64) * _MULTIPLIER) >> self._shift).astype(np.int64)

    def find(self, keys: Ints) -> Ints:
        """Return the number of each key, -1 where the table does not have it."""
        slots = self._slots(keys)
        # The slots are in range; saying so spares the check of each.
        stored = np.take(self._keys, slots, mode="clip")
        result = np.where(stored == keys, np.take(self._values, slots, mode="clip"), -1)
        pending = np.flatnonzero((stored != keys) & (stored >= 0))
        slots = slots[pending]
        while len(pending):
            slots = (slots + 1) & self._mask
            stored = self._keys[slots]
            hit = stored == keys[pending]
            result[pending[hit]] = self._values[slots[hit]]
            go_on = ~hit & (stored >= 0)
            pending, slots = pending[go_on], slots[go_on]
        return result
