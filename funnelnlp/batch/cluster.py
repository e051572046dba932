"""What the cluster engines share: sizes of buckets, the labelling of one bucket, outputs that appear whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.batch.scorer import TurnScorer, buckets
from funnelnlp.errors import FunnelError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# One bucket is labelled at once in one process, which then takes about 420 MiB for short turns.
ROWS_PER_BUCKET = 200_000
# Columns that travel with a row: where it stood in the input.
PLACE = [FILE, ROW] = ["__funnelnlp_file", "__funnelnlp_row"]


def engine(module: str, extra: str) -> Any:
    """Import a module of a cluster engine, or say how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise FunnelError(f"this needs {module}, which is not there ({error}): pip install 'funnelnlp[{extra}]'") from None


def scorer(model: str | Path | None) -> TurnScorer:
    """Return a scorer for workers, whose working folder may be another."""
    return TurnScorer(None if model is None else Path(model).absolute())


def bucket_count(rows: int, cores: int) -> int:
    """Return how many buckets to make: two per core, and no more than 200,000 rows in each on average."""
    return max(2 * cores, -(-rows // ROWS_PER_BUCKET))


def arrow_frame(table: pa.Table) -> pd.DataFrame:
    """Return a frame whose columns keep their Arrow types: integers with gaps stay integers, lists stay lists."""
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    return frame


def conversation_keys(frame: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for every row, equal within a conversation; rows of no conversation are spread."""
    keys = buckets(frame["conversation_id"], 2**31)
    alone = frame["conversation_id"].isna().to_numpy()
    keys[alone] = np.arange(len(frame))[alone]
    return keys


def label_bucket(frame: pd.DataFrame, score: Callable[[pd.DataFrame], pd.DataFrame], place: Sequence[str]) -> pd.DataFrame:
    """Label the rows of one bucket.

    Parameters
    ----------
    frame : pandas.DataFrame
        Whole conversations.
    score : callable
        Frame → frame, such as `TurnScorer`.
    place : sequence of str
        Columns that say where a row stands: rows are sorted by them and errors name them.

    Returns
    -------
    pandas.DataFrame
        With a fresh index.
    """
    if place:
        frame = frame.sort_values(list(place), kind="stable").set_index(list(place), drop=False)
    return score(frame.drop(columns=PLACE, errors="ignore")).reset_index(drop=True)


def temporary_name(name: str) -> str:
    """Return the name of a folder that is filled before it takes its final name; readers skip such names."""
    return f".{name}.{uuid.uuid4().hex[:12]}"


def refuse_existing(target: object) -> FunnelError:
    """Return the error for an output that is there already."""
    return FunnelError(f"{target}: exists already; name a folder that does not, or remove this one first")
