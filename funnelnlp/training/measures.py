"""The measures themselves: label numbers, probabilities and conversations in, plain numbers out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.training.labelled import Ints

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ALERT_PRECISION = 0.95
_ALERT_FIGURES = (
    "average_precision",
    "average_precision_interval",
    "recall_at_95_precision",
    "recall_at_95_precision_interval",
    "threshold",
)
_RESAMPLES = 1000
_BINS = 10
_THRESHOLDS = np.arange(50, 100, 5) / 100


# --- labels -------------------------------------------------------------------------------------------------------


def confusion_per_unit(truth: Ints, predicted: Ints, unit: Ints, n_labels: int) -> Floats:
    """Return one flat confusion matrix (rows: truth) per unit, shape (units, n_labels²)."""
    cells = n_labels * n_labels
    n_units = int(unit.max()) + 1 if len(unit) else 0
    flat = np.bincount(unit * cells + truth * n_labels + predicted, minlength=n_units * cells)
    return flat.reshape(n_units, cells).astype(np.float64)


def f1_scores(confusion: Floats) -> Floats:
    """Return the F1 per label of confusion matrices, shape (..., labels, labels) → (..., labels)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    sizes = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    result: Floats = np.divide(2 * hits, sizes, out=np.zeros_like(hits, dtype=np.float64), where=sizes > 0)
    return result


def counted_labels(confusion: Floats, min_support: int) -> Bools:
    """Tell which labels count in a macro-F1: those with enough true turns, or all that occur if none has."""
    support = confusion.sum(axis=1)
    enough: Bools = support >= min_support
    return enough if enough.any() else support > 0


# --- bootstrap ----------------------------------------------------------------------------------------------------


def _resamples(n_units: int, seed: int) -> Iterator[Ints]:
    """Yield how often each unit is drawn, once per resample; the same draws for the same arguments."""
    rng = np.random.default_rng(seed)
    for _ in range(_RESAMPLES):
        yield rng.multinomial(n_units, np.full(n_units, 1 / n_units))


def resampled_macro_f1(per_unit: Floats, counted: Bools, seed: int) -> Floats:
    """Return the macro-F1 of every bootstrap resample of units, shape (resamples,)."""
    k = len(counted)
    sums = np.stack([drawn @ per_unit for drawn in _resamples(len(per_unit), seed)])
    result: Floats = f1_scores(sums.reshape(-1, k, k))[:, counted].mean(axis=1)
    return result


def interval(spread: Floats) -> list[float]:
    """Return the 95 % percentile interval; resamples without a value (NaN) are left out."""
    low, high = np.nanpercentile(spread, [2.5, 97.5])
    return [float(low), float(high)]


# --- calibration --------------------------------------------------------------------------------------------------


def reliability(confidence: Floats, right: Bools) -> list[dict[str, Any]]:
    """Return ten bins of equal width over the confidence: turns, mean confidence, share of right labels.

    Examples
    --------
    >>> bins = reliability(np.array([0.55, 0.65, 0.65, 1.0]), np.array([True, True, False, True]))
    >>> [(b["from"], b["turns"], b["accuracy"]) for b in bins if b["turns"]]
    [(0.5, 1, 1.0), (0.6, 2, 0.5), (0.9, 1, 1.0)]
    """
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    turns = np.bincount(place, minlength=_BINS)
    confident = np.bincount(place, confidence, _BINS)
    correct = np.bincount(place, right, _BINS)
    return [
        {
            "from": i / _BINS,
            "to": (i + 1) / _BINS,
            "turns": int(turns[i]),
            "confidence": float(confident[i] / turns[i]) if turns[i] else None,
            "accuracy": float(correct[i] / turns[i]) if turns[i] else None,
        }
        for i in range(_BINS)
    ]


def calibration_error(bins: list[dict[str, Any]]) -> float:
    """Return the expected calibration error of reliability bins (Guo et al. 2017)."""
    filled = [b for b in bins if b["turns"]]
    return float(sum(b["turns"] * abs(b["confidence"] - b["accuracy"]) for b in filled) / sum(b["turns"] for b in filled))


