"""The command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from funnelnlp.cli import main
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.transcripts import read_transcripts
from tests.test_transcripts import BAD_FILES

TASKS = [task.name for task in BUILTIN_TASKS]
FORMATS = ["chats.csv", "chats_gb18030.csv", "chats.xlsx", "chats.jsonl", "chats.parquet"]


def run(*arguments: object, stdin: str | None = None, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments], input=stdin)
    assert result.exit_code == code, result.output + repr(result.exception)
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_score_writes_every_format(suffix: str, model, samples, tmp_path) -> None:
    out = tmp_path / f"out{suffix}"
    output = run("score", samples / "chats.csv", "-o", out)
    assert f"labelled turns written to {out}" in output
    frame = read_transcripts(out)
    source = read_transcripts(samples / "chats.csv")
    assert frame["text"].tolist() == source["text"].tolist()
    assert frame["funnel_stage"].isin(["引导", "筛选", "确认", "解决"]).all()
    assert [c for c in frame.columns if c not in source.columns] == list(model.columns)


def test_every_input_format_gives_the_same_labels(samples, tmp_path) -> None:
    frames = []
    for name in FORMATS:
        out = tmp_path / f"{name}.parquet"
        run("score", samples / name, "-o", out, "--quiet")
        frames.append(pd.read_parquet(out))
    for name, frame in zip(FORMATS, frames, strict=True):
        assert list(frame.columns) == list(frames[0].columns), name
        for column in frame.columns:
            assert frame[column].tolist() == frames[0][column].tolist() or column.endswith("_confidence"), (name, column)
    assert any(str(number).startswith("00") for number in frames[0]["order_no"])


def test_chinese_column_names(samples, tmp_path) -> None:
    run("score", samples / "chats.csv", "-o", tmp_path / "o.csv", "--names", "zh", "--quiet")
    header = (tmp_path / "o.csv").read_text(encoding="utf-8-sig").splitlines()[0].split(",")
    assert header[:4] == ["会话ID", "轮次", "角色", "内容"]
    assert {"漏斗阶段", "提问类型", "SPIN类型", "情绪阶段", "情绪阶段置信度"} <= set(header)
    assert len(read_transcripts(tmp_path / "o.csv")) == len(read_transcripts(samples / "chats.csv"))
    assert "accuracy 1.000" in run("evaluate", tmp_path / "o.csv")


def test_score_on_screen(samples) -> None:
    output = run("score", samples / "chats.csv", "--show", 5)
    assert "漏斗阶段" in output and "conversations" in output and "平静" in output


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_input_is_an_error_and_leaves_nothing(name: str, tmp_path) -> None:
    data, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(data)
    output = run("score", tmp_path / name, "-o", tmp_path / "out.csv", code=1)
    assert message in output
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_bad_rows_skipped_with_a_count_and_a_file(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("conversation_id,role,text\nc,agent,您好\nc,moon,月\n", encoding="utf-8")
    output = run("score", path, "-o", tmp_path / "out.csv", "--on-error", "skip")
    assert "1 rows left out" in output and "unknown role: 'moon'" in output
    assert len(read_transcripts(tmp_path / "out.csv")) == 1
    assert "moon" in (tmp_path / "out.rejected.csv").read_text(encoding="utf-8-sig")


def test_outputs_that_cannot_be(samples, tmp_path) -> None:
    path = samples / "chats.csv"
    assert "replace the input" in run("score", path, "-o", path, code=1)
    assert "replace the input" in run("score", samples, "-o", samples / "new.csv", code=1)
    assert "two outputs" in run(
        "score", path, "-o", tmp_path / "o.csv", "--on-error", "skip", "--rejected", tmp_path / "o.csv", code=1
    )
    assert "unknown file type" in run("score", path, "-o", tmp_path / "o.doc", code=1)
    assert "there is no folder" in run("score", path, "-o", tmp_path / "no" / "o.csv", code=1)
    assert "jsonl only" in run("score", path, "-o", tmp_path / "o.csv", "--records", code=1)
    assert "not a model folder" in run("score", path, "--model", tmp_path, code=1)
    assert "NAME=COLUMN" in run("score", path, "--column", "text", code=2)
    assert list(tmp_path.iterdir()) == []


def test_label_one_line_and_standard_input() -> None:
    assert "question_type=封闭式" in run("label", "请问您的订单号是多少？", "--role", "agent")
    output = run("label", "--json", stdin="客服：您好，请问有什么可以帮您\n客户:你们就是骗子！！\n\n客户\t在吗\n")
    turns = [json.loads(line) for line in output.splitlines()]
    assert [turn["role"] for turn in turns] == ["agent", "customer", "customer"]
    assert turns[1]["emotion_phase"] == "愤怒" and 0 < turns[1]["emotion_phase_confidence"] <= 1
    assert turns[0]["emotion_phase"] == "" and turns[0]["emotion_phase_confidence"] is None
    assert "unknown role" in run("label", "好", "--role", "moon", code=1)
    assert "goes with TEXT" in run("label", "--role", "agent", stdin="好\n", code=2)


def test_train_then_score_with_the_bundled_tasks(small, samples, tmp_path) -> None:
    from funnelnlp.transcripts import write_transcripts

    write_transcripts(small, tmp_path / "labelled.csv")
    run("train", tmp_path / "labelled.csv", "-o", tmp_path / "m", "--jobs", 1)
    run("score", samples / "chats.csv", "--model", tmp_path / "m", "-o", tmp_path / "o.csv")
    assert "funnel_stage" in run("info", "--model", tmp_path / "m")
    output = run("evaluate", tmp_path / "labelled.csv", "--model", tmp_path / "m", "--json", tmp_path / "f.json")
    assert "macro-F1" in output
    figures = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert figures["emotion_phase"]["macro_f1"] > 0.8


def test_train_and_score_a_label_set_of_your_own(tmp_path) -> None:
    rows = [
        {"会话ID": f"c{i}", "角色": "客户", "内容": text, "urgent": label}
        for i, (text, label) in enumerate(
            [("马上给我处理", "yes"), ("立刻退钱", "yes"), ("赶紧的等不了", "yes"), ("不急慢慢来", "no"), ("有空再说", "no")] * 4
        )
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "tasks.json").write_text('[{"name": "urgent", "labels": ["no", "yes"], "role": "customer"}]')
    run("train", tmp_path / "mine.csv", "--tasks", tmp_path / "tasks.json", "-o", tmp_path / "m", "--jobs", 1)
    run("score", tmp_path / "mine.csv", "--model", tmp_path / "m", "-o", tmp_path / "o.csv")
    frame = read_transcripts(tmp_path / "o.csv")
    assert (frame["urgent"] == frame["urgent_given"]).all()
    assert "urgent" in run("check", tmp_path / "mine.csv", "--tasks", tmp_path / "tasks.json")


def test_training_errors(samples, tmp_path) -> None:
    assert "no column 'funnel_stage'" in run("train", samples / "chats.csv", "-o", tmp_path / "m", code=1)
    assert "cannot be read" in run("train", samples / "chats.csv", "-o", tmp_path / "m", "--tasks", tmp_path / "t.json", code=1)
    assert list(tmp_path.iterdir()) == []


def test_train_on_the_votes_of_several_people(tmp_path) -> None:
    rows = [
        {"会话ID": f"c{i}", "角色": "客户", "内容": text, "urgent": label}
        for i, (text, label) in enumerate([("马上给我处理", "yes|yes|no"), ("立刻退钱", "yes:2|no:1"), ("有空再说", "no")] * 4)
    ]
    (tmp_path / "tasks.json").write_text('[{"name": "urgent", "labels": ["no", "yes"], "role": "customer"}]')
    options = ["--tasks", tmp_path / "tasks.json", "-o", tmp_path / "m", "--jobs", 1]
    pd.DataFrame(rows).to_csv(tmp_path / "votes.csv", index=False)
    run("train", tmp_path / "votes.csv", *options)
    assert "no (7)  yes (5)" in run("info", "--model", tmp_path / "m")
    assert "urgent=yes" in run("label", "马上退钱", "--role", "客户", "--model", tmp_path / "m")
    assert "no 7   yes 5" in run("check", tmp_path / "votes.csv", "--tasks", tmp_path / "tasks.json")
    assert "12 turns" in run("evaluate", tmp_path / "votes.csv", "--model", tmp_path / "m")

    rows[3]["urgent"] = "yes:2|maybe:1"
    pd.DataFrame(rows).to_csv(tmp_path / "votes.csv", index=False)
    for command in (["train", tmp_path / "votes.csv", *options], ["evaluate", tmp_path / "votes.csv", "--model", tmp_path / "m"]):
        assert "votes.csv, row 5: urgent: 'maybe' in 'yes:2|maybe:1' is not one of no, yes" in run(*command, code=1)
    record = {"conversation_id": "c", "turns": [{"role": "客户", "text": "好", "urgent": v} for v in ("no", {"yes": 0, "no": 2})]}
    (tmp_path / "votes.jsonl").write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    assert "votes.jsonl, line 1.1: urgent: 'yes' has 0 votes" in run("train", tmp_path / "votes.jsonl", *options, code=1)


def test_agreement_of_two_label_sets(tmp_path) -> None:
    folder = bundled("data/double_labels")
    output = run("agreement", folder / "first.jsonl", folder / "second.jsonl")
    assert "kappa" in output
    assert "emotion_phase" in output
    (tmp_path / "a.csv").write_text("conversation_id,role,text,funnel_stage\nc,agent,您好,引导\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("conversation_id,role,text,funnel_stage\nc,agent,再见,解决\n", encoding="utf-8")
    assert "the two texts differ" in run("agreement", tmp_path / "a.csv", tmp_path / "b.csv", code=1)
    assert "no labelled turn in common" in run("agreement", tmp_path / "a.csv", folder / "first.jsonl", code=1)


def test_explain(model) -> None:
    output = run("explain", "你们就是骗子！！", "--role", "客户", "--task", "emotion_phase", "--before", "客服：请您耐心等待")
    assert "emotion_phase = 愤怒" in output and "骗" in output and "more" in output


def test_info_and_check(tmp_path) -> None:
    assert "spin_type" in run("info")
    path = tmp_path / "a.csv"
    path.write_text(
        "role,text,funnel_stage,question_type,spin_type,emotion_phase\nagent,您好,开始,非提问,无,\n", encoding="utf-8"
    )
    assert "error: funnel_stage: '开始'" in run("check", path, code=1)


def test_help_of_every_command() -> None:
    assert "Examples" in run("score", "--help")
    for command in ("label", "train", "evaluate", "agreement", "explain", "info", "check"):
        assert "Usage" in run(command, "--help")


def test_a_closed_pipe_and_plain_streams_are_quiet(samples) -> None:
    command = f"{sys.executable} -m funnelnlp score {samples / 'chats.csv'} --show 5"
    result = subprocess.run(["sh", "-c", command], capture_output=True, check=True)
    assert "漏斗阶段".encode() in result.stdout
    assert result.stderr == b""
