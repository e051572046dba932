"""The turns that everything is measured on."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cached_property
from itertools import count, islice
from pathlib import Path

import numpy as np
import pandas as pd

from funnelnlp.resources import bundled
from funnelnlp.taxonomy import Task
from funnelnlp.training.labelled import label_numbers
from funnelnlp.transcripts import read_transcripts
from tests.benchmarks.settings import Settings

COLUMNS = ["conversation_id", "turn_index", "role", "text"]


class Corpus:
    """Labelled turns to learn from and to be measured on, and logs of any length made of them."""

    def __init__(self, settings: Settings) -> None:
        self.training = read_transcripts(bundled("data/train")).head(settings.learn_from)
        self.heldout = read_transcripts(bundled("data/heldout")).head(settings.accuracy_on)

    @cached_property
    def conversations(self) -> list[list[tuple[str, str]]]:
        """The held-out conversations as (role, text) pairs."""
        groups = self.heldout.groupby("conversation_id", sort=False)
        return [list(zip(turns["role"], turns["text"], strict=True)) for _, turns in groups]

    def labelled(self, task: Task) -> tuple[list[str], list[str]]:
        """Return the texts and the labels of the training turns that have one."""
        numbers = label_numbers(self.training, task)
        known = numbers >= 0
        return self.training["text"][known].tolist(), [task.label_names[n] for n in numbers[known]]

    def log(self, turns: int) -> Iterator[tuple[str, int, str, str]]:
        """Yield the training turns as often as needed, each copy with its own conversation ids."""
        rows = list(self.training[COLUMNS].itertuples(index=False, name=None))
        copies = ((f"{name}-{copy}", *rest) for copy in count() for name, *rest in rows)
        return islice(copies, turns)

    def labelled_log(self, turns: int) -> pd.DataFrame:
        """Return labelled turns as often as needed, every copy with other characters lost or mistaken in each turn."""
        rng = np.random.default_rng(0)
        known = np.array(sorted(set("".join(self.training["text"]))))

        def spoilt(text: str) -> str:
            chars = np.array(list(text))
            chars = np.where(rng.random(len(chars)) < 0.04, rng.choice(known, len(chars)), chars)
            return "".join(chars[rng.random(len(chars)) >= 0.04]) or text

        copies = [self.training]
        while sum(map(len, copies)) < turns:
            ids = self.training["conversation_id"] + f"-{len(copies)}"
            copies.append(self.training.assign(conversation_id=ids, text=self.training["text"].map(spoilt)))
        return pd.concat(copies, ignore_index=True).head(turns)

    def frame(self, turns: int) -> pd.DataFrame:
        """Return a log as a frame."""
        return pd.DataFrame(self.log(turns), columns=COLUMNS)

    def write_csv(self, path: Path, turns: int) -> None:
        """Write a log as CSV, row by row: ten million turns fit on disk, not in memory."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(self.log(turns))
