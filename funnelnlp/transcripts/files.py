"""Read and write transcript files, the format chosen by the extension."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts import csv, jsonl, parquet, xlsx
from funnelnlp.transcripts.frame import in_chinese, tidy, to_records

FORMATS = (".csv", ".jsonl", ".parquet", ".xlsx")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a file held.

    Attributes
    ----------
    frame : pandas.DataFrame
        The turns, in the order of the file.
    rejected : pandas.DataFrame
        Rows that could not be used: ``row`` (number in the file), ``error``, and the cells as they came.
    """

    frame: pd.DataFrame
    rejected: pd.DataFrame


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise TranscriptError(f"{path}: unknown file type {suffix or '(none)'!r}; accepted: {', '.join(FORMATS)}")
    return suffix


def load_transcripts(path: str | Path, *, columns: Mapping[str, str] | None = None, encoding: str | None = None) -> ReadResult:
    """Read a file, or every file of a folder, keeping usable and unusable rows apart.

    Parameters
    ----------
    path : str or pathlib.Path
        A .csv, .jsonl, .parquet or .xlsx file; of a folder all such files are read in the order of their names.
    columns : mapping of str to str, optional
        Canonical name → column name in the file, where the usual names do not fit.
    encoding : str, optional
        For .csv and .jsonl. Tried when not given: BOM, UTF-8, GB18030.

    Returns
    -------
    ReadResult

    Raises
    ------
    TranscriptError
        When the file as a whole cannot be used: missing, empty, of unknown type or encoding, without a
        role or text column.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in FORMATS)
        if not files:
            raise TranscriptError(f"{path}: no transcript there ({', '.join(FORMATS)})")
        results = [load_transcripts(file, columns=columns, encoding=encoding) for file in files]
        return ReadResult(
            pd.concat([r.frame for r in results], ignore_index=True),
            pd.concat([r.rejected for r in results], ignore_index=True),
        )
    suffix = _suffix(path)
    if not path.is_file():
        raise TranscriptError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise TranscriptError(f"{path}: the file is empty")
    broken: list[tuple[int, str, str]] = []
    try:
        if suffix == ".csv":
            raw, broken = csv.read(path, encoding)
        elif suffix == ".jsonl":
            raw, broken = jsonl.read(path, encoding)
        elif suffix == ".parquet":
            raw = parquet.read(path)
        else:
            raw = xlsx.read(path)
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be read ({error.strerror or error})") from None
    if raw.empty and not broken:
        raise TranscriptError(f"{path}: no rows in it, only {list(map(str, raw.columns)) or 'blank lines'}")
    frame, rejected = tidy(raw, columns or {}, str(path), "line" if suffix == ".jsonl" else "row")
    if broken:
        lines = pd.DataFrame([{"row": n, "error": message, "raw": text} for n, text, message in broken])
        rejected = pd.concat([rejected, lines], ignore_index=True)
        rejected = rejected.sort_values("row", key=lambda rows: rows.map(lambda r: float(str(r))), ignore_index=True)
    if len(rejected):
        rejected.insert(0, "file", str(path))
    return ReadResult(frame, rejected)


def describe_rejected(rejected: pd.DataFrame) -> str:
    """Return the first problems of rejected rows as lines for a person."""
    lines = [f"{r.file}, row {r.row}: {r.error}" for r in rejected.head(_SHOWN).itertuples()]
    if len(rejected) > _SHOWN:
        lines.append(f"… and {len(rejected) - _SHOWN} more rows")
    return "\n".join(lines)


def read_transcripts(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    on_error: str = "fail",
    rejected_to: str | Path | None = None,
) -> pd.DataFrame:
    """Read a transcript file into one frame.

    Parameters
    ----------
    path, columns, encoding
        As in `load_transcripts`.
    on_error : {"fail", "skip"}, default "fail"
        What a bad row does: stop the reading, or be left out, counted and reported.
    rejected_to : str or pathlib.Path, optional
        With ``on_error="skip"``, a CSV file for the rows left out, with their number and the reason.

    Returns
    -------
    pandas.DataFrame
        Columns ``conversation_id`` (when the file has it), ``turn_index``, ``role``, ``text``, then all others
        as they came, in the order of the file.

    Raises
    ------
    TranscriptError
        Names the file, the row and what is accepted.

    Examples
    --------
    >>> from funnelnlp.resources import bundled
    >>> frame = read_transcripts(bundled("data/samples") / "chats.csv")
    >>> list(frame.columns[:4])
    ['conversation_id', 'turn_index', 'role', 'text']
    """
    if on_error not in ("fail", "skip"):
        raise TranscriptError(f"on_error must be 'fail' or 'skip', got {on_error!r}")
    result = load_transcripts(path, columns=columns, encoding=encoding)
    if len(result.rejected):
        if on_error == "fail":
            raise TranscriptError(
                f"{len(result.rejected)} of {len(result.rejected) + len(result.frame)} rows cannot be used:\n"
                f"{describe_rejected(result.rejected)}\n"
                "Mend them, or leave them out with --on-error skip (on_error='skip' in Python)"
            )
        if result.frame.empty:
            raise TranscriptError(f"{path}: no usable row in it:\n{describe_rejected(result.rejected)}")
        if rejected_to is not None:
            atomically(Path(rejected_to), lambda target: csv.write(result.rejected, target))
        warnings.warn(f"{len(result.rejected)} rows left out:\n{describe_rejected(result.rejected)}", UserWarning, stacklevel=2)
    return result.frame


def write_transcripts(frame: pd.DataFrame, path: str | Path, *, column_names: str = "en", records: bool = False) -> None:
    """Write a frame of turns, whole or not at all.

    Parameters
    ----------
    frame : pandas.DataFrame
    path : str or pathlib.Path
        The extension chooses the format. CSV is written with a BOM, so that spreadsheet programs show it.
    column_names : {"en", "zh"}, default "en"
        English names as in this library, or Chinese ones (会话ID, 角色, 内容, 漏斗阶段 …).
    records : bool, default False
        For .jsonl, one conversation a line instead of one turn a line.

    Raises
    ------
    TranscriptError
        For an unknown file type or a place that cannot be written to.
    """
    path = Path(path)
    suffix = _suffix(path)
    if column_names not in ("en", "zh"):
        raise TranscriptError(f"column_names must be 'en' or 'zh', got {column_names!r}")
    if records and suffix != ".jsonl":
        raise TranscriptError(f"{path}: conversation records can be written to .jsonl only")
    if records:
        content: Any = to_records(frame)
        write: Callable[[Any, Path], None] = jsonl.write_records
    else:
        content = in_chinese(frame) if column_names == "zh" else frame
        write = {".csv": csv.write, ".jsonl": jsonl.write, ".parquet": parquet.write, ".xlsx": xlsx.write}[suffix]
    atomically(path, lambda target: write(content, target))


def atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then give it that name."""
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be written ({error.strerror or error})") from None
    except UnicodeEncodeError as error:
        raise TranscriptError(f"{path}: a text holds a character that no file can hold ({error.reason})") from None
    finally:
        temporary.unlink(missing_ok=True)
