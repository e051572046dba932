"""The bundled corpus keeps what its datasheet promises."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.training import agreement, check
from funnelnlp.training.guards import near_duplicates, personal_data
from funnelnlp.training.labelled import label_numbers
from funnelnlp.transcripts import read_transcripts

REAL = Path(__file__).resolve().parents[2] / "shared" / "eval" / "real_dev.jsonl"
CHANNELS = {"online_chat", "phone_asr", "wechat", "email", "in_app", "weibo"}


@pytest.fixture(scope="module")
def corpus(training, heldout) -> pd.DataFrame:
    return pd.concat([training, heldout], ignore_index=True)


def test_every_turn_is_labelled_where_its_task_applies(corpus) -> None:
    findings = [f for f in check(corpus) if "cell" in f.message or f.level == "error" or "labels on turns" in f.message]
    assert findings == []


def test_every_conversation_records_its_register(corpus) -> None:
    assert set(corpus["channel"]) == CHANNELS
    assert corpus[["batch", "industry", "channel"]].notna().all().all()
    assert (corpus.groupby("conversation_id")[["batch", "industry", "channel"]].nunique() == 1).all().all()


def test_a_question_of_the_agent_only_has_a_spin_type(corpus) -> None:
    agent = corpus[corpus["role"] == "agent"]
    assert not ((agent["question_type"] == "非提问") & (agent["spin_type"] != "无")).any()


def test_held_out_conversations_are_of_other_batches(training, heldout) -> None:
    assert not set(training["batch"]) & set(heldout["batch"])
    assert not set(training["conversation_id"]) & set(heldout["conversation_id"])
    unseen = {name for name in heldout["industry"].unique() if name not in set(training["industry"])}
    assert {"殡葬服务", "珠宝首饰"} <= unseen


def test_no_near_duplicates(corpus) -> None:
    assert near_duplicates(corpus) == []


def test_no_data_of_real_people(corpus, samples) -> None:
    assert list(personal_data(corpus)) == []
    assert list(personal_data(read_transcripts(samples / "chats.csv"))) == []


def test_samples_are_not_trained_on(corpus, samples) -> None:
    assert near_duplicates(read_transcripts(samples / "chats.csv"), corpus) == []


@pytest.mark.skipif(not REAL.is_file(), reason="the real conversations are not on this machine")
def test_nothing_is_taken_from_the_real_conversations(corpus) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real = read_transcripts(REAL, on_error="skip")
    assert near_duplicates(corpus, real) == []
    assert not {t for t in corpus["text"] if len(t) > 12} & set(real["text"])


def test_guards_find_what_they_look_for() -> None:
    texts = [
        "我的电话13912345678",
        "身份证11010519491231002X",
        "卡号6222 0000 0000 0009 001",
        "邮箱li@163.com",
        "卡号0000 1234 5678 9012",
    ]
    kinds = [kind for _, kind, _ in personal_data(pd.DataFrame({"text": texts}))]
    assert kinds[:2] == ["mobile number", "identity card"]
    assert "e-mail address" in kinds
    twins = pd.DataFrame(
        {"conversation_id": ["a", "b", "a"], "text": ["请您耐心等待我们会尽快处理的", "请您耐心等待我们会尽快处理", "好的"]}
    )
    assert [(a, b) for a, b, _ in near_duplicates(twins)] == [(0, 1)]


def test_size_and_balance(corpus, training, heldout) -> None:
    conversations = {name: frame["conversation_id"].nunique() for name, frame in (("all", corpus), ("held-out", heldout))}
    assert conversations["all"] >= 800
    assert len(corpus) >= 12_000
    assert conversations["held-out"] >= 0.15 * conversations["all"]
    assert corpus["industry"].nunique() >= 30
    batches = training["batch"].value_counts()
    assert corpus["batch"].nunique() >= 20
    assert batches.max() <= 0.08 * len(training)
    for task in BUILTIN_TASKS:
        numbers = label_numbers(training, task)
        for i, name in enumerate(task.label_names):
            assert (numbers == i).sum() >= (300 if name in ("暗示", "需求效益") else 400), (task.name, name)


def test_two_label_sets_agree(corpus) -> None:
    first, second = (read_transcripts(bundled("data/double_labels") / f"{name}.jsonl") for name in ("first", "second"))
    assert len(first) == len(second) >= 2_500
    assert set(first["batch"]) == set(corpus["batch"])
    for task, figures in agreement(first, second).items():
        assert figures["kappa"] > 0.9, task


def test_lexicons_are_defined_and_full() -> None:
    files = sorted(bundled("data/lexicons").glob("*.txt"))
    assert len(files) >= 20
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# "), file.name
        assert sum(bool(line) and not line.startswith("#") for line in lines) >= 40, file.name
