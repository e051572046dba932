"""The mistakes that a model was surest of: the first to read, for they are often wrong labels."""

from __future__ import annotations

import pandas as pd

from funnelnlp.taxonomy import Task
from funnelnlp.training.predictions import Predictions

_BEFORE = 2


def mistakes(predictions: Predictions, limit: int = 200) -> pd.DataFrame:
    """List wrong predictions, most confident first.

    Parameters
    ----------
    predictions : Predictions
    limit : int, default 200
        Over all tasks together.

    Returns
    -------
    pandas.DataFrame
        Columns ``conversation_id``, ``turn_index``, ``task``, ``expected``, ``predicted``, ``confidence``, ``role``,
        ``text`` and ``before``: the two turns before in the conversation, as ``role: text`` joined by `` | ``. Columns
        that the data does not have are empty.

    Examples
    --------
    >>> import funnelnlp
    >>> from funnelnlp.resources import bundled
    >>> from funnelnlp.training import predict
    >>> found = mistakes(predict(funnelnlp.load(), funnelnlp.read_transcripts(bundled("data/heldout"))), limit=3)
    >>> len(found), bool((found["expected"] == found["predicted"]).any()), found["confidence"].is_monotonic_decreasing
    (3, False, True)
    """
    wrong = pd.concat([_wrong(predictions, task) for task in predictions.tasks], ignore_index=True)
    wrong = wrong.sort_values("confidence", ascending=False, kind="stable").head(limit)
    turns = predictions.frame.reset_index(drop=True).assign(before=_before(predictions))
    turns = turns.reindex(columns=["conversation_id", "turn_index", "role", "text", "before"])
    result = wrong.join(turns, on="position").drop(columns="position").reset_index(drop=True)
    columns = ["conversation_id", "turn_index", "task", "expected", "predicted", "confidence", "role", "text", "before"]
    return result[columns]


def _wrong(predictions: Predictions, task: Task) -> pd.DataFrame:
    rows = predictions.rows(task)
    truth, probabilities = predictions.truth[task.name][rows], predictions.probabilities[task.name][rows]
    predicted = probabilities.argmax(axis=1)
    names = pd.Series(task.label_names)
    wrong = truth != predicted
    return pd.DataFrame(
        {
            "position": rows[wrong],
            "task": task.name,
            "expected": names[truth[wrong]].to_numpy(),
            "predicted": names[predicted[wrong]].to_numpy(),
            "confidence": probabilities.max(axis=1)[wrong],
        }
    )


def _before(predictions: Predictions) -> list[str]:
    """Return, for every turn, the last turns before it in its conversation, in the order of the turns."""
    frame = predictions.frame.reset_index(drop=True)
    said = frame["text"]
    if "role" in frame.columns:
        said = frame["role"].map(lambda role: f"{role}: " if isinstance(role, str) else "") + said
    if "turn_index" in frame.columns:
        said = said.loc[frame["turn_index"].astype(float).sort_values(kind="stable").index]
    groups = said.groupby(predictions.conversation[said.index])
    earlier = [groups.shift(n).sort_index() for n in range(_BEFORE, 0, -1)]
    return [" | ".join(turn for turn in turns if isinstance(turn, str)) for turns in zip(*earlier, strict=True)]
