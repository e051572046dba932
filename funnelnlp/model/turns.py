"""Turns as people pass them in: texts, (role, text) pairs, mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from funnelnlp.errors import TranscriptError
from funnelnlp.taxonomy import accepted_roles, canonical_role

Turn = str | tuple[str | None, str] | Mapping[str, Any]


def parse_turns(turns: str | Iterable[Turn]) -> list[tuple[str | None, str]]:
    """Return the turns of one conversation as (role, text), whatever accepted shape they came in."""
    if isinstance(turns, str):
        turns = [turns]
    result: list[tuple[str | None, str]] = []
    for index, turn in enumerate(turns):
        role: object
        text: object
        if isinstance(turn, str):
            role, text = None, turn
        elif isinstance(turn, Mapping) and "text" in turn:
            role, text = turn.get("role"), turn["text"]
        elif isinstance(turn, tuple | list) and len(turn) == 2:
            role, text = turn
        else:
            raise TranscriptError(f"turn {index} is {turn!r}; a turn is a text, (role, text) or a mapping with 'text'")
        result.append((parse_role(role, f"turn {index}"), parse_text(text, f"turn {index}")))
    return result


def parse_role(role: object, where: str) -> str | None:
    """Return the canonical role, None for an absent one; an unknown spelling is an error that says ``where``."""
    if role is None or role == "":
        return None
    known = canonical_role(role)
    if known is None:
        raise TranscriptError(f"{where}: unknown role {role!r}; accepted: {accepted_roles()}")
    return known


def parse_text(text: object, where: str) -> str:
    """Return ``text``, refusing what is not a string."""
    if not isinstance(text, str):
        raise TranscriptError(f"{where}: the text must be a string, got {text!r} ({type(text).__name__})")
    return text
