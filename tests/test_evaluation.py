"""Evaluation: alerts, reliability, coverage, slices, mistakes, plots, cross-validation, comparison."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.image import imread
from sklearn.metrics import average_precision_score

from funnelnlp import FunnelError, Task, TaxonomyError, TranscriptError
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS, EMOTION_PHASE, FUNNEL_STAGE
from funnelnlp.training import (
    Predictions,
    TrainingSettings,
    compare,
    compare_predictions,
    cross_predict,
    cross_validate,
    draw_plots,
    evaluate,
    evaluate_predictions,
    measure,
    mistakes,
    plots,
    predict,
    train,
)
from funnelnlp.training.measures import alert_figures, calibration_error, coverage, reliability
from funnelnlp.training.slices import slices, values_of
from funnelnlp.transcripts import read_transcripts, write_transcripts
from tests.test_cli import run

URGENT = Task.from_dict({"name": "urgent", "labels": ["no", "yes"], "role": "customer"})
MOOD = Task.from_dict({"name": "mood", "labels": ["calm", "cross", "angry", "furious"], "ordinal": True})


def predictions_of(truth, predicted, *, task=URGENT, confidence=0.75, **columns) -> Predictions:
    """Predictions whose labels and confidences are given; further columns make the frame."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    n, k = len(truth), len(task.labels)
    confidence = np.broadcast_to(confidence, n)
    probabilities = np.repeat((1 - confidence)[:, None] / (k - 1), k, axis=1)
    probabilities[np.arange(n), predicted] = confidence
    frame = pd.DataFrame({"text": ["好的"] * n, **columns})
    return Predictions(frame, (task,), {task.name: truth}, {task.name: probabilities})


@pytest.fixture(scope="module")
def part(heldout) -> pd.DataFrame:
    """A few conversations, quick to train on and to label."""
    picked = heldout.drop_duplicates("conversation_id").groupby("batch").head(4)["conversation_id"]
    return heldout[heldout["conversation_id"].isin(picked)].reset_index(drop=True)


@pytest.fixture(scope="module")
def tiny(part):
    return train(part, settings=TrainingSettings(folds=0))


# --- alerts -------------------------------------------------------------------------------------------------------


def test_alert_labels_are_the_upper_half_of_a_scale() -> None:
    assert EMOTION_PHASE.alert_labels == ("愤怒", "对抗")
    assert FUNNEL_STAGE.alert_labels == ()
    for labels, upper in (("ab", ("b",)), ("abc", ("c",)), ("abcde", ("d", "e"))):
        assert Task.from_dict({"name": "x", "labels": list(labels), "ordinal": True}).alert_labels == upper


def test_recall_at_95_percent_precision_by_hand() -> None:
    # 19 of the 20 likeliest are events: precision exactly 0.95. Two more follow a second false one: 21 of 23 is too few.
    event = np.array([True] * 18 + [False, True] + [False, True, True])
    probability = np.linspace(0.99, 0.5, len(event))
    figures = alert_figures(event, probability, np.arange(len(event)))
    assert figures["turns"] == 21
    assert figures["recall_at_95_precision"] == pytest.approx(19 / 21)
    assert figures["threshold"] == probability[19]
    low, high = figures["recall_at_95_precision_interval"]
    assert 0 <= low < figures["recall_at_95_precision"] < high <= 1
    assert figures["average_precision"] == pytest.approx((18 + 19 / 20 + 20 / 22 + 21 / 23) / 21)


def test_a_threshold_cannot_part_equal_probabilities() -> None:
    figures = alert_figures(np.array([True, True, False]), np.array([0.9, 0.8, 0.8]), np.arange(3))
    assert (figures["recall_at_95_precision"], figures["threshold"]) == (0.5, 0.9)


