"""Vectorised lookup of n-grams: from arrays of small integers to feature numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.signedinteger[Any]]
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_ROUNDS = 100
# What a node of a trie is.
_PHRASE, _GOES_ON = np.uint8(1), np.uint8(2)
# Characters of 16 bits in the key of a word; a fourth would reach the sign.
PACKED = 3
_MASKS = np.array([(1 << 16 * length) - 1 for length in range(PACKED + 1)])


def word_keys(words: Sequence[str]) -> tuple[Ints, Ints]:
    """Return a number for every word that its first three characters make up, and its length.

    Parameters
    ----------
    words : sequence of str
        Of characters of the Basic Multilingual Plane other than NUL.

    Examples
    --------
    >>> keys, lengths = word_keys(["a", "退款", "a", "退款吗", "退款吗啊"])
    >>> [int(key) for key in keys - keys[0]].index(0), bool(keys[3] == keys[4]), lengths.tolist()
    (0, True, [1, 2, 1, 3, 4])
    """
    data = ("\0".join(words) + "\0" * (PACKED + 1)).encode("utf-16-le")
    units = np.frombuffer(data, dtype="<u2")
    ends = np.flatnonzero(units == 0)[: len(words)]
    starts = np.append(0, ends + 1)[: len(words)]
    lengths = ends - starts
    from_here: NDArray[np.int64] = np.ndarray(len(units) - PACKED, "<i8", data, strides=(2,)).astype(np.int64)
    return from_here[starts] & _MASKS[np.minimum(lengths, PACKED)], lengths


class KeyTable:
    """Cuckoo hash table from non-negative integer keys to numbers, read with NumPy.

    A key is in one of two slots, so that looking it up takes two steps and no loop; ``np.searchsorted`` needs some
    fifteen.

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
        keys = keys.astype(self.dtype)
        bits = max(4, int(2 * len(keys) + 1).bit_length())
        while (slots := self._settle(keys, bits)) is None:
            bits += 1
        self._keys: Any = np.full(1 << bits, -1, dtype=self.dtype)
        self._keys[slots] = keys
        self._values = np.full(1 << bits, -1, dtype=np.int32)
        self._values[slots] = numbers

    def _settle(self, keys: Ints, bits: int) -> NDArray[np.intp] | None:
        """Return a slot for each key, None when there is too little room."""
        width = 8 * self._unsigned().itemsize
        self._shift = self._unsigned(width - bits)
        choices = np.stack([self._slots(keys, multiplier) for multiplier in _MULTIPLIERS])
        here = np.arange(len(keys))
        choice = np.zeros(len(keys), dtype=np.intp)
        tenant = np.full(1 << bits, -1)
        homeless = here
        for _ in range(_ROUNDS):
            # Of several keys for one slot the last one stays, and drives out who was there.
            tenant[choices[choice[homeless], homeless]] = homeless
            slots: NDArray[np.intp] = choices[choice, here]
            homeless = np.flatnonzero(tenant[slots] != here)
            if not len(homeless):
                return slots
            choice[homeless] ^= 1
        return None

    def _slots(self, keys: Ints, multiplier: int) -> NDArray[np.intp]:
        factor = self._unsigned(multiplier >> (64 - 8 * self._unsigned().itemsize) | 1)
        with np.errstate(over="ignore"):
            slots: NDArray[np.intp] = ((keys.view(self._unsigned) * factor) >> self._shift).astype(np.intp)
        return slots

    def find(self, keys: Ints) -> NDArray[np.int32]:
        """Return the number of each key, -1 where the table does not have it."""
        keys = keys.astype(self.dtype, copy=False)
        slots, others = (self._slots(keys, multiplier) for multiplier in _MULTIPLIERS)
        # The slots are in range; saying so spares the check of each.
        np.copyto(slots, others, where=np.take(self._keys, slots, mode="clip") != keys)
        result: NDArray[np.int32] = np.take(self._values, slots, mode="clip")
        np.copyto(result, -1, where=np.take(self._keys, slots, mode="clip") != keys)
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
        self._width = max(2, *map(len, columns)) if columns else 2
        alphabet = sorted(set("".join(columns)) | set("".join(classes)))
        self._n_chars = len(alphabet) + 1
        self._numbers = np.zeros(0x10000, dtype=np.int32)
        self._numbers[[ord(char) for char in alphabet]] = np.arange(1, self._n_chars)
        # Node 0 is where nothing leads to.
        node_of = {"": 0}
        edges = [-1]
        for phrase in (*columns, *classes):
            if phrase in node_of:
                continue
            for end in range(1, len(phrase) + 1):
                if phrase[:end] not in node_of:
                    node_of[phrase[:end]] = len(edges)
                    edges.append(node_of[phrase[: end - 1]] * self._n_chars + int(self._numbers[ord(phrase[end - 1])]))
        self._column = np.array([columns.get(prefix, -1) for prefix in node_of], dtype=np.int32)
        keys = np.array(edges, dtype=np.int64)
        parents = keys // self._n_chars
        top, inner = np.flatnonzero(parents == 0), np.flatnonzero(parents > 0)
        self._roots = np.zeros(self._n_chars, dtype=np.int32)
        self._roots[keys[top]] = top
        self._table = KeyTable(keys[inner], inner, len(node_of) * self._n_chars)
        groups = [classes.get(prefix, ()) for prefix in node_of]
        self._n_classes = np.array([len(group) for group in groups], dtype=np.int32)
        self._first_class = np.cumsum(self._n_classes) - self._n_classes
        self._classes = np.array([c for group in groups for c in group], dtype=np.int32)
        self._kind = np.where(self._n_classes > 0, _PHRASE, np.uint8(0))
        self._kind[parents[inner]] |= _GOES_ON

    def walk(self, codes: NDArray[np.uint16]) -> tuple[NDArray[np.int32], Ints, NDArray[np.int32]]:
        """Find everything that begins at any place of a text.

        Parameters
        ----------
        codes : ndarray of uint16, shape (m,)
            UTF-16 code units.

        Returns
        -------
        grid : ndarray of int32, shape (m, longest n-gram, 2 or more)
            Feature number of the n-gram of each length that begins at each place, -1 where there is none.
        places, classes : ndarray, shape (found,)
            Place and class number of every phrase.
        """
        numbers = np.take(self._numbers, codes, mode="clip")
        grid = np.full((len(codes), self._width), -1, dtype=np.int32)
        # Nearly every place has a character, and a pair, that leads on: looked up everywhere, without picking places out.
        one = np.take(self._roots, numbers, mode="clip")
        two = self._next(one[:-1], numbers[1:])
        grid[:, 0] = np.take(self._column, one, mode="clip")
        grid[:-1, 1] = np.take(self._column, two, mode="clip")
        found_places = [np.flatnonzero((np.take(self._kind, one, mode="clip") & _PHRASE) > 0)]
        found_nodes = [one[found_places[0]]]
        place, node = np.arange(len(two)), two
        depth = 2
        while len(place):
            kind = np.take(self._kind, node, mode="clip")
            ends = np.flatnonzero((kind & _PHRASE) > 0)
            found_places.append(place[ends])
            found_nodes.append(node[ends])
            on = np.flatnonzero((kind & _GOES_ON) > 0)
            place, node = place[on], node[on]
            inside = len(codes) - depth
            if len(place) and place[-1] >= inside:
                kept = place < inside
                place, node = place[kept], node[kept]
            node = self._next(node, numbers[place + depth])
            alive = np.flatnonzero(node >= 0)
            place, node = place[alive], node[alive]
            if depth < self._width:
                grid[place, depth] = np.take(self._column, node, mode="clip")
            depth += 1
        nodes = np.concatenate(found_nodes)
        times = self._n_classes[nodes]
        nth = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        places = np.concatenate(found_places)
        return grid, np.repeat(places, times), self._classes[np.repeat(self._first_class[nodes], times) + nth]

    def _next(self, node: NDArray[np.int32], numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        return self._table.find(node.astype(self._table.dtype, copy=False) * self._n_chars + numbers)
