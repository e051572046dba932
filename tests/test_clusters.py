"""Dask and Spark give what one process gives, whatever happens to their workers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funnelnlp import FunnelError, TranscriptError
from funnelnlp.batch import TurnScorer, dask, spark
from funnelnlp.batch.cluster import ROWS_PER_BUCKET, bucket_count
from funnelnlp.resources import bundled

pytestmark = [
    # Spark checks the version of pandas for features that are not used here.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    # Sockets between Spark and its Python processes are closed by the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
FILES = 5


def write(table: pa.Table, folder: Path) -> None:
    folder.mkdir()
    bounds = np.linspace(0, len(table), FILES + 1).astype(int)
    for i, (start, end) in enumerate(pairwise(bounds)):
        pq.write_table(table.slice(start, end - start), folder / f"chats-{i}.parquet", row_group_size=3000)


def one_process(table: pa.Table) -> pa.Table:
    labelled = TurnScorer()(table.to_pandas(types_mapper=pd.ArrowDtype))
    return pa.Table.from_pandas(labelled, preserve_index=False).replace_schema_metadata(None)


@pytest.fixture(scope="module")
def turns(training: pd.DataFrame) -> pa.Table:
    """45,000 turns in no order, a few of no conversation, with columns that are easily spoilt on the way."""
    plain = training[["conversation_id", "turn_index", "role", "text"]]
    frame = pd.concat([plain.assign(conversation_id=plain["conversation_id"] + f"/{i}") for i in range(2)])
    frame = frame.sample(frac=1, random_state=0, ignore_index=True)
    frame.loc[::50, "conversation_id"] = None
    n = len(frame)
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    for name, values in {
        "id": pa.array(range(n)),
        "order": pa.array([None if i % 3 else 2**62 + i for i in range(n)]),
        "tags": pa.array([[str(i), None] if i % 2 else None for i in range(n)]),
        "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * n, pa.timestamp("us", "UTC")),
        "emotion_phase": pa.array(["平静"] * n),
    }.items():
        table = table.append_column(name, values)
    return table


@pytest.fixture(scope="module")
def chats(turns: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "chats"
    write(turns, folder)
    return folder


@pytest.fixture(scope="module")
def expected(turns: pa.Table) -> pa.Table:
    return one_process(turns)


@pytest.fixture(scope="module")
def session() -> Iterator[object]:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is no java on the path: apt-get install openjdk-17-jre-headless")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.driver.bindAddress": "127.0.0.1"}
    session = SparkSession.builder.master("local[2,4]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(params=["dask", "spark"])
def score(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`score_dataset` of each engine."""
    if request.param == "dask":
        return partial(dask.score_dataset, client=request.getfixturevalue("client"))
    return partial(spark.score_dataset, session=request.getfixturevalue("session"))


def check(folder: Path, expected: pa.Table) -> None:
    """Every row once and as in one process; whole conversations in each file; in each file the order of the input."""
    parts = [pq.read_table(file) for file in sorted(folder.iterdir()) if not re.search(r"_SUCCESS|\.crc$", file.name)]
    result = pa.concat_tables(parts)
    assert result.column_names == expected.column_names
    for name in ("at", "emotion_phase_alert", "familiarity"):
        assert result.schema.field(name).type == expected.schema.field(name).type
    assert result.sort_by("id").cast(expected.schema).equals(expected)
    ids = [set(part["conversation_id"].drop_null().to_pylist()) for part in parts]
    assert sum(map(len, ids)) == len(set().union(*ids)) and sum(map(bool, ids)) > 1
    assert all(np.all(np.diff(part["id"]) > 0) for part in parts)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_same_as_one_process(score: Callable[..., None], chats: Path, expected: pa.Table, tmp_path: Path) -> None:
    score(chats, tmp_path / "labelled")
    check(tmp_path / "labelled", expected)
    assert leftovers(tmp_path) == ["labelled"]


def test_without_turn_index_the_order_of_rows_counts(score: Callable[..., None], turns: pa.Table, tmp_path: Path) -> None:
    some = turns.slice(0, 8000).drop_columns(["turn_index"])
    write(some, tmp_path / "对话 1+%20")
    score(tmp_path / "对话 1+%20", tmp_path / "标注 1+%20", buckets=3)
    check(tmp_path / "标注 1+%20", one_process(some))


def test_without_conversations_every_row_stands_alone(score: Callable[..., None], turns: pa.Table, tmp_path: Path) -> None:
    some = turns.slice(0, 500).select(["role", "text", "id"])
    write(some, tmp_path / "chats")
    score(tmp_path / "chats", tmp_path / "labelled")
    result = pa.concat_tables([pq.read_table(file) for file in (tmp_path / "labelled").glob("*.parquet")])
    labelled = one_process(some)
    assert result.sort_by("id").cast(labelled.schema).equals(labelled)


def test_an_existing_output_is_refused(score: Callable[..., None], chats: Path, tmp_path: Path) -> None:
    (tmp_path / "labelled").mkdir()
    (tmp_path / "labelled" / "precious").touch()
    with pytest.raises(FunnelError, match=r"labelled: exists already; name a folder that does not"):
        score(chats, tmp_path / "labelled")
    assert leftovers(tmp_path) == ["labelled"] and leftovers(tmp_path / "labelled") == ["precious"]