def test_precision_that_no_threshold_reaches() -> None:
    figures = alert_figures(np.array([False, True]), np.array([0.9, 0.8]), np.arange(2))
    assert figures["average_precision"] == 0.5
    assert figures["recall_at_95_precision"] is figures["threshold"] is figures["recall_at_95_precision_interval"] is None
    nothing = alert_figures(np.array([False]), np.array([0.9]), np.arange(1))
    assert nothing["turns"] == 0
    assert nothing["average_precision"] is None


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40).filter(lambda rows: any(e for e, _ in rows))
)
def test_alert_figures_equal_scikit_learn_and_a_search_of_all_thresholds(rows) -> None:
    event = np.array([e for e, _ in rows])
    probability = np.array([p for _, p in rows]) / 6
    figures = alert_figures(event, probability, np.zeros(len(rows), dtype=np.int64))
    assert figures["average_precision"] == pytest.approx(average_precision_score(event, probability))
    assert figures["average_precision_interval"] == pytest.approx([figures["average_precision"]] * 2)  # one conversation
    reached = [event[probability >= t].sum() / event.sum() for t in set(probability) if event[probability >= t].mean() >= 0.95]
    assert (figures["recall_at_95_precision"] or 0) == pytest.approx(max(reached, default=0))


def test_the_probability_of_an_alert_is_the_sum_of_its_labels() -> None:
    predictions = Predictions(
        pd.DataFrame({"text": ["啊", "嗯", "好"]}),
        (MOOD,),
        {"mood": np.array([2, 0, -1])},
        {"mood": np.array([[0.0, 0.4, 0.3, 0.3], [0.5, 0.0, 0.5, 0.0], [0.0, 0.0, 0.0, 1.0]])},
    )
    alert = measure(predictions)["mood"]["alert"]
    assert alert["labels"] == ["angry", "furious"]
    assert (alert["turns"], alert["recall_at_95_precision"], alert["threshold"]) == (1, 1.0, 0.6)
    assert "alert" not in measure(predictions_of([0, 1], [0, 1]))["urgent"]


# --- calibration --------------------------------------------------------------------------------------------------


def test_reliability_by_hand() -> None:
    bins = reliability(np.array([0.52, 0.58, 0.95, 1.0]), np.array([True, False, True, True]))
    assert len(bins) == 10
    assert [b["from"] for b in bins if b["turns"]] == [0.5, 0.9]
    assert (bins[5]["turns"], bins[5]["accuracy"], bins[9]["accuracy"]) == (2, 0.5, 1.0)
    assert bins[5]["confidence"] == pytest.approx(0.55)
    assert bins[0]["confidence"] is None
    assert calibration_error(bins) == pytest.approx((2 * 0.05 + 2 * 0.025) / 4)


CONFIDENT = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@settings(deadline=None, max_examples=50)
@given(CONFIDENT)
def test_reliability_sums_are_the_calibration_error(rows) -> None:
    confidence, right = np.array([c for c, _ in rows]), np.array([r for _, r in rows])
    result = evaluate_predictions(
        np.where(right, 0, 1), np.zeros(len(rows), dtype=int), np.arange(len(rows)), "ab", confidence=confidence
    )
    bins = result["reliability"]
    assert sum(b["turns"] for b in bins) == len(rows)
    assert sum(b["turns"] * b["accuracy"] for b in bins if b["turns"]) == pytest.approx(right.sum())
    gaps = [
        abs(confidence[inside].sum() - right[inside].sum())
        for i in range(10)
        if (inside := (confidence * 10).clip(0, 9.5).astype(int) == i).any()
    ]
    assert result["expected_calibration_error"] == pytest.approx(sum(gaps) / len(rows))


@settings(deadline=None, max_examples=50)
@given(CONFIDENT)
def test_coverage_falls_with_the_threshold(rows) -> None:
    confidence, right = np.array([c for c, _ in rows]), np.array([r for _, r in rows])
    table = coverage(confidence, right)
    assert [line["threshold"] for line in table] == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    covered = [line["coverage"] for line in table]
    assert covered == sorted(covered, reverse=True)
    for line in table:
        kept = right[confidence >= line["threshold"]]
        assert line["coverage"] == len(kept) / len(rows)
        assert line["accuracy"] == (kept.mean() if len(kept) else None)


# --- slices -------------------------------------------------------------------------------------------------------


