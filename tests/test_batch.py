"""Scoring of files in parts: the same as whole, in any number of processes, and after any kind of stop."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import funnelnlp
from funnelnlp import TranscriptError, read_transcripts, score_files, write_transcripts
from funnelnlp.batch.cutting import cut
from funnelnlp.batch.labelling import Labeller, Order
from funnelnlp.batch.parts import ParquetBegun
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.transcripts.files import read_chunks
from tests.test_transcripts import room_for

TASKS = [task.name for task in BUILTIN_TASKS]
FORMATS = [".csv", ".jsonl", ".parquet", ".xlsx", ".csv.gz", ".jsonl.gz"]


@pytest.fixture(scope="session")
def log(heldout: pd.DataFrame) -> pd.DataFrame:
    """A few hundred turns of whole conversations, as a chat system writes them: without labels."""
    frame = heldout[["conversation_id", "turn_index", "role", "text", "channel"]]
    kept = frame["conversation_id"].isin(frame["conversation_id"].unique()[:80])
    return frame[kept].reset_index(drop=True).assign(order_no=lambda rows: [f"{i:05d}" for i in range(len(rows))])


@pytest.fixture(scope="session")
def whole(model, log: pd.DataFrame) -> pd.DataFrame:
    return model.label_frame(log)


def copies(log: pd.DataFrame, n: int) -> pd.DataFrame:
    return pd.concat([log.assign(conversation_id=log["conversation_id"] + f"-{i}") for i in range(n)], ignore_index=True)


@pytest.fixture(scope="session")
def big(log: pd.DataFrame, tmp_path_factory) -> Path:
    """A log of two dozen parts: time enough to be stopped."""
    path = tmp_path_factory.mktemp("big") / "big.csv"
    write_transcripts(copies(log, 3), path)
    return path


@pytest.fixture(scope="session")
def quiet(big: Path) -> bytes:
    """What comes of it when nothing disturbs."""
    score_files(big, big.with_name("out.csv"), chunk_rows=100)
    return big.with_name("out.csv").read_bytes()


def check_same(labelled: pd.DataFrame, whole: pd.DataFrame) -> None:
    assert list(labelled.columns) == list(whole.columns)
    for name in whole.columns:
        if name.endswith("_confidence") or name == "familiarity":
            np.testing.assert_allclose(pd.to_numeric(labelled[name]).astype(float), whole[name], atol=1e-5)
        else:
            assert labelled[name].fillna("").astype(str).tolist() == whole[name].astype(str).tolist(), name


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- the same as whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", FORMATS)
def test_parts_of_every_format_equal_the_whole(suffix: str, log, whole, tmp_path) -> None:
    write_transcripts(log, tmp_path / f"in{suffix}")
    result = score_files(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", chunk_rows=60)
    check_same(read_transcripts(tmp_path / f"out{suffix}"), whole)
    assert left(tmp_path) == sorted([f"in{suffix}", f"out{suffix}"])
    assert result.turns == len(whole)
    assert result.conversations == whole["conversation_id"].nunique()
    for task in TASKS:
        assert result.labels[task] == whole.loc[whole[task] != "", task].value_counts().to_dict()
    angry = whole.loc[whole["emotion_phase"].isin(["愤怒", "对抗"]), "conversation_id"].unique()
    assert result.angry == len(angry) and result.angry_names == list(angry[:8])


@pytest.mark.parametrize(("suffix", "jobs"), [(".csv", 2), (".jsonl", 1), (".parquet", 1)])
def test_scattered_conversations_keep_the_order_of_the_rows(suffix: str, jobs: int, log, whole, tmp_path) -> None:
    order = np.random.default_rng(0).permutation(len(log))
    mixed = log.iloc[order].reset_index(drop=True)
    write_transcripts(mixed, tmp_path / f"in{suffix}")
    with pytest.raises(TranscriptError, match=r"conversation '.*' comes back here .* --scattered"):
        score_files(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", chunk_rows=60)
    assert left(tmp_path) == [f"in{suffix}"]
    score_files(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", chunk_rows=60, scattered=True, jobs=jobs)
    check_same(read_transcripts(tmp_path / f"out{suffix}"), whole.iloc[order].reset_index(drop=True))
    # What fits a chunk needs no flag.
    score_files(tmp_path / f"in{suffix}", tmp_path / f"small{suffix}", jobs=jobs)
    check_same(read_transcripts(tmp_path / f"small{suffix}"), whole.iloc[order].reset_index(drop=True))


def test_scattered_without_turn_numbers_and_with_bad_rows(log, whole, tmp_path) -> None:
    # Rows of all conversations by turns, as a live log has them.
    mixed = log.sort_values("turn_index", kind="stable").drop(columns="turn_index").reset_index(drop=True)
    mixed.loc[[50, 333], "role"] = "moon"
    write_transcripts(mixed.assign(role=mixed["role"]), tmp_path / "in.jsonl")
    with pytest.raises(TranscriptError, match=r"2 of \d+ rows cannot be used:\n.*in.jsonl, row 51: unknown role: 'moon'"):
        score_files(tmp_path / "in.jsonl", tmp_path / "out.csv", chunk_rows=60, scattered=True)
    with pytest.warns(UserWarning, match="2 rows left out"):
        score_files(tmp_path / "in.jsonl", tmp_path / "out.csv", chunk_rows=60, scattered=True, on_error="skip")
    rest = mixed.drop(index=[50, 333]).reset_index(drop=True)
    expected = funnelnlp.load().label_frame(
        rest.assign(turn_index=rest.groupby("conversation_id").cumcount())[["conversation_id", "turn_index", *rest.columns[1:]]]
    )
    check_same(read_transcripts(tmp_path / "out.csv"), expected)
    assert pd.read_csv(tmp_path / "out.rejected.csv")["row"].tolist() == [51, 334]


def test_a_folder_is_one_log(log, whole, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    third = len(log) // 3
    write_transcripts(log[:third], tmp_path / "in" / "a.csv")
    write_transcripts(log[third : 2 * third].assign(note="x"), tmp_path / "in" / "b.jsonl.gz")
    write_transcripts(log[2 * third :], tmp_path / "in" / "c.parquet")
    score_files(tmp_path / "in", tmp_path / "out.csv", chunk_rows=50)
    labelled = read_transcripts(tmp_path / "out.csv")
    # The column that only the second file has is there from the first row on.
    assert labelled["note"].tolist() == [""] * third + ["x"] * third + [""] * (len(log) - 2 * third)
    check_same(labelled.drop(columns="note"), whole)


def test_columns_that_come_late_and_types_that_change(log, whole, tmp_path) -> None:
    rows = json.loads(log.to_json(orient="records"))
    for number, row in enumerate(rows):
        row["rating"] = None if number < 200 else number if number < 300 else number + 0.5
        if number > 400:
            row["late"] = {"a": number}
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for suffix in (".csv", ".jsonl", ".parquet"):
        score_files(tmp_path / "in.jsonl", tmp_path / f"out{suffix}", chunk_rows=60)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["rating"] for line in lines] == [row["rating"] for row in rows]
    assert [line["late"] for line in lines] == [row.get("late") for row in rows]
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert table["rating"].isna().sum() == 200 and table["rating"].iloc[-1] == rows[-1]["rating"]
    assert table["funnel_stage"].tolist() == whole["funnel_stage"].tolist()
    assert read_transcripts(tmp_path / "out.csv")["late"].tolist()[400:402] == ["", "{'a': 401}"]


@pytest.mark.parametrize("late", [False, True])
def test_parquet_is_the_same_encoded_while_labelling_and_after_it(late: bool, log, tmp_path, monkeypatch) -> None:
    # Only the later parts know the type of the note.
    notes = [None if late and row < 200 else "x" for row in range(len(log))]
    write_transcripts(log.assign(note=notes), tmp_path / "in.jsonl")
    ended = []
    finish = ParquetBegun.finish

    def observed(begun: ParquetBegun, n_parts: int, path: Path) -> bool:
        ended.append(finish(begun, n_parts, path))
        return ended[-1]

    monkeypatch.setattr(ParquetBegun, "finish", observed)
    score_files(tmp_path / "in.jsonl", tmp_path / "meanwhile.parquet", chunk_rows=60)
    assert ended == [not late]
    monkeypatch.setattr(ParquetBegun, "finish", lambda *_: False)
    score_files(tmp_path / "in.jsonl", tmp_path / "after.parquet", chunk_rows=60)
    assert (tmp_path / "meanwhile.parquet").read_bytes() == (tmp_path / "after.parquet").read_bytes()
    assert pd.read_parquet(tmp_path / "after.parquet")["note"].isna().sum() == notes.count(None)
    assert left(tmp_path) == ["after.parquet", "in.jsonl", "meanwhile.parquet"]


def test_a_sheet_with_numbers_for_headings(tmp_path) -> None:
    pd.DataFrame([["agent", "好", "x"]], columns=["role", "text", 2024]).to_excel(
        tmp_path / "in.xlsx", index=False, engine="xlsxwriter"
    )
    score_files(tmp_path / "in.xlsx", tmp_path / "out.jsonl")
    assert read_transcripts(tmp_path / "out.jsonl")["2024"].tolist() == ["x"]


def test_progress_and_the_turns_to_show(log, whole, tmp_path) -> None:
    write_transcripts(log, tmp_path / "in.csv")
    seen: list[tuple[str, int, int]] = []
    result = score_files(
        tmp_path / "in.csv", tmp_path / "out.csv", chunk_rows=100, show=150, progress=lambda *state: seen.append(state)
    )
    assert [stage for stage, _, _ in seen] == ["labelling"] * len(seen) and len(seen) > 3
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen) and seen[-1][1:] == (len(log), len(log))
    assert result.head["text"].tolist() == whole["text"].tolist()[:150]
    assert result.head["funnel_stage"].tolist() == whole["funnel_stage"].tolist()[:150]


def test_whole_numbers_stay_whole_where_cells_are_empty(tmp_path) -> None:
    frame = pd.DataFrame({"role": ["agent"] * 4, "text": ["好"] * 4, "n": pd.array([1, 2, None, 4], dtype="Int64")})
    frame.to_parquet(tmp_path / "in.parquet")
    score_files(tmp_path / "in.parquet", tmp_path / "out.csv", chunk_rows=2)
    assert read_transcripts(tmp_path / "out.csv")["n"].tolist() == ["1", "2", "", "4"]


def test_records_and_chinese_names(log, whole, tmp_path) -> None:
    write_transcripts(log, tmp_path / "in.jsonl", records=True)
    score_files(tmp_path / "in.jsonl", tmp_path / "out.jsonl", records=True, chunk_rows=50)
    labelled = read_transcripts(tmp_path / "out.jsonl")
    check_same(labelled[whole.columns.tolist()], whole)
    score_files(tmp_path / "in.jsonl", tmp_path / "zh.csv.gz", column_names="zh", chunk_rows=50)
    with gzip.open(tmp_path / "zh.csv.gz", "rt", encoding="utf-8-sig") as file:
        assert file.readline().startswith("会话ID,轮次,角色,内容,")
    with pytest.raises(TranscriptError, match="in one place"):
        score_files(tmp_path / "in.jsonl", tmp_path / "out.jsonl", records=True, scattered=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=12), rows=st.integers(1, 30), blanks=st.sets(st.integers(0, 71)))
def test_conversations_are_never_cut(lengths: list[int], rows: int, blanks: set[int], tmp_path) -> None:
    ids = [f"c{i}" for i, length in enumerate(lengths) for _ in range(length)]
    first = {sum(lengths[:i]) for i in range(len(lengths))}
    given_ids = ["" if i in blanks - first else name for i, name in enumerate(ids)]
    lines = "".join(f"{name},agent,{i}\n" for i, name in enumerate(given_ids))
    (tmp_path / "a.csv").write_text(f"conversation_id,role,text\n{lines}", encoding="utf-8")
    parts = list(cut(read_chunks(tmp_path / "a.csv", rows=rows), rows))
    texts = [[int(text) for chunk in part.chunks for text in chunk.frame["text"]] for part in parts]
    assert [text for part in texts for text in part] == list(range(len(ids)))
    assert [part.first for part in parts] == [part[0] for part in texts]
    assert all(ids[before[-1]] != ids[after[0]] for before, after in itertools.pairwise(texts))
    assert all(len(part) <= 2 * rows + max(lengths) for part in texts)


# --- bad rows -----------------------------------------------------------------------------------------------------


def test_bad_rows_of_a_stream(log, tmp_path) -> None:
    lines = [f"c{i // 10},agent,好{i}" for i in range(200)]
    for bad in (25, 150):
        lines[bad] = f"c{bad // 10},moon,月"
    lines[151] = "c15,agent,好,坏"
    (tmp_path / "in.csv").write_text("conversation_id,role,text\n" + "\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(TranscriptError, match=r"3 of 200 rows cannot be used:\n.*row 27: .*\n.*row 152: .*\n.*row 153: 4 cells"):
        score_files(tmp_path / "in.csv", tmp_path / "out.csv", chunk_rows=20, jobs=2)
    assert left(tmp_path) == ["in.csv"]
    with pytest.warns(UserWarning, match="3 rows left out"):
        result = score_files(tmp_path / "in.csv", tmp_path / "out.csv", chunk_rows=20, on_error="skip")
    assert (result.turns, result.rejected) == (197, 3)
    rejected = pd.read_csv(tmp_path / "out.rejected.csv", dtype=str)
    assert rejected["row"].tolist() == ["27", "152", "153"]
    assert rejected["raw"].tolist()[2] == "c15,agent,好,坏"


def test_a_conversation_that_never_ends(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("funnelnlp.batch.cutting._LONGEST_CONVERSATION", 100)
    (tmp_path / "in.csv").write_text("conversation_id,role,text\n" + "x,agent,好\n" * 300, encoding="utf-8")
    with pytest.raises(TranscriptError, match="have the same conversation_id; if that column is not the conversation"):
        score_files(tmp_path / "in.csv", tmp_path / "out.csv", chunk_rows=10)


# --- several processes, killed processes ------------------------------------------------------------------------------

JOB = """
import sys, funnelnlp
source, output, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
funnelnlp.score_files(source, output, jobs=jobs, chunk_rows=100, scattered="--scattered" in sys.argv)
"""


def start(source: Path, output: Path, jobs: int = 1, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", JOB, str(source), str(output), str(jobs), *more]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 0, error
    return error


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def until(condition, process: subprocess.Popen[str]) -> None:
    """Wait for a state of a running job, which must not end before."""
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.001)


def n_finished(output: Path, kind: str = "part") -> int:
    return len(list(output.parent.glob(f".{output.name}.parts/{kind}-*.json")))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_number_of_processes_changes_no_byte(suffix: str, big: Path, tmp_path) -> None:
    outputs = [tmp_path / f"{jobs}{suffix}" for jobs in (1, 2)]
    for jobs, output in enumerate(outputs, 1):
        score_files(big, output, jobs=jobs, chunk_rows=500)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def children(process: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == process and b"resource_tracker" not in command:
            found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_a_killed_worker_loses_and_doubles_nothing(big: Path, quiet: bytes, tmp_path) -> None:
    process = start(big, tmp_path / "out.csv", 2)
    for n_parts in (2, 8):
        until(lambda n=n_parts: n_finished(tmp_path / "out.csv") >= n and children(process.pid), process)
        os.kill(children(process.pid)[0], signal.SIGKILL)
    finish(process)
    assert (tmp_path / "out.csv").read_bytes() == quiet


def killing(task: int) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_task_that_kills_its_worker_is_reported_after_the_others_are_done() -> None:
    from funnelnlp.batch.workers import Pool, WorkerDiedError

    done: list[int] = []
    with Pool(2) as pool, pytest.raises(WorkerDiedError, match="3 times") as error:
        done.extend(pool.run(killing, iter(range(6))))
    assert error.value.task == 3
    assert set(done) >= {0, 1, 2} and 3 not in done and len(done) == len(set(done))


@dataclass(frozen=True, slots=True)
class Deadly(Labeller):
    """Ends its process at one part, as running out of memory does."""

    def __call__(self, order: Order) -> dict:
        killing(order.part.number)
        return Labeller.__call__(self, order)


def test_a_part_that_kills_its_worker_is_reported_with_its_rows(big: Path, quiet: bytes, monkeypatch, tmp_path) -> None:
    output = tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        patch.setattr("funnelnlp.batch.files.Labeller", Deadly)
        message = r"big.csv, rows \d+ to \d+: a worker process ended 3 times .*\n\d+ parts with \d+ rows are finished and kept"
        with pytest.raises(TranscriptError, match=message):
            score_files(big, output, chunk_rows=100, jobs=2)
    assert not output.exists() and n_finished(output) >= 3
    score_files(big, output, chunk_rows=100)
    assert output.read_bytes() == quiet


@pytest.mark.parametrize("stage", ["labelling", "between parts", "assembling"])
def test_a_job_goes_on_after_kill_9(stage: str, big: Path, quiet: bytes, tmp_path) -> None:
    output = tmp_path / "out.csv"
    folder = tmp_path / ".out.csv.parts"
    states = {
        "labelling": lambda: (folder / "job.json").exists() and n_finished(output) == 0,
        "between parts": lambda: n_finished(output) >= 5,
        "assembling": lambda: n_finished(output) >= n_parts,
    }
    n_parts = sum(1 for _ in cut(read_chunks(big, rows=100), 100))
    process = start(big, output)
    until(states[stage], process)
    kill(process)
    assert not output.exists() or stage == "assembling"
    before = list(folder.glob("part-*.json"))
    assert output.exists() or len(before) >= {"labelling": 0, "between parts": 5, "assembling": n_parts}[stage]
    score_files(big, output, chunk_rows=100)
    assert output.read_bytes() == quiet
    assert not folder.exists()


def test_finished_parts_are_not_done_again(big: Path, tmp_path) -> None:
    output, folder = tmp_path / "out.csv", tmp_path / ".out.csv.parts"
    process = start(big, output)
    until(lambda: n_finished(output) >= 5, process)
    kill(process)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("part-*.data")}
    process = start(big, output)
    until(lambda: n_finished(output) > len(before), process)
    kill(process)
    assert {name: (folder / name).stat().st_mtime_ns for name in before if (folder / name).exists()} | before == before


@pytest.fixture(scope="session")
def large(big: Path) -> Path:
    """A log of three parts of the usual size; what comes of it when nothing disturbs lies beside it."""
    write_transcripts(copies(read_transcripts(big), 20), big.with_name("large.csv"))
    score_files(big.with_name("large.csv"), big.with_name("large.out.csv"))
    return big.with_name("large.csv")


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_says_how_to_go_on(jobs: int, large: Path, tmp_path) -> None:
    output = tmp_path / "out.csv"
    command = [sys.executable, "-m", "funnelnlp", "score", large, "-o", output, "--jobs", str(jobs)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: n_finished(output) >= 1, process)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in error and "parts with" in error and "Traceback" not in error
    assert not output.exists()
    again = subprocess.run(command, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert output.read_bytes() == large.with_name("large.out.csv").read_bytes()


@pytest.mark.parametrize("kind", ["bucket", "part"])
def test_scattered_jobs_go_on_too(kind: str, big: Path, tmp_path) -> None:
    frame = read_transcripts(big).sort_values("turn_index", kind="stable")
    write_transcripts(frame, tmp_path / "in.csv")
    score_files(tmp_path / "in.csv", tmp_path / "quiet.csv", chunk_rows=100, scattered=True)
    process = start(tmp_path / "in.csv", tmp_path / "out.csv", 1, "--scattered")
    until(lambda: n_finished(tmp_path / "out.csv", kind) >= 3, process)
    kill(process)
    finish(start(tmp_path / "in.csv", tmp_path / "out.csv", 1, "--scattered"))
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "quiet.csv").read_bytes()


# --- what changes or breaks in between ----------------------------------------------------------------------------


def test_parts_of_another_input_are_dropped_with_a_word(big: Path, tmp_path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    shutil.copy(big, source)
    process = start(source, output)
    until(lambda: n_finished(output) >= 3, process)
    kill(process)
    write_transcripts(read_transcripts(source)[:-5], source)
    with pytest.warns(UserWarning, match=r"earlier run .* are dropped, because these differ now: input"):
        score_files(source, output, chunk_rows=100)
    score_files(source, tmp_path / "quiet.csv", chunk_rows=100)
    assert output.read_bytes() == (tmp_path / "quiet.csv").read_bytes()


def test_a_full_disk(big: Path, quiet: bytes, tmp_path) -> None:
    output = tmp_path / "out.csv"
    # No part is larger than this, the whole is: it breaks while the output is put together.
    with room_for(200_000), pytest.raises(TranscriptError, match=r"parts with \d+ rows are finished .*Make room"):
        score_files(big, output, chunk_rows=100)
    assert not output.exists()
    n_parts = n_finished(output)
    assert n_parts > 10
    score_files(big, output, chunk_rows=100)
    assert output.read_bytes() == quiet


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_really_full_disk(jobs: int, big: Path, quiet: bytes, tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(tmp_path / "disk")]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        output = tmp_path / "disk" / "out.csv"
        with pytest.raises(TranscriptError, match=r"No space left on device.*\n.*finished and kept in .*Make room"):
            score_files(big, output, chunk_rows=100, jobs=jobs)
        assert not output.exists() and n_finished(output) > 0
        subprocess.run(["mount", "-o", "remount,size=20m", str(tmp_path / "disk")], check=True)
        score_files(big, output, chunk_rows=100, jobs=jobs)
        assert output.read_bytes() == quiet
    finally:
        subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_a_damaged_row_group(log, tmp_path) -> None:
    path = tmp_path / "in.parquet"
    log.to_parquet(path, row_group_size=100)
    good = path.read_bytes()
    times = path.stat().st_mtime_ns
    middle = len(good) // 2
    path.write_bytes(good[:middle] + b"\xff" * 2000 + good[middle + 2000 :])
    os.utime(path, ns=(times, times))
    with pytest.raises(
        TranscriptError, match=r"(?s)damaged after row \d+.*\n.*parts with \d+ rows are finished and kept in .*run the same"
    ):
        score_files(path, tmp_path / "out.csv", chunk_rows=50)
    kept = n_finished(tmp_path / "out.csv")
    assert kept > 0
    path.write_bytes(good)
    os.utime(path, ns=(times, times))
    score_files(path, tmp_path / "out.csv", chunk_rows=50)
    score_files(path, tmp_path / "quiet.csv", chunk_rows=50)
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "quiet.csv").read_bytes()


def test_a_gzip_file_that_breaks_off(log, tmp_path) -> None:
    write_transcripts(log, tmp_path / "in.csv.gz")
    data = (tmp_path / "in.csv.gz").read_bytes()
    (tmp_path / "in.csv.gz").write_bytes(data[: len(data) // 2])
    with pytest.raises(TranscriptError, match=r"cannot be read .*end-of-stream.*\n.*nothing is finished yet"):
        score_files(tmp_path / "in.csv.gz", tmp_path / "out.csv", chunk_rows=50)
    assert left(tmp_path) == ["in.csv.gz"]


def test_two_runs_do_not_mix(big: Path, tmp_path) -> None:
    process = start(big, tmp_path / "out.csv")
    until(lambda: n_finished(tmp_path / "out.csv") >= 1, process)
    with pytest.raises(TranscriptError, match="another process is writing it"):
        score_files(big, tmp_path / "out.csv", chunk_rows=100)
    finish(process)
    assert len(read_transcripts(tmp_path / "out.csv")) == len(read_transcripts(big))


# --- memory -------------------------------------------------------------------------------------------------------

MEASURE = """
import sys, funnelnlp
funnelnlp.score_files(sys.argv[1], sys.argv[2], chunk_rows=2000, scattered="--scattered" in sys.argv)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
@pytest.mark.parametrize(("suffix", "more"), [(".csv", []), (".parquet", []), (".jsonl", ["--scattered"])])
def test_memory_does_not_grow_with_the_file(suffix: str, more: list[str], log, tmp_path) -> None:
    peaks = []
    for n in (10, 80):
        write_transcripts(copies(log, n), tmp_path / f"in{suffix}")
        command = [sys.executable, "-c", MEASURE, tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", *more]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) // 1024)
    # Held whole, these files differ by 60 MiB and more.
    assert peaks[1] - peaks[0] < 25, peaks