def test_a_bad_row_is_named_and_nothing_is_written(score: Callable[..., None], tmp_path: Path) -> None:
    good = {"conversation_id": ["k1", "k2"], "turn_index": [1, 1], "role": ["客服", "客户"], "text": ["您好", "你好"]}
    write(pa.table(good), tmp_path / "chats")
    pq.write_table(pa.table({**good, "role": ["客服", "路人"]}), tmp_path / "chats" / "z.parquet")
    with pytest.raises(TranscriptError, match=r"z\.parquet', 2\): unknown role '路人'; accepted: "):
        score(tmp_path / "chats", tmp_path / "labelled")
    assert leftovers(tmp_path) == ["chats"]


def test_dask_starts_its_own_processes(turns: pa.Table, tmp_path: Path) -> None:
    some = turns.slice(0, 1000)
    write(some, tmp_path / "chats")
    dask.score_dataset(str(tmp_path / "chats"), str(tmp_path / "labelled"), model=bundled("models/default"))
    check(tmp_path / "labelled", one_process(some))


@pytest.mark.parametrize(("module", "needed"), [(dask, "dask.dataframe"), (spark, "pyspark.sql.functions")])
def test_a_missing_extra_says_what_to_install(module, needed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, needed, None)
    with pytest.raises(FunnelError, match=rf"pip install 'funnelnlp\[{module.__name__.split('.')[-1]}\]'"):
        module.score_dataset(tmp_path, tmp_path / "labelled")


def test_bucket_count() -> None:
    assert bucket_count(0, 2) == bucket_count(1000, 2) == 4
    assert bucket_count(10 * ROWS_PER_BUCKET + 1, 2) == 11


# --- killed workers ----------------------------------------------------------------------------------------------


def until(condition: Callable[[], object]) -> object:
    """Wait for a condition and return what it gives."""
    end = time.monotonic() + 120
    while not (result := condition()):
        assert time.monotonic() < end, "waited two minutes in vain"
        time.sleep(0.005)
    return result


def test_dask_survives_a_killed_worker(client: distributed.Client, chats: Path, expected: pa.Table, tmp_path: Path) -> None:
    victim = client.cluster.workers[0].pid
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(dask.score_dataset, chats, tmp_path / "labelled", buckets=20, client=client)
        until(lambda: job.done() or list(tmp_path.glob(".labelled.*/part-*")))
        os.kill(victim, signal.SIGKILL)
        assert not (tmp_path / "labelled").exists(), "the job was over before the worker was killed"
        job.result(120)
    assert client.cluster.workers[0].pid != victim
    check(tmp_path / "labelled", expected)


def spark_workers() -> list[psutil.Process]:
    """Find the Python processes that label: copies that Spark's daemon makes of itself."""
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    running = [process for process in psutil.process_iter(["ppid", "cmdline"]) if process.pid in ours]
    daemons = {process.pid: process for process in running if "pyspark.daemon" in (process.info["cmdline"] or [])}
    return [process for process in daemons.values() if process.info["ppid"] in daemons]


def test_spark_survives_a_killed_worker(session, chats: Path, expected: pa.Table, tmp_path: Path) -> None:
    tracker = session.sparkContext.statusTracker()
    stages: set[int] = set()

    def failed_tasks() -> int:
        stages.update(tracker.getActiveStageIds())
        return sum(info.numFailedTasks for info in map(tracker.getStageInfo, stages) if info)

    def strike() -> object:
        for worker in spark_workers():
            worker.kill()
        time.sleep(0.3)  # Spark counts a failure some time after it
        return failed_tasks() or job.done()

    with ThreadPoolExecutor(1) as pool:
        # So many tasks that some are under way whenever the workers are found; an idle one dies without a failure.
        job = pool.submit(spark.score_dataset, chats, tmp_path / "labelled", buckets=100, session=session)
        until(lambda: job.done() or list(tmp_path.glob(".labelled.*/_temporary/0/task_*")))
        assert until(strike) and failed_tasks()
        job.result(120)
    check(tmp_path / "labelled", expected)


# --- frames of the engines ---------------------------------------------------------------------------------------


def test_dask_frames(turns: pa.Table) -> None:
    given = turns.slice(0, 3000).drop_columns(["turn_index", "tags", "order"]).to_pandas()
    lazy = dask.label_turns(dd.from_pandas(given, npartitions=4))
    result = lazy.compute(scheduler="sync")
    assert result.dtypes.equals(lazy.dtypes)
    wanted = one_process(turns.slice(0, 3000).drop_columns(["turn_index", "tags", "order"]))
    assert pa.Table.from_pandas(result, schema=wanted.schema, preserve_index=False).sort_by("id").equals(wanted)


def test_spark_frames(session, chats: Path, turns: pa.Table) -> None:
    given = turns.select(["conversation_id", "turn_index", "role", "text", "id"]).slice(0, 3000)
    wanted = one_process(given)
    frame = session.read.parquet(str(chats)).select(*given.column_names).filter("id < 3000")
    rows = [row.asDict() for row in spark.label_turns(frame, buckets=3).collect()]
    assert sorted(rows, key=lambda row: row["id"]) == wanted.to_pylist()
    with pytest.raises(TranscriptError, match="no turn_index"):
        spark.label_turns(frame.drop("turn_index"))