def test_slices_by_hand() -> None:
    # 40 turns of chat, 30 of them right; 30 of mail, all right; 29 of phone are too few; one unlabelled turn of chat.
    channel = ["chat"] * 40 + ["mail"] * 30 + ["phone"] * 29 + ["chat"]
    truth = np.array([0, 1] * 49 + [0, -1])
    predicted = np.where(np.arange(100) < 10, 1 - truth, np.maximum(truth, 0))
    frame = pd.DataFrame({"text": ["好"] * 50 + ["一二三四五"] * 50, "channel": channel, "role": ["客户", "agent"] * 50})
    result = slices(frame, truth, predicted, ["no", "yes"])
    assert list(result) == ["channel", "role", "turn_length"]
    assert result["channel"] == {
        "chat": {"turns": 40, "accuracy": 0.75, "macro_f1": 0.75, "macro_f1_labels": ["no", "yes"]},
        "mail": {"turns": 30, "accuracy": 1.0, "macro_f1": 1.0, "macro_f1_labels": ["no", "yes"]},
    }
    assert {name: f["turns"] for name, f in result["role"].items()} == {"customer": 50, "agent": 49}
    assert {name: (f["turns"], f["accuracy"]) for name, f in result["turn_length"].items()} == {
        "1-4": (50, 0.8),
        "5-12": (49, 1.0),
    }
    assert result["role"]["customer"]["macro_f1_labels"] == ["no"]


def test_lengths_of_turns() -> None:
    frame = pd.DataFrame({"text": ["", *("字" * n for n in (1, 4, 5, 12, 13, 30, 31, 500))]})
    expected = [None, "1-4", "1-4", "5-12", "5-12", "13-30", "13-30", "31+", "31+"]
    assert [None if pd.isna(value) else value for value in values_of(frame, "turn_length")] == expected


def test_the_twenty_largest_industries() -> None:
    industry = [f"i{n:02}" for n in range(25) for _ in range(30 + n)]
    frame = pd.DataFrame({"text": "好", "industry": industry, "team": industry})
    zeros = np.zeros(len(frame), dtype=np.int64)
    result = slices(frame, zeros, zeros, ["a", "b"], by=["team"])
    assert list(result["industry"]) == [f"i{n:02}" for n in range(24, 4, -1)]
    assert len(result["team"]) == 25


def test_empty_cells_are_in_no_slice() -> None:
    frame = pd.DataFrame({"text": "好", "channel": ["a", None, " ", np.nan], "batch": [1, 2, 3, None]})
    assert values_of(frame, "channel").isna().tolist() == [False, True, True, True]
    assert values_of(frame, "channel,batch").dropna().tolist() == ["a, 1.0"]
    with pytest.raises(TranscriptError, match="no column 'team' to take apart by; the data has text, channel, batch"):
        values_of(frame, "channel,team")


def test_slices_of_the_bundled_model_add_up(model, heldout) -> None:
    result = evaluate(model, heldout, by=["channel,batch"])
    json.dumps(result, allow_nan=False)
    for task in BUILTIN_TASKS:
        figures = result[task.name]
        assert {"channel", "industry", "batch", "role", "turn_length", "channel,batch"} == set(figures["slices"])
        for key in ("channel", "batch", "role"):  # every value has 30 turns or more
            parts = figures["slices"][key].values()
            assert sum(p["turns"] for p in parts) == figures["turns"]
            assert sum(p["turns"] * p["accuracy"] for p in parts) == pytest.approx(figures["turns"] * figures["accuracy"])
    assert list(result["emotion_phase"]["slices"]["role"]) == ["customer"]


# --- mistakes -----------------------------------------------------------------------------------------------------


def test_mistakes_by_hand() -> None:
    predictions = predictions_of(
        [0, 1, 1, 0, -1],
        [0, 0, 0, 1, 0],
        confidence=[0.9, 0.6, 0.8, 0.7, 0.99],
        conversation_id=["a", "a", "a", "b", "a"],
        turn_index=[0, 3, 2, 0, 1],
        role=["agent", "customer", "customer", "customer", None],
    )
    predictions.frame["text"] = ["您好", "丁", "丙", "别的", "乙"]
    found = mistakes(predictions)
    assert list(found.columns) == "conversation_id turn_index task expected predicted confidence role text before".split()
    assert found["text"].tolist() == ["丙", "别的", "丁"]
    assert found["before"].tolist() == ["agent: 您好 | 乙", "", "乙 | customer: 丙"]
    assert found.iloc[0][["task", "expected", "predicted", "confidence"]].tolist() == ["urgent", "yes", "no", 0.8]
    assert mistakes(predictions, limit=1)["text"].tolist() == ["丙"]


