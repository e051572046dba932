"""Labelled frames as arrays of label numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelnlp.errors import TaxonomyError
from funnelnlp.taxonomy import Task, canonical_role

Ints = NDArray[np.int64]


def label_numbers(frame: pd.DataFrame, task: Task) -> Ints:
    """Return the label number of every row, -1 where the cell is empty or the task does not apply.

    Parameters
    ----------
    frame : pandas.DataFrame
        With a column named like the task, or by its Chinese title.
    task : Task

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    TaxonomyError
        When the column is missing or holds something that is no label; names row and accepted labels.
    """
    column = task.name if task.name in frame.columns else task.title
    if column not in frame.columns:
        raise TaxonomyError(f"no column {task.name!r} with the labels of that task; the data has {list(map(str, frame.columns))}")
    known: dict[str, int] = {"": -1}
    result = np.empty(len(frame), dtype=np.int64)
    for i, cell in enumerate(frame[column].tolist()):
        if cell is None or cell is pd.NA or cell != cell:
            cell = ""
        if not isinstance(cell, str | int | float | np.generic):
            raise TaxonomyError(f"row {frame.index[i]!r}: {task.name} must be one label, got {cell!r}")
        spelling = str(cell)
        if spelling not in known:
            label = task.canonical(spelling) or task.canonical(spelling.strip())
            if label is None:
                raise TaxonomyError(
                    f"row {frame.index[i]!r}: {task.name} is {spelling!r}; accepted: {', '.join(task.label_names)} "
                    "or an empty cell"
                )
            known[spelling] = task.label_names.index(label)
        result[i] = known[spelling]
    if task.role is not None and "role" in frame.columns:
        applies = np.array([task.applies_to(role) for role in frame["role"].map(canonical_role)], dtype=bool)
        result[~applies] = -1
    return result


def has_labels(frame: pd.DataFrame, task: Task) -> bool:
    """Tell whether the frame has a column for the task, under its name or its Chinese title."""
    return task.name in frame.columns or bool(task.title and task.title in frame.columns)


def check_tasks(tasks: Sequence[Task], frame: pd.DataFrame) -> list[Ints]:
    """Return the label numbers of each task, refusing tasks that the data cannot teach."""
    result = []
    for task in tasks:
        numbers = label_numbers(frame, task)
        used = [task.label_names[i] for i in np.unique(numbers[numbers >= 0])]
        if len(used) < 2:
            raise TaxonomyError(
                f"task {task.name!r} needs turns of at least two labels to learn from, the data has {used or 'none'}"
            )
        result.append(numbers)
    return result
