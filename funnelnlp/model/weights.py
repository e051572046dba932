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

    An occurrence weighs its idf times the scale of its block (see `TurnEncoder`). For one turn that is what the rows are
    multiplied by; many turns share tables of rows multiplied by their idf, and their sums are multiplied by the scale.

    Parameters
    ----------
    weights : Weights
    encoder : TurnEncoder
    """

    def __init__(self, weights: Weights, encoder: TurnEncoder) -> None:
        self.weights = weights
        self.k = len(weights.bias)
        self._weight = encoder.weight
        self._word_scale, self._char_scale, self._cue_share = encoder.word_scale, encoder.char_scale, encoder.cue_share
        self._to_dense = encoder.to_dense
        place = weights.structure[PLACE_FEATURES].sum(axis=1) + weights.bias
        # One row for every kind of place with every kind of length.
        self._structure = (place[:, None] + weights.structure[LENGTH_FEATURES].sum(axis=1)).reshape(-1, self.k)

    @cached_property
    def _own(self) -> Floats:
        """One more column holds ``idf ** 2``: its sum is the squared norm."""
        weight = self._weight[:, None]
        result = np.empty((len(weight), self.k + 1), dtype=np.float32)
        np.multiply(self.weights.own, weight, out=result[:, : self.k])
        result[:, self.k :] = weight * weight
        return result

    @cached_property
    def _lasting(self) -> Floats:
        """Words and cues count in their own and in later turns; one row holds both, so that it is gathered once."""
        memory = self.weights.memory
        n = len(memory)
        return np.concatenate([self._own[:n], memory * self._weight[:n, None]], axis=1)

    @cached_property
    def _dense(self) -> Floats:
        """What each cue adds in its second column, by its first."""
        n = len(self.weights.memory)
        return np.ascontiguousarray(self._own[self._to_dense : n + self._to_dense, : self.k])

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
        # No idf is below 1; without any the sum is 0 whatever it is multiplied by.
        words *= self._word_scale(np.maximum(said[:, k:], 1))
        words += _sums(self._lasting, encoded.cues)
        if self._to_dense:
            said[:, :k] += _sums(self._dense, encoded.cues) * self._cue_share(encoded.lengths.astype(np.float32))[:, None]
        drawn = _sums(self._own, encoded.chars)
        drawn *= self._char_scale(np.maximum(drawn[:, k:], 1))
        said += drawn
        return said[:, :k], words[:, k + 1 :]

    def one(self, turn: EncodedTurn) -> tuple[Floats, Floats]:
        """Return the same of one turn, shapes (k,) and (2 * k,)."""
        n_cues = len(turn.cues)
        n_lasting = n_cues + len(turn.words)
        n_said = n_lasting + len(turn.pairs)
        dense = [column + self._to_dense for column in turn.cues] if self._to_dense else []
        n_drawn = n_said + len(turn.chars)
        columns = np.array([*turn.cues, *turn.words, *turn.pairs, *turn.chars, *dense], dtype=np.intp)
        values = self._weight.take(columns)
        said, drawn = values[n_cues:n_said], values[n_said:n_drawn]
        if len(said):
            said *= self._word_scale(float(said.dot(said)))
        if len(drawn):
            drawn *= self._char_scale(float(drawn.dot(drawn)))
        if dense:
            values[n_drawn:] *= self._cue_share(turn.length)
        own = values.dot(self.weights.own.take(columns, axis=0))
        memory = values[:n_lasting].dot(self.weights.memory.take(columns[:n_lasting], axis=0))
        return own, memory

    def places(self, layout: Layout, lengths: NDArray[np.int64]) -> Floats:
        """Return what role, place and length add, and the bias, shape (n, k)."""
        place, length = kinds(layout, lengths)
        result: Floats = self._structure.take(place * len(LENGTH_FEATURES) + length, axis=0, mode="clip")
        return result

    def place(self, position: Position, length: int) -> Floats:
        """Return the same of one turn, shape (k,)."""
        place, size = kinds_of(position, length)
        return self._structure[place * len(LENGTH_FEATURES) + size]  # type: ignore[no-any-return]


def _sums(table: Floats, rows: Ragged) -> Floats:
    """Return for every row the sum of the table's rows of its features."""
    # Only whoever labels in bulk has to load it; single turns do without.
    from scipy.sparse import csr_matrix

    ones = np.ones(len(rows.ids), dtype=np.float32)
    result: Floats = csr_matrix((ones, rows.ids, rows.indptr), shape=(len(rows.indptr) - 1, len(table))) @ table
    return result
