"""The picklable scorer that one process, many processes and clusters share."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import funnelnlp
from funnelnlp.model import Model

if TYPE_CHECKING:
    import pandas as pd


@lru_cache(maxsize=4)
def _model(path: str | None, min_confidence: float) -> Model:
    return funnelnlp.load(path, min_confidence=min_confidence)


class TurnScorer:
    """Frame → frame callable that carries only a path and loads the model once per process.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        Model folder; the bundled model when not given.
    min_confidence : float, default 0
        See `funnelnlp.load`.

    Examples
    --------
    >>> import pandas as pd
    >>> score = TurnScorer()
    >>> score(pd.DataFrame({"role": ["agent"], "text": ["请问订单号是多少？"]}))["question_type"].tolist()
    ['封闭式']
    """

    def __init__(self, path: str | Path | None = None, *, min_confidence: float = 0.0) -> None:
        self.path = None if path is None else str(path)
        self.min_confidence = min_confidence

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with label columns; whole conversations in, see `Model.label_frame`."""
        return _model(self.path, self.min_confidence).label_frame(frame)


def buckets(conversation_ids: pd.Series, n: int) -> NDArray[np.int64]:
    """Return for every row the number of its bucket, the same for all rows of a conversation.

    The same id falls into the same bucket in every process and on every machine, so files that share
    conversations can be split alike.

    Parameters
    ----------
    conversation_ids : pandas.Series
        Ids of any type; they are compared by their text.
    n : int
        Number of buckets.

    Returns
    -------
    ndarray of int64, shape (len(conversation_ids),)
        Numbers from 0 to ``n - 1``.

    Examples
    --------
    >>> import pandas as pd
    >>> a, b, c = buckets(pd.Series(["k1", "k2", "k1"]), 1000)
    >>> bool(a == c), bool(a == b)
    (True, False)
    """
    import pandas as pd

    hashes = pd.util.hash_array(conversation_ids.astype(str).to_numpy(dtype=object), categorize=True)
    return (hashes % np.uint64(n)).astype(np.int64)


_PART_ROWS = 50_000


def label_in_parts(model: Model, frame: pd.DataFrame, done: Callable[[int], object]) -> pd.DataFrame:
    """Label a frame part by part, never cutting a conversation, and report progress.

    Parameters
    ----------
    model : Model
    frame : pandas.DataFrame
        With a fresh index (0, 1, 2 …).
    done : callable
        Called with the number of rows finished since the last call.

    Returns
    -------
    pandas.DataFrame
        Equal to ``model.label_frame(frame)``.
    """
    import pandas as pd

    if len(frame) <= _PART_ROWS:
        labelled = model.label_frame(frame)
        done(len(frame))
        return labelled
    if "conversation_id" in frame.columns:
        # A conversation goes where its first row is, so scattered rows stay together.
        first = frame.index.to_series().groupby(frame["conversation_id"], dropna=False).transform("min")
    else:
        first = frame.index.to_series()
    labelled_parts = []
    for _, rows in frame.groupby(first // _PART_ROWS, sort=True):
        labelled_parts.append(model.label_frame(rows))
        done(len(rows))
    return pd.concat(labelled_parts).sort_index()
