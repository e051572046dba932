"""CSV, in whatever encoding Chinese tools write it."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
from pathlib import Path

import pandas as pd

from funnelnlp.errors import TranscriptError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(data: bytes, encoding: str | None, where: str) -> str:
    """Return the text of a file: by BOM, UTF-8, GB18030 in that order, or by the encoding given.

    Raises
    ------
    TranscriptError
        When the bytes do not fit, or fit GB18030 only in a way no Chinese text looks.
    """
    if encoding is not None:
        try:
            return data.decode(encoding)
        except LookupError:
            raise TranscriptError(f"unknown encoding {encoding!r}; try utf-8, gb18030 or big5") from None
        except UnicodeError as error:
            place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
            raise TranscriptError(
                f"{where}: not {encoding} text{place}; without --encoding, BOM, UTF-8 and GB18030 are tried"
            ) from None
    for bom, name in _BOMS:
        if data.startswith(bom):
            try:
                return data.decode(name)
            except UnicodeDecodeError as error:
                raise TranscriptError(f"{where}: starts with a {name} mark but is not {name} text ({error.reason})") from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        broken = error
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        line = data[: broken.start].count(b"\n") + 1
        raise TranscriptError(
            f"{where}: neither UTF-8 (fails in line {line}, byte {broken.start}) nor GB18030; give its encoding with "
            "--encoding, for example --encoding big5"
        ) from None
    foreign = [c for c in text if c > "\x7f"]
    rare = sum(not _in_gb2312(c) for c in foreign)
    if rare > 0.3 * len(foreign):
        raise TranscriptError(
            f"{where}: not UTF-8, and read as GB18030 {rare} of {len(foreign)} characters are ones that Simplified text "
            "does not use, as with Big5 files. Give the encoding with --encoding (big5, or gb18030 if it is right)"
        )
    return text


def _in_gb2312(char: str) -> bool:
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def read(path: Path, encoding: str | None) -> tuple[pd.DataFrame, list[tuple[int, str, str]]]:
    """Read a CSV file; every cell stays the text that it is.

    Returns
    -------
    frame : pandas.DataFrame
        Index: row number as spreadsheet programs count it, the header being row 1.
    broken : list of (row, raw text, message)
        Rows whose number of cells does not fit the header.
    """
    text = decode(path.read_bytes(), encoding, str(path)).removeprefix("\ufeff")
    if "\0" in text:
        raise TranscriptError(f"{path}: holds NUL bytes, so it is not CSV text (or is UTF-16: try --encoding utf-16)")
    first_line = text.split("\n", 1)[0]
    delimiter = max(",\t;", key=first_line.count) if first_line else ","
    rows: list[list[str]] = []
    numbers: list[int] = []
    broken: list[tuple[int, str, str]] = []
    header: list[str] | None = None
    # The limit guards against runaway quotes, which strict mode reports anyway; it is a setting of the process.
    limit = csv.field_size_limit(max(len(text), 131072))
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        for number in itertools.count(1):
            try:
                row = next(lines)
            except StopIteration:
                break
            except csv.Error as error:
                if "end of data" in str(error):
                    raise TranscriptError(
                        f"{path}, row {number}: a quotation mark opens a cell here that is never closed; everything after it "
                        "would be read as one cell"
                    ) from None
                broken.append((number, "", f"not valid CSV: {error}; a cell that starts with a quotation mark must be quoted"))
                continue
            if not row:
                continue
            if header is None:
                header = row
            elif len(row) != len(header):
                message = f"{len(row)} cells where the header has {len(header)}; a text with commas needs quotes"
                broken.append((number, delimiter.join(row), message))
            else:
                rows.append(row)
                numbers.append(number)
    finally:
        csv.field_size_limit(limit)
    return pd.DataFrame(rows, columns=pd.Index(header or [], dtype=object), index=numbers, dtype=object), broken


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write CSV in UTF-8 with a BOM, which spreadsheet programs need to show Chinese."""
    frame.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")
