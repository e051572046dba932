"""What each feature group and method of training is worth: the recipe without it, on registers left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from funnelnlp.features import EncoderSettings, lay_out
from funnelnlp.model.frames import frame_columns
from funnelnlp.taxonomy import EMOTION_PHASE, FUNNEL_STAGE
from funnelnlp.training.fit import TrainingSettings
from funnelnlp.training.predictions import Predictions, cross_predict

Floats = NDArray[np.float64]
_NEVER = 10**9
_FOLDS = 5
_STRENGTHS = (0.25, 0.5, 1.0)


def _variants() -> dict[str, TrainingSettings]:
    whole = TrainingSettings(other_strengths=(), tolerance=1e-3)
    encoder = whole.encoder
    return {
        "the whole recipe": whole,
        "without words and word pairs": replace(whole, encoder=replace(encoder, min_df_words=_NEVER)),
        "without character n-grams": replace(whole, encoder=replace(encoder, min_df_chars=_NEVER)),
        "without lexicon classes": replace(whole, encoder=replace(encoder, cue_weight=0.0)),
        "without both speakers' turns before": replace(whole, context_weight=0.0),
        "without role, place and length": replace(whole, structure_weight=0.0),
        "without copies of bare turns": replace(whole, alone=0),
        "without noisy copies": replace(whole, noise=0.0),
        "without class weights": replace(whole, balance=0.0),
        "with classes of equal weight": replace(whole, balance=1.0),
        "without all of it: words alone": replace(
            whole,
            encoder=EncoderSettings(min_df_chars=_NEVER, cue_weight=0.0),
            context_weight=0.0,
            structure_weight=0.0,
            alone=0,
            noise=0.0,
            balance=0.0,
        ),
    }


def _macro_f1(predictions: Predictions, probabilities: dict[str, Floats]) -> dict[str, float]:
    figures = {}
    for task in predictions.tasks:
        rows = predictions.rows(task)
        chosen = probabilities[task.name][rows].argmax(axis=1)
        figures[task.name] = float(f1_score(predictions.truth[task.name][rows], chosen, average="macro"))
    return figures


def forward_filter(
    probabilities: Floats, truth: NDArray[np.int64], conversation: NDArray[np.int64], order: NDArray[np.int64], strength: float
) -> Floats:
    """Weigh each turn's probabilities by what usually follows the turns before; never looks ahead.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, k)
    truth : ndarray of int64, shape (n,)
        Labels that the transitions are counted on; turns with a negative one are passed over.
    conversation : ndarray of int64, shape (n,)
        A number per conversation.
    order : ndarray of int64, shape (n,)
        Rows by conversation and turn.
    strength : float
        Exponent of the transition probabilities over the labels' shares.

    Returns
    -------
    ndarray of float64, shape (n, k)
        The filtered probabilities (forward algorithm of hidden Markov models, Rabiner 1989).

    Examples
    --------
    >>> odds = np.array([[0.9, 0.1], [0.5, 0.5]])
    >>> alike = np.array([0, 0, 0, 1, 1, 1])
    >>> forward_filter(np.repeat(odds, 3, axis=0), alike, np.zeros(6, dtype=int), np.arange(6), 1.0)[3].round(2)
    array([0.57, 0.43])
    """
    k = probabilities.shape[1]
    rows = order[truth[order] >= 0]
    goes_on = np.diff(conversation[rows], prepend=-1) == 0
    counts = np.ones((k, k))
    np.add.at(counts, (truth[rows[:-1]][goes_on[1:]], truth[rows[1:]][goes_on[1:]]), 1)
    share = np.bincount(truth[rows], minlength=k) / len(rows)
    factor = (counts / counts.sum(axis=1, keepdims=True) / np.maximum(share, 1e-9)) ** strength
    result = probabilities.copy()
    state = np.ones(k)
    for row, same in zip(rows.tolist(), goes_on.tolist(), strict=True):
        state = probabilities[row] * (state @ factor if same else 1.0)
        state = state / state.sum()
        result[row] = state
    return result


def ablation(frame: pd.DataFrame, leave_out: str = "channel,batch") -> pd.DataFrame:
    """Measure the recipe with and without each of its parts.

    Parameters
    ----------
    frame : pandas.DataFrame
        Labelled turns.
    leave_out : str
        Columns whose groups are left out whole, as in `cross_predict`.

    Returns
    -------
    pandas.DataFrame
        One row per variant: its name and a macro-F1 per task.
    """
    lines: list[dict[str, str | float]] = []
    whole: Predictions | None = None
    for name, settings in _variants().items():
        predictions = cross_predict(frame, leave_out=leave_out, settings=settings, folds=_FOLDS)
        whole = whole or predictions
        lines.append({"variant": name, **_macro_f1(predictions, predictions.probabilities)})
        if predictions is whole:
            lines += _filtered(whole)
    return pd.DataFrame(lines)


def _filtered(whole: Predictions) -> list[dict[str, str | float]]:
    _, roles, conversation, turn = frame_columns(whole.frame)
    order = lay_out(conversation, roles, turn).order
    lines: list[dict[str, str | float]] = []
    for strength in _STRENGTHS:
        probabilities = dict(whole.probabilities)
        for task in (FUNNEL_STAGE, EMOTION_PHASE):
            truth = whole.truth[task.name]
            probabilities[task.name] = forward_filter(probabilities[task.name], truth, conversation, order, strength)
        lines.append({"variant": f"with a forward filter of strength {strength}", **_macro_f1(whole, probabilities)})
    return lines
