"""The numbers of a model and the products they take part in."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features import Encoded, EncodedTurn, Layout, Position, Ragged, TurnEncoder
from funnelnlp.features.structure import LENGTH_FEATURES, PLACE_FEATURES, kinds, kinds_of

Floats = NDArray[np.float32]

# Rows summed at once: what they gather fits the second-level cache.
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Weights:
    """One weight matrix for all tasks, cut into the blocks that the features come in.

    With ``k`` the number of labels over all tasks:

    Attributes
    ----------
    own : ndarray of float32, shape (n_features, k)
        Features of the turn itself.
    memory : ndarray of float32, shape (n_context, 2 * k)
        Features of an earlier turn: the first ``k`` columns for the speaker's own last turn, the rest
        for the other speaker's.
    structure : ndarray of float32, shape (n_structure, k)
        Role, place and length.
    bias : ndarray of float32, shape (k,)
    temperature : ndarray of float32, shape (k,)
        What a score is divided by before it becomes a probability; the same for all labels of a task.
    """

    own: Floats
    memory: Floats
    structure: Floats
    bias: Floats
    temperature: Floats

    def arrays(self) -> dict[str, Floats]:
        """Return the arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Products:
    """The weights ready to be summed: every occurrence of a feature adds one row of a table.

    An occurrence weighs ``idf / norm of its block``, so rows are multiplied by their idf here and the sums
    are divided by the norm. One more column holds ``idf ** 2``: its sum is the squared norm.

    Parameters
    ----------
    weights : Weights
    encoder : TurnEncoder
    """

    def __init__(self, weights: Weights, encoder: TurnEncoder) -> None:
        self.weights = weights
        self.k = k = len(weights.bias)
        weight = encoder.weight[:, None]
        self._own = np.empty((encoder.n_features, k + 1), dtype=np.float32)
        np.multiply(weights.own, weight, out=self._own[:, :k])
        self._own[:, k:] = weight * weight
        # Words and cues also count in later turns: one row holds both, so that it is gathered once.
        self._lasting = np.concatenate([self._own[: encoder.n_context], weights.memory * weight[: encoder.n_context]], axis=1)
        self._place = weights.structure[PLACE_FEATURES].sum(axis=1) + weights.bias
        self._length = weights.structure[LENGTH_FEATURES].sum(axis=1)

    def many(self, encoded: Encoded) -> tuple[Floats, Floats]:
        """Return what turns add to their own scores, shape (n, k), and to those of later turns, shape (n, 2 * k).

        Parameters
        ----------
        encoded : Encoded
        """
        k = self.k
        words = _sums(self._lasting, encoded.words)
        said = words[:, : k + 1]
        _add_sums(said, self._own, encoded.pairs)
        words *= _inverse_root(said[:, k:])
        _add_sums(words, self._lasting, encoded.cues)
        drawn = _sums(self._own, encoded.chars)
        drawn *= _inverse_root(drawn[:, k:])
        said += drawn
        return said[:, :k], words[:, k + 1 :]

    def one(self, turn: EncodedTurn) -> tuple[Floats, Floats]:
        """Return the same of one turn, shapes (k,) and (2 * k,)."""
        k = self.k
        lasting = np.zeros(3 * k + 1, dtype=np.float32)
        own, memory = lasting[:k], lasting[k + 1 :]
        if turn.words:
            lasting += self._lasting.take(turn.words, axis=0).sum(axis=0)
        if turn.pairs:
            lasting[: k + 1] += self._own.take(turn.pairs, axis=0).sum(axis=0)
        if turn.words:
            lasting *= lasting[k] ** -0.5
        if turn.cues:
            lasting += self._lasting.take(turn.cues, axis=0).sum(axis=0)
        if turn.chars:
            drawn = self._own.take(turn.chars, axis=0).sum(axis=0)
            own += drawn[:k] * drawn[k] ** -0.5
        return own, memory

    def places(self, layout: Layout, lengths: NDArray[np.int64]) -> Floats:
        """Return what role, place and length add, and the bias, shape (n, k)."""
        place, length = kinds(layout, lengths)
        result: Floats = np.take(self._place, place, axis=0, mode="clip")
        result += np.take(self._length, length, axis=0, mode="clip")
        return result

    def place(self, position: Position, length: int) -> Floats:
        """Return the same of one turn, shape (k,)."""
        kind, size = kinds_of(position, length)
        return self._place[kind] + self._length[size]  # type: ignore[no-any-return]


def _inverse_root(squares: Floats) -> Floats:
    result: Floats = np.where(squares > 0, squares, np.float32(1)) ** np.float32(-0.5)
    return result


def _sums(table: Floats, rows: Ragged) -> Floats:
    result = np.zeros((len(rows.indptr) - 1, table.shape[1]), dtype=np.float32)
    _add_sums(result, table, rows)
    return result


def _add_sums(result: Floats, table: Floats, rows: Ragged) -> None:
    """Add to every row the table's rows of its features."""
    indptr = rows.indptr
    for start in range(0, len(result), _BLOCK):
        bounds = indptr[start : start + _BLOCK + 1]
        filled = np.flatnonzero(np.diff(bounds))
        if len(filled):
            # The numbers are in range; saying so spares the check of each.
            gathered = np.take(table, rows.ids[bounds[0] : bounds[-1]], axis=0, mode="clip")
            result[start + filled] += np.add.reduceat(gathered, bounds[filled] - bounds[0], axis=0)
