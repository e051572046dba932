"""The numbers of a model and the products they take part in."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features import Rows

Floats = NDArray[np.float32]

# Rows multiplied at once: their products fit the second-level cache.
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


def row_products(rows: Rows, weights: Floats, n_columns: int | None = None) -> Floats:
    """Return the product of sparse rows with a dense matrix.

    Parameters
    ----------
    rows : Rows
    weights : ndarray of float32, shape (n_columns, k)
    n_columns : int, optional
        Count only features below this number.

    Returns
    -------
    ndarray of float32, shape (n, k)
    """
    ids, values, indptr = rows.ids, rows.values, rows.indptr
    if n_columns is not None:
        kept = np.flatnonzero(ids < n_columns)
        indptr = np.searchsorted(kept, indptr)
        ids, values = np.take(ids, kept, mode="clip"), np.take(values, kept, mode="clip")
    result = np.zeros((len(indptr) - 1, weights.shape[1]), dtype=np.float32)
    for start in range(0, len(result), _BLOCK):
        bounds = indptr[start : start + _BLOCK + 1]
        filled = np.flatnonzero(np.diff(bounds))
        if len(filled):
            part = slice(bounds[0], bounds[-1])
            # The numbers are in range; saying so spares the check of each.
            products = np.take(weights, ids[part], axis=0, mode="clip")
            products *= values[part, None]
            result[start + filled] = np.add.reduceat(products, bounds[filled] - bounds[0], axis=0)
    return result
