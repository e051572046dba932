"""How turns are written: the format, the language of the names, turns or conversations a line."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts import csv, jsonl, parquet, xlsx
from funnelnlp.transcripts.formats import format_of
from funnelnlp.transcripts.frame import chinese_names, in_chinese, to_records


@dataclass(frozen=True, slots=True)
class Output:
    """A file of turns to be written, whole or in parts.

    Parameters
    ----------
    path : pathlib.Path
        The extension chooses the format.
    column_names : {"en", "zh"}
    records : bool
        One conversation a line, for .jsonl.

    Raises
    ------
    TranscriptError
        For an unknown file type or a style that the format does not have.
    """

    path: Path
    column_names: str = "en"
    records: bool = False

    def __post_init__(self) -> None:
        if self.column_names not in ("en", "zh"):
            raise TranscriptError(f"column_names must be 'en' or 'zh', got {self.column_names!r}")
        if self.records and self.format != ".jsonl":
            raise TranscriptError(f"{self.path}: conversation records can be written to .jsonl only")

    @property
    def format(self) -> str:
        """The extension without ``.gz``."""
        return format_of(self.path)

    @property
    def is_text(self) -> bool:
        """Whether the file is its `head` and then the `body` of any number of parts."""
        return self.format in (".csv", ".jsonl")

    def named(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with the column names wanted."""
        return in_chinese(frame) if self.column_names == "zh" and not self.records else frame

    def head(self, columns: Sequence[str]) -> bytes:
        """Return what a text file starts with, given the English column names."""
        names = chinese_names(columns) if self.column_names == "zh" else columns
        return self._packed(csv.header(names)) if self.format == ".csv" else b""

    def body(self, frame: pd.DataFrame) -> bytes:
        """Return the rows of a text file."""
        if self.records:
            return self._packed(jsonl.record_lines(to_records(frame)))
        return self._packed((csv if self.format == ".csv" else jsonl).lines(self.named(frame)))

    def _packed(self, data: bytes) -> bytes:
        # Members of a gzip file may simply follow each other; a date in them would make each run differ.
        return gzip.compress(data, compresslevel=4, mtime=0) if self.path.suffix.lower() == ".gz" else data

    def write(self, frame: pd.DataFrame, target: Path) -> None:
        """Write a whole file under another name."""
        if self.is_text:
            target.write_bytes(self.head(list(map(str, frame.columns))) + self.body(frame))
        else:
            (parquet if self.format == ".parquet" else xlsx).write(self.named(frame), target)