def test_mistakes_where_there_are_none_or_no_conversations() -> None:
    assert mistakes(predictions_of([0, 1], [0, 1])).empty
    found = mistakes(predictions_of([0, 1], [1, 0]))
    assert found["before"].tolist() == ["", ""]
    assert found["conversation_id"].isna().all()


# --- plots --------------------------------------------------------------------------------------------------------


@pytest.fixture
def fonts(monkeypatch):
    """The font list, which a test may change."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    return font_manager.fontManager.ttflist


def font_with(characters: str, path) -> None:
    """Write a font in which every character is a filled square."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for point in ((0, 700), (700, 700), (700, 0)):
        pen.lineTo(point)
    pen.closePath()
    names = [".notdef", *(f"g{ord(c)}" for c in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"g{ord(c)}" for c in characters})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (750, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def test_plots_without_a_chinese_font_use_english_names(fonts, model, part, tmp_path) -> None:
    fonts[:] = [font for font in fonts if font.name.startswith(("DejaVu Sans", "Last Resort"))]
    predictions = predict(model, part)
    # Missing glyphs are warnings of matplotlib, and warnings are errors here.
    written = draw_plots(measure(predictions), predictions.tasks, tmp_path / "new" / "plots")
    names = {f"{kind}_{task.name}.png" for kind in ("confusion", "reliability") for task in BUILTIN_TASKS}
    assert {path.name for path in written} == names == {path.name for path in (tmp_path / "new" / "plots").iterdir()}
    for path in written:
        assert imread(path).std() > 0.05
    assert plots.font_for("愤怒") is None
    assert plots.label_texts(EMOTION_PHASE, None) == ["calm", "dissatisfied", "angry", "confrontational"]
    assert plots.label_texts(Task.from_dict({"name": "x", "labels": ["是", "否"]}), None) == ["label 1", "label 2"]
    assert plots.label_texts(URGENT, None) == ["no", "yes"]


def test_plots_use_an_installed_font_that_has_the_labels(fonts, tmp_path) -> None:
    letters = "".join(map(chr, range(32, 127)))
    font_with("是", tmp_path / "half.ttf")
    font_with("是否急不" + letters, tmp_path / "whole.ttf")
    task = Task.from_dict({"name": "急/不", "labels": ["是$a$", "否"]})
    for name in ("half", "whole"):
        font_manager.fontManager.addfont(tmp_path / f"{name}.ttf")
    assert plots.font_for("是否").get_file() == str(tmp_path / "whole.ttf")
    assert plots.font_for("no yes").get_file() != str(tmp_path / "whole.ttf")
    predictions = predictions_of([0, 1], [0, 0], task=task)
    written = draw_plots(measure(predictions), predictions.tasks, tmp_path)
    assert [path.name for path in written] == ["confusion_急_不.png", "reliability_急_不.png"]


def test_plots_say_what_is_missing(monkeypatch, tmp_path) -> None:
    predictions = predictions_of([0, 1], [0, 0])
    (tmp_path / "file").write_text("")
    with pytest.raises(TranscriptError, match="file: cannot be made"):
        draw_plots(measure(predictions), predictions.tasks, tmp_path / "file")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(FunnelError, match=r"pip install 'funnelnlp\[plots\]'"):
        draw_plots(measure(predictions), predictions.tasks, tmp_path)


# --- cross-validation ---------------------------------------------------------------------------------------------


def test_cross_validation_of_the_recipe(part) -> None:
    predictions = cross_predict(part, n_jobs=1, folds=3)
    result = measure(predictions)
    assert set(result) == {task.name for task in BUILTIN_TASKS}
    for task in BUILTIN_TASKS:
        np.testing.assert_allclose(predictions.probabilities[task.name].sum(axis=1), 1)
        assert result[task.name]["expected_calibration_error"] < 0.1
    seen = evaluate(train(part, settings=TrainingSettings(folds=0)), part)
    assert result["funnel_stage"]["accuracy"] < seen["funnel_stage"]["accuracy"]


def test_left_out_groups_are_unseen_and_have_their_figures(part) -> None:
    # The labels of one batch are swapped: whoever has not seen that batch is wrong about it.
    frame = part.assign(urgent=np.where((part["role"] == "customer") == (part["batch"] == "h04"), "yes", "no"))
    task = Task.from_dict({"name": "urgent", "labels": ["no", "yes"]})
    result = cross_validate(frame, [task], leave_out="batch", n_jobs=1)["urgent"]
    figures = result["slices"]["batch"]
    assert figures["h04"]["accuracy"] < 0.2
    assert min(f["accuracy"] for name, f in figures.items() if name != "h04") > 0.8
    both = cross_validate(frame, [task], leave_out="channel,batch", folds=2, n_jobs=1)["urgent"]["slices"]["channel,batch"]
    assert set(both) <= {f"{c}, {b}" for c, b in zip(frame["channel"], frame["batch"], strict=True)}
    assert both


def test_cross_validation_says_what_cannot_be(part) -> None:
    with pytest.raises(TranscriptError, match=r"several values of role \(\w+, \w+\)"):
        cross_predict(part, leave_out="role")
    with pytest.raises(TranscriptError, match="no column 'team'"):
        cross_predict(part, leave_out="team")
    with pytest.raises(TranscriptError, match="row 0 has no channel"):
        cross_predict(part.assign(channel=[None, *part["channel"][1:]]), leave_out="channel")
    with pytest.raises(TranscriptError, match="one batch only"):
        cross_predict(part.assign(batch="b"), leave_out="batch")
    with pytest.raises(TranscriptError, match="one conversation only"):
        cross_predict(part.assign(conversation_id="c"))
    first = part["conversation_id"] == part["conversation_id"][0]
    with pytest.raises(TaxonomyError, match="labelled 筛选 only, and at least two labels are needed"):
        cross_predict(part.assign(funnel_stage=np.where(first, "引导", "筛选")), [FUNNEL_STAGE], n_jobs=1)


# --- comparison ---------------------------------------------------------------------------------------------------


def test_paired_difference_by_hand() -> None:
    # Four conversations of two turns; the first is right everywhere, the second wrong in both turns of the last.
    truth = np.array([0, 1] * 4)
    worse = np.where(np.arange(8) >= 6, 1 - truth, truth)
    ids = np.repeat(["a", "b", "c", "d"], 2)
    sides = [predictions_of(truth, predicted, conversation_id=ids) for predicted in (truth, worse)]
    figures = compare_predictions(*sides)["urgent"]
    assert (figures["first"], figures["second"], figures["difference"]) == (1.0, 0.75, 0.25)
    # The last conversation is drawn 0 to 4 times in 4, each time costing a quarter; never with chance (3/4)^4.
    assert figures["difference_interval"] == [0.0, 0.75]
    assert figures["first_better"] == pytest.approx(1 - 0.75**4, abs=0.05)
    counts = [figures[key] for key in ("both_right", "only_first_right", "only_second_right", "both_wrong")]
    assert counts == [6, 2, 0, 0]
    assert (figures["turns"], figures["conversations"]) == (8, 4)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3, st.integers(0, 4)), min_size=2, max_size=30))
