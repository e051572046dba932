"""An analysis with personal data masked, for everything that leaves as a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.text import mask

if TYPE_CHECKING:
    from funnelnlp.conversations import Analysis

_LABELS = [column for task in BUILTIN_TASKS for column in (task.name, f"{task.name}_confidence")]
# What else a log holds (order numbers, names, free remarks …) nobody has looked at.
_KNOWN = ("conversation_id", "turn_index", "turn", "role", "text", "time", "channel", "agent", "team", "industry", "familiarity")


def masked(analysis: Analysis) -> Analysis:
    """Return the analysis with personal data replaced by its kind (``<电话>``), and evidence moved along.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    Analysis
        Its turns keep the columns that this library knows; others are left out.
    """
    turns = analysis.turns[[c for c in analysis.turns.columns if c in (*_KNOWN, *_LABELS)]].copy()
    raw = turns["text"].tolist()
    turns["text"] = [mask(text)[0] for text in raw]
    summaries = analysis.summaries.copy()
    summaries["need_text"] = [mask(text)[0] for text in summaries["need_text"]]
    place = {key: i for i, key in enumerate(zip(turns["conversation_id"], turns["turn"], strict=True))}
    hits = analysis.hits.copy()
    spans: list[tuple[int, int]] = []
    evidence: list[str] = []
    for key, turn, start, end in hits[["conversation_id", "turn", "start", "end"]].to_numpy().tolist():
        found = place.get((key, turn))
        text, span = ("", [(start, end)]) if found is None else mask(raw[found], [(start, end)])
        spans += span
        evidence.append(text[slice(*span[0])])
    hits["start"] = [start for start, _ in spans]
    hits["end"] = [end for _, end in spans]
    hits["evidence"] = evidence
    return replace(analysis, turns=turns, summaries=summaries, hits=hits)
