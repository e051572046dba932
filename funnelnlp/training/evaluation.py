"""How good labels are: macro-F1 with intervals over conversations, per label, calibration, alerts and slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from funnelnlp.errors import TaxonomyError
from funnelnlp.model import Model
from funnelnlp.model.frames import conversation_codes
from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.text import Lexicons
from funnelnlp.training.fit import TrainingSettings
from funnelnlp.training.labelled import TIED, Ints, column_of, label_numbers
from funnelnlp.training.measures import (
    Floats,
    alert_figures,
    calibration_error,
    confusion_per_unit,
    counted_labels,
    coverage,
    f1_scores,
    interval,
    reliability,
    resampled_macro_f1,
)
from funnelnlp.training.predictions import Predictions, cross_predict, predict
from funnelnlp.training.slices import slices


def evaluate_predictions(
    truth: Ints,
    predicted: Ints,
    conversation: Ints,
    labels: Sequence[str],
    *,
    confidence: Floats | None = None,
    ordinal: bool = False,
    min_support: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure predictions of one task.

    Parameters
    ----------
    truth, predicted : ndarray of int64, shape (n,)
        Label numbers; rows with a negative truth are left out.
    conversation : ndarray of int64, shape (n,)
        Unit of the bootstrap: turns of one conversation are not independent.
    labels : sequence of str
    confidence : ndarray of float64, shape (n,), optional
        Probability of the predicted label; adds ``reliability`` (ten bins of equal width), the
        ``expected_calibration_error`` over them, and ``coverage`` (share of turns at least so confident, and their
        accuracy).
    ordinal : bool
        Adds quadratic-weighted kappa (Cohen 1968) and the mean absolute distance.
    min_support : int, default 10
        Labels with fewer true turns do not count in the macro-F1 (all that occur do if none has as many).
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        JSON-ready: ``turns``, ``accuracy``, ``macro_f1`` with its 95 % percentile bootstrap interval, the labels
        that count in it, per-label figures, the confusion matrix (rows: truth), ``kappa`` and so on.
    """
    known = truth >= 0
    y, p = truth[known], predicted[known]
    k = len(labels)
    units, unit = np.unique(conversation[known], return_inverse=True)
    per_unit = confusion_per_unit(y, p, unit, k)
    confusion = per_unit.sum(axis=0).reshape(k, k)
    support = confusion.sum(axis=1)
    counted = counted_labels(confusion, min_support)
    f1 = f1_scores(confusion)
    predicted_count = confusion.sum(axis=0)
    hits = np.diagonal(confusion)
    total = confusion.sum()
    chance = float((support * predicted_count).sum() / total**2)
    accuracy = float(hits.sum() / total)
    result: dict[str, Any] = {
        "turns": int(total),
        "conversations": len(units),
        "accuracy": accuracy,
        "kappa": (accuracy - chance) / (1 - chance) if chance < 1 else 1.0,
        "macro_f1": float(f1[counted].mean()),
        "macro_f1_interval": interval(resampled_macro_f1(per_unit, counted, seed)),
        "macro_f1_labels": [name for name, c in zip(labels, counted, strict=True) if c],
        "labels": {
            name: {
                "precision": float(hits[i] / predicted_count[i]) if predicted_count[i] else 0.0,
                "recall": float(hits[i] / support[i]) if support[i] else 0.0,
                "f1": float(f1[i]),
                "turns": int(support[i]),
            }
            for i, name in enumerate(labels)
        },
        "confusion": confusion.astype(int).tolist(),
    }
    if ordinal:
        distance = np.subtract.outer(np.arange(k), np.arange(k))
        expected = np.outer(support, predicted_count) / total
        off = float((distance**2 * expected).sum())
        result["quadratic_kappa"] = 1 - float((distance**2 * confusion).sum()) / off if off else 1.0
        result["mean_absolute_distance"] = float((np.abs(distance) * confusion).sum() / total)
    if confidence is not None:
        bins = reliability(confidence[known], y == p)
        result["expected_calibration_error"] = calibration_error(bins)
        result["reliability"] = bins
        result["coverage"] = coverage(confidence[known], y == p)
    return result


