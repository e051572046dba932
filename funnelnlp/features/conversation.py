"""Where a turn stands in its conversation: what came before it, and from whom. Never what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnelnlp.taxonomy import ROLES

Ints = NDArray[np.int64]
UNKNOWN_ROLE = len(ROLES)


def role_code(role: str | None) -> int:
    """Return the number that stands for a role in arrays."""
    return UNKNOWN_ROLE if role is None else ROLES.index(role)


@dataclass(slots=True)
class Position:
    """Place of one turn: number of turns before it, length of the run of its speaker, whether others spoke."""

    role: int
    index: int
    run: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of many turns, each array of shape (n,), in the row order of the input.

    ``same`` and ``other`` are row numbers: the last turn before of the same speaker, and the last one
    before the run of this speaker began (somebody else's); -1 where there is none. ``before`` is the
    turn directly before. ``order`` sorts the rows by conversation and turn.
    """

    role: Ints
    index: Ints
    run: Ints
    same: Ints
    other: Ints
    before: Ints
    order: Ints


def lay_out(conversation: Ints, roles: Ints, turn_index: NDArray[np.float64] | None = None) -> Layout:
    """Find for every turn what stood before it.

    Parameters
    ----------
    conversation : ndarray of int64, shape (n,)
        Any number per conversation.
    roles : ndarray of int64, shape (n,)
        As from `role_code`.
    turn_index : ndarray of float64, shape (n,), optional
        Order within the conversation; row order when not given (and between equal values).

    Returns
    -------
    Layout

    Examples
    --------
    >>> import numpy as np
    >>> layout = lay_out(np.array([5, 5, 5, 8]), np.array([0, 1, 0, 1]))
    >>> layout.other, layout.same
    (array([-1,  0,  1, -1]), array([-1, -1,  0, -1]))
    """
    n = len(conversation)
    keys = (conversation,) if turn_index is None else (turn_index, conversation)
    order = np.lexsort(keys).astype(np.int64)
    conv, role = conversation[order], roles[order]
    here = np.arange(n)
    new_conv = np.ones(n, dtype=bool)
    new_conv[1:] = conv[1:] != conv[:-1]
    new_run = new_conv.copy()
    new_run[1:] |= role[1:] != role[:-1]
    conv_start = np.maximum.accumulate(np.where(new_conv, here, 0))
    run_start = np.maximum.accumulate(np.where(new_run, here, 0))
    before = np.where(new_conv, -1, here - 1)
    other = np.where(run_start > conv_start, run_start - 1, -1)
    same = np.full(n, -1)
    by_speaker = np.lexsort((here, role, conv))
    follows = (conv[by_speaker][1:] == conv[by_speaker][:-1]) & (role[by_speaker][1:] == role[by_speaker][:-1])
    same[by_speaker[1:][follows]] = by_speaker[:-1][follows]

    def back(values: Ints, rows: bool = False) -> Ints:
        result = np.empty(n, dtype=np.int64)
        result[order] = np.where(values >= 0, order[values], -1) if rows else values
        return result

    return Layout(
        role=roles,
        index=back(here - conv_start),
        run=back(here - run_start),
        same=back(same, rows=True),
        other=back(other, rows=True),
        before=back(before, rows=True),
        order=order,
    )


def positions(roles: Sequence[str | None]) -> list[Position]:
    """Return the places of the turns of one conversation."""
    result: list[Position] = []
    run = 0
    for index, role in enumerate(map(role_code, roles)):
        run = run + 1 if result and result[-1].role == role else 0
        result.append(Position(role, index, run, answered=index > run))
    return result
