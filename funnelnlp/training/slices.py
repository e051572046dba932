"""Figures of parts of the data: per channel, industry, batch, role and length of the turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.taxonomy import canonical_role
from funnelnlp.training.labelled import Ints
from funnelnlp.training.measures import Floats, confusion_per_unit, counted_labels, f1_scores

COLUMNS = ("channel", "industry", "batch", "role")
TURN_LENGTH = "turn_length"
FEWEST_TURNS = 30
_MOST_INDUSTRIES = 20
_LENGTHS = {"1-4": 4, "5-12": 12, "13-30": 30, "31+": np.inf}


def values_of(frame: pd.DataFrame, key: str) -> pd.Series:
    """Return what every turn has in a column, or in several with commas between; missing where a cell is empty.

    Parameters
    ----------
    frame : pandas.DataFrame
    key : str
        ``"channel"``, ``"channel,batch"``, any other columns, or ``"turn_length"`` (characters of the text).

    Returns
    -------
    pandas.Series of str

    Raises
    ------
    TranscriptError
        When there is no such column.

    Examples
    --------
    >>> frame = pd.DataFrame({"text": ["好的", "请问什么时候发货"], "channel": ["chat", "mail"], "batch": [1, 2]})
    >>> values_of(frame, "channel,batch").tolist(), values_of(frame, "turn_length").tolist()
    (['chat, 1', 'mail, 2'], ['1-4', '5-12'])
    """
    if key == TURN_LENGTH:
        cut = pd.cut(frame["text"].str.len(), [0, *_LENGTHS.values()], labels=list(_LENGTHS))
        return cut.astype(object)
    columns = [column.strip() for column in key.split(",")]
    if missing := [column for column in columns if column not in frame.columns]:
        raise TranscriptError(
            f"there is no column {missing[0]!r} to take apart by; the data has {', '.join(map(str, frame.columns))}"
        )
    parts = [frame[column].map(canonical_role) if column == "role" else frame[column] for column in columns]
    absent = np.logical_or.reduce([part.isna() | (part.astype(str).str.strip() == "") for part in parts])
    joined = parts[0].astype(str)
    for part in parts[1:]:
        joined = joined + ", " + part.astype(str)
    return joined.astype(object).mask(absent)


def slices(
    frame: pd.DataFrame, truth: Ints, predicted: Ints, labels: Sequence[str], *, by: Iterable[str] = (), min_support: int = 10
) -> dict[str, dict[str, Any]]:
    """Measure parts of the predictions of one task.

    Parameters
    ----------
    frame : pandas.DataFrame
        The turns.
    truth, predicted : ndarray of int64, shape (n,)
        Label numbers; rows with a negative truth are left out.
    labels : sequence of str
    by : iterable of str
        What to take apart by, besides channel, industry, batch and role (where there are such columns) and
        turn_length; as in `values_of`.
    min_support : int
        As in `evaluate_predictions`, within each part.

    Returns
    -------
    dict
        Per column and value ``turns``, ``accuracy``, ``macro_f1`` and the labels that count in it, largest part
        first; values with fewer than 30 labelled turns are left out, and all but the 20 largest industries.
    """
    keys = [column for column in COLUMNS if column in frame.columns] + [TURN_LENGTH, *by]
    known = truth >= 0
    k = len(labels)
    result: dict[str, dict[str, Any]] = {}
    for key in keys:
        code, values = values_of(frame, key)[known].factorize()
        used = code >= 0
        matrices = confusion_per_unit(truth[known][used], predicted[known][used], code[used], k)
        matrices = matrices.reshape(-1, k, k)
        figures = {str(value): _figures(m, labels, min_support) for value, m in zip(values, matrices, strict=True)}
        enough = {value: f for value, f in figures.items() if f["turns"] >= FEWEST_TURNS}
        order = list(_LENGTHS) if key == TURN_LENGTH else sorted(enough, key=lambda value: -enough[value]["turns"])
        result[key] = {value: enough[value] for value in order if value in enough}
    if "industry" in result:
        result["industry"] = dict(list(result["industry"].items())[:_MOST_INDUSTRIES])
    return result


def _figures(confusion: Floats, labels: Sequence[str], min_support: int) -> dict[str, Any]:
    counted = counted_labels(confusion, min_support)
    return {
        "turns": int(confusion.sum()),
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        "macro_f1": float(f1_scores(confusion)[counted].mean()),
        "macro_f1_labels": [name for name, c in zip(labels, counted, strict=True) if c],
    }