def coverage(confidence: Floats, right: Bools) -> list[dict[str, Any]]:
    """Return, per threshold, the share of turns at least that confident and how many of their labels are right.

    Examples
    --------
    >>> coverage(np.array([0.5, 0.97]), np.array([False, True]))[-1]
    {'threshold': 0.95, 'coverage': 0.5, 'accuracy': 1.0}
    """
    result = []
    for threshold in _THRESHOLDS:
        kept = confidence >= threshold
        accuracy = float(right[kept].mean()) if kept.any() else None
        result.append({"threshold": float(threshold), "coverage": float(kept.mean()), "accuracy": accuracy})
    return result


# --- alerts -------------------------------------------------------------------------------------------------------


def alert_figures(event: Bools, probability: Floats, conversation: Ints, *, seed: int = 0) -> dict[str, Any]:
    """Measure how well a probability finds a rare event.

    Parameters
    ----------
    event : ndarray of bool, shape (n,)
        Whether the turn is one to be alerted to.
    probability : ndarray of float64, shape (n,)
    conversation : ndarray of int64, shape (n,)
        Unit of the bootstrap.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``turns`` that are events, ``average_precision``, the largest ``recall_at_95_precision`` and the
        ``threshold`` that reaches it (both None where no threshold has that precision), with 95 % intervals. The
        threshold is chosen on these turns, in every resample anew; a resample in which none has that precision
        counts as recall 0. All None when there is no event.

    Examples
    --------
    >>> event = np.array([True, True, False, True])
    >>> figures = alert_figures(event, np.array([0.9, 0.8, 0.7, 0.6]), np.arange(4))
    >>> figures["recall_at_95_precision"], figures["threshold"]
    (0.6666666666666666, 0.8)
    """
    result: dict[str, Any] = {"turns": int(event.sum()), **dict.fromkeys(_ALERT_FIGURES)}
    if not event.any():
        return result
    event, probability, order, ends = _by_probability(event, probability)
    units, unit = np.unique(conversation[order], return_inverse=True)

    def summary(weight: Ints) -> tuple[float, float]:
        average, reached = _alert_curve(event, ends, weight)
        return average, float(reached.max())

    average, reached = _alert_curve(event, ends, np.ones(len(event), dtype=np.int64))
    best = int(reached.argmax())
    spread = np.array([summary(drawn[unit]) for drawn in _resamples(len(units), seed)])
    result |= {"average_precision": average, "average_precision_interval": interval(spread[:, 0])}
    if reached[best] > 0:
        result["recall_at_95_precision"] = float(reached[best])
        result["recall_at_95_precision_interval"] = interval(spread[:, 1])
        result["threshold"] = float(probability[ends[best]])
    return result


def alert_threshold(event: Bools, probability: Floats) -> float | None:
    """Return the probability from which 95 % of alerts are right and most events are found; None if there is none.

    Parameters
    ----------
    event : ndarray of bool, shape (n,)
    probability : ndarray of float64, shape (n,)

    Examples
    --------
    >>> alert_threshold(np.array([True, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6]))
    0.8
    """
    event, probability, _, ends = _by_probability(event, probability)
    _, reached = _alert_curve(event, ends, np.ones(len(event), dtype=np.int64))
    best = int(reached.argmax()) if len(reached) else 0
    return float(probability[ends[best]]) if len(reached) and reached[best] > 0 else None


def _by_probability(event: Bools, probability: Floats) -> tuple[Bools, Floats, Ints, Ints]:
    """Return events and probabilities, likeliest first, the order that makes them so, and the last turn of each threshold."""
    order = np.argsort(-probability, kind="stable")
    event, probability = event[order], probability[order]
    # A threshold takes turns of equal probability together.
    return event, probability, order, np.flatnonzero(np.append(np.diff(probability) != 0, len(probability) > 0))


def _alert_curve(event: Bools, ends: Ints, weight: Ints) -> tuple[float, Floats]:
    """Return the average precision, and the recall at every threshold of the wanted precision (0 elsewhere)."""
    hits, alerts = np.cumsum(weight * event)[ends], np.cumsum(weight)[ends]
    recall = hits / hits[-1] if len(hits) and hits[-1] else np.full(len(ends), np.nan)
    precision = hits / np.maximum(alerts, 1)
    average = float((np.diff(recall, prepend=0) * precision).sum())
    return average, np.where(precision >= _ALERT_PRECISION, recall, 0 * recall)
