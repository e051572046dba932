"""What is done with one part: understand its rows, label them, write them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from funnelnlp.batch.cutting import Part
from funnelnlp.batch.parts import Facts, Parts
from funnelnlp.batch.scorer import TurnScorer
from funnelnlp.model import Model
from funnelnlp.taxonomy import EMOTION_PHASE, Task
from funnelnlp.transcripts.chunk import Chunk, joined
from funnelnlp.transcripts.files import complaints
from funnelnlp.transcripts.frame import tidy
from funnelnlp.transcripts.output import Output

# More than anybody needs: a probability of 0.999999 and one of 0.9999994 mean the same.
_DECIMALS = 6
NAMES_KEPT = 8


@dataclass(frozen=True, slots=True)
class Order:
    """A part to be labelled.

    Attributes
    ----------
    part : Part
    columns : list of str
        Canonical columns of the whole input, as far as they are known.
    show : int
        How many labelled rows to keep for showing.
    check_only : bool
        Find bad rows and label nothing.
    labels : structured ndarray, optional
        Labels of the rows that were found before.
    """

    part: Part
    columns: list[str]
    show: int
    check_only: bool
    labels: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True)
class Labeller:
    """Picklable: labels a part in any process and writes it to the work folder.

    Parameters
    ----------
    parts : Parts
    output : Output
    scorer : TurnScorer
    """

    parts: Parts
    output: Output
    scorer: TurnScorer

    def __call__(self, order: Order) -> Facts:
        """Return the facts of the part."""
        tidied = [tidy(chunk) for chunk in by_file(order.part.chunks)]
        frame = pd.concat([good for good, _ in tidied], ignore_index=True)
        rejected = pd.concat([bad for _, bad in tidied], ignore_index=True)
        if order.check_only:
            return {"number": order.part.number, "rows": len(frame), **rejection(rejected)}
        labelled = rounded(self.scorer(with_columns(frame, order.columns)), self.scorer.model)
        return self.finish(order, labelled, rejected, summary(labelled, self.scorer.model.tasks))

    def finish(self, order: Order, labelled: pd.DataFrame, rejected: pd.DataFrame, more: Facts) -> Facts:
        """Write a labelled part and return its facts."""
        number = order.part.number
        self.parts.write(number, self.output, labelled, rejected)
        head = labelled.head(order.show)
        facts: Facts = {
            "number": number,
            "input_rows": order.part.rows,
            "rows": len(labelled),
            "columns": order.columns,
            "labelled_columns": list(map(str, labelled.columns)),
            "show": order.show,
            "head": head[shown_columns(head, self.scorer.model.tasks)].astype(object).to_dict("records"),
            **rejection(rejected),
            **more,
        }
        self.parts.finish(number, facts)
        return facts


def by_file(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Join the chunks of each file; what is a repeated or a next turn is a matter of one file."""
    return [joined(list(group)) for _, group in itertools.groupby(chunks, key=lambda chunk: chunk.where)]


def with_columns(frame: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Return the frame with these columns, empty where it has none."""
    absent = {name: pd.Series(None, index=frame.index, dtype=object) for name in columns if name not in frame.columns}
    return frame.assign(**absent)[list(columns)]


def rounded(labelled: pd.DataFrame, model: Model) -> pd.DataFrame:
    """Return the frame with readable confidences."""
    return labelled.assign(**{name: labelled[name].round(_DECIMALS) for name, kind in model.columns.items() if kind is float})


def shown_columns(frame: pd.DataFrame, tasks: Iterable[Task]) -> list[str]:
    """Return the columns that are shown of a labelled turn."""
    return [name for name in ("conversation_id", "role", "text") if name in frame] + [task.name for task in tasks]


def rejection(rejected: pd.DataFrame) -> Facts:
    """Return what is reported of rejected rows."""
    return {
        "rejected": len(rejected),
        "rejected_columns": list(map(str, rejected.columns)) if len(rejected) else [],
        "complaints": complaints(rejected),
    }


def summary(labelled: pd.DataFrame, tasks: Sequence[Task]) -> Facts:
    """Count labels and conversations; whole conversations in."""
    counts = {task.name: labelled[task.name].value_counts().drop("", errors="ignore").to_dict() for task in tasks}
    facts: Facts = {"labels": counts, "conversations": None, "angry": 0, "angry_names": []}
    if "conversation_id" in labelled:
        facts["conversations"] = labelled["conversation_id"].nunique()
        if EMOTION_PHASE.name in counts:
            angry = labelled.loc[labelled[EMOTION_PHASE.name].isin(EMOTION_PHASE.alert_labels), "conversation_id"].unique()
            facts["angry"] = len(angry)
            facts["angry_names"] = [str(name) for name in angry[:NAMES_KEPT]]
    return facts
