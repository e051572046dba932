"""Training, the scikit-learn face, evaluation, checking of labelled data."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import cohen_kappa_score, f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.utils import get_tags

from funnelnlp import FunnelClassifier, FunnelError, Task, TaxonomyError, evaluate, train
from funnelnlp.features import EncoderSettings
from funnelnlp.taxonomy import BUILTIN_TASKS, EMOTION_PHASE, FUNNEL_STAGE, QUESTION_TYPE
from funnelnlp.training import TrainingSettings, agreement, check, evaluate_predictions, out_of_fold
from funnelnlp.training.baselines import naive_predictions
from funnelnlp.training.fit import _feature_scale, best_block
from funnelnlp.training.labelled import TIED, label_numbers, label_shares

QUICK = TrainingSettings(other_strengths=(), folds=0)


@pytest.fixture(scope="module")
def part(small: pd.DataFrame) -> pd.DataFrame:
    """A few hundred turns of eight batches."""
    picked = small[small["batch"].isin(small["batch"].unique()[:8])].drop_duplicates("conversation_id")
    picked = picked.groupby("batch").head(4)["conversation_id"]
    return small[small["conversation_id"].isin(picked)].reset_index(drop=True)


def test_training_twice_gives_the_same_bytes_on_any_number_of_processes(part, tmp_path) -> None:
    for name, jobs in (("a", 1), ("b", 2)):
        train(part, settings=TrainingSettings(folds=3), n_jobs=jobs).save(tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_own_labels_of_one_task(small, tmp_path) -> None:
    urgent = Task.from_dict({"name": "urgent", "labels": ["no", "yes"], "role": "customer"})
    frame = small.assign(urgent=np.where(small["emotion_phase"].isin(["愤怒", "对抗"]), "yes", "no"))
    model = train(frame, [urgent], settings=TrainingSettings(folds=3), n_jobs=1)
    assert model.label([("customer", "你们这帮骗子！！马上退钱")])[0].urgent == "yes"
    assert model.label([("agent", "您好")])[0].urgent == ""
    assert evaluate(model, frame)["urgent"]["macro_f1"] > 0.8


def test_a_label_that_never_occurs_is_never_given(small) -> None:
    extended = Task.from_dict({"name": "funnel_stage", "labels": [*FUNNEL_STAGE.label_names, "回访"]})
    model = train(small, [extended], settings=QUICK)
    assert set(model.label_frame(small)["funnel_stage"]) <= set(FUNNEL_STAGE.label_names)


def test_data_without_any_label_is_refused(small, model) -> None:
    with pytest.raises(TaxonomyError, match="nothing to measure"):
        evaluate(model, small.assign(**{task.name: "" for task in BUILTIN_TASKS}))
    only = evaluate(model, small.assign(emotion_phase=None))
    assert "emotion_phase" not in only


def test_task_names_must_not_be_transcript_columns(small) -> None:
    for names in (["text"], ["u", "u_confidence"]):
        tasks = [Task.from_dict({"name": name, "labels": ["a", "b"]}) for name in names]
        with pytest.raises(TaxonomyError):
            train(small, tasks)


def test_empty_cells_are_not_learnt_from(small) -> None:
    hidden = small.assign(funnel_stage=small["funnel_stage"].where(small.index % 2 == 0, ""))
    model = train(hidden, [FUNNEL_STAGE], settings=QUICK)
    assert sum(model.info["labels"]["funnel_stage"].values()) == (small.index % 2 == 0).sum()


def test_wrong_labels_say_where(small) -> None:
    wrong = small.copy()
    wrong.loc[7, "funnel_stage"] = "结束"
    with pytest.raises(TaxonomyError, match=r" turn 7: funnel_stage: '结束' is not one of 引导, 筛选, 确认, 解决; write"):
        train(wrong)
    with pytest.raises(TaxonomyError, match=r"^row 7: funnel_stage: '结束'"):
        train(wrong.drop(columns="conversation_id"))
    with pytest.raises(TaxonomyError, match="no column 'funnel_stage'"):
        train(small.drop(columns="funnel_stage"))
    with pytest.raises(TaxonomyError, match="at least two labels"):
        train(small[small["funnel_stage"] == "引导"], [FUNNEL_STAGE])


# --- votes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "不满:2|愤怒:1",
        "不满|愤怒|不满",
        " 不满：4 ｜ 愤怒：2 ",
        "|angry|dissatisfied:2|",
        ["不满", "不满", "愤怒", None],
        np.array(["不满", "愤怒", "不满"], dtype=object),
        {"不满": 2, "愤怒": 1, "平静": None},
        {"dissatisfied": 0.5, "愤怒": "0.25"},
    ],
)
def test_votes_may_be_written_in_several_ways(cell) -> None:
    frame = pd.DataFrame({"emotion_phase": pd.Series([cell, "平静", ""], dtype=object)})
    np.testing.assert_allclose(label_shares(frame, EMOTION_PHASE), [[0, 2 / 3, 1 / 3, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert label_numbers(frame, EMOTION_PHASE).tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("不满:2|生气:1", "'生气' in '不满:2|生气:1' is not one of 平静, 不满, 愤怒, 对抗"),
        ("不满:0|愤怒", "'不满' has '0' votes in '不满:0|愤怒'; a number above 0"),
        ("不满:-1", "'不满' has '-1' votes"),
        ("不满:两票", "'不满' has '两票' votes"),
        ("不满:nan|愤怒:1", "'不满' has 'nan' votes"),
        ({"不满": float("inf")}, "'不满' has inf votes"),
        ({"不满": True}, "'不满' has True votes"),
        ([["不满"]], r"['不满'] in [['不满']] is not one of"),
    ],
)
def test_wrong_votes_say_where_and_what(cell, problem: str) -> None:
    frame = pd.DataFrame(
        {"conversation_id": "c1", "turn_index": [0, 1], "emotion_phase": pd.Series(["平静", cell], dtype=object)}
    )
    with pytest.raises(TaxonomyError, match="c1 turn 1: emotion_phase: " + re.escape(problem) + ".*or leave the cell empty"):
        label_shares(frame, EMOTION_PHASE)
    findings = check(frame.assign(role="customer", text="好的"), [EMOTION_PHASE])
    assert any(f.level == "error" and problem in f.message and "(c1 turn 1)" in f.message for f in findings)


def test_label_names_with_colons_and_bars_stay_labels() -> None:
    task = Task.from_dict({"name": "topic", "labels": ["a:1", "b|c", "d"]})
    frame = pd.DataFrame({"topic": ["a:1", "b|c", "d:3|a:1:1"]})
    np.testing.assert_allclose(label_shares(frame, task), [[1, 0, 0], [0, 1, 0], [0.25, 0, 0.75]])


def test_tied_votes_are_learnt_from_and_not_measured_on(small) -> None:
    tied = small.assign(funnel_stage=small["funnel_stage"].where(small.index >= 40, "筛选|解决"))
    model = train(tied, [FUNNEL_STAGE], settings=QUICK)
    assert sum(model.info["labels"]["funnel_stage"].values()) == len(small)
    figures = evaluate(model, tied)["funnel_stage"]
    assert (figures["turns"], figures["tied"]) == (len(small) - 40, 40)
    assert "funnel_stage: 40 turns with tied votes" in messages(tied)
    others = agreement(small, tied, [FUNNEL_STAGE])["funnel_stage"]
    assert (others["turns"], others["accuracy"]) == (len(small) - 40, 1.0)


def test_unanimous_votes_train_the_model_of_the_plain_labels(part, tmp_path) -> None:
    votes = part.assign(funnel_stage=part["funnel_stage"].map(lambda label: {label: 3}))
    for name, frame in (("plain", part), ("votes", votes)):
        train(frame, [FUNNEL_STAGE], settings=TrainingSettings(folds=3), n_jobs=1).save(tmp_path / name)
    for file in (tmp_path / "plain").iterdir():
        assert file.read_bytes() == (tmp_path / "votes" / file.name).read_bytes(), file.name


def test_probabilities_follow_the_votes() -> None:
    task = Task.from_dict({"name": "mood", "labels": ["low", "high"]})
    texts = ["马上退钱", "好的谢谢"] * 60
    ids = [str(i // 4) for i in range(len(texts))]
    frame = pd.DataFrame({"conversation_id": ids, "text": texts, "mood": ["low:1|high:3", "low:3|high:1"] * 60})
    settings = TrainingSettings(C=100.0, balance=0.0, alone=0, noise=0.0)
    weak = train(frame, [task], settings=settings, n_jobs=1)
    assert weak.info["calibrated"]
    # What no temperature fitted to one winner a turn would give: the share of the votes.
    said = weak.label_frame(frame)
    assert said["mood"].tolist() == ["high", "low"] * 60
    np.testing.assert_allclose(said["mood_confidence"], 0.75, atol=0.01)


def test_votes_count_for_class_weights_as_their_sum(small) -> None:
    half = small.assign(funnel_stage=small["funnel_stage"].replace("引导", "引导|筛选"))
    counts = train(half, [FUNNEL_STAGE], settings=QUICK).info["labels"]["funnel_stage"]
    openings = (small["funnel_stage"] == "引导").sum()
    assert counts["引导"] == round(openings / 2)
    assert counts["筛选"] == round((small["funnel_stage"] == "筛选").sum() + openings / 2)


def test_english_aliases_are_labels_too(small) -> None:
    english = {label.name: label.alias for label in FUNNEL_STAGE.labels}
    model = train(small.assign(funnel_stage=small["funnel_stage"].map(english)), [FUNNEL_STAGE], settings=QUICK)
    assert model.label("您好，请问有什么可以帮您")[0].funnel_stage == "引导"


def test_out_of_fold_scores_come_from_models_that_have_not_seen_the_group(small) -> None:
    # The left-out group has a label that nobody else has: a model that had seen it would find it.
    others = np.where(small.index % 2 == 0, "筛选", "解决")
    copies = small.assign(text="完全一样的一句话", funnel_stage=np.where(small["batch"] == "s1", "引导", others))
    task = FUNNEL_STAGE
    scores = out_of_fold(copies, [task], settings=QUICK, groups=copies["batch"], folds=copies["batch"].nunique(), n_jobs=1)
    assert (scores[(copies["batch"] == "s1").to_numpy()].argmax(axis=1) != 0).all()


# --- strength of the penalty --------------------------------------------------------------------------------------


def test_transitions_are_learnt_where_labels_follow_one_another() -> None:
    stage = Task.from_dict({"name": "funnel_stage", "labels": ["a", "b"]})
    rng = np.random.default_rng(0)
    lines = []
    for conversation in range(80):
        first = int(rng.integers(2))
        for turn in range(6):
            # Labels alternate; every second turn's words say nothing of its own.
            label = "ab"[(first + turn) % 2]
            lines.append((conversation, "customer", "嗯嗯" if turn % 2 else {"a": "苹果多少", "b": "快递哪里"}[label], label))
    frame = pd.DataFrame(lines, columns=["conversation_id", "role", "text", "funnel_stage"])
    settings = TrainingSettings(alone=0, noise=0, context_weight=0, encoder=EncoderSettings(1, 1))
    accuracy = {}
    for names in (("funnel_stage", ""), ("", "")):
        model = train(frame, [stage], settings=replace(settings, transitions=names), n_jobs=1)
        accuracy[names[0]] = (model.label_frame(frame)["funnel_stage"] == frame["funnel_stage"]).mean()
        assert (model.transitions is None) == (not names[0])
    assert accuracy["funnel_stage"] > 0.95 > 0.8 > accuracy[""]


def test_features_that_tell_labels_apart_are_scaled_up() -> None:
    shares = np.repeat(np.eye(2), 50, axis=0)
    telling, idle = np.repeat([1.0, 0.0], 50), np.tile([1.0, 0.0], 50)
    matrix = sparse.csr_matrix(np.stack([telling, idle], axis=1))
    scale = _feature_scale(matrix, shares, 0.5)
    assert scale[0] > 2 * scale[1]
    assert (matrix @ sparse.diags(scale)).power(2).sum() == pytest.approx(matrix.power(2).sum())
    np.testing.assert_allclose(_feature_scale(matrix, shares, 0.0), 1)


def mislabelled(frame: pd.DataFrame, task: Task, share: float) -> pd.DataFrame:
    """Give a share of the labelled turns a label drawn at random."""
    rng = np.random.default_rng(0)
    drawn = pd.Series(rng.choice(task.label_names, len(frame)), index=frame.index, dtype=object)
    return frame.assign(**{task.name: frame[task.name].mask((rng.random(len(frame)) < share) & frame[task.name].notna(), drawn)})


def test_wrong_labels_are_met_with_more_penalty(part, heldout) -> None:
    wrong = mislabelled(part, QUESTION_TYPE, 0.3)
    fixed = train(wrong, [QUESTION_TYPE], settings=TrainingSettings(other_strengths=(), folds=0))
    chosen = train(wrong, [QUESTION_TYPE], n_jobs=1)
    assert chosen.info["settings"]["C"] == {"question_type": 0.25}
    figures = [evaluate(model, heldout)["question_type"]["macro_f1"] for model in (fixed, chosen)]
    assert figures[1] > figures[0] + 0.03


def test_another_strength_must_be_clearly_better() -> None:
    truth = np.arange(1000) % 2

    def right(count: int) -> np.ndarray:
        said = np.where(np.arange(1000) < count, truth, 1 - truth)
        return np.eye(2, dtype=np.float32)[said]

    assert best_block([right(900), right(904), right(890)], truth) == 0
    assert best_block([right(900), right(904), right(908), right(906)], truth) == 2
    assert best_block([right(900), right(1000)], np.where(np.arange(1000) < 900, truth, TIED)) == 0


def test_a_strength_that_is_given_is_kept_and_trying_others_does_not_change_it(part, tmp_path) -> None:
    for name, others in (("given", ()), ("tried", (0.25,))):
        settings = TrainingSettings(other_strengths=others, folds=3)
        train(part, [FUNNEL_STAGE], settings=settings, n_jobs=1).save(tmp_path / name)
    infos = [json.loads((tmp_path / name / "model.json").read_text(encoding="utf-8"))["info"] for name in ("given", "tried")]
    assert [info["settings"]["C"] for info in infos] == [2.0, {"funnel_stage": 2.0}]
    for file in (tmp_path / "given").glob("*.npy"):
        assert file.read_bytes() == (tmp_path / "tried" / file.name).read_bytes(), file.name


def test_own_skewed_labels_are_learnt_better_than_by_the_naive_pipeline(part, heldout) -> None:
    task = Task.from_dict({"name": "mood", "labels": ["calm", "upset", "hot"], "role": "customer"})
    moods = {"平静": "calm", "不满": "upset", "愤怒": "hot", "对抗": "hot"}
    labelled, others = (frame.assign(mood=frame["emotion_phase"].map(moods)) for frame in (part, heldout))
    assert (labelled["mood"] == "calm").sum() > 5 * (labelled["mood"] == "hot").sum()
    truth = label_numbers(others, task)
    known = truth >= 0
    naive = naive_predictions(labelled, others, task)[known]
    model = train(labelled, [task], n_jobs=1)
    ours = evaluate(model, others)["mood"]["macro_f1"]
    assert ours > f1_score(truth[known], naive, average="macro") + 0.05


# --- scikit-learn -------------------------------------------------------------------------------------------------

TEXTS = ["怎么还没发货", "什么时候到货", "多少钱一件", "可以退吗", "谢谢你", "好的明白了", "那就这样吧", "再见"] * 3
LABELS = (["问"] * 4 + ["答"] * 4) * 3


def test_estimator_lives_in_scikit_learn() -> None:
    classifier = FunnelClassifier(C=3.0)
    assert clone(classifier).get_params() == classifier.get_params()
    assert classifier.set_params(C=1.0).C == 1.0
    assert get_tags(classifier).input_tags.string
    assert cross_val_score(classifier, TEXTS, LABELS, cv=3).mean() > 0.6
    search = GridSearchCV(FunnelClassifier(), {"C": [0.5, 5.0], "cue_weight": [0.0, 0.5]}, cv=2, scoring="f1_macro")
    assert search.fit(TEXTS, LABELS).best_score_ > 0.6


@pytest.mark.parametrize("wrap", [list, pd.Series, np.array, lambda t: pd.DataFrame({"text": t})])
def test_estimator_takes_every_kind_of_text_container(wrap) -> None:
    classifier = FunnelClassifier().fit(wrap(TEXTS), LABELS)
    assert classifier.classes_.tolist() == ["答", "问"]
    assert classifier.predict(wrap(TEXTS[:4])).tolist() == ["问"] * 4
    proba = classifier.predict_proba(wrap(TEXTS))
    assert proba.shape == (24, 2)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    assert classifier.score(wrap(TEXTS), LABELS) == 1.0


def test_labels_may_be_anything() -> None:
    for labels in ([1, 0], [True, False], [" x", "y "]):
        classifier = FunnelClassifier().fit(["怎么退款", "谢谢你"], labels)
        assert classifier.predict(["怎么退款", "谢谢你"]).tolist() == labels
    proba = cross_val_predict(FunnelClassifier(), TEXTS, LABELS, cv=2, method="predict_proba")
    assert proba.shape == (24, 2)
    with pytest.raises(NotFittedError):
        FunnelClassifier().predict(["好"])


def test_estimator_uses_the_context_of_a_frame(small) -> None:
    alone = small[["text"]]
    with_context = small[["conversation_id", "turn_index", "role", "text"]]
    y = small["funnel_stage"]
    scores = {
        name: FunnelClassifier(min_df_words=2, min_df_chars=3).fit(X, y).predict_proba(X)
        for name, X in (("alone", alone), ("context", with_context))
    }
    assert np.abs(scores["alone"] - scores["context"]).max() > 0.1


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (["a", None], ["x", "y"], "turn #1 is None"),
        (["a", "b"], ["x"], "one label per turn"),
        (["a", "b"], ["x", None], "label #1 is None"),
        (["a", "b"], ["x", ""], "label #1 is ''"),
        ("ab", ["x", "y"], "sequence of turns"),
        ([["a"], ["b"]], ["x", "y"], "one dimension"),
    ],
)
def test_estimator_errors(X, y, message: str) -> None:
    with pytest.raises(FunnelError, match=message):
        FunnelClassifier().fit(X, y)


# --- evaluation ---------------------------------------------------------------------------------------------------


def test_figures_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 400)
    predicted = np.where(rng.random(400) < 0.7, truth, rng.integers(0, 4, 400))
    result = evaluate_predictions(truth, predicted, np.arange(400) // 8, "abcd", ordinal=True)
    assert result["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert result["kappa"] == pytest.approx(cohen_kappa_score(truth, predicted))
    assert result["quadratic_kappa"] == pytest.approx(cohen_kappa_score(truth, predicted, weights="quadratic"))
    assert result["mean_absolute_distance"] == pytest.approx(np.abs(truth - predicted).mean())
    low, high = result["macro_f1_interval"]
    assert low < result["macro_f1"] < high
    assert np.sum(result["confusion"]) == result["turns"] == 400


def test_rare_labels_do_not_count() -> None:
    truth = np.array([0] * 30 + [1] * 30 + [2] * 3)
    result = evaluate_predictions(truth, np.where(truth == 2, 0, truth), np.arange(63), "abc")
    assert result["macro_f1_labels"] == ["a", "b"]
    assert result["labels"]["c"]["recall"] == 0.0


# --- check --------------------------------------------------------------------------------------------------------


def messages(frame) -> str:
    return "\n".join(f"{f.level}: {f.message}" for f in check(frame))


def test_check_finds_what_is_wrong(small) -> None:
    assert "error" not in messages(small)
    wrong = small.copy()
    wrong.loc[3, "funnel_stage"] = "结束"
    wrong.loc[4, "question_type"] = None
    wrong.loc[5, "text"] = " "
    assert "error: funnel_stage: '结束' is not one of" in messages(wrong)
    assert "question_type: 1 cell empty" in messages(wrong)
    assert "1 turn has no text" in messages(wrong)
    assert "error: spin_type: there is no such column" in messages(small.drop(columns="spin_type"))


def test_check_finds_broken_conversations(small) -> None:
    first = small["conversation_id"].iloc[0]
    rows = small[small["conversation_id"] == first]
    assert "turns missing in between" in messages(small.drop(index=rows.index[1]))
    assert "of a single turn" in messages(small.drop(index=rows.index[1:]))
    assert "with one side only" in messages(small.assign(role="customer"))


def test_check_finds_conflicting_duplicates() -> None:
    rows = [
        {"conversation_id": c, "turn_index": 0, "role": "agent", "text": "您好请问有什么可以帮到您的吗亲", "funnel_stage": label}
        for c, label in (("a", "引导"), ("b", "解决"))
    ]
    found = [f.message for f in check(pd.DataFrame(rows), [FUNNEL_STAGE])]
    assert any("labelled differently" in message for message in found)


def test_every_task_is_evaluated(model, heldout) -> None:
    assert set(evaluate(model, heldout)) == {task.name for task in BUILTIN_TASKS}
    with pytest.raises(TaxonomyError, match="no column"):
        evaluate(model, heldout.drop(columns=[task.name for task in BUILTIN_TASKS]))


def test_calibration_happens_where_there_is_enough_data(part) -> None:
    settings = TrainingSettings(folds=4)
    model = train(part, settings=settings, n_jobs=1)
    assert model.info["calibrated"]
    assert len(set(model.weights.temperature.tolist())) > 1
    assert not train(part.head(12), [FUNNEL_STAGE], settings=settings, n_jobs=1).info["calibrated"]
