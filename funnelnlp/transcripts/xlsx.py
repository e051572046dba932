"""Excel workbooks: read through calamine, every cell as text; written through XlsxWriter."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from funnelnlp.errors import TranscriptError

_MAX_ROWS = 1_048_575


def read(path: Path) -> pd.DataFrame:
    """Read the first sheet; index: row number as the spreadsheet shows it."""
    import python_calamine

    try:
        frame = pd.read_excel(path, engine="calamine", dtype=str, keep_default_na=False, na_filter=False)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise TranscriptError(f"{path}: cannot be read as an Excel workbook ({error})") from None
    frame = frame.astype(object)
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write one sheet; texts stay texts, a leading ``=`` or a link included."""
    if len(frame) > _MAX_ROWS:
        raise TranscriptError(f"{len(frame)} rows do not fit a sheet ({_MAX_ROWS}): write .csv or .parquet")
    options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs=options) as book:
        frame.to_excel(book, index=False)
