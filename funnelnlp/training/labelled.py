"""Labelled frames as arrays: the share of the votes that every label has, and the label that most gave."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelnlp.errors import LabelError, TaxonomyError
from funnelnlp.taxonomy import Task, canonical_role
from funnelnlp.transcripts.cells import is_empty

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

TIED = -2
_BETWEEN_VOTES = re.compile("[|｜]")
_COUNTED = re.compile(r"(?P<label>.*)[:：](?P<count>[^:：]*)", re.DOTALL)


def votes(cell: Any, task: Task) -> dict[str, float]:
    """Return the votes that each label has in a cell.

    Parameters
    ----------
    cell : Any
        One label (``不满``); labels with ``|`` between, a vote each (``不满|不满|愤怒``), or with their numbers of votes
        (``不满:2|愤怒:1``); the same as a list or as a mapping of labels to numbers. Who left it empty does not vote.
    task : Task

    Returns
    -------
    dict of str to float
        Label → votes, above 0; empty when nobody voted.

    Raises
    ------
    TaxonomyError
        When something in it is no label, or no number above 0.

    Examples
    --------
    >>> from funnelnlp.taxonomy import EMOTION_PHASE
    >>> votes("不满:2|愤怒:1", EMOTION_PHASE), votes(["angry", "愤怒", None], EMOTION_PHASE), votes("", EMOTION_PHASE)
    ({'不满': 2.0, '愤怒': 1.0}, {'愤怒': 2.0}, {})
    """
    result: dict[str, float] = {}
    for spelling, count in _ballots(cell, task):
        label = _label(spelling, task)
        within = "" if isinstance(cell, str) and cell == spelling else f" in {cell!r}"
        if label is None:
            raise TaxonomyError(f"{task.name}: {spelling!r}{within} is not one of {', '.join(task.label_names)}")
        number = _positive(count)
        if number is None:
            raise TaxonomyError(f"{task.name}: {label!r} has {count!r} votes{within}; a number above 0 is needed")
        result[label] = result.get(label, 0.0) + number
    return result


def _ballots(cell: Any, task: Task) -> list[tuple[Any, Any]]:
    """Return (label as it is spelt, number of votes as it is written) of a cell."""
    if isinstance(cell, Mapping):  # Parquet gives every row the keys of all rows
        return [(label, count) for label, count in cell.items() if not is_empty(count)]
    if isinstance(cell, list | tuple | np.ndarray):
        return [(label, 1) for label in cell if not is_empty(label)]
    if is_empty(cell):
        return []
    if not isinstance(cell, str) or _label(cell, task):
        return [(cell, 1)]
    ballots: list[tuple[str, Any]] = []
    for part in filter(str.strip, _BETWEEN_VOTES.split(cell)):
        counted = None if _label(part, task) else _COUNTED.fullmatch(part)
        ballots.append((counted["label"], counted["count"]) if counted else (part, 1))
    return ballots


def _label(spelling: Any, task: Task) -> str | None:
    if not isinstance(spelling, str | int | float | np.generic):
        return None
    return task.canonical(str(spelling)) or task.canonical(str(spelling).strip())


def _positive(count: Any) -> float | None:
    if isinstance(count, bool | np.bool_) or not isinstance(count, str | int | float | np.number):
        return None
    try:
        number = float(count)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < math.inf else None


def column_of(frame: pd.DataFrame, task: Task) -> str | None:
    """Return the column that holds the labels of a task, named like the task or by its Chinese title; None if absent."""
    return next((name for name in (task.name, task.title) if name and name in frame.columns), None)


def vote_shares(cells: Iterable[Any], task: Task) -> tuple[Floats, dict[int, str]]:
    """Return the share of the votes that each label has in each cell, and what is wrong with cells.

    Parameters
    ----------
    cells : iterable
        As `votes` takes them.
    task : Task

    Returns
    -------
    shares : ndarray of float64, shape (n, labels)
        Rows sum to 1, or to 0 where nobody voted or the cell is wrong.
    problems : dict of int to str
        Position → what is wrong.
    """
    labels = task.label_names
    rows: list[Floats] = []
    problems: dict[int, str] = {}
    nothing = np.zeros(len(labels))
    seen: dict[tuple[type, str], tuple[Floats, str]] = {}
    for position, cell in enumerate(cells):
        key = type(cell), cell if isinstance(cell, str) else repr(cell)
        if key not in seen:
            try:
                given = votes(cell, task)
            except TaxonomyError as error:
                seen[key] = nothing, str(error)
            else:
                counts = np.array([given.get(label, 0.0) for label in labels])
                seen[key] = counts / max(counts.sum(), np.finfo(float).tiny), ""
        share, problem = seen[key]
        rows.append(share)
        if problem:
            problems[position] = problem
    return np.array(rows).reshape(len(rows), len(labels)), problems


def label_shares(frame: pd.DataFrame, task: Task) -> Floats:
    """Return the share of the votes that each label of a task has in every row.

    Parameters
    ----------
    frame : pandas.DataFrame
        With a column named like the task, or by its Chinese title; cells as `votes` takes them.
    task : Task

    Returns
    -------
    ndarray of float64, shape (n, labels)
        Rows sum to 1, or to 0 where the cell is empty or the task does not apply.

    Raises
    ------
    TaxonomyError
        When the column is missing.
    LabelError
        When a cell holds something that is no label; names row and accepted labels.

    Examples
    --------
    >>> from funnelnlp.taxonomy import EMOTION_PHASE
    >>> label_shares(pd.DataFrame({"emotion_phase": ["平静", "平静|不满", None]}), EMOTION_PHASE)
    array([[1. , 0. , 0. , 0. ],
           [0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0. , 0. ]])
    """
    column = column_of(frame, task)
    if column is None:
        raise TaxonomyError(f"no column {task.name!r} with the labels of that task; the data has {list(map(str, frame.columns))}")
    shares, problems = vote_shares(frame[column].tolist(), task)
    for position, problem in problems.items():
        first, second = task.label_names[:2]
        advice = f"write one label, votes such as {first}:2|{second}:1, or leave the cell empty"
        row = frame.iloc[[position]]
        raise LabelError(position, place(row, row.index[0]), f"{problem}; {advice}")
    if task.role is not None and "role" in frame.columns:
        applies = np.array([task.applies_to(role) for role in frame["role"].map(canonical_role)], dtype=bool)
        shares[~applies] = 0
    return shares


def majority(shares: Floats) -> Ints:
    """Return the label number that most votes are for.

    Parameters
    ----------
    shares : ndarray of float64, shape (n, labels)

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 where there is no vote, `TIED` (-2) where no label has more votes than every other.

    Examples
    --------
    >>> majority(np.array([[1, 0, 0], [0, 0.4, 0.6], [0.5, 0.5, 0], [0, 0, 0]]))
    array([ 0,  2, -2, -1])
    """
    most = shares.max(axis=1, keepdims=True)
    winners = (shares == most).sum(axis=1)
    return np.where(most[:, 0] == 0, -1, np.where(winners > 1, TIED, shares.argmax(axis=1)))


def label_numbers(frame: pd.DataFrame, task: Task) -> Ints:
    """Return the label number of every row, the majority's where there are several votes.

    Parameters
    ----------
    frame, task
        As in `label_shares`.

    Returns
    -------
    ndarray of int64, shape (n,)
        -1 where the cell is empty or the task does not apply, `TIED` (-2) where the votes are tied.

    Raises
    ------
    TaxonomyError
        As `label_shares`.
    """
    return majority(label_shares(frame, task))


def place(frame: pd.DataFrame, row: Any) -> str:
    """Return what a person finds a row of a frame by: conversation and turn, or the index."""
    if "conversation_id" in frame.columns and "turn_index" in frame.columns:
        return f"{frame.at[row, 'conversation_id']!s} turn {frame.at[row, 'turn_index']!s}"
    return f"row {row}"


def check_tasks(tasks: Sequence[Task], frame: pd.DataFrame) -> list[Floats]:
    """Return the vote shares of each task, refusing tasks that the data cannot teach."""
    result = []
    for task in tasks:
        shares = label_shares(frame, task)
        used = [task.label_names[i] for i in np.flatnonzero(shares.any(axis=0))]
        if len(used) < 2:
            raise TaxonomyError(
                f"task {task.name!r} needs turns of at least two labels to learn from, the data has {used or 'none'}"
            )
        result.append(shares)
    return result
