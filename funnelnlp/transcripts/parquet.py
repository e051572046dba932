"""Parquet, through pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from funnelnlp.errors import DamagedError, TranscriptError
from funnelnlp.transcripts.chunk import Raw

_WHOLE_NUMBERS = [
    *(pd.Int8Dtype(), pd.Int16Dtype(), pd.Int32Dtype(), pd.Int64Dtype()),
    *(pd.UInt8Dtype(), pd.UInt16Dtype(), pd.UInt32Dtype(), pd.UInt64Dtype()),
]


def read(path: Path, rows: int) -> Iterator[Raw]:
    """Read a Parquet file in chunks; index: row number from 1. Whole numbers stay whole where cells are empty."""
    import pyarrow
    from pyarrow import parquet

    done = 0
    try:
        # Without these settings the reader holds a whole row group, which may be the whole file.
        with parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            total = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=rows):
                frame = to_pandas(pyarrow.Table.from_batches([batch]))
                frame.index = pd.RangeIndex(done + 1, done + len(frame) + 1)
                done += len(frame)
                yield Raw(frame, [], done / total)
            if not total:
                yield Raw(to_pandas(file.schema_arrow.empty_table()), [], 1.0)
    except (pyarrow.ArrowException, OSError) as error:
        if done:
            raise DamagedError(
                f"{path}: damaged after row {done}, cannot be read further ({' '.join(str(error).split())})"
            ) from None
        raise TranscriptError(f"{path}: cannot be read as Parquet ({error})") from None


def to_pandas(table: Any) -> pd.DataFrame:
    """Return an Arrow table as a frame whose column types do not depend on which cells are empty."""
    import pyarrow

    for place, field in enumerate(table.schema):
        if pyarrow.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    whole: dict[Any, Any] = {pyarrow.from_numpy_dtype(kind.type): kind for kind in _WHOLE_NUMBERS}
    whole[pyarrow.bool_()] = pd.BooleanDtype()
    frame: pd.DataFrame = table.to_pandas(types_mapper=whole.get)
    return frame.reset_index() if any(name is not None for name in frame.index.names) else frame


def to_arrow(frame: pd.DataFrame) -> Any:
    """Return a frame as an Arrow table.

    Raises
    ------
    TranscriptError
        When a column mixes types.
    """
    import pyarrow

    try:
        return pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError) as error:
        raise mixed_types(error) from None


def mixed_types(error: Exception) -> TranscriptError:
    """Return the error for a column that Parquet cannot hold."""
    reason = " ".join(map(str, error.args))
    return TranscriptError(f"a column mixes types, which Parquet cannot hold ({reason}); write .jsonl or .csv")


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a Parquet file."""
    from pyarrow import parquet

    parquet.write_table(to_arrow(frame), path)