def agreement(first: pd.DataFrame, second: pd.DataFrame, tasks: Sequence[Task] = BUILTIN_TASKS) -> dict[str, Any]:
    """Measure how far two people labelled the same turns alike.

    Parameters
    ----------
    first, second : pandas.DataFrame
        Labelled turns, matched by ``conversation_id`` and ``turn_index``; turns that only one has, or that have tied votes,
        are left out.
    tasks : sequence of Task
        Those without a column in both are left out.

    Returns
    -------
    dict
        Per task what `evaluate_predictions` returns, the first labels taken as truth: ``kappa`` is Cohen's
        (1960), ``quadratic_kappa`` for ordered labels, ``accuracy`` the plain share of equal labels.

    Raises
    ------
    TaxonomyError
        When the two have no turn or no task in common, or the same turn with another text.

    Examples
    --------
    >>> import funnelnlp
    >>> from funnelnlp.resources import bundled
    >>> both = [funnelnlp.read_transcripts(bundled("data/double_labels") / f"{n}.jsonl") for n in ("first", "second")]
    >>> agreement(*both)["funnel_stage"]["kappa"] > 0.9
    True
    """
    keys = ["conversation_id", "turn_index"]
    for frame in (first, second):
        if missing := [key for key in keys if key not in frame.columns]:
            raise TaxonomyError(f"turns are matched by {' and '.join(keys)}; there is no column {missing[0]!r}")
    pairs = first[keys].reset_index().merge(second[keys].reset_index(), on=keys, suffixes=("_first", "_second"))
    one = first.loc[pairs["index_first"]].reset_index(drop=True)
    two = second.loc[pairs["index_second"]].reset_index(drop=True)
    if one.empty:
        raise TaxonomyError("the two have no labelled turn in common; turns are matched by conversation_id and turn_index")
    if (differs := one["text"] != two["text"]).any():
        row = one[differs].iloc[0]
        raise TaxonomyError(f"conversation {row['conversation_id']!r}, turn {row['turn_index']}: the two texts differ")
    conversation = conversation_codes(one)
    result = {}
    for task in tasks:
        if not (column_of(one, task) and column_of(two, task)):
            continue
        truth, other = label_numbers(one, task), label_numbers(two, task)
        both = (truth >= 0) & (other >= 0)
        if both.any():
            result[task.name] = evaluate_predictions(
                truth[both], other[both], conversation[both], task.label_names, ordinal=task.ordinal, min_support=1
            )
    if not result:
        raise TaxonomyError(f"no turn has a label of {', '.join(task.name for task in tasks)} in both")
    return result


def evaluate(model: Model, frame: pd.DataFrame, *, min_support: int = 10, by: Sequence[str] = ()) -> dict[str, Any]:
    """Measure a model on labelled turns.

    Parameters
    ----------
    model : Model
    frame : pandas.DataFrame
        With a label column for at least one of the model's tasks. Of several votes on a turn (see `train`) the label
        that most gave is the right one; turns whose votes are tied have none and are left out.
    min_support : int, default 10
        See `evaluate_predictions`.
    by : sequence of str
        Columns to take the data apart by, besides the usual ones; see `measure`.

    Returns
    -------
    dict
        As `measure` returns it; tasks whose column is absent are left out.

    Raises
    ------
    TaxonomyError
        When no task has its column or a cell holds something that is no label.
    TranscriptError
        When a column of ``by`` is missing.

    Examples
    --------
    >>> import funnelnlp
    >>> from funnelnlp.resources import bundled
    >>> result = evaluate(funnelnlp.load(), funnelnlp.read_transcripts(bundled("data/heldout")))
    >>> sorted(result["funnel_stage"]["labels"]) == sorted(["引导", "筛选", "确认", "解决"])
    True
    >>> result["emotion_phase"]["alert"]["labels"]
    ['愤怒', '对抗']
    """
    return measure(predict(model, frame), min_support=min_support, by=by)


