"""Rewrite data/heldout and count the labels that change."""

from __future__ import annotations

import random
from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

from funnelnlp.model import Model
from funnelnlp.taxonomy import BUILTIN_TASKS
from tests.checklist import names
from tests.checklist import transformations as t

MOST_CHANGED = 0.03
# What goes beyond spelling and changes more: kept from getting worse.
WEAK_SPOTS = {
    "filler at the beginning": 0.04,
    "one typo": 0.035,
    "one word split by a blank": 0.04,
    "politeness at the beginning": 0.07,
}
SEED = 7
COLUMNS = ["conversation_id", "turn_index", "role", "text"]


def _emoticon_groups() -> dict[str, list[str]]:
    listing = files("funnelnlp.text").joinpath("emoticons.txt").read_text(encoding="utf-8")
    groups = (line.split("\t") for line in listing.splitlines() if line and not line.startswith("#"))
    return {mood: members.split() for mood, members in groups}


@dataclass(frozen=True)
class Suite:
    """A transformation, and a pattern of the turns that are rewritten but not counted."""

    transformation: t.Transformation
    uncounted: str | None = None


SUITES = {
    "Traditional (s2t)": Suite(t.script("s2t")),
    "Traditional, Taiwan (s2tw)": Suite(t.script("s2tw")),
    "Traditional, Hong Kong (s2hk)": Suite(t.script("s2hk")),
    "Simplified (t2s)": Suite(t.script("t2s")),
    "full width": Suite(t.each_turn(t.full_width)),
    "half width": Suite(t.each_turn(t.half_width)),
    "final full stop dropped": Suite(t.each_turn(t.drop_full_stop)),
    "final full stop added": Suite(t.each_turn(t.add_full_stop)),
    "emoticons of the same mood": Suite(t.swap_emoticons(_emoticon_groups())),
    "masks to numbers": Suite(t.each_turn(t.unmask_numbers)),
    "numbers to masks": Suite(t.each_turn(t.mask_numbers)),
    "other numbers": Suite(t.each_turn(t.renumber)),
    "other surnames": Suite(t.swap_surnames(names.PEOPLE, names.SURNAMES)),
    "other given names": Suite(t.swap_words(names.NICKNAMES, names.NEW_NICKNAMES)),
    "other brands": Suite(t.swap_words(names.BRANDS, names.NEW_BRANDS)),
    "punctuation removed": Suite(t.each_turn(t.remove_punctuation)),
    # Where the label may hang on a mark (你订的两板？, 有！！), losing the mark may well change it.
    "punctuation removed, no ？ or ！": Suite(t.each_turn(t.remove_punctuation), uncounted="[？?！!]"),
    "filler at the beginning": Suite(t.each_turn(t.add_filler)),
    "one typo": Suite(t.each_turn(t.add_typo)),
    "white space": Suite(t.each_turn(t.add_white_space)),
    "one word split by a blank": Suite(t.each_turn(t.split_word)),
    "final particle repeated": Suite(t.each_turn(t.repeat_particle)),
    "politeness at the beginning": Suite(t.each_turn(t.add_politeness)),
}


@dataclass(frozen=True)
class Invariance:
    """How many labels a transformation of the held-out conversations changed.

    ``changed`` is the share of all labels of a task, ``of_reached`` that of the turns which the transformation could change at
    all: those it rewrote and those after them in their conversations.
    """

    rewritten: int
    reached: int
    changed: dict[str, float]
    of_reached: dict[str, float]
    examples: dict[str, pd.DataFrame]


def rewrite(frame: pd.DataFrame, transformation: t.Transformation) -> pd.DataFrame:
    """Return ``frame``, sorted by conversation and turn, with its texts rewritten conversation by conversation."""
    rng = random.Random(SEED)
    texts = [
        text for _, turns in frame.groupby("conversation_id", sort=False)["text"] for text in transformation(turns.tolist(), rng)
    ]
    return frame.assign(text=texts)


def bare(heldout: pd.DataFrame) -> pd.DataFrame:
    """Return the turns without their labels, conversation after conversation."""
    return heldout[COLUMNS].sort_values(COLUMNS[:2], ignore_index=True)


def measure(model: Model, labelled: pd.DataFrame, suite: Suite) -> Invariance:
    """Compare the labels of ``labelled``, which `Model.label_frame` made from a `bare` frame, with those of its rewriting."""
    rewritten = rewrite(labelled[COLUMNS], suite.transformation)
    own = rewritten["text"] != labelled["text"]
    reached = own.groupby(labelled["conversation_id"]).cummax()
    if suite.uncounted:
        reached &= ~labelled["text"].str.contains(suite.uncounted)
    relabelled = model.label_frame(rewritten)
    changed, of_reached, examples = {}, {}, {}
    for task in BUILTIN_TASKS:
        counted = reached & labelled["role"].map(task.applies_to)
        differs = counted & (labelled[task.name] != relabelled[task.name])
        changed[task.name] = float(differs.sum() / (labelled[task.name] != "").sum())
        of_reached[task.name] = float(differs.sum() / counted.sum())
        both = {
            "before": labelled["text"],
            "after": rewritten["text"],
            "label": labelled[task.name],
            "became": relabelled[task.name],
            "confidence": labelled[f"{task.name}_confidence"],
        }
        examples[task.name] = pd.DataFrame(both)[differs].sort_values("confidence", ascending=False)
    return Invariance(int((own & reached).sum()), int(reached.sum()), changed, of_reached, examples)
