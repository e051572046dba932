"""How good labels are: macro-F1 with intervals over conversations, per label, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelnlp.errors import TaxonomyError
from funnelnlp.model import Model
from funnelnlp.model.frames import conversation_codes
from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.training.fit import scores_of
from funnelnlp.training.labelled import Ints, has_labels, label_numbers

Floats = NDArray[np.float64]
_BOOTSTRAPS = 1000
_ECE_BINS = 10


def _f1(confusion: Floats) -> Floats:
    """Return the F1 per label of confusion matrices, shape (..., labels, labels) → (..., labels)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    sizes = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    result: Floats = np.divide(2 * hits, sizes, out=np.zeros_like(hits, dtype=np.float64), where=sizes > 0)
    return result


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
        Probability of the predicted label, for the expected calibration error.
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
    per_unit = np.zeros((len(units), k * k))
    np.add.at(per_unit, (unit, y * k + p), 1)
    confusion = per_unit.sum(axis=0).reshape(k, k)
    support = confusion.sum(axis=1)
    counted = support >= min_support if (support >= min_support).any() else support > 0
    f1 = _f1(confusion)
    draws = np.random.default_rng(seed).multinomial(len(units), np.full(len(units), 1 / len(units)), size=_BOOTSTRAPS)
    spread = _f1((draws @ per_unit).reshape(_BOOTSTRAPS, k, k))[:, counted].mean(axis=1)
    low, high = np.percentile(spread, [2.5, 97.5])
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
        "macro_f1_interval": [float(low), float(high)],
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
        result["expected_calibration_error"] = calibration_error(confidence[known], y == p)
    return result


def agreement(first: pd.DataFrame, second: pd.DataFrame, tasks: Sequence[Task] = BUILTIN_TASKS) -> dict[str, Any]:
    """Measure how far two people labelled the same turns alike.

    Parameters
    ----------
    first, second : pandas.DataFrame
        Labelled turns, matched by ``conversation_id`` and ``turn_index``; turns that only one has are left out.
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
        if not (has_labels(one, task) and has_labels(two, task)):
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


def calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Return the expected calibration error over ten bins of equal width (Guo et al. 2017)."""
    bins = np.minimum((confidence * _ECE_BINS).astype(int), _ECE_BINS - 1)
    count = np.bincount(bins, minlength=_ECE_BINS)
    gap = np.abs(np.bincount(bins, confidence, _ECE_BINS) - np.bincount(bins, right, _ECE_BINS))
    return float(gap[count > 0].sum() / len(bins))


def evaluate(model: Model, frame: pd.DataFrame, *, min_support: int = 10) -> dict[str, Any]:
    """Measure a model on labelled turns.

    Parameters
    ----------
    model : Model
    frame : pandas.DataFrame
        With a label column for at least one of the model's tasks.
    min_support : int, default 10
        See `evaluate_predictions`.

    Returns
    -------
    dict
        Per task what `evaluate_predictions` returns; tasks whose column is absent are left out.

    Raises
    ------
    TaxonomyError
        When no task has its column or a cell holds something that is no label.

    Examples
    --------
    >>> import funnelnlp
    >>> from funnelnlp.resources import bundled
    >>> result = evaluate(funnelnlp.load(), funnelnlp.read_transcripts(bundled("data/heldout")))
    >>> sorted(result["funnel_stage"]["labels"]) == sorted(["引导", "筛选", "确认", "解决"])
    True
    """
    present = [task for task in model.tasks if has_labels(frame, task)] or [model.tasks[0]]
    scored = [task for task in present if (label_numbers(frame, task) >= 0).any()]
    if not scored:
        raise TaxonomyError(f"no turn has a label of {', '.join(task.name for task in present)}: nothing to measure")
    probabilities = model.probabilities(scores_of(model, frame))
    conversation = conversation_codes(frame)
    return {task.name: _evaluate_task(task, model, frame, probabilities, conversation, min_support) for task in scored}


def _evaluate_task(
    task: Task, model: Model, frame: pd.DataFrame, probabilities: NDArray[np.float32], conversation: Ints, min_support: int
) -> dict[str, Any]:
    block = probabilities[:, model.slices[task.name]]
    return evaluate_predictions(
        label_numbers(frame, task),
        block.argmax(axis=1),
        conversation,
        task.label_names,
        confidence=block.max(axis=1).astype(np.float64),
        ordinal=task.ordinal,
        min_support=min_support,
    )
