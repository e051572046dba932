"""A piece of a transcript file as it came, before anything is understood or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

# Number of the row or line, its text, and what is wrong with it.
Broken = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class Raw:
    """What a reader of one format yields.

    Attributes
    ----------
    frame : pandas.DataFrame
        Rows as they came; index: the row or line number as a person counts.
    broken : list of (number, text, message)
        Lines that are no rows.
    share : float
        How much of the file has been read, from 0 to 1.
    """

    frame: pd.DataFrame
    broken: list[Broken]
    share: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive rows of one file.

    Attributes
    ----------
    where : str
        The file, for messages.
    unit : str
        ``"row"`` or ``"line"``: what the index counts.
    frame : pandas.DataFrame
        As in `Raw`.
    names : mapping of str to str
        Column name in the file → canonical name.
    broken : sequence of (number, text, message)
    share : float
        How much of the whole input, of all files, has been read with this chunk.
    """

    where: str
    unit: str
    frame: pd.DataFrame
    names: Mapping[str, str]
    broken: Sequence[Broken] = ()
    share: float = 1.0

    def column(self, canonical: str) -> pd.Series | None:
        """Return the column that has this canonical name, None where the file has none."""
        for source, name in self.names.items():
            if name == canonical:
                return self.frame[source]
        return None

    def cut(self, at: int) -> tuple[Chunk, Chunk]:
        """Return the rows before position ``at`` and the rest, each with the broken lines among them."""
        border = line_number(self.frame.index[at])
        head = [line for line in self.broken if line[0] < border]
        tail = [line for line in self.broken if line[0] > border]
        return replace(self, frame=self.frame.iloc[:at], broken=head), replace(self, frame=self.frame.iloc[at:], broken=tail)


def line_number(label: object) -> int:
    """Return the row or line that an index label stands for; turns of a record have ``line.turn``."""
    return int(str(label).partition(".")[0])


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Return chunks that follow each other in one file as one."""
    if len(chunks) == 1:
        return chunks[0]
    return replace(
        chunks[-1],
        frame=pd.concat([chunk.frame for chunk in chunks]),
        broken=[line for chunk in chunks for line in chunk.broken],
    )
