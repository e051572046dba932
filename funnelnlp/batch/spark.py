"""Scoring on Spark.

Needs ``pip install 'funnelnlp[spark]'`` and Java; nothing of Spark is imported before a function is called.
Rows travel as Arrow, not through pandas UDFs, whose pandas versions lag behind.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from funnelnlp.batch.cluster import (
    PLACE,
    arrow_frame,
    bucket_count,
    engine,
    label_bucket,
    refuse_existing,
    scorer,
    temporary_name,
)
from funnelnlp.batch.scorer import TurnScorer
from funnelnlp.errors import FunnelError, TranscriptError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TIMESTAMPS = "spark.sql.parquet.outputTimestampType"
_ORDER = ["conversation_id", "turn_index"]


def label_turns(frame: DataFrame, *, model: str | Path | None = None, buckets: int | None = None) -> DataFrame:
    """Label the rows of a Spark DataFrame; lazy, like Spark itself.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        Columns as for `Model.label_frame`. With conversation_id there must be turn_index too, a different one for
        each turn of a conversation, because the rows of a Spark DataFrame have no order.
    model : str or pathlib.Path, optional
        Model folder that every worker can reach; the bundled model when not given.
    buckets : int, optional
        Partitions of the result. Each is labelled at once and must fit in the memory of a Python worker.
        ``spark.sql.shuffle.partitions`` when not given.

    Returns
    -------
    pyspark.sql.DataFrame
        The columns that `Model.label_frame` gives; a confidence that does not apply is null. Every partition
        holds whole conversations, sorted by conversation_id and turn_index.

    Raises
    ------
    FunnelError
        When Spark is not installed, the model cannot be loaded or the columns do not fit. Bad rows are reported
        when the result is computed.
    """
    F = engine("pyspark.sql.functions", "spark")
    if "conversation_id" not in frame.columns:
        return _labelled(frame, scorer(model), [])
    if "turn_index" not in frame.columns:
        raise TranscriptError(
            "the frame has conversation_id but no turn_index, and the rows of a Spark DataFrame have no order: add the "
            "number of each turn in its conversation, or use score_dataset, which takes the rows in the order of the files"
        )
    if buckets is None:
        buckets = int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions") or 200)
    key = F.coalesce(F.col("conversation_id").cast("string"), F.col("text"))
    return _labelled(frame.repartition(buckets, key), scorer(model), _ORDER)


def score_dataset(
    source: str | Path,
    target: str | Path,
    *,
    model: str | Path | None = None,
    buckets: int | None = None,
    session: SparkSession | None = None,
) -> None:
    """Label a Parquet data set on Spark.

    Parameters
    ----------
    source : str or pathlib.Path
        Parquet file or folder of such files, or anything else that Spark reads as such (``hdfs://…``), with columns as
        for `Model.label_frame`. Conversations may span files. Where turn_index is missing or the same twice, rows
        are taken in the order of the files' names and, within a file, in its order.
    target : str or pathlib.Path
        Folder to write to. It must not exist, and appears when it is complete.
    model : str or pathlib.Path, optional
        Model folder that every worker can reach; the bundled model when not given.
    buckets : int, optional
        Number of parts that conversations are spread over by the hash of their id, and of files written at most.
        Each is labelled at once and must fit in the memory of a Python worker. When not given: two per core,
        more where a part would exceed 200,000 rows on average.
    session : pyspark.sql.SparkSession, optional
        The current one when not given or, where there is none, one on all cores of this machine.

    Raises
    ------
    FunnelError
        When Spark is not installed, the model cannot be loaded or the target exists.
    TranscriptError
        When a row is bad; names file and row.

    Notes
    -----
    Rows and values are those of `Model.label_frame` on the whole data set. Every output file holds whole
    conversations, its rows in the order of the input. Other columns have the types that Spark gives them: unsigned
    integers become the next larger signed ones, categories become strings, and Spark refuses timestamps in
    nanoseconds. Work of a worker that dies is done again; a session of your own on one machine needs a master such as
    ``local[8,4]`` for that, because ``local[8]`` makes one attempt only.

    Examples
    --------
    With Java on this machine::

        score_dataset("chats/", "labelled/")
    """
    F = engine("pyspark.sql.functions", "spark")
    spark = session or _session()
    # Hadoop's file system, so that HDFS and object stores work as well as folders of this machine.
    hadoop = spark._jvm.org.apache.hadoop.fs
    final = hadoop.Path(_absolute(target))
    files = final.getFileSystem(spark._jsc.hadoopConfiguration())
    if files.exists(final):
        raise refuse_existing(target)
    frame = spark.read.option("mergeSchema", True).parquet(_absolute(source))
    # _metadata has the path as a URL, in which 会 sorts before a; plus signs stand for themselves there.
    file = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    placed = frame.select("*", file.alias(PLACE[0]), (F.col("_metadata.row_index") + 1).alias(PLACE[1]))
    score = scorer(model)
    if "conversation_id" in frame.columns:
        buckets = buckets or bucket_count(frame.count(), spark.sparkContext.defaultParallelism)
        key = F.coalesce(F.col("conversation_id").cast("string"), F.concat(*PLACE))
        placed = placed.repartition(buckets, key)
    # Spark's own default writes a form of timestamps that others read without their time zone.
    stamps = spark.conf.get(_TIMESTAMPS)
    temporary = hadoop.Path(final.getParent(), temporary_name(final.getName()))
    try:
        spark.conf.set(_TIMESTAMPS, "TIMESTAMP_MICROS")
        _labelled(placed, score, PLACE).write.parquet(temporary.toString())
        if files.exists(final):  # which Hadoop would move the new folder into
            raise refuse_existing(target)
        if not files.rename(temporary, final):
            raise FunnelError(f"{target}: cannot be written")
    except engine("pyspark.errors", "spark").PySparkException as error:
        if told := re.search(r"funnelnlp\.errors\.(\w+): (.+)", str(error)):
            raise TranscriptError(told[2]) from None
        raise
    finally:
        spark.conf.set(_TIMESTAMPS, stamps)
        files.delete(temporary, True)


def _absolute(path: str | Path) -> str:
    """Leave ``hdfs://…`` alone; Spark would look for a plain path on its default file system."""
    # Not as_uri(), because Hadoop takes percent signs as they are.
    return str(path) if "://" in str(path) else f"file:///{Path(path).absolute().as_posix().lstrip('/')}"


def _session() -> SparkSession:
    sql = engine("pyspark.sql", "spark")
    # What Spark uses where nothing else is configured: this Python, and on one machine four attempts instead of one.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("MASTER", "local[*,4]")
    return sql.SparkSession.builder.getOrCreate()


def _labelled(frame: DataFrame, score: TurnScorer, place: list[str]) -> DataFrame:
    """Label every partition of a frame that has whole conversations in each."""
    types = engine("pyspark.sql.types", "spark")
    given = [field for field in frame.schema if field.name not in PLACE]
    empty = score(pd.DataFrame({field.name: pd.Series(dtype=object) for field in given}))
    kinds = {"f": types.DoubleType(), "b": types.BooleanType()}
    made = [kinds.get(dtype.kind, types.StringType()) for dtype in empty.dtypes[len(given) :]]
    columns = zip(empty.columns, [*(field.dataType for field in given), *made], strict=True)
    schema = types.StructType([types.StructField(name, kind) for name, kind in columns])
    return frame.mapInArrow(partial(_label_partition, score=score, place=place), schema)


def _label_partition(batches: Iterable[pa.RecordBatch], score: TurnScorer, place: list[str]) -> Iterator[pa.RecordBatch]:
    parts = [batch for batch in batches if batch.num_rows]
    if not parts:
        return
    table = pa.Table.from_batches(parts)
    del parts
    labelled = label_bucket(arrow_frame(table), score, place)
    yield from pa.Table.from_pandas(labelled, preserve_index=False).to_batches(max_chunksize=10_000)
