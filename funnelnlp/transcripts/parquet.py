"""Parquet, through pyarrow."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from funnelnlp.errors import TranscriptError


def read(path: Path) -> pd.DataFrame:
    """Read a Parquet file; index: row number from 1."""
    import pyarrow

    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pyarrow.ArrowException, OSError) as error:
        raise TranscriptError(f"{path}: cannot be read as Parquet ({error})") from None
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a Parquet file."""
    import pyarrow

    try:
        frame.to_parquet(path, engine="pyarrow", index=False)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError) as error:
        raise TranscriptError(
            f"{path}: a column mixes types, which Parquet cannot hold ({' '.join(map(str, error.args))}); write .jsonl or .csv"
        ) from None