def cross_validate(
    frame: pd.DataFrame,
    tasks: Sequence[Task] = BUILTIN_TASKS,
    *,
    leave_out: str = "",
    settings: TrainingSettings | None = None,
    lexicons: Lexicons | None = None,
    folds: int | None = None,
    n_jobs: int = -1,
    min_support: int = 10,
    by: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure the training recipe on labelled turns, each labelled by a model that has not seen its conversation.

    Parameters
    ----------
    frame, tasks, leave_out, settings, lexicons, folds, n_jobs
        As in `cross_predict`.
    min_support, by
        As in `evaluate`.

    Returns
    -------
    dict
        As `measure` returns it.

    Raises
    ------
    TaxonomyError, TranscriptError
        As in `cross_predict`.

    Examples
    --------
    >>> import pandas as pd
    >>> texts = ["马上退钱", "立刻退钱给我", "马上给我退", "谢谢你", "好的谢谢", "谢谢啊"]
    >>> frame = pd.DataFrame({"text": texts, "urgent": ["yes"] * 3 + ["no"] * 3})
    >>> urgent = Task.from_dict({"name": "urgent", "labels": ["no", "yes"]})
    >>> cross_validate(frame, [urgent], folds=3, n_jobs=1)["urgent"]["accuracy"]
    1.0
    """
    predictions = cross_predict(
        frame, tasks, leave_out=leave_out, settings=settings, lexicons=lexicons, folds=folds, n_jobs=n_jobs
    )
    return measure(predictions, min_support=min_support, by=by)


def measure(predictions: Predictions, *, min_support: int = 10, by: Sequence[str] = ()) -> dict[str, Any]:
    """Return all figures of predictions.

    Parameters
    ----------
    predictions : Predictions
    min_support : int, default 10
        See `evaluate_predictions`.
    by : sequence of str
        Columns to take the data apart by, besides channel, industry, batch, role and turn_length; several with commas
        between are taken together (``"channel,batch"``). Groups left out by cross-validation are always taken apart.

    Returns
    -------
    dict
        JSON-ready, per task what `evaluate_predictions` returns, and

        - ``tied``: how many turns are left out because no label has most of their votes;
        - ``slices``: see `funnelnlp.training.slices.slices`;
        - for tasks with `Task.alert_labels`, ``alert``: how well the probability of these labels together finds
          their turns, see `funnelnlp.training.measures.alert_figures`.
    """
    keys = [*by, *([predictions.left_out] if predictions.left_out else [])]
    result = {}
    for task in predictions.tasks:
        truth, probabilities = predictions.truth[task.name], predictions.probabilities[task.name]
        predicted = probabilities.argmax(axis=1)
        figures = evaluate_predictions(
            truth,
            predicted,
            predictions.conversation,
            task.label_names,
            confidence=probabilities.max(axis=1),
            ordinal=task.ordinal,
            min_support=min_support,
        )
        figures["tied"] = int((truth == TIED).sum())
        if task.alert_labels:
            figures["alert"] = _alert(predictions, task)
        figures["slices"] = slices(predictions.frame, truth, predicted, task.label_names, by=keys, min_support=min_support)
        result[task.name] = figures
    return result


def _alert(predictions: Predictions, task: Task) -> dict[str, Any]:
    rows = predictions.rows(task)
    labels = [task.label_names.index(name) for name in task.alert_labels]
    event = np.isin(predictions.truth[task.name][rows], labels)
    probability = predictions.probabilities[task.name][rows][:, labels].sum(axis=1)
    return {"labels": list(task.alert_labels), **alert_figures(event, probability, predictions.conversation[rows])}
