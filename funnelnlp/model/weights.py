"""The numbers of a model and the products they take part in."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features import Encoded, EncodedTurn, Layout, Position, Ragged, TurnEncoder
from funnelnlp.features.structure import LENGTH_FEATURES, PLACE_FEATURES, kinds, kinds_of

Floats = NDArray[np.float32]


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
        self._memory = weights.memory * weight[: encoder.n_context]
        self._place = weights.structure[PLACE_FEATURES].sum(axis=1) + weights.bias
        self._length = weights.structure[LENGTH_FEATURES].sum(axis=1)

    @cached_property
    def _lasting(self) -> Floats:
        """Words and cues count in their own and in later turns; one row holds both, so that it is gathered once."""
        return np.concatenate([self._own[: len(self._memory)], self._memory], axis=1)

    def many(self, encoded: Encoded) -> tuple[Floats, Floats]:
        """Return what turns add to their own scores, shape (n, k), and to those of later turns, shape (n, 2 * k).

        Parameters
        ----------
        encoded : Encoded
        """
        k = self.k
        words = _sums(self._lasting, encoded.words)
        said = words[:, : k + 1]
        said += _sums(self._own, encoded.pairs)
        words *= _inverse_root(said[:, k:])
        words += _sums(self._lasting, encoded.cues)
        drawn = _sums(self._own, encoded.chars)
        drawn *= _inverse_root(drawn[:, k:])
        said += drawn
        return said[:, :k], words[:, k + 1 :]

    def one(self, turn: EncodedTurn) -> tuple[Floats, Floats]:
        """Return the same of one turn, shapes (k,) and (2 * k,)."""
        k = self.k
        words, chars, cues = [*turn.words, *turn.pairs], turn.chars, turn.cues
        rows = self._own.take([*words, *chars, *cues], axis=0)
        own = np.zeros(k, dtype=np.float32)
        memory = np.zeros(2 * k, dtype=np.float32)
        end = len(words)
        if words:
            said = np.add.reduce(rows[:end])
            scale = said[k] ** -0.5
            own += said[:k] * scale
            if turn.words:
                memory += np.add.reduce(self._memory.take(turn.words, axis=0)) * scale
        if chars:
            drawn = np.add.reduce(rows[end : end + len(chars)])
            own += drawn[:k] * drawn[k] ** -0.5
        if cues:
            own += np.add.reduce(rows[end + len(chars) :])[:k]
            memory += np.add.reduce(self._memory.take(cues, axis=0))
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
    """Return for every row the sum of the table's rows of its features."""
    # Only whoever labels in bulk has to load it; single turns do without.
    from scipy.sparse import csr_matrix

    ones = np.ones(len(rows.ids), dtype=np.float32)
    result: Floats = csr_matrix((ones, rows.ids, rows.indptr), shape=(len(rows.indptr) - 1, len(table))) @ table
    return result
