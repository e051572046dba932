"""Read and write transcript files, the format chosen by the extension."""

from __future__ import annotations

import itertools
import os
import uuid
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from funnelnlp.errors import DamagedError, TranscriptError
from funnelnlp.transcripts import csv, jsonl, parquet, xlsx
from funnelnlp.transcripts.chunk import Chunk, Raw, joined
from funnelnlp.transcripts.formats import FORMATS, format_of
from funnelnlp.transcripts.frame import canonical_columns, place, tidy
from funnelnlp.transcripts.output import Output

CHUNK_ROWS = 20_000
_SHOWN = 5
# File, row or line, what is wrong with it.
Complaint = tuple[str, str, str]


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


def transcript_files(path: Path) -> list[Path]:
    """Return the file, or all transcripts of the folder in the order of their names.

    Raises
    ------
    TranscriptError
        When there is none, or one that is empty or of unknown type.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.lower().endswith(FORMATS))
        if not files:
            raise TranscriptError(f"{path}: no transcript there ({', '.join(FORMATS)})")
    for file in files:
        format_of(file)
        if not file.is_file():
            raise TranscriptError(f"{file}: no such file")
        if file.stat().st_size == 0:
            raise TranscriptError(f"{file}: the file is empty")
    return files


def read_chunks(
    path: str | Path, *, columns: Mapping[str, str] | None = None, encoding: str | None = None, rows: int = CHUNK_ROWS
) -> Iterator[Chunk]:
    """Read a file, or every file of a folder, in chunks of raw rows; memory does not grow with the size.

    Parameters
    ----------
    path, columns, encoding
        As in `load_transcripts`.
    rows : int
        Size of a chunk; conversations are cut wherever a chunk ends.

    Yields
    ------
    Chunk

    Raises
    ------
    TranscriptError
        As `load_transcripts`.
    DamagedError
        When a file cannot be read further.
    """
    files = transcript_files(Path(path))
    sizes = [file.stat().st_size for file in files]
    for number, file in enumerate(files):
        unit = "line" if format_of(file) == ".jsonl" else "row"
        names: dict[str, str] = {}
        seen: list[str] = []
        found: list[str] = []
        n_read = 0
        try:
            for raw in _read_raw(file, encoding, rows):
                found = list(map(str, raw.frame.columns))
                if not len(raw.frame) + len(raw.broken):
                    continue
                if found != seen:
                    seen, names = found, canonical_columns(found, columns or {}, str(file))
                n_read += len(raw.frame) + len(raw.broken)
                share = (sum(sizes[:number]) + raw.share * sizes[number]) / sum(sizes)
                yield Chunk(str(file), unit, raw.frame.set_axis(found, axis=1), names, raw.broken, share)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DamagedError(f"{file}: cannot be read{f' after row {n_read}' if n_read else ''} ({reason})") from None
        if not n_read:
            raise TranscriptError(f"{file}: no rows in it, only {found or 'blank lines'}")


def _read_raw(path: Path, encoding: str | None, rows: int) -> Iterator[Raw]:
    suffix = format_of(path)
    if suffix == ".csv":
        return csv.read(path, encoding, rows)
    if suffix == ".jsonl":
        return jsonl.read(path, encoding, rows)
    return parquet.read(path, rows) if suffix == ".parquet" else xlsx.read(path, rows)


def load_transcripts(path: str | Path, *, columns: Mapping[str, str] | None = None, encoding: str | None = None) -> ReadResult:
    """Read a file, or every file of a folder, keeping usable and unusable rows apart.

    Parameters
    ----------
    path : str or pathlib.Path
        A .csv, .jsonl, .parquet, .xlsx, .csv.gz or .jsonl.gz file; of a folder all such files are read in the order of
        their names.
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
    frames, rejected = [], []
    chunks = read_chunks(path, columns=columns, encoding=encoding)
    for _, of_file in itertools.groupby(chunks, key=lambda chunk: chunk.where):
        good, bad = tidy(joined(list(of_file)))
        frames.append(good)
        rejected.append(bad)
    return ReadResult(pd.concat(frames, ignore_index=True), pd.concat(rejected, ignore_index=True))


def place_in_file(
    path: str | Path, position: int, *, columns: Mapping[str, str] | None = None, encoding: str | None = None
) -> str:
    """Return the file and the row or line that the turn at a position of ``read_transcripts(path)`` came from."""
    for chunk in read_chunks(path, columns=columns, encoding=encoding):
        if position < len(chunk.frame):
            return f"{chunk.where}, {chunk.unit} {chunk.frame.index[position]}"
        position -= len(chunk.frame)
    return str(path)


def describe_rejected(rejected: pd.DataFrame) -> str:
    """Return the first problems of rejected rows as lines for a person."""
    return shortened(complaints(rejected), len(rejected))


def complaints(rejected: pd.DataFrame) -> list[Complaint]:
    """Return the first problems of rejected rows."""
    return [(str(r.file), str(r.row), str(r.error)) for r in rejected.head(_SHOWN).itertuples()]


def shortened(found: Iterable[Complaint], total: int) -> str:
    """Return the first of so many problems as lines for a person, and how many more there are."""
    first = sorted(found, key=lambda complaint: (complaint[0], place(complaint[1])))[:_SHOWN]
    lines = [f"{file}, row {row}: {error}" for file, row, error in first]
    return "\n".join([*lines, *([f"… and {total - _SHOWN} more rows"] if total > _SHOWN else [])])


def unusable(found: Iterable[Complaint], n_bad: int, n_rows: int) -> TranscriptError:
    """Return the error for bad rows that are not to be left out."""
    return TranscriptError(
        f"{n_bad} of {n_rows} rows cannot be used:\n{shortened(found, n_bad)}\n"
        "Mend them, or leave them out with --on-error skip (on_error='skip' in Python)"
    )


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
            n_bad = len(result.rejected)
            raise unusable(complaints(result.rejected), n_bad, n_bad + len(result.frame))
        if result.frame.empty:
            raise TranscriptError(f"{path}: no usable row in it:\n{describe_rejected(result.rejected)}")
        if rejected_to is not None:
            table = csv.header(list(result.rejected.columns)) + csv.lines(result.rejected)
            atomically(Path(rejected_to), lambda target: target.write_bytes(table))
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
    output = Output(Path(path), column_names, records)
    atomically(output.path, lambda target: output.write(frame, target))


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
