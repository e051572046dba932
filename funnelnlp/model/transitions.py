"""What usually follows what: the labels of the turns before, as far as they are sure, shift the scores of a turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import exp, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features import Layout
from funnelnlp.features.conversation import UNKNOWN_ROLE
from funnelnlp.taxonomy import Task

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Transitions:
    """Learnt transitions between the labels of one task; never look ahead.

    What they read are probabilities of the plain scores, so no turn waits for the shift of the one before it.

    Parameters
    ----------
    task : Task
        The task whose scores are shifted, with ``k`` labels.
    part : slice
        Its place among the labels of all tasks.
    gate : Task or None
        The task that decides, by the probabilities that the turn itself has for its ``g`` labels, which transitions
        hold: after a plan a question does something else than a statement. None: the same always, ``g`` is 1.
    gate_part : slice
    weights : ndarray of float32, shape (roles, g + 1, k, k)
        For each role of the turn, per gate label, what each label (third axis) of the turn before adds to each
        label of this one (last axis), and, last on the second axis, what that of the speaker's own last turn adds.
    """

    task: Task
    part: slice
    gate: Task | None
    gate_part: slice
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, tasks: Sequence[Task], names: Sequence[str], weights: NDArray[np.float32] | None = None) -> Transitions | None:
        """Return the transitions of a task, given all tasks in their order; None where it is not among them.

        Parameters
        ----------
        tasks : sequence of Task
        names : sequence of two str
            The task and the gate; a gate that is not among the tasks is none.
        weights : ndarray, optional
            Zeros when not given.
        """
        ends = accumulate(len(each.labels) for each in tasks)
        task, gate = names
        places = {each.name: (each, slice(end - len(each.labels), end)) for each, end in zip(tasks, ends, strict=True)}
        if task not in places:
            return None
        gating, gate_part = places.get(gate, (None, slice(0, 0)))
        k = len(places[task][0].labels)
        if weights is None:
            weights = np.zeros((UNKNOWN_ROLE + 1, (len(gating.labels) if gating else 1) + 1, k, k), dtype=np.float32)
        return cls(*places[task], gating, gate_part, weights)

    @property
    def names(self) -> tuple[str, str]:
        """Name of the task, and of the gate, "" without one: what `of` is told."""
        return self.task.name, self.gate.name if self.gate else ""

    def features(self, scores: Floats, layout: Layout) -> Floats:
        """Return what the weights are multiplied by, shape (n, roles * (g + 1) * k).

        Parameters
        ----------
        scores : ndarray, shape (n, labels of all tasks)
            Plain scores.
        layout : Layout
        """
        result = np.zeros((len(scores), len(self.weights), self._width), dtype=scores.dtype)
        result[np.arange(len(scores)), layout.role] = self._of_role(scores, layout)
        return result.reshape(len(scores), len(self.weights) * self._width)

    @property
    def _width(self) -> int:
        return prod(self.weights.shape[1:3])

    def _of_role(self, scores: Floats, layout: Layout) -> Floats:
        """Return the features of each turn's own role, shape (n, (g + 1) * k); those of other roles are 0."""
        n, k = len(scores), len(self.task.labels)
        odds = np.concatenate([softmax(scores[:, self.part]), np.zeros((1, k), dtype=scores.dtype)])
        gate = softmax(scores[:, self.gate_part]) if self.gate else np.ones((n, 1), dtype=scores.dtype)
        before = gate[:, :, None] * odds[layout.before][:, None, :]
        return np.concatenate([before.reshape(n, self._width - k), odds[layout.same]], axis=1)

    def shift(self, scores: NDArray[np.float32], layout: Layout) -> None:
        """Add to plain scores, in place; parameters as of `features`."""
        # Row by row, because BLAS rounds a row differently in company of others. Only whoever labels in bulk loads it.
        from scipy.sparse import csr_matrix

        n, width = len(scores), self._width
        columns = layout.role[:, None] * width + np.arange(width)
        cells = self._of_role(scores, layout).ravel(), columns.ravel(), np.arange(n + 1) * width
        table = self.weights.reshape(-1, len(self.task.labels))
        scores[:, self.part] += csr_matrix(cells, shape=(n, len(table))) @ table

    @cached_property
    def _tables(self) -> list[NDArray[np.float64]]:
        # Per role, shape ((g + 1) * k, k).
        return [table.reshape(-1, len(self.task.labels)).astype(np.float64) for table in self.weights]

    def odds(self, scores: Sequence[float]) -> list[float]:
        """Return what later turns need to know of a turn with these plain scores: k probabilities."""
        return softmax_one(scores[self.part])

    def shift_of_one(self, scores: Sequence[float], role: int, before: list[float], same: list[float] | None) -> list[float]:
        """Return what `shift` adds to the k scores of one turn.

        Parameters
        ----------
        scores : sequence of float
            Plain scores of all tasks.
        role : int
            As from `funnelnlp.features.conversation.role_code`.
        before, same : list of float
            `odds` of the turn before, and of the speaker's last turn if there was one.
        """
        gate = softmax_one(scores[self.gate_part]) if self.gate else [1.0]
        values = [open_ * odd for open_ in gate for odd in before] + (same or [0.0] * len(before))
        return np.array(values).dot(self._tables[role]).tolist()  # type: ignore[no-any-return]

    def parts(self, values: Floats, column: int) -> Iterator[tuple[str, str, float, float]]:
        """Yield name, circumstance, value and weight of everything that `shift` adds to one label of one turn.

        Parameters
        ----------
        values : ndarray, shape (roles * (g + 1) * k,)
            The turn's row of `features`.
        column : int
            Place of the label in the task.
        """
        weights = self.weights[..., column]
        names = self.task.label_names
        gates = [f"{name}, " for name in self.gate.label_names] if self.gate else [""]
        for role, kind, label in zip(*np.nonzero(values.reshape(weights.shape)), strict=True):
            own = kind == len(gates)
            name = f"{'' if own else gates[kind]}after {names[label]}"
            value, weight = values.reshape(weights.shape)[role, kind, label], weights[role, kind, label]
            yield name, "speaker's turn before" if own else "turn before", float(value), float(weight)


def softmax(scores: Floats) -> Floats:
    """Return probabilities over the last axis."""
    result: Floats = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result /= result.sum(axis=-1, keepdims=True)
    return result


def softmax_one(scores: Sequence[float]) -> list[float]:
    """Return the same of a list, faster than an array would be."""
    top = max(scores)
    odds = [exp(score - top) for score in scores]
    total = sum(odds)
    return [odd / total for odd in odds]
