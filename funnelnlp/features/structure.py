"""What is known of a turn without reading it: who speaks, where in the conversation, how long."""

from __future__ import annotations

from bisect import bisect_right
from itertools import product

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
_ROLE, _INDEX, _RUN, _LENGTH, _ANSWERS = (int(x) for x in np.cumsum([0, *(len(group) for group in _GROUPS[:-1])]))
_N_INDEX, _N_RUN, _N_LENGTH = len(_INDEX_EDGES) + 1, len(_RUN_EDGES) + 1, len(_LENGTH_EDGES) + 1

# The features that are on in every kind of place, shape (places, 4), and for every kind of length, shape (lengths, 1):
# there are so few kinds that what they add to the scores can be summed beforehand.
PLACE_FEATURES = np.array(
    [
        (_ROLE + role, _INDEX + role * _N_INDEX + index, _RUN + role * _N_RUN + run, _ANSWERS + role * 2 + answers)
        for role, index, run, answers in product(range(len(_ROLES)), range(_N_INDEX), range(_N_RUN), (0, 1))
    ]
)
LENGTH_FEATURES = np.array([[_LENGTH + i] for i in range(len(_ROLES) * _N_LENGTH)])


def kinds(layout: Layout, lengths: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of `PLACE_FEATURES` and of `LENGTH_FEATURES` that hold for each turn, both of shape (n,).

    Parameters
    ----------
    layout : Layout
    lengths : ndarray of int64, shape (n,)
        Characters of each normalised turn.
    """
    place = layout.role * _N_INDEX + np.searchsorted(_INDEX_EDGES, layout.index, side="right")
    place = place * _N_RUN + np.searchsorted(_RUN_EDGES, layout.run, side="right")
    length = layout.role * _N_LENGTH + np.searchsorted(_LENGTH_EDGES, lengths, side="right")
    return place * 2 + (layout.index > layout.run), length


def kinds_of(position: Position, length: int) -> tuple[int, int]:
    """Return the same of one turn."""
    place = position.role * _N_INDEX + bisect_right(_INDEX_EDGES, position.index)
    place = place * _N_RUN + bisect_right(_RUN_EDGES, position.run)
    return place * 2 + position.answered, position.role * _N_LENGTH + bisect_right(_LENGTH_EDGES, length)


def structure_matrix(layout: Layout, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the structure features that are on, shape (n, groups); parameters as in `kinds`."""
    place, length = kinds(layout, lengths)
    return np.concatenate([PLACE_FEATURES[place], LENGTH_FEATURES[length]], axis=1)
