"""Counts over a log, checked against a log small enough to count by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from funnelnlp.conversations import Analysis, analyse, analytics, read_rules
from funnelnlp.errors import FunnelError

#          conversation, turn, role, stage, question, phase, agent, time
TURNS = [
    ("a", 0, "agent", "引导", "开放式", "", "Li", "2026-03-01 09:00:00"),
    ("a", 1, "customer", "引导", "非提问", "不满", "Li", "2026-03-01 09:00:10"),
    ("a", 2, "agent", "筛选", "封闭式", "", "Li", "2026-03-01 09:00:40"),
    ("a", 3, "customer", "筛选", "非提问", "愤怒", "Li", "2026-03-01 09:01:00"),
    ("a", 4, "agent", "解决", "非提问", "", "Li", "2026-03-01 09:02:00"),
    ("a", 5, "customer", "解决", "非提问", "平静", "Li", "2026-03-01 09:03:00"),
    ("b", 0, "customer", "引导", "封闭式", "平静", "Wu", "2026-03-02 10:00:00"),
    ("b", 1, "agent", "筛选", "封闭式", "", "Wu", "2026-03-02 10:00:20"),
    ("c", 0, "customer", "引导", "非提问", "不满", "Wu", "no clock"),
    ("c", 1, "agent", "解决", "非提问", "", "Wu", "no clock"),
    ("c", 2, "customer", "解决", "非提问", "不满", "Wu", "no clock"),
]
SPIN = {"开放式": "背景", "封闭式": "难点", "非提问": "无"}


@pytest.fixture
def log() -> Analysis:
    turns = pd.DataFrame(
        TURNS, columns=["conversation_id", "turn", "role", "funnel_stage", "question_type", "emotion_phase", "agent", "time"]
    )
    turns["text"] = "x"
    turns["spin_type"] = turns["question_type"].map(SPIN).where(turns["role"] == "agent", "")
    summaries = pd.DataFrame(
        {
            "conversation_id": ["a", "b", "c"],
            "n_turns": [6, 2, 3],
            "reached_引导": True,
            "reached_筛选": [True, True, False],
            "reached_确认": False,
            "reached_解决": [True, False, True],
            "turns_引导": [2, 1, 1],
            "turns_筛选": [2, 1, 0],
            "turns_确认": 0,
            "turns_解决": [2, 0, 2],
            "emotion_start": ["不满", "平静", "不满"],
            "emotion_peak": ["愤怒", "平静", "不满"],
            "emotion_end": ["平静", "平静", "不满"],
            "resolution": ["已解决", "未解决", "待跟进"],
            "fell_back": [False, False, True],
            "customer_repeats": [True, False, False],
            "agent_reasks": False,
            "transferred": [False, True, False],
            "agent": ["Li", "Wu", "Wu"],
            "start_time": pd.to_datetime(["2026-03-01 09:00:00", "2026-03-02 10:00:00", None]),
            "duration_seconds": [180.0, 20.0, None],
            "n_hits": [3, 0, 1],
            "risk": [40, 0, 40],
            "risk_reason": ["r", "", "s"],
        }
    )
    hits = pd.DataFrame(
        [
            ("a", "calming_command", "严重", 2),
            ("a", "calming_command", "严重", 4),
            ("a", "over_promise", "一般", 4),
            ("c", "over_promise", "一般", 1),
        ],
        columns=["conversation_id", "rule", "severity", "turn"],
    )
    return Analysis(turns, summaries, hits, read_rules())


def test_key_figures(log: Analysis) -> None:
    figures = analytics.key_figures(log)
    third = pytest.approx(1 / 3)
    assert (figures["conversations"], figures["turns"], figures["median_turns"], figures["median_seconds"]) == (3, 11, 3, 100)
    for name in ("resolved", "open", "unresolved", "fell_back", "customer_repeats", "transferred", "serious"):
        assert figures[name] == third, name
    assert figures["agent_reasks"] == 0
    assert figures["discontent"] == pytest.approx(2 / 3)
    assert figures["deescalated"] == 0.5
    assert figures["hits"] == pytest.approx(4 / 3)


def test_nobody_discontent_is_no_share(log: Analysis) -> None:
    log.summaries["emotion_peak"] = "平静"
    assert analytics.key_figures(log)["deescalated"] is None


def test_funnel(log: Analysis) -> None:
    table = analytics.funnel(log).set_index("stage")
    assert table["conversations"].to_dict() == {"引导": 3, "筛选": 2, "确认": 0, "解决": 2}
    assert table.loc["筛选", "share"] == pytest.approx(2 / 3)
    assert table.loc["引导", "turns"] == 1
    assert table.loc["解决", "turns"] == 2
    # a: 引导 10 + 30 s, 筛选 20 + 60 s, 解决 60 s; b: 引导 20 s, nothing follows its 筛选; c has no clock.
    assert table.loc["引导", "seconds"] == 30
    assert table.loc["筛选", "seconds"] == 80
    assert table.loc["解决", "seconds"] == 60
    assert pd.isna(table.loc["确认", "seconds"])


def test_times_are_optional_and_rows_may_be_in_any_order(log: Analysis) -> None:
    shuffled = Analysis(log.turns.sample(frac=1, random_state=3), log.summaries, log.hits, log.rules)
    pd.testing.assert_frame_equal(analytics.funnel(shuffled), analytics.funnel(log))
    untimed = Analysis(log.turns.drop(columns="time"), log.summaries, log.hits, log.rules)
    assert analytics.funnel(untimed)["seconds"].isna().all()


def test_emotion_flow_adds_up(log: Analysis) -> None:
    flow = analytics.emotion_flow(log)
    assert list(flow.itertuples(index=False, name=None)) == [
        ("平静", "平静", "平静", 1),
        ("不满", "不满", "不满", 1),
        ("不满", "愤怒", "平静", 1),
    ]


def test_emotion_by_progress(log: Analysis) -> None:
    table = analytics.emotion_by_progress(log, parts=2)
    # First halves: a turn 1 不满, b turn 0 平静, c turns 0 不满; second halves: a turns 3 愤怒 and 5 平静, c turn 2 不满.
    assert table.loc[0, ["平静", "不满"]].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert table.loc[1, ["平静", "不满", "愤怒"]].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_question_mix(log: Analysis) -> None:
    table = analytics.question_mix(log).set_index("agent")
    assert table.loc["Li"].to_dict() == {"turns": 3, "开放式": 1, "封闭式": 1, "引导式": 0}
    assert table.loc["Wu"].to_dict() == {"turns": 2, "开放式": 0, "封闭式": 1, "引导式": 0}
    alone = analytics.question_mix(Analysis(log.turns.drop(columns="agent"), log.summaries, log.hits, log.rules))
    assert alone["turns"].tolist() == [5]


def test_rule_hits(log: Analysis) -> None:
    table = analytics.rule_hits(log).set_index("rule")
    assert table.loc["calming_command", ["hits", "conversations", "of"]].tolist() == [2, 1, 3]
    assert table.loc["over_promise", "share"] == pytest.approx(2 / 3)
    assert table.loc["contradiction", "hits"] == 0
    by_agent = analytics.rule_hits(log, "agent").set_index(["agent", "rule"])
    assert by_agent.loc[("Wu", "over_promise"), ["hits", "conversations", "of", "share"]].tolist() == [1, 1, 2, 0.5]
    by_day = analytics.rule_hits(log, "day").set_index(["day", "rule"])
    assert by_day.loc[("2026-03-01", "calming_command"), "hits"] == 2
    assert by_day.loc[("", "over_promise"), "of"] == 1
    assert analytics.groups_of(log) == ["agent", "day"]
    with pytest.raises(FunnelError, match="column 'team'"):
        analytics.rule_hits(log, "team")
    with pytest.raises(FunnelError, match="not by 'moon'"):
        analytics.rule_hits(log, "moon")


def test_worklist(log: Analysis) -> None:
    table = analytics.worklist(log)
    assert table["conversation_id"].tolist() == ["a", "c"]
    assert analytics.worklist(log, 1)["conversation_id"].tolist() == ["a"]


def test_drift(model, log: Analysis) -> None:
    table = analytics.drift(model, log).set_index(["task", "label"])
    assert table.loc[("funnel_stage", "引导"), "log"] == pytest.approx(4 / 11)
    assert table.loc[("emotion_phase", "不满"), "log"] == pytest.approx(3 / 6)
    trained = model.info["labels"]["emotion_phase"]
    assert table.loc[("emotion_phase", "不满"), "training"] == pytest.approx(trained["不满"] / sum(trained.values()))
    assert (table["low"] <= table["log"]).all() and (table["log"] <= table["high"]).all()
    assert table.groupby("task")["log"].sum().tolist() == pytest.approx([1, 1, 1, 1])
    familiar = Analysis(log.turns.assign(familiarity=0.8), log.summaries, log.hits, log.rules)
    assert analytics.drift(model, familiar).iloc[-1][["label", "log"]].tolist() == ["familiarity", pytest.approx(0.8)]


def test_drift_of_the_training_corpus_is_none(model, training) -> None:
    table = analytics.drift(model, Analysis(training, pd.DataFrame(), pd.DataFrame(), read_rules()))
    assert table["difference"].tolist() == pytest.approx([0] * len(table))


def test_a_real_log_adds_up(model, samples) -> None:
    from funnelnlp.transcripts import read_transcripts

    analysis = analyse(model, read_transcripts(samples / "chats.csv"))
    n = len(analysis.summaries)
    assert analytics.emotion_flow(analysis)["conversations"].sum() == n
    assert analytics.rule_hits(analysis)["hits"].sum() == len(analysis.hits)
    for by in analytics.groups_of(analysis):
        assert analytics.rule_hits(analysis, by)["hits"].sum() == len(analysis.hits), by
    agents = analysis.turns[analysis.turns["role"] == "agent"]
    assert analytics.question_mix(analysis)["turns"].sum() == len(agents)
    assert analytics.funnel(analysis)["seconds"].notna().all()
