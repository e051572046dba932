"""Between data frames and arrays; takes a frame, so pandas is there already and need not be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.errors import TranscriptError
from funnelnlp.features.conversation import UNKNOWN_ROLE, role_code

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]


def frame_columns(frame: pd.DataFrame) -> tuple[list[str], Ints, Ints, NDArray[np.float64] | None]:
    """Return (texts, role codes, conversation codes, turn order) of a frame."""
    from funnelnlp.model.model import parse_role, parse_text

    if "text" not in frame.columns:
        raise TranscriptError(
            f"the frame has no column 'text'; it has {list(map(str, frame.columns))}. Rename the column that holds the "
            "turns, or read the file with read_transcripts, which knows the usual names"
        )
    n = len(frame)
    texts: list[str] = frame["text"].tolist()
    if not all(type(text) is str for text in texts):
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
    if "conversation_id" in frame.columns:
        conversation = frame["conversation_id"].factorize(use_na_sentinel=False)[0].astype(np.int64)
        if "turn_index" in frame.columns:
            order = _numbers(frame["turn_index"])
    else:
        conversation = np.arange(n)
    return texts, roles, conversation, order


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


def with_labels(frame: pd.DataFrame, labels: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Return the frame with label columns at its end, keeping given columns of the same names."""
    taken = [name for name in labels if name in frame.columns]
    clash = [f"{name}_given" for name in taken if f"{name}_given" in frame.columns]
    if clash:
        raise TranscriptError(
            f"the frame has the columns {taken} and {clash} already: drop or rename one of each before labelling"
        )
    return frame.rename(columns={name: f"{name}_given" for name in taken}).assign(**labels)
