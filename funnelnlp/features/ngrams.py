"""Vectorised lookup of n-grams: from arrays of small integers to feature numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.signedinteger[Any]]


class KeyTable:
    """Open-addressing hash table from non-negative integer keys to numbers, read with NumPy.

    ``np.searchsorted`` needs some fifteen cache-missing steps a key; this needs one or two.

    Parameters
    ----------
    keys : ndarray of int64, shape (n,)
        Distinct and non-negative.
    numbers : ndarray of int, shape (n,)
        What each key leads to, below 2 ** 31.
    limit : int
        All keys, those looked for too, are below it.

    Examples
    --------
    >>> KeyTable(np.array([7, 40, 3]), np.array([0, 1, 2]), 50).find(np.array([3, 8, 7]))
    array([ 2, -1,  0], dtype=int32)
    """

    def __init__(self, keys: Ints, numbers: Ints, limit: int) -> None:
        # Half the bytes, half the cache misses.
        self._unsigned: Any = np.uint32 if limit < 1 << 31 else np.uint64
        self.dtype: Any = np.int32 if limit < 1 << 31 else np.int64
        width = 8 * self._unsigned().itemsize
        self._multiplier = self._unsigned(0x9E3779B97F4A7C15 >> (64 - width) | 1)
        bits = max(4, int(2 * len(keys) + 1).bit_length())
        self._shift = self._unsigned(width - bits)
        self._mask = (1 << bits) - 1
        self._keys: Any = np.full(1 << bits, -1, dtype=self.dtype)
        self._values = np.full(1 << bits, -1, dtype=np.int32)
        pending = np.arange(len(keys))
        keys = keys.astype(self.dtype)
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

    def _slots(self, keys: Ints) -> NDArray[np.intp]:
        with np.errstate(over="ignore"):
            slots: NDArray[np.intp] = ((keys.view(self._unsigned) * self._multiplier) >> self._shift).astype(np.intp)
        return slots

    def find(self, keys: Ints) -> NDArray[np.int32]:
        """Return the number of each key, -1 where the table does not have it."""
        keys = keys.astype(self.dtype, copy=False)
        slots = self._slots(keys)
        # The slots are in range; saying so spares the check of each.
        stored = np.take(self._keys, slots, mode="clip")
        result: NDArray[np.int32] = np.take(self._values, slots, mode="clip")
        other = np.flatnonzero(stored != keys)
        stored = stored[other]
        result[other] = -1
        pending = other[stored >= 0]
        slots = slots[pending]
        while len(pending):
            slots = (slots + 1) & self._mask
            stored = self._keys[slots]
            hit = stored == keys[pending]
            result[pending[hit]] = self._values[slots[hit]]
            go_on = ~hit & (stored >= 0)
            pending, slots = pending[go_on], slots[go_on]
        return result


class Trie:
    """Character n-grams and longer phrases in one tree, walked from all places of a text at once.

    Parameters
    ----------
    columns : mapping of str to int
        Feature number of every n-gram; n-grams of equal first characters share their way.
    classes : mapping of str to sequence of int
        Numbers of what a phrase stands for.
    """

    def __init__(self, columns: Mapping[str, int], classes: Mapping[str, Sequence[int]]) -> None:
        self._width = max(map(len, columns), default=1)
        alphabet = sorted(set("".join(columns)) | set("".join(classes)))
        self._n_chars = len(alphabet) + 1
        self._numbers = np.zeros(0x10000, dtype=np.int32)
        self._numbers[[ord(char) for char in alphabet]] = np.arange(1, self._n_chars)
        node_of = {"": -1}
        edges: list[int] = []
        for phrase in (*columns, *classes):
            if phrase in node_of:
                continue
            for end in range(1, len(phrase) + 1):
                if phrase[:end] not in node_of:
                    node_of[phrase[:end]] = len(edges)
                    edges.append((node_of[phrase[: end - 1]] + 1) * self._n_chars + int(self._numbers[ord(phrase[end - 1])]))
        del node_of[""]
        self._column = np.array([columns.get(prefix, -1) for prefix in node_of], dtype=np.int32)
        keys = np.array(edges, dtype=np.int64)
        parents = keys // self._n_chars - 1
        self._goes_on = np.zeros(len(node_of), dtype=bool)
        self._goes_on[parents[parents >= 0]] = True
        self._roots = np.full(self._n_chars, -1, dtype=np.int32)
        top = np.flatnonzero(parents < 0)
        self._roots[keys[top]] = top
        inner = np.flatnonzero(parents >= 0)
        self._table = KeyTable(keys[inner] - self._n_chars, inner, (len(node_of) + 1) * self._n_chars)
        groups = [classes.get(prefix, ()) for prefix in node_of]
        self._n_classes = np.array([len(group) for group in groups], dtype=np.int32)
        self._first_class = np.cumsum(self._n_classes) - self._n_classes
        self._classes = np.array([c for group in groups for c in group], dtype=np.int32)

    def walk(self, codes: NDArray[np.uint16]) -> tuple[NDArray[np.int32], Ints, NDArray[np.int32]]:
        """Find everything that begins at any place of a text.

        Parameters
        ----------
        codes : ndarray of uint16, shape (m,)
            UTF-16 code units.

        Returns
        -------
        grid : ndarray of int32, shape (m, longest n-gram)
            Feature number of the n-gram of each length that begins at each place, -1 where there is none.
        places, classes : ndarray, shape (found,)
            Place and class number of every phrase.
        """
        numbers = np.take(self._numbers, codes, mode="clip")
        grid = np.full((len(codes), self._width), -1, dtype=np.int32)
        node = np.take(self._roots, numbers, mode="clip")
        place = np.flatnonzero(node >= 0)
        node = node[place]
        found_places, found_nodes = [], []
        depth = 0
        while len(place):
            if depth < self._width:
                grid[place, depth] = np.take(self._column, node, mode="clip")
            marked = np.flatnonzero(np.take(self._n_classes, node, mode="clip"))
            found_places.append(place[marked])
            found_nodes.append(node[marked])
            depth += 1
            on = np.flatnonzero(np.take(self._goes_on, node, mode="clip"))
            place, node = place[on], node[on]
            inside = len(codes) - depth
            if len(place) and place[-1] >= inside:
                kept = place < inside
                place, node = place[kept], node[kept]
            node = self._table.find(node.astype(self._table.dtype) * self._n_chars + numbers[place + depth])
            alive = np.flatnonzero(node >= 0)
            place, node = place[alive], node[alive]
        nodes = np.concatenate([np.zeros(0, np.int32), *found_nodes])
        times = self._n_classes[nodes]
        nth = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        places = np.concatenate([np.zeros(0, np.int64), *found_places])
        return grid, np.repeat(places, times), self._classes[np.repeat(self._first_class[nodes], times) + nth]
