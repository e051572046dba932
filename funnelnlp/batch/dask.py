"""Scoring on a Dask cluster.

Needs ``pip install 'funnelnlp[dask]'``; nothing of Dask is imported before a function is called.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from funnelnlp.batch.cluster import (
    FILE,
    PLACE,
    ROW,
    arrow_frame,
    bucket_count,
    conversation_keys,
    engine,
    label_bucket,
    refuse_existing,
    scorer,
    temporary_name,
)
from funnelnlp.batch.scorer import TurnScorer
from funnelnlp.errors import FunnelError, TranscriptError
from funnelnlp.transcripts.files import atomically

if TYPE_CHECKING:
    import dask.dataframe as dd
    import distributed

_KEY = "__funnelnlp_key"


def label_turns(frame: dd.DataFrame, *, model: str | Path | None = None, buckets: int | None = None) -> dd.DataFrame:
    """Label the rows of a Dask DataFrame; lazy, like Dask itself.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
        Columns as for `Model.label_frame`; conversations may span partitions. Where turn_index is missing or
        the same twice, rows are taken in their order.
    model : str or pathlib.Path, optional
        Model folder that every worker can reach; the bundled model when not given.
    buckets : int, optional
        Partitions of the result. Each is labelled at once and must fit in a worker's memory.
        As many as ``frame`` has when not given.

    Returns
    -------
    dask.dataframe.DataFrame
        The columns that `Model.label_frame` gives. Every partition holds whole conversations, its rows in the
        order that they had in ``frame``.

    Raises
    ------
    FunnelError
        When Dask is not installed, the model cannot be loaded or the columns do not fit. Bad rows are reported
        when the result is computed, with partition and row.
    """
    engine("dask.dataframe", "dask")
    placed = frame.map_partitions(_in_partition, meta=_with_place(frame._meta, "", 0))
    return _labelled(placed, scorer(model), buckets or frame.npartitions)


def score_dataset(
    source: str | Path,
    target: str | Path,
    *,
    model: str | Path | None = None,
    buckets: int | None = None,
    client: distributed.Client | None = None,
) -> None:
    """Label a Parquet data set on a Dask cluster.

    Parameters
    ----------
    source : str or pathlib.Path
        Parquet file or folder of such files, with columns as for `Model.label_frame`. Conversations may span
        files. Where turn_index is missing or the same twice, rows are taken in the order of the files' names and,
        within a file, in its order.
    target : str or pathlib.Path
        Folder to write to. It must not exist, and appears when it is complete.
    model : str or pathlib.Path, optional
        Model folder; the bundled model when not given.
    buckets : int, optional
        Number of parts that conversations are spread over by the hash of their id, and of files written. Each is
        labelled at once and must fit in a worker's memory. When not given: two per thread of the cluster, more
        where a part would exceed 200,000 rows on average.
    client : distributed.Client, optional
        The cluster, whose workers reach source, target and model under the same paths. When not given, the
        current one or, where there is none, one worker process per core of this machine for the time of the call.

    Raises
    ------
    FunnelError
        When Dask is not installed, the model cannot be loaded or the target exists.
    TranscriptError
        When the data set cannot be read or a row is bad; names file and row.

    Notes
    -----
    Rows and values are those of `Model.label_frame` on the whole data set, other columns keep their Arrow types.
    Every output file holds whole conversations, its rows in the order of the input. Work of a worker that dies is
    done again by the others.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from distributed import Client
    >>> folder = Path(tempfile.mkdtemp())
    >>> pd.DataFrame({"role": ["agent"], "text": ["请问订单号是多少？"]}).to_parquet(folder / "chats.parquet")
    >>> with Client(processes=False, dashboard_address=":0") as client:
    ...     score_dataset(folder / "chats.parquet", folder / "labelled", client=client)
    >>> pd.read_parquet(folder / "labelled")["question_type"].tolist()
    ['封闭式']
    """
    dd, distributed = engine("dask.dataframe", "dask"), engine("distributed", "dask")
    target = Path(target).absolute()
    if target.exists():
        raise refuse_existing(target)
    pieces, schema = _pieces(Path(source).absolute())
    score = scorer(model)
    with ExitStack() as stack:
        if client is None:
            try:
                client = distributed.get_client()
            except ValueError:
                client = stack.enter_context(distributed.Client(processes=True, threads_per_worker=1, dashboard_address=":0"))
        meta = _with_place(arrow_frame(schema.empty_table()), "", 0)
        frame = dd.from_map(partial(_read, schema=schema), *zip(*pieces, strict=True), meta=meta)
        rows = sum(piece.count_rows() for piece, _ in pieces)
        labelled = _labelled(frame, score, buckets or bucket_count(rows, sum(client.nthreads().values())))
        temporary = target.with_name(temporary_name(target.name))
        try:
            temporary.mkdir(parents=True)
        except OSError as error:
            raise FunnelError(f"{target}: cannot be written ({error.strerror})") from None
        try:
            written = labelled.map_partitions(_write, temporary, _labelled_schema(schema, labelled._meta), meta=(None, "int64"))
            client.compute(written, sync=True)
            for cut_off in temporary.glob(".*"):  # by the death of a worker
                cut_off.unlink()
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _pieces(source: Path) -> tuple[list[tuple[ds.ParquetFileFragment, int]], pa.Schema]:
    """Return row groups in the order of file names, each with its first row's number, and their common schema."""
    if not source.exists():
        raise TranscriptError(f"{source}: no such file or folder")
    try:
        files = list(ds.dataset(source, format="parquet").get_fragments())
        schema = pa.unify_schemas([file.physical_schema for file in files], promote_options="permissive")
    except (pa.ArrowException, OSError) as error:
        raise TranscriptError(f"{source}: cannot be read as one Parquet data set ({error})") from None
    pieces = []
    for file in files:
        first = 1
        for piece in file.split_by_row_group():
            pieces.append((piece, first))
            first += piece.count_rows()
    if not pieces:
        raise TranscriptError(f"{source}: no rows in it")
    return pieces, schema


