"""Which of two models is better on the same turns, and how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from funnelnlp.errors import TaxonomyError
from funnelnlp.model import Model
from funnelnlp.taxonomy import Task
from funnelnlp.training.measures import confusion_per_unit, counted_labels, f1_scores, interval, resampled_macro_f1
from funnelnlp.training.predictions import Predictions, predict


def compare(model_a: Model, model_b: Model, frame: pd.DataFrame, *, min_support: int = 10, seed: int = 0) -> dict[str, Any]:
    """Compare two models on the same labelled turns.

    Parameters
    ----------
    model_a, model_b : Model
        With at least one task in common.
    frame : pandas.DataFrame
        With a label column for such a task.
    min_support : int, default 10
        As in `evaluate_predictions`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        Per common task, see `compare_predictions`.

    Raises
    ------
    TaxonomyError
        When they have no task in common that is labelled in the data, or a common task has other labels.

    Examples
    --------
    >>> import funnelnlp
    >>> from funnelnlp.resources import bundled
    >>> model, frame = funnelnlp.load(), funnelnlp.read_transcripts(bundled("data/heldout"))
    >>> compare(model, model, frame)["funnel_stage"]["difference_interval"]
    [0.0, 0.0]
    """
    return compare_predictions(predict(model_a, frame), predict(model_b, frame), min_support=min_support, seed=seed)


def compare_predictions(first: Predictions, second: Predictions, *, min_support: int = 10, seed: int = 0) -> dict[str, Any]:
    """Compare two predictions of the same turns.

    Parameters
    ----------
    first, second : Predictions
        Of the same frame.
    min_support, seed
        As in `compare`.

    Returns
    -------
    dict
        Per task in both: ``macro_f1`` of the ``first`` and of the ``second``, their ``difference`` (first − second) with
        its 95 % percentile interval over bootstrap resamples of conversations, the same ones for both; the share of
        resamples in which the first is better (``first_better``; equal is not better); and how many turns were
        ``both_right``, ``only_first_right``, ``only_second_right`` and ``both_wrong``.

    Raises
    ------
    TaxonomyError
        As `compare`.
    """
    others = {task.name: task for task in second.tasks}
    common = [task for task in first.tasks if task.name in others]
    if not common:
        names = [", ".join(task.name for task in side.tasks) for side in (first, second)]
        raise TaxonomyError(f"no labelled task in common: the first has {names[0]}, the second {names[1]}")
    for task in common:
        if task.label_names != (labels := others[task.name].label_names):
            raise TaxonomyError(
                f"task {task.name!r} has the labels {', '.join(task.label_names)} in the first model and "
                f"{', '.join(labels)} in the second: such models cannot be compared"
            )
    return {task.name: _compare_task(first, second, task, min_support, seed) for task in common}


def _compare_task(first: Predictions, second: Predictions, task: Task, min_support: int, seed: int) -> dict[str, Any]:
    rows = np.intersect1d(first.rows(task), second.rows(task))
    truth = first.truth[task.name][rows]
    predicted = [side.probabilities[task.name][rows].argmax(axis=1) for side in (first, second)]
    unit = np.unique(first.conversation[rows], return_inverse=True)[1]
    k = len(task.labels)
    per_unit = [confusion_per_unit(truth, p, unit, k) for p in predicted]
    totals = [matrix.sum(axis=0).reshape(k, k) for matrix in per_unit]
    counted = counted_labels(totals[0], min_support)
    one, two = (float(f1_scores(total)[counted].mean()) for total in totals)
    spread = resampled_macro_f1(per_unit[0], counted, seed) - resampled_macro_f1(per_unit[1], counted, seed)
    first_right, second_right = (p == truth for p in predicted)
    return {
        "turns": len(rows),
        "conversations": len(per_unit[0]),
        "first": one,
        "second": two,
        "difference": one - two,
        "difference_interval": interval(spread),
        "first_better": float((spread > 0).mean()),
        "both_right": int((first_right & second_right).sum()),
        "only_first_right": int((first_right & ~second_right).sum()),
        "only_second_right": int((~first_right & second_right).sum()),
        "both_wrong": int((~first_right & ~second_right).sum()),
    }
