"""Files whose conversations lie scattered: gathered in buckets on disk, labelled there, put out in the order of the rows."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnelnlp.batch.labelling import Labeller, Order, by_file, rejection, rounded, summary, with_columns
from funnelnlp.batch.parts import Facts, Parts, settle
from funnelnlp.batch.scorer import TurnScorer, buckets
from funnelnlp.model import Model
from funnelnlp.transcripts.chunk import Chunk
from funnelnlp.transcripts.frame import CORE, arranged, inspect, rejected_rows, without

_N_BUCKETS = 256
_BUFFERED = 1024


_KEPT_AS: dict[type, Any] = {str: np.int16, float: np.float64, bool: np.bool_}


def _record(model: Model) -> np.dtype[Any]:
    """Return the type of what is kept of a labelled row until the row is read again; a label is kept as its number."""
    columns = [(name, _KEPT_AS[kind]) for name, kind in model.columns.items()]
    return np.dtype([("row", np.int64), ("usable", np.bool_), ("turn_index", np.float64), *columns])


# --- gathering ------------------------------------------------------------------------------------------------------


def gather(
    chunks: Iterable[Chunk], folder: Path, progress: Callable[[int, int], object]
) -> tuple[NDArray[np.int64], list[Chunk]]:
    """Write what labelling needs of every row to the bucket of its conversation.

    Parameters
    ----------
    chunks : iterable of Chunk
    folder : pathlib.Path
    progress : callable
        Called with rows done and rows in all.

    Returns
    -------
    sizes : ndarray of int64
        Rows in each bucket.
    broken : list of Chunk
        Chunks of no rows with the broken lines.
    """
    sizes = np.zeros(_N_BUCKETS, dtype=np.int64)
    done = 0
    broken = []
    for old in folder.glob("gathered-*"):
        old.unlink()
    for chunk in chunks:
        rows = np.arange(done, done + len(chunk.frame))
        done += len(rows)
        progress(done, round(done / max(chunk.share, 1e-9)))
        if chunk.broken:
            broken.append(replace(chunk, frame=chunk.frame.head(0)))
        ids = chunk.column("conversation_id")
        bucket = rows % _N_BUCKETS if ids is None else buckets(ids, _N_BUCKETS)
        needed = replace(chunk, frame=chunk.frame[[s for s, name in chunk.names.items() if name in CORE]], broken=())
        order = np.argsort(bucket, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(bucket[order])) + 1):
            if len(here):
                number = int(bucket[here[0]])
                sizes[number] += len(here)
                with _gathered(folder, number).open("ab") as file:
                    pickle.dump((rows[here], replace(needed, frame=needed.frame.iloc[here])), file, protocol=5)
    return sizes, broken


def _gathered(folder: Path, number: int) -> Path:
    return folder / f"gathered-{number:03d}"


def groups(sizes: NDArray[np.int64], rows: int) -> list[list[int]]:
    """Put neighbouring buckets together up to a number of rows."""
    result: list[list[int]] = []
    size = 0
    for number, n in enumerate(sizes.tolist()):
        if not n:
            continue
        if result and size + n <= rows:
            result[-1].append(number)
            size += n
        else:
            result.append([number])
            size = n
    return result


# --- labelling ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bucket:
    """Buckets that are labelled together."""

    number: int
    members: list[int]


@dataclass(frozen=True, slots=True)
class BucketLabeller:
    """Picklable: labels whole conversations of a bucket and writes labels only, in the order of the rows."""

    parts: Parts
    scorer: TurnScorer

    def __call__(self, bucket: Bucket) -> Facts:
        """Return the facts of the bucket."""
        model = self.scorer.model
        pieces: list[tuple[NDArray[np.int64], Chunk]] = []
        for member in bucket.members:
            with _gathered(self.parts.folder, member).open("rb") as file:
                pieces.extend(_pickles(file))
        pieces.sort(key=lambda piece: int(piece[0][0]))
        rows = np.concatenate([numbers for numbers, _ in pieces])
        frames, rejected, start = [], [], 0
        for chunk in by_file([chunk for _, chunk in pieces]):
            frame, problems = inspect(chunk)
            frame.index = pd.RangeIndex(start, start + len(frame))
            usable = frame.drop(index=[start + position for position in problems])
            if "turn_index" not in usable and "conversation_id" in usable:
                usable["turn_index"] = usable.groupby("conversation_id", sort=False, dropna=False).cumcount()
            start += len(frame)
            frames.append(usable)
            rejected.append(rejected_rows(chunk, problems))
        labelled = rounded(self.scorer(pd.concat(frames)), model)
        kept = np.zeros(len(rows), dtype=_record(model))
        kept["row"] = rows
        kept["usable"][labelled.index] = True
        if "turn_index" in labelled:
            kept["turn_index"][labelled.index] = labelled["turn_index"].to_numpy(dtype=float, na_value=np.nan)
        for name, kind in model.columns.items():
            values = labelled[name]
            kept[name][labelled.index] = (
                pd.Index(model.task(name).label_names).get_indexer(pd.Index(values)) if kind is str else values
            )
        kept.sort(order="row")
        settle(self.parts.file(bucket.number, "labels"), lambda path: path.write_bytes(kept.tobytes()))
        facts = {
            "number": bucket.number,
            "members": bucket.members,
            "input_rows": len(rows),
            "rows": len(labelled),
            **rejection(pd.concat(rejected)),
            **summary(labelled, model.tasks),
        }
        self.parts.finish(bucket.number, facts)
        return facts


def _pickles(file: Any) -> Iterator[tuple[NDArray[np.int64], Chunk]]:
    # Written by this very run, never by an earlier one.
    while True:
        try:
            yield pickle.load(file)  # noqa: S301
        except EOFError:
            return


# --- putting out ----------------------------------------------------------------------------------------------------


class LabelSource:
    """Reads the labels of all buckets in the order of the rows.

    Parameters
    ----------
    files : sequence of pathlib.Path
    model : Model
    """

    def __init__(self, files: Sequence[Path], model: Model) -> None:
        self._type = _record(model)
        self._files = [file.open("rb") for file in files]
        self._buffers = [np.empty(0, self._type) for _ in files]

    def before(self, row: int) -> NDArray[Any]:
        """Return the labels of all rows before this one that were not returned yet."""
        found = []
        for i, file in enumerate(self._files):
            pieces = [self._buffers[i]]
            while not len(pieces[-1]) or pieces[-1]["row"][-1] < row:
                pieces.append(np.frombuffer(file.read(_BUFFERED * self._type.itemsize), self._type))
                if not len(pieces[-1]):
                    break
            all_rows = np.concatenate(pieces)
            at = np.searchsorted(all_rows["row"], row)
            found.append(all_rows[:at])
            self._buffers[i] = all_rows[at:].copy()
        labels = np.concatenate(found)
        labels.sort(order="row")
        return labels

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


@dataclass(frozen=True, slots=True)
class BlockWriter:
    """Picklable: writes rows with labels that were found before."""

    labeller: Labeller

    def __call__(self, order: Order) -> Facts:
        """Return the facts of the part."""
        model = self.labeller.scorer.model
        assert order.labels is not None  # noqa: S101
        frames, rejected = [], []
        start = 0
        for chunk in by_file(order.part.chunks):
            labels = order.labels[start : start + len(chunk.frame)]
            start += len(chunk.frame)
            frame, found = inspect(chunk)
            problems = {
                int(position): found.get(int(position), "its conversation has this turn_index twice")
                for position in np.flatnonzero(~labels["usable"])
            }
            if "conversation_id" in frame:
                frame["turn_index"] = labels["turn_index"]
            frames.append(arranged(without(frame, problems)))
            rejected.append(rejected_rows(chunk, problems))
        frame = with_columns(pd.concat(frames, ignore_index=True), order.columns)
        names = self.labeller.scorer(frame.head(0)).columns[: frame.shape[1]]
        labels = order.labels[order.labels["usable"]]
        columns: dict[str, Any] = {}
        for name, kind in model.columns.items():
            values = labels[name]
            columns[name] = np.array([*model.task(name).label_names, ""], dtype=object)[values] if kind is str else values
        labelled = frame.set_axis(names, axis=1).assign(**columns)
        return self.labeller.finish(order, labelled, pd.concat(rejected, ignore_index=True), {})