def _read(piece: ds.ParquetFileFragment, first: int, schema: pa.Schema) -> pd.DataFrame:
    return _with_place(arrow_frame(piece.to_table(schema=schema)), piece.path, first)


def _with_place(frame: pd.DataFrame, file: str, first: int) -> pd.DataFrame:
    place = {FILE: pa.repeat(file, len(frame)), ROW: pa.array(range(first, first + len(frame)), pa.int64())}
    return frame.assign(**{name: pd.arrays.ArrowExtensionArray(values) for name, values in place.items()})


def _in_partition(frame: pd.DataFrame, *, partition_info: dict[str, int]) -> pd.DataFrame:
    return _with_place(frame, f"partition {partition_info['number']:06d}", 0)


def _with_keys(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{_KEY: conversation_keys(frame)})


def _labelled(frame: dd.DataFrame, score: TurnScorer, buckets: int) -> dd.DataFrame:
    """Label a frame that has FILE and ROW."""
    meta = label_bucket(frame._meta, score, PLACE)
    given = len(frame.columns) - len(PLACE)
    texts = {name: "string[pyarrow]" for name in meta.columns[given:] if meta[name].dtype.kind not in "fb"}
    if "conversation_id" in frame.columns:
        keyed = frame.map_partitions(_with_keys, meta=_with_keys(frame._meta))
        # Dask's newer shuffle ("p2p") refuses lists and categories of Arrow type.
        frame = keyed.shuffle(_KEY, npartitions=buckets, ignore_index=True, shuffle_method="tasks")
    return frame.map_partitions(_label_partition, score, texts, meta=meta.astype(texts), clear_divisions=True)


def _label_partition(frame: pd.DataFrame, score: TurnScorer, texts: dict[str, str]) -> pd.DataFrame:
    return label_bucket(frame.drop(columns=_KEY, errors="ignore"), score, PLACE).astype(texts)


def _labelled_schema(schema: pa.Schema, labelled: pd.DataFrame) -> pa.Schema:
    """Return the schema of the output: the types of the input, and those of the labels."""
    made = pa.Schema.from_pandas(labelled, preserve_index=False)
    types = [*schema.types, *made.types[len(schema) :]]
    return pa.schema(list(zip(made.names, types, strict=True)))


def _write(frame: pd.DataFrame, folder: Path, schema: pa.Schema, *, partition_info: dict[str, int]) -> pd.Series[int]:
    # Without pandas' notes in it, so that readers get the types they are used to.
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)
    atomically(folder / f"part-{partition_info['number']:05d}.parquet", lambda path: pq.write_table(table, path))
    return pd.Series([len(frame)])
