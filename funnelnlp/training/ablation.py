"""What each feature group and method of training is worth: the recipe without it, on registers left out."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from sklearn.metrics import f1_score

from funnelnlp.features import EncoderSettings
from funnelnlp.training.fit import TrainingSettings
from funnelnlp.training.predictions import cross_predict

_NEVER = 10**9
_FOLDS = 5


def _variants() -> dict[str, TrainingSettings]:
    whole = TrainingSettings(other_strengths=())
    encoder = whole.encoder
    return {
        "the whole recipe": whole,
        "without words and word pairs": replace(whole, encoder=replace(encoder, min_df_words=_NEVER)),
        "without character n-grams": replace(whole, encoder=replace(encoder, min_df_chars=_NEVER)),
        "without lexicon classes": replace(whole, encoder=replace(encoder, cue_weight=0.0)),
        "without cues by length": replace(whole, encoder=replace(encoder, cue_density=0.0)),
        "without both speakers' turns before": replace(whole, context_weight=0.0),
        "without role, place and length": replace(whole, structure_weight=0.0),
        "without transitions between stages": replace(whole, transitions=("", "")),
        "without log-count ratios": replace(whole, ratio=0.0),
        "with words of all turns scaled alike": replace(whole, encoder=replace(encoder, word_norm=1.0)),
        "without copies of bare turns": replace(whole, alone=0),
        "without noisy copies": replace(whole, noise=0.0),
        "without class weights": replace(whole, balance=0.0),
        "with classes of equal weight": replace(whole, balance=1.0),
        "without all of it: words alone": replace(
            whole,
            encoder=EncoderSettings(min_df_chars=_NEVER, cue_weight=0.0, word_norm=1.0),
            context_weight=0.0,
            structure_weight=0.0,
            alone=0,
            noise=0.0,
            ratio=0.0,
            transitions=("", ""),
            balance=0.0,
        ),
    }


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
    for name, settings in _variants().items():
        predictions = cross_predict(frame, leave_out=leave_out, settings=settings, folds=_FOLDS)
        figures: dict[str, str | float] = {"variant": name}
        for task in predictions.tasks:
            rows = predictions.rows(task)
            chosen = predictions.probabilities[task.name][rows].argmax(axis=1)
            figures[task.name] = float(f1_score(predictions.truth[task.name][rows], chosen, average="macro"))
        lines.append(figures)
    return pd.DataFrame(lines)
