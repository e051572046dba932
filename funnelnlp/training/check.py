"""What is wrong with labelled data, before anybody trains on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.text import normalise_all
from funnelnlp.training.guards import near_duplicates, personal_data
from funnelnlp.transcripts.cells import is_empty

_Note = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at.

    Attributes
    ----------
    level : {"error", "warning"}
        An error keeps the data from being used.
    message : str
        What and where.
    """

    level: str
    message: str


def check(frame: pd.DataFrame, tasks: Sequence[Task] = BUILTIN_TASKS) -> list[Finding]:
    """Look for wrong and missing labels, duplicates, conversations cut short and data of real people.

    Parameters
    ----------
    frame : pandas.DataFrame
        Labelled turns as `read_transcripts` returns them.
    tasks : sequence of Task

    Returns
    -------
    list of Finding
        Empty when nothing was found.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"role": ["agent", "agent"], "text": ["您好", ""], "funnel_stage": ["引导", "开始"]})
    >>> from funnelnlp.taxonomy import FUNNEL_STAGE
    >>> for finding in check(frame, [FUNNEL_STAGE]):
    ...     print(finding.level, finding.message)
    error funnel_stage: '开始' is not one of 引导, 筛选, 确认, 解决 (row 1)
    warning 1 turn has no text (row 1)
    warning funnel_stage: no turn is labelled 筛选, 确认, 解决
    """
    findings: list[Finding] = []

    def note(level: str, message: str) -> None:
        findings.append(Finding(level, message))

    def where(rows: pd.Index) -> str:
        shown = ", ".join(_place(frame, row) for row in rows[:3])
        return f"({shown}{', …' if len(rows) > 3 else ''})"

    for task in tasks:
        if task.name not in frame.columns:
            note("error", f"{task.name}: there is no such column")
            continue
        cells = _cells(frame, task)
        applies = frame["role"].map(task.applies_to)
        for value in sorted(set(cells) - {""}):
            if task.canonical(value) is None:
                rows = frame.index[cells == value]
                note("error", f"{task.name}: {value!r} is not one of {', '.join(task.label_names)} {where(rows)}")
        empty = frame.index[(cells == "") & applies]
        if len(empty):
            note("warning", f"{task.name}: {_count(len(empty), 'cell')} empty where the task applies {where(empty)}")
        outside = frame.index[(cells != "") & ~applies]
        if len(outside):
            note(
                "warning",
                f"{task.name}: {_count(len(outside), 'label')} on turns that are not of the {task.role} {where(outside)}; "
                "training leaves them out",
            )
    blank = frame.index[frame["text"].str.strip() == ""]
    if len(blank):
        note("warning", f"{_count(len(blank), 'turn')} {'has' if len(blank) == 1 else 'have'} no text {where(blank)}")
    for task in tasks:
        if task.name in frame.columns:
            names = {task.canonical(cell) for cell in _cells(frame, task)}
            if missing := [name for name in task.label_names if name not in names]:
                note("warning", f"{task.name}: no turn is labelled {', '.join(missing)}")
    for row, kind, found in personal_data(frame):
        note("warning", f"{_place(frame, row)}: {found!r} looks like a real {kind}")
    if "conversation_id" in frame.columns:
        _check_conversations(frame, note)
        _check_duplicates(frame, tasks, note)
        for row, twin, similarity in near_duplicates(frame):
            note(
                "warning",
                f"{_place(frame, row)} and {_place(frame, twin)} are nearly the same (5-gram Jaccard {similarity:.2f}): "
                f"{str(frame.at[row, 'text'])[:30]!r}",
            )
    return findings


def _cells(frame: pd.DataFrame, task: Task) -> pd.Series:
    return frame[task.name].astype(object).map(lambda cell: "" if is_empty(cell) else str(cell).strip())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _place(frame: pd.DataFrame, row: Any) -> str:
    if "conversation_id" in frame.columns and "turn_index" in frame.columns:
        return f"{frame.at[row, 'conversation_id']!s} turn {frame.at[row, 'turn_index']!s}"
    return f"row {row}"


def _check_conversations(frame: pd.DataFrame, note: _Note) -> None:
    groups = frame.groupby("conversation_id", sort=False)
    sizes = groups.size()
    if lonely := list(sizes.index[sizes == 1]):
        note("warning", f"{_count(len(lonely), 'conversation')} of a single turn ({', '.join(map(str, lonely[:5]))})")
    sides = groups["role"].nunique()
    if one_sided := list(sides.index[(sides < 2) & (sizes > 1)]):
        note("warning", f"{_count(len(one_sided), 'conversation')} with one side only ({', '.join(map(str, one_sided[:5]))})")
    if "turn_index" in frame.columns:
        span = groups["turn_index"].max() - groups["turn_index"].min() + 1
        if cut := list(sizes.index[span != sizes]):
            note("warning", f"{_count(len(cut), 'conversation')} with turns missing in between ({', '.join(map(str, cut[:5]))})")


def _check_duplicates(frame: pd.DataFrame, tasks: Sequence[Task], note: _Note) -> None:
    """Note turns of the same text and role, after the same text, that are labelled differently."""
    text = pd.Series(normalise_all(frame["text"].tolist()), index=frame.index)
    before = text.groupby(frame["conversation_id"]).shift(fill_value="")
    keys = pd.DataFrame({"role": frame["role"], "text": text, "before": before})
    long_enough = text.str.len() > 12
    for task in tasks:
        if task.name not in frame.columns:
            continue
        cells = _cells(frame, task)
        used = (long_enough & (cells != "")).to_numpy()
        different = cells[used].groupby([keys[c][used] for c in keys]).nunique()
        conflicts = different.index[different > 1]
        if len(conflicts):
            note(
                "warning",
                f"{task.name}: {_count(len(conflicts), 'turn')} with the same text and the same turn before, labelled "
                f"differently ({conflicts[0][1][:20]!r} …)",
            )
