"""What the page is given: an analysis as plain, compact data."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from funnelnlp.conversations import analytics
from funnelnlp.conversations.advice import advise
from funnelnlp.taxonomy import AGENT, BUILTIN_TASKS, CUSTOMER, EMOTION_PHASE, FUNNEL_STAGE

if TYPE_CHECKING:
    import pandas as pd

    from funnelnlp.conversations import Analysis
    from funnelnlp.model import Model

_ROLE = {CUSTOMER: "c", AGENT: "a"}


def payload(analysis: Analysis, *, title: str, language: str, is_masked: bool, model: Model | None = None) -> dict[str, Any]:
    """Return what the page shows, JSON-ready.

    Parameters
    ----------
    analysis : Analysis
    title : str
    language : {"zh", "en", "both"}
    is_masked : bool
        Whether personal data has been masked.
    model : Model, optional
        To compare the log with what the model was trained on.

    Returns
    -------
    dict
        Conversations, turns and hits column by column; labels as numbers of ``tasks``; places in texts counted in
        UTF-16 units, as the page's language does.
    """
    from funnelnlp import __version__

    return {
        "meta": {
            "title": title,
            "language": language,
            "masked": is_masked,
            "version": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        },
        "tasks": {task.name: task.to_dict() for task in BUILTIN_TASKS},
        "rules": [
            {
                "id": rule.id,
                "title": rule.title,
                "title_en": rule.title_en,
                "severity": rule.severity,
                "kind": rule.kind,
                "definition": rule.definition,
                "source": rule.source,
                "suggestion": rule.suggestion,
            }
            for rule in analysis.rules
        ],
        "advice": [
            {"stage": stage, "phase": phase, **asdict(advise(CUSTOMER, stage, phase))}
            for stage in FUNNEL_STAGE.label_names
            for phase in EMOTION_PHASE.label_names
        ],
        "figures": {name: _plain(value) for name, value in analytics.key_figures(analysis).items()},
        "funnel": _records(analytics.funnel(analysis)),
        "flow": _records(analytics.emotion_flow(analysis)),
        "progress": _records(analytics.emotion_by_progress(analysis)),
        "questions": _records(analytics.question_mix(analysis).head(20)),
        "rule_hits": {by: _records(analytics.rule_hits(analysis, by)) for by in ("rule", *analytics.groups_of(analysis))},
        "worklist": analytics.worklist(analysis, 12)["conversation_id"].map(str).tolist(),
        "drift": [] if model is None else _records(analytics.drift(model, analysis)),
        **_log(analysis),
    }


def _log(analysis: Analysis) -> dict[str, Any]:
    summaries = analysis.summaries.assign(conversation_id=analysis.summaries["conversation_id"].map(str))
    number = {key: i for i, key in enumerate(analysis.summaries["conversation_id"])}
    codes = analysis.turns["conversation_id"].map(number)
    turns = analysis.turns.assign(_conversation=codes).sort_values(["_conversation", "turn"], kind="stable")
    texts: list[str] = turns["text"].tolist()
    starts = turns["_conversation"].searchsorted(range(len(summaries) + 1)).tolist()
    rules = {rule.id: i for i, rule in enumerate(analysis.rules)}
    hits = []
    for key, rule, turn, start, end in analysis.hits[["conversation_id", "rule", "turn", "start", "end"]].to_numpy().tolist():
        text = texts[starts[number[key]] + turn] if turn >= 0 else ""
        hits.append([number[key], rules[rule], turn, _units(text, start), _units(text, end)])
    labels, confidences = {}, {}
    for task in BUILTIN_TASKS:
        place = {name: i for i, name in enumerate(task.label_names)}
        labels[task.name] = [place.get(label, -1) for label in turns[task.name]]
        confidences[task.name] = [_plain(c * 100, 0) for c in turns[f"{task.name}_confidence"].astype(float)]
    return {
        "conversations": {str(name): [_plain(v) for v in summaries[name].tolist()] for name in summaries.columns},
        "turns": {
            "starts": starts,
            "roles": "".join(_ROLE.get(role, "u") for role in turns["role"]),
            "texts": texts,
            "times": turns["time"].fillna("").astype(str).tolist() if "time" in turns else [],
            "labels": labels,
            "confidences": confidences,
        },
        "hits": hits,
    }


def _units(text: str, place: int) -> int:
    return len(text[:place].encode("utf-16-le", "surrogatepass")) // 2


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any, digits: int = 4) -> Any:
    """Return a JSON-ready value: missing as None, times in ISO form, numbers of this library's as Python's."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        rounded = round(value, digits) if math.isfinite(value) else None
        return int(rounded) if rounded is not None and rounded == int(rounded) else rounded
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()
    return None if value != value else str(value)