def test_the_other_way_round_the_difference_changes_its_sign(rows) -> None:
    truth, one, two, ids = (np.array(column) for column in zip(*rows, strict=True))
    task = Task.from_dict({"name": "x", "labels": list("abc")})
    a, b = (predictions_of(truth, p, task=task, conversation_id=ids) for p in (one, two))
    there, back = compare_predictions(a, b)["x"], compare_predictions(b, a)["x"]
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["difference_interval"] == pytest.approx([-limit for limit in reversed(back["difference_interval"])])
    assert there["first_better"] + back["first_better"] <= 1
    assert there["both_right"] + there["only_first_right"] == (truth == one).sum()
    assert there["first"] == pytest.approx(measure(a)["x"]["macro_f1"])


def test_compare_models(model, tiny, part) -> None:
    result = compare(tiny, model, part)
    assert set(result) == {task.name for task in BUILTIN_TASKS}
    assert result["funnel_stage"]["first"] == evaluate(tiny, part)["funnel_stage"]["macro_f1"]
    assert result["funnel_stage"]["difference"] > 0  # one of them was trained on these turns
    assert result["funnel_stage"]["first_better"] > 0.9
    json.dumps(result, allow_nan=False)
    other = Task.from_dict({"name": "funnel_stage", "labels": [*FUNNEL_STAGE.label_names, "回访"]})
    with pytest.raises(TaxonomyError, match="引导, 筛选, 确认, 解决 in the first model and 引导, 筛选, 确认, 解决, 回访"):
        compare(model, train(part, [other], settings=TrainingSettings(folds=0)), part)
    with pytest.raises(TaxonomyError, match=r"the first has funnel_stage, question_type, .*, the second urgent"):
        compare_predictions(predict(model, part), predictions_of([0, 1], [0, 1]))


