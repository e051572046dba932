"""Excel workbooks: read through calamine, every cell as text; written through XlsxWriter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts.chunk import Raw

_MAX_ROWS = 1_048_575
_MAX_CELL = 32_767


def read(path: Path, rows: int) -> Iterator[Raw]:
    """Read the first sheet, which is held whole, in chunks; index: row number as the spreadsheet shows it."""
    import python_calamine

    try:
        frame = pd.read_excel(path, engine="calamine", dtype=str, keep_default_na=False, na_filter=False)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise TranscriptError(f"{path}: cannot be read as an Excel workbook ({error})") from None
    frame = frame.astype(object)
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    frame = frame[(frame != "").any(axis=1)]
    for start in range(0, max(1, len(frame)), rows):
        yield Raw(frame.iloc[start : start + rows], [], min(1.0, (start + rows) / max(1, len(frame))))


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write one sheet; texts stay texts, a leading ``=`` or a link included."""
    if len(frame) > _MAX_ROWS:
        raise TranscriptError(f"{len(frame)} rows do not fit a sheet ({_MAX_ROWS}): write .csv or .parquet")
    texts = frame.select_dtypes(["object", "string"])
    for name in texts:
        long = texts[name].map(lambda cell: isinstance(cell, str) and len(cell) > _MAX_CELL)
        if long.any():
            raise TranscriptError(
                f"row {long.argmax()}, column {name!r}: {len(texts[name].iloc[long.argmax()])} characters do not fit a cell "
                f"({_MAX_CELL}): write .csv or .parquet"
            )
    # A sheet knows no time zones.
    zoned = {name: frame[name].astype(str) for name in frame.select_dtypes("datetimetz")}
    frame = frame.assign(**{str(name): column for name, column in zoned.items()})
    options = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
    with pd.ExcelWriter(path, engine="xlsxwriter", engine_kwargs=options) as book:
        frame.to_excel(book, index=False)
