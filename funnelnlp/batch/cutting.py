"""Cutting a stream of rows into parts, never within a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnelnlp.batch.scorer import conversation_hashes
from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts.chunk import Chunk

Hashes = NDArray[np.uint64]
# Nobody talks that long: another column was taken for the conversation id. A part is held in memory.
_LONGEST_CONVERSATION = 500_000


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive rows that are labelled together.

    Attributes
    ----------
    number : int
        From 0.
    first : int
        Number of rows in all parts before.
    chunks : list of Chunk
        Of one or several files.
    """

    number: int
    first: int
    chunks: list[Chunk]

    @property
    def rows(self) -> int:
        """Number of rows, the broken ones not counted."""
        return sum(len(chunk.frame) for chunk in self.chunks)

    @property
    def share(self) -> float:
        """How much of the whole input has been read with this part."""
        return self.chunks[-1].share

    @property
    def place(self) -> str:
        """File and rows, for messages."""
        chunks = [chunk for chunk in self.chunks if len(chunk.frame)]
        return "; ".join(f"{chunk.where}, {chunk.unit}s {chunk.frame.index[0]} to {chunk.frame.index[-1]}" for chunk in chunks)


def cut(chunks: Iterable[Chunk], rows: int, *, anywhere: bool = False) -> Iterator[Part]:
    """Cut rows into parts of at least ``rows``, between conversations.

    Parameters
    ----------
    chunks : iterable of Chunk
    rows : int
    anywhere : bool, default False
        Cut without regard to conversations.

    Yields
    ------
    Part

    Raises
    ------
    TranscriptError
        When a conversation comes back after the part that it was in, or does not end.
    """
    pending: list[tuple[Chunk, Hashes | None]] = []
    border = (0, 0)  # chunk and row where the last conversation starts
    size = number = done = 0
    last: np.uint64 | None = None
    seen = _Seen()

    def part(cut_off: list[tuple[Chunk, Hashes | None]]) -> Part:
        for chunk, hashes in cut_off:
            if hashes is not None:
                _refuse_returning(chunk, hashes, seen)
        for _, hashes in cut_off:
            if hashes is not None:
                seen.add(hashes)
        return Part(number, done, [chunk for chunk, _ in cut_off])

    for chunk in chunks:
        n = len(chunk.frame)
        hashes = None if anywhere else _hashes(chunk, last)
        if hashes is None:
            starts, last = np.arange(n), None
        elif n:
            starts = np.flatnonzero(np.diff(hashes, prepend=hashes[0] if last is None else last))
            starts = np.append(0, starts) if last is None else starts
            last = hashes[-1]
        if n and len(starts):
            border = (len(pending), int(starts[-1]))
        pending.append((chunk, hashes))
        size += n
        if size >= rows and border != (0, 0):
            index, at = border
            whole, ids = pending[index]
            head, tail = whole.cut(at)
            rest = [(tail, None if ids is None else ids[at:]), *pending[index + 1 :]]
            yield part([*pending[:index], (head, None if ids is None else ids[:at])])
            number += 1
            pending, border = rest, (0, 0)
            kept = sum(len(chunk.frame) for chunk, _ in rest)
            done, size = done + size - kept, kept
        elif size > max(rows, _LONGEST_CONVERSATION):
            raise TranscriptError(
                f"{chunk.where}: more than {_LONGEST_CONVERSATION} rows before {chunk.unit} {chunk.frame.index[-1]} have the "
                "same conversation_id; if that column is not the conversation, say which is with --column conversation_id=NAME"
            )
    if pending:
        yield part(pending)


def _hashes(chunk: Chunk, before: np.uint64 | None) -> Hashes | None:
    """Return the conversation of every row; a row that names none counts to the one before it."""
    ids = chunk.column("conversation_id")
    if ids is None or ids.empty:
        return None if ids is None else np.empty(0, np.uint64)
    # Most rows are of the same conversation as the one before.
    values = ids.to_numpy(dtype=object)
    try:
        new = np.append(True, values[1:] != values[:-1])
    except (TypeError, ValueError):  # cells that cannot be compared
        new = np.ones(len(values), dtype=bool)
    ids, times = ids[new], np.diff(np.flatnonzero(np.append(new, True)))
    hashes = np.repeat(conversation_hashes(ids), times)
    named = np.repeat(~(ids.isna() | (ids.astype(str).str.strip() == "")).to_numpy(dtype=bool), times)
    if named.all():
        return hashes
    source = np.maximum.accumulate(np.where(named, np.arange(len(hashes)), -1))
    return np.where(source >= 0, hashes[source], hashes[0] if before is None else before)


def _refuse_returning(chunk: Chunk, hashes: Hashes, seen: _Seen) -> None:
    different, positions = np.unique(hashes, return_index=True)
    back = positions[seen.has(different)]
    if len(back):
        position = int(back.min())
        ids = chunk.column("conversation_id")
        name = None if ids is None else ids.iloc[position]
        raise TranscriptError(
            f"{chunk.where}, {chunk.unit} {chunk.frame.index[position]}: conversation {name!r} comes back here after other "
            "conversations. Sort the file by conversation, or add --scattered (scattered=True in Python), which gathers "
            "the turns of each conversation first and keeps the order of the rows"
        )


class _Seen:
    """A set of numbers in eight bytes each: sorted runs, merged when the next grows as long."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def add(self, hashes: Hashes) -> None:
        run = np.unique(hashes)
        while self._runs and len(self._runs[-1]) <= len(run):
            run = np.union1d(self._runs.pop(), run)
        self._runs.append(run)

    def has(self, hashes: Hashes) -> NDArray[np.bool_]:
        found = np.zeros(len(hashes), dtype=bool)
        for run in self._runs:
            if len(run):
                found |= run[np.minimum(np.searchsorted(run, hashes), len(run) - 1)] == hashes
        return found
