"""Between data frames and arrays; takes a frame, so pandas is there already and need not be imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.errors import TranscriptError
from funnelnlp.features.conversation import UNKNOWN_ROLE, role_code
from funnelnlp.model.turns import parse_role, parse_text

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]


def frame_columns(frame: pd.DataFrame) -> tuple[list[str], Ints, Ints, NDArray[np.float64] | None]:
    """Return (texts, role codes, conversation codes, turn order) of a frame."""
    if "text" not in frame.columns:
        raise TranscriptError(
            f"the frame has no column 'text'; it has {list(map(str, frame.columns))}. Rename the column that holds the "
            "turns, or read the file with read_transcripts, which knows the usual names"
        )
    n = len(frame)
    texts: list[str] = frame["text"].tolist()
    if set(map(type, texts)) - {str}:
        texts = [parse_text(text, f"row {row!r}") for row, text in zip(frame.index, texts, strict=True)]
    roles = np.full(n, UNKNOWN_ROLE, dtype=np.int64)
    if "role" in frame.columns:
        codes, spellings = frame["role"].factorize()
        known = np.full(len(spellings) + 1, UNKNOWN_ROLE)
        for i, spelling in enumerate(spellings):
            where = f"row {frame.index[int((codes == i).argmax())]!r}"
            known[i] = role_code(parse_role(spelling, where))
        roles = known[codes]  # absent roles have code -1, the last entry
    order = None
    if "conversation_id" in frame.columns and "turn_index" in frame.columns:
        order = _numbers(frame["turn_index"])
    return texts, roles, conversation_codes(frame), order


def conversation_codes(frame: pd.DataFrame) -> Ints:
    """Return a number from 0 per conversation for every row; a turn of no known conversation stands on its own."""
    if "conversation_id" not in frame.columns:
        return np.arange(len(frame))
    codes, known = frame["conversation_id"].factorize()
    result: Ints = codes.astype(np.int64)
    alone = np.flatnonzero(result < 0)
    result[alone] = len(known) + np.arange(len(alone))
    return result


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    try:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        numbers = np.array([_number(value) for value in column])
    if np.isnan(numbers).any():
        row = int(np.isnan(numbers).argmax())
        raise TranscriptError(
            f"row {column.index[row]!r}: turn_index must be a number, got {column.iloc[row]!r}; leave the column out "
            "to use the order of the rows"
        )
    return numbers


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def with_labels(frame: pd.DataFrame, labels: dict[str, NDArray[Any]], chinese: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame with label columns at its end, keeping given columns of the same (or Chinese) names."""
    names = {name: name for name in labels} | {title: name for title, name in chinese.items() if name in labels}
    taken = {column: f"{names[column]}_given" for column in frame.columns if column in names}
    if clash := [given for given in taken.values() if given in frame.columns]:
        raise TranscriptError(
            f"the frame has the columns {list(taken)} and {clash} already: drop or rename one of each before labelling"
        )
    if len(set(taken.values())) < len(taken):
        raise TranscriptError(f"the columns {list(taken)} mean the same task twice: drop one before labelling")
    return frame.rename(columns=taken).assign(**labels)
