"""What is known of a turn without reading it: who speaks, where in the conversation, how long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features.conversation import Layout, Position

_ROLES = ("customer", "agent", "unknown")
_INDEX_EDGES = (1, 2, 3, 4, 6, 9, 14, 21)
_RUN_EDGES = (1, 2, 3)
_LENGTH_EDGES = (1, 2, 3, 5, 8, 12, 18, 27, 40, 70)


def _ranges(edges: tuple[int, ...]) -> list[str]:
    lows = (0, *edges)
    return [
        (str(low) if high == low + 1 else f"{low}–{high - 1}") if high else f"{low}+"
        for low, high in zip(lows, (*edges, 0), strict=True)
    ]


# One entry per group: exactly one feature of each group is on in every turn.
_GROUPS = (
    [f"role={role}" for role in _ROLES],
    [f"{role}, turns before={r}" for role in _ROLES for r in _ranges(_INDEX_EDGES)],
    [f"{role}, own turns in a row before={r}" for role in _ROLES for r in _ranges(_RUN_EDGES)],
    [f"{role}, length={r}" for role in _ROLES for r in _ranges(_LENGTH_EDGES)],
    [f"{role}, {'answers' if answered else 'nobody else spoke yet'}" for role in _ROLES for answered in (0, 1)],
)
STRUCTURE_NAMES = tuple(name for group in _GROUPS for name in group)
_OFFSETS = tuple(int(x) for x in np.cumsum([0, *(len(group) for group in _GROUPS[:-1])]))


def structure_matrix(layout: Layout, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the structure features that are on, shape (n, groups).

    Parameters
    ----------
    layout : Layout
    lengths : ndarray of int64, shape (n,)
        Characters of each normalised turn.
    """
    role = layout.role
    columns = (
        role,
        role * (len(_INDEX_EDGES) + 1) + np.searchsorted(_INDEX_EDGES, layout.index, side="right"),
        role * (len(_RUN_EDGES) + 1) + np.searchsorted(_RUN_EDGES, layout.run, side="right"),
        role * (len(_LENGTH_EDGES) + 1) + np.searchsorted(_LENGTH_EDGES, lengths, side="right"),
        role * 2 + (layout.index > layout.run),
    )
    return np.stack([column + offset for column, offset in zip(columns, _OFFSETS, strict=True)], axis=1)


def structure_of(position: Position, length: int) -> list[int]:
    """Return the numbers of the structure features of one turn; equal to a row of `structure_matrix`."""
    role = position.role
    return [
        role,
        _OFFSETS[1] + role * (len(_INDEX_EDGES) + 1) + sum(position.index >= edge for edge in _INDEX_EDGES),
        _OFFSETS[2] + role * (len(_RUN_EDGES) + 1) + sum(position.run >= edge for edge in _RUN_EDGES),
        _OFFSETS[3] + role * (len(_LENGTH_EDGES) + 1) + sum(length >= edge for edge in _LENGTH_EDGES),
        _OFFSETS[4] + role * 2 + position.answered,
    ]
