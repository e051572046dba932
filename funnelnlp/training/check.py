"""What is wrong with labelled data, before anybody trains on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.text import normalise_all
from funnelnlp.training.guards import near_duplicates, personal_data
from funnelnlp.training.labelled import TIED, Ints, column_of, majority, place, vote_shares

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
    warning funnel_stage: no turn is labelled 筛选, 确认, 解决
    warning 1 turn has no text (row 1)
    """
    findings: list[Finding] = []

    def note(level: str, message: str) -> None:
        findings.append(Finding(level, message))

    def where(rows: pd.Index) -> str:
        shown = ", ".join(place(frame, row) for row in rows[:3])
        return f"({shown}{', …' if len(rows) > 3 else ''})"

    numbers: dict[str, Ints] = {}
    for task in tasks:
        column = column_of(frame, task)
        if column is None:
            note("error", f"{task.name}: there is no such column")
            continue
        shares, problems = vote_shares(frame[column].tolist(), task)
        numbers[task.name] = majority(shares)
        applies = frame["role"].map(task.applies_to).to_numpy(dtype=bool)
        for problem in sorted(set(problems.values())):
            note("error", f"{problem} {where(frame.index[[i for i, found in problems.items() if found == problem]])}")
        unlabelled = numbers[task.name] == -1
        unlabelled[list(problems)] = False
        empty = frame.index[unlabelled & applies]
        if len(empty):
            note("warning", f"{task.name}: {_count(len(empty), 'cell')} empty where the task applies {where(empty)}")
        tied = frame.index[(numbers[task.name] == TIED) & applies]
        if len(tied):
            note(
                "warning",
                f"{task.name}: {_count(len(tied), 'turn')} with tied votes {where(tied)}; training learns from them, "
                "evaluation leaves them out",
            )
        if never := [task.label_names[i] for i in np.flatnonzero(shares.sum(axis=0) == 0)]:
            note("warning", f"{task.name}: no turn is labelled {', '.join(never)}")
        outside = frame.index[~unlabelled & ~applies]
        if len(outside):
            note(
                "warning",
                f"{task.name}: {_count(len(outside), 'label')} on turns that are not of the {task.role} {where(outside)}; "
                "training leaves them out",
            )
    blank = frame.index[frame["text"].str.strip() == ""]
    if len(blank):
        note("warning", f"{_count(len(blank), 'turn')} {'has' if len(blank) == 1 else 'have'} no text {where(blank)}")
    for row, kind, found in personal_data(frame):
        note("warning", f"{place(frame, row)}: {found!r} looks like a real {kind}")
    if "conversation_id" in frame.columns:
        _check_conversations(frame, note)
        _check_duplicates(frame, numbers, note)
        for row, twin, similarity in near_duplicates(frame):
            note(
                "warning",
                f"{place(frame, row)} and {place(frame, twin)} are nearly the same (5-gram Jaccard {similarity:.2f}): "
                f"{str(frame.at[row, 'text'])[:30]!r}",
            )
    return findings


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


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


def _check_duplicates(frame: pd.DataFrame, numbers: Mapping[str, Ints], note: _Note) -> None:
    """Note turns of the same text and role, after the same text, that are labelled differently."""
    text = pd.Series(normalise_all(frame["text"].tolist()), index=frame.index)
    before = text.groupby(frame["conversation_id"]).shift(fill_value="")
    keys = pd.DataFrame({"role": frame["role"], "text": text, "before": before})
    long_enough = text.str.len() > 12
    for task, labels in numbers.items():
        used = long_enough.to_numpy() & (labels >= 0)
        different = pd.Series(labels, index=frame.index)[used].groupby([keys[c][used] for c in keys]).nunique()
        conflicts = different.index[different > 1]
        if len(conflicts):
            note(
                "warning",
                f"{task}: {_count(len(conflicts), 'turn')} with the same text and the same turn before, labelled "
                f"differently ({conflicts[0][1][:20]!r} …)",
            )
