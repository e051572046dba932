"""CSV, in whatever encoding Chinese tools write it."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts.cells import is_empty
from funnelnlp.transcripts.chunk import Broken, Raw
from funnelnlp.transcripts.encoding import TextSource, skip_mark

# A longer cell is taken for a quotation mark that is never closed; a reader must not swallow the rest of the file.
_LONGEST_CELL = 8_000_000
_NEVER_CLOSED = "a quotation mark opens a cell here that is never closed; everything after it would be read as one cell"


def read(path: Path, encoding: str | None, rows: int) -> Iterator[Raw]:
    """Read a CSV file in chunks; every cell stays the text that it is.

    Parameters
    ----------
    path : pathlib.Path
    encoding : str or None
        As for `TextSource`.
    rows : int
        Size of a chunk.

    Yields
    ------
    Raw
        Index: row number as spreadsheet programs count it, the header being row 1. Broken are rows whose number
        of cells does not fit the header.
    """
    source = TextSource(path, encoding, newline="")
    if source.has_nul:
        raise TranscriptError(f"{path}: holds NUL bytes, so it is not CSV text (or is UTF-16: try --encoding utf-16)")
    with source.open() as file:
        delimiter = max(",\t;", key=file.readline().count)
        skip_mark(file)
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        names: list[str] = []
        number, more = 0, True
        while more:
            kept: list[list[str]] = []
            numbers: list[int] = []
            broken: list[Broken] = []
            with _long_cells():
                while more and len(kept) + len(broken) < rows:
                    asked = rows - len(kept) - len(broken) if names else 1
                    found: list[list[str]] = []
                    wrong = None
                    try:
                        # What comes before an error stays in the list.
                        found.extend(islice(lines, asked))
                        more = len(found) == asked
                    except csv.Error as error:
                        wrong = str(error)
                    if names and set(map(len, found)) == {len(names)}:
                        kept += found
                        numbers += range(number + 1, number + 1 + len(found))
                    else:
                        for place, row in enumerate(found, number + 1):
                            if row and len(row) == len(names):
                                kept.append(row)
                                numbers.append(place)
                            elif row and not names:
                                names = row
                            elif row:
                                message = f"{len(row)} cells where the header has {len(names)}; a text with commas needs quotes"
                                broken.append((place, delimiter.join(row), message))
                    number += len(found)
                    if wrong is not None:
                        number += 1
                        if "end of data" in wrong or "field limit" in wrong:
                            raise TranscriptError(f"{path}, row {number}: {_NEVER_CLOSED}")
                        message = f"not valid CSV: {wrong}; a cell that starts with a quotation mark must be quoted"
                        broken.append((number, "", message))
            cells = np.array(kept, dtype=object).reshape(len(kept), len(names))
            columns = pd.Index(names, dtype=object)
            frame = pd.DataFrame(cells, columns=columns, index=np.array(numbers, dtype=np.int64), dtype=object)
            yield Raw(frame, broken, source.share)


@contextmanager
def _long_cells() -> Iterator[None]:
    # The limit is a setting of the process.
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def header(names: Sequence[str]) -> bytes:
    """Return the first line, after the BOM that spreadsheet programs need to show Chinese."""
    return codecs.BOM_UTF8 + _encode([names])


def lines(frame: pd.DataFrame) -> bytes:
    """Return the rows as CSV lines in UTF-8; empty cells are empty."""
    return _encode(zip(*(_cells(frame.iloc[:, i]) for i in range(frame.shape[1])), strict=True))


def _encode(rows: object) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue().encode()


def _cells(column: pd.Series) -> list[object]:
    cells: list[object] = column.tolist()
    types = set(map(type, cells))
    if types <= {str} or types <= {int}:
        return cells
    if types == {float}:
        return ["" if cell != cell else cell for cell in cells]
    return ["" if is_empty(cell) else cell for cell in cells]
