"""What to do next: advice by funnel stage, emotion phase and open event, kept as data in ``advice.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from funnelnlp.taxonomy import AGENT, EMOTION_PHASE, FUNNEL_STAGE


@dataclass(frozen=True, slots=True)
class Advice:
    """What the agent may do next, and why.

    Attributes
    ----------
    title, action : str
        What to do, in short and in full.
    reason, source : str
        Why, and the chapter of the method that it follows.
    example : str
        A phrasing to adapt.
    title_en, action_en, example_en : str
        The same in English.
    """

    title: str
    action: str
    reason: str
    source: str
    example: str
    title_en: str
    action_en: str
    example_en: str


@cache
def _entries() -> dict[str, Any]:
    return tomllib.loads(files("funnelnlp.conversations").joinpath("advice.toml").read_text(encoding="utf-8"))


@cache
def advise(role: str | None, stage: str, phase: str, event: str | None = None) -> Advice:
    """Return the advice for a moment of a conversation.

    Parameters
    ----------
    role : {"customer", "agent", None}
        Who spoke last.
    stage : str
        Funnel stage of the last turn; of any other label set, what counts as 引导.
    phase : str
        Phase of the customer's last turn; anything unknown counts as 平静.
    event : str, optional
        Kind of the event that is open; goes before stage and phase.

    Returns
    -------
    Advice

    Examples
    --------
    >>> advise("customer", "解决", "愤怒").title
    '先担责，再加快'
    """
    entries = _entries()
    stage = stage if stage in FUNNEL_STAGE.label_names else FUNNEL_STAGE.label_names[0]
    phase = phase if phase in EMOTION_PHASE.label_names else EMOTION_PHASE.label_names[0]
    if event is not None:
        return Advice(**entries["event"][event])
    if role == AGENT:
        return Advice(**entries["agent"]["calm" if phase == EMOTION_PHASE.label_names[0] else "tense"][stage])
    return Advice(**entries["customer"][stage][phase])