# --- command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def labelled(part, tmp_path):
    write_transcripts(part, tmp_path / "labelled.csv")
    return tmp_path / "labelled.csv"


def test_evaluate_shows_and_writes(labelled, tmp_path) -> None:
    arguments = ["--by", "channel", "--by", "turn_length", "--json", tmp_path / "f.json", "--errors", tmp_path / "e.csv"]
    output = run("evaluate", labelled, *arguments, "--plots", tmp_path / "p")
    assert "alert 愤怒/对抗" in output and "recall at 95 % precision" in output
    assert "weibo" in output and "13-30" in output
    result = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert set(result["funnel_stage"]["slices"]) == {"channel", "industry", "batch", "role", "turn_length"}
    assert (tmp_path / "e.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    errors = pd.read_csv(tmp_path / "e.csv")
    wrong = sum(round(f["turns"] * (1 - f["accuracy"])) for f in result.values())
    assert len(errors) == min(200, wrong)
    assert errors["confidence"].is_monotonic_decreasing
    assert len(list((tmp_path / "p").glob("*.png"))) == 8


def test_evaluate_compares(labelled, tiny, tmp_path) -> None:
    tiny.save(tmp_path / "tiny")
    output = run(
        "evaluate", labelled, "--model", tmp_path / "tiny", "--compare", bundled("models/default"), "--json", tmp_path / "f.json"
    )
    assert "only this one" in output
    result = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    figures = result["question_type"]
    assert figures["comparison"]["first"] == figures["macro_f1"]
    assert figures["comparison"]["turns"] == figures["turns"]


def test_evaluate_cross_validates_own_labels(labelled, tmp_path) -> None:
    frame = read_transcripts(labelled)
    write_transcripts(frame.assign(urgent=np.where(frame["emotion_phase"] == "平静", "no", "yes")), labelled)
    (tmp_path / "tasks.json").write_text('[{"name": "urgent", "labels": ["no", "yes"], "role": "customer", "ordinal": true}]')
    arguments = ["--cross-validate", "--tasks", tmp_path / "tasks.json", "--leave-out", "channel", "--jobs", 1]
    output = run("evaluate", labelled, *arguments, "--json", tmp_path / "f.json")
    result = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert list(result) == ["urgent"]
    assert "alert yes" in output and "phone_asr" in output
    assert result["urgent"]["turns"] == (frame["role"] == "customer").sum()


def test_evaluate_refuses_before_it_works(labelled, tmp_path) -> None:
    assert "do not go with it" in run("evaluate", labelled, "--cross-validate", "--compare", bundled("models/default"), code=2)
    assert "go with --cross-validate" in run("evaluate", labelled, "--leave-out", "channel", code=2)
    assert "not 0" in run("evaluate", labelled, "--cross-validate", "--jobs", 0, code=2)
    assert "no column 'team'" in run("evaluate", labelled, "--by", "team", code=1)
    assert "replace the input" in run("evaluate", labelled, "--errors", labelled, code=1)
    assert "unknown file type" in run("evaluate", labelled, "--errors", tmp_path / "e.txt", code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["labelled.csv"]
