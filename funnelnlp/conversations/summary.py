"""What a log of labelled conversations says: one summary a conversation, and the hits of the quality rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from funnelnlp.conversations import facts
from funnelnlp.conversations.dialogue import PHASES, STAGES, Dialogue
from funnelnlp.conversations.events import Event, conversation_events
from funnelnlp.conversations.phrases import PhraseIndex
from funnelnlp.conversations.rules import Hit, Rules, read_rules
from funnelnlp.errors import FunnelError, TranscriptError
from funnelnlp.features.conversation import lay_out
from funnelnlp.model.frames import frame_columns
from funnelnlp.taxonomy import BUILTIN_TASKS, QUESTION_TYPE, ROLES, SPIN_TYPE
from funnelnlp.text import normalise_all

if TYPE_CHECKING:
    import pandas as pd

    from funnelnlp.model import Model

LINKS: dict[str, Callable[[Dialogue], facts.Step]] = {
    "identified": facts.identified,
    "delivered": facts.delivered,
    "feedback": facts.feedback,
    "improvement": facts.improvement,
}
STEPS = ("accept", "clarify", "responsibility", "plan", "followup", "repair")
HIT_COLUMNS = ("conversation_id", "rule", "severity", "turn", "role", "start", "end", "evidence", "suggestion")
_PASSED_ON = ("channel", "agent", "team", "industry")


# Risk points: 100 at most.
_EMOTION_POINTS = {"平静": 0, "不满": 10, "愤怒": 20, "对抗": 30}
_OUTCOME_POINTS = {"已解决": 0, "待跟进": 5, "未解决": 20}
_HIT_POINTS = {"严重": 8, "一般": 3, "提示": 1}
_MOST_HIT_POINTS = 20


@dataclass(frozen=True)
class Analysis:
    """What `analyse` returns.

    Attributes
    ----------
    turns : pandas.DataFrame
        The frame as given with its labels (see `Model.label_frame`) and ``turn``, the number of each turn in its
        conversation, from 0 (a column of that name that was there is kept as ``turn_given``).
    summaries : pandas.DataFrame
        One row a conversation, by first appearance. The columns of the conversation guide (yes/no as booleans; the
        ``step_`` columns None where the customer is never discontented, or it is doubtful), and:

        - ``n_turns``, ``funnel_path`` (stages without repetitions, "引导>筛选>解决"), ``skipped`` (stages passed over),
          ``fall_backs``, ``turns_<stage>``, ``chars_<stage>`` (characters said), ``new_words_<stage>`` (content words
          that nobody had said before in the conversation);
        - ``turns_to_deescalation``: turns from the peak to the first customer turn below it, empty without one;
        - ``response_turn``, ``need_text``, ``implicit_need_turn``, ``implicit_need_answer_turn``, ``loop_<link>_turn``:
          where it shows, -1 for nowhere; ``customer_repeat_turns``, ``agent_reask_turns``: turn numbers with blanks
          between; ``transfers``: how many;
        - ``questions_<role>_<type>``, ``talk_ratio_agent`` (share of all characters, 0 to 1), ``longest_monologue``
          (characters of the longest run of one speaker);
        - ``channel``, ``agent``, ``team``, ``industry``: first value that is not empty, where the frame has the column;
          ``start_time`` and ``duration_seconds`` where it has ``time`` (a time with a zone counts as UTC);
        - ``n_hits``, ``risk`` (0 to 100: what to look at first) and ``risk_reason``. Risk adds points for the highest
          phase and for the last one (10 for 不满, 20 for 愤怒, 30 for 对抗, each), for the outcome (5 for 待跟进, 20
          for 未解决) and for rule hits (8 for 严重, 3 for 一般, 1 for 提示, together 20 at most).
    hits : pandas.DataFrame
        One row a hit of a quality rule: ``conversation_id``, ``rule``, ``severity``, ``turn`` (-1 where no single turn
        shows it), ``role``, ``start`` and ``end`` of the evidence in the raw text of that turn, ``evidence`` (that
        text), ``suggestion``.
    rules : Rules
        The rules that were applied.
    """

    turns: pd.DataFrame
    summaries: pd.DataFrame
    hits: pd.DataFrame
    rules: Rules


def analyse(model: Model, frame: pd.DataFrame, rules: Rules | None = None) -> Analysis:
    """Summarise conversations and check them against quality rules.

    Parameters
    ----------
    model : Model
        With the four built-in tasks.
    frame : pandas.DataFrame
        Turns with ``conversation_id``, ``role``, ``text``; rows need not be sorted where ``turn_index`` is there.
    rules : Rules, optional
        As from `read_rules`; the bundled ones when left out.

    Returns
    -------
    Analysis

    Raises
    ------
    FunnelError
        When the model lacks a built-in task, has one with other labels, or abstains (``min_confidence``).
    TranscriptError
        When the frame has no turns, a column is missing or a turn belongs to no conversation; names the row.

    Examples
    --------
    >>> import funnelnlp, pandas as pd
    >>> turns = [("customer", "等了三天还没发货，你们就是一群骗子！！"), ("agent", "亲亲您别生气呢")]
    >>> frame = pd.DataFrame(turns, columns=["role", "text"]).assign(conversation_id="A1")
    >>> analysis = analyse(funnelnlp.load(), frame)
    >>> analysis.summaries.loc[0, ["emotion_peak", "response_to_anger"]].tolist()
    ['愤怒', '辩解']
    >>> "calming_command" in set(analysis.hits["rule"])
    True
    """
    import pandas as pd

    from funnelnlp.transcripts.cells import is_empty

    rules = read_rules() if rules is None else rules
    _check(model, frame)
    labelled = model.label_frame(frame.rename(columns={"turn": "turn_given"}))
    texts, roles, codes, order = frame_columns(frame)
    layout = lay_out(codes, roles, order)
    labelled["turn"] = layout.index
    rows = layout.order.tolist()
    normalised = normalise_all(texts)
    new_words = _new_words(normalised, rows, codes.tolist(), model)
    times = _seconds(frame)
    passed_on = {name: frame[name].tolist() for name in _PASSED_ON if name in frame.columns}
    index = PhraseIndex([texts[row] for row in rows], rules.phrases)
    ids = frame["conversation_id"].tolist()
    names = [ROLES[code] if code < len(ROLES) else None for code in roles.tolist()]
    labels = {task.name: labelled[task.name].tolist() for task in BUILTIN_TASKS}
    phase_certainty = labelled["emotion_phase_confidence"].tolist()
    summaries: list[dict[str, Any]] = []
    hits: list[tuple[Any, ...]] = []
    offset = 0
    for _, group in groupby(rows, key=codes.tolist().__getitem__):
        own = list(group)
        d = Dialogue(
            conversation=ids[own[0]],
            roles=[names[row] for row in own],
            texts=[texts[row] for row in own],
            stages=[labels["funnel_stage"][row] for row in own],
            questions=[labels["question_type"][row] for row in own],
            spins=[labels["spin_type"][row] for row in own],
            phases=[labels["emotion_phase"][row] for row in own],
            phase_certainty=[phase_certainty[row] for row in own],
            index=index,
            offset=offset,
        )
        offset += len(own)
        events = conversation_events(
            zip(
                d.roles,
                [normalised[row] for row in own],
                d.stages,
                d.questions,
                d.phases,
                [times[row] for row in own],
                strict=True,
            )
        )
        summary = summarise(d, events, [new_words[row] for row in own])
        for name, values in passed_on.items():
            summary[name] = next((values[row] for row in own if not is_empty(values[row])), None)
        if "time" in frame.columns:
            known = [time for row in own if (time := times[row]) is not None]
            summary["start_time"] = pd.Timestamp(min(known), unit="s") if known else pd.NaT
            summary["duration_seconds"] = max(known) - min(known) if known else None
        found = rules.check(d, summary)
        summary["n_hits"] = len(found)
        summary["risk"], summary["risk_reason"] = risk(summary, found)
        summaries.append(summary)
        hits.extend(_row(d, hit) for hit in found)
    return Analysis(labelled, pd.DataFrame(summaries), pd.DataFrame(hits, columns=list(HIT_COLUMNS)), rules)


def _check(model: Model, frame: pd.DataFrame) -> None:
    if model.min_confidence:
        raise FunnelError("summaries and quality rules need a label for every turn: load the model without min_confidence")
    for task in BUILTIN_TASKS:
        given = next((other.label_names for other in model.tasks if other.name == task.name), None)
        if given != task.label_names:
            raise FunnelError(
                f"summaries and quality rules are built on the task {task.name!r} with the labels {list(task.label_names)}; "
                + (
                    f"this model has no such task, only {[t.name for t in model.tasks]}"
                    if given is None
                    else f"this model's are {list(given)}"
                )
            )
    if missing := [name for name in ("conversation_id", "role", "text") if name not in frame.columns]:
        raise TranscriptError(
            f"the frame has no column {' and no '.join(map(repr, missing))}; it has {list(map(str, frame.columns))}. "
            "For one single conversation add the id yourself: frame.assign(conversation_id='1')"
        )
    if frame.empty:
        raise TranscriptError("the frame has no turns")
    if (lost := frame["conversation_id"].isna()).any():
        raise TranscriptError(f"row {frame.index[int(lost.to_numpy().argmax())]!r}: conversation_id is empty")


def _row(d: Dialogue, hit: Hit) -> tuple[Any, ...]:
    start, end = hit.span
    role, text = (d.roles[hit.turn], d.texts[hit.turn]) if hit.turn >= 0 else ("", "")
    rule = hit.rule
    return d.conversation, rule.id, rule.severity, hit.turn, role, start, end, text[start:end], rule.suggestion


def _seconds(frame: pd.DataFrame) -> list[float | None]:
    import pandas as pd

    if "time" not in frame.columns:
        return [None] * len(frame)
    times = pd.to_datetime(frame["time"], errors="coerce", format="mixed", utc=True)
    return [None if pd.isna(time) else time.timestamp() for time in times]


def _new_words(normalised: list[str], rows: list[int], codes: list[int], model: Model) -> list[int]:
    """Count for every turn the content words that nobody has said before in its conversation."""
    said: dict[int, set[str]] = {}
    counts = [0] * len(normalised)
    for row, words in zip(rows, model.encoder.tokeniser.cut_all([normalised[i] for i in rows]), strict=True):
        before = said.setdefault(codes[row], set())
        # One-character words are mostly particles; placeholders, numbers and signs carry no topic.
        new = {word for word in words if len(word) > 1 and word.isalpha()} - before
        before |= new
        counts[row] = len(new)
    return counts


def risk(summary: Mapping[str, Any], found: Sequence[Hit]) -> tuple[int, str]:
    """Return how urgently a person should look (0 to 100), and why, in Chinese.

    Parameters
    ----------
    summary : mapping
        With ``emotion_peak``, ``emotion_end`` and ``resolution``.
    found : sequence of Hit
    """
    peak, end, outcome = summary["emotion_peak"], summary["emotion_end"], summary["resolution"]
    points = _EMOTION_POINTS.get(peak, 0) + _EMOTION_POINTS.get(end, 0) + _OUTCOME_POINTS[outcome]
    points += min(_MOST_HIT_POINTS, sum(_HIT_POINTS[hit.rule.severity] for hit in found))
    reasons = []
    if _EMOTION_POINTS.get(end):
        reasons.append(f"结束时客户{end}")
    if _EMOTION_POINTS.get(peak) and peak != end:
        reasons.append(f"客户曾{peak}")
    if outcome != "已解决":
        reasons.append(outcome)
    if serious := dict.fromkeys(hit.rule.title for hit in found if hit.rule.severity == "严重"):
        reasons.append("、".join(serious))
    return points, "；".join(reasons)


def summarise(d: Dialogue, events: list[Event], new_words: list[int]) -> dict[str, Any]:
    """Return the columns of one conversation that its turns alone determine."""
    out: dict[str, Any] = {"conversation_id": d.conversation, "n_turns": len(d)}
    out |= _funnel(d, events)
    out |= _emotion(d)
    out |= _need(d)
    for kind, column in (("customer_repeats", "customer_repeat_turns"), ("agent_reasks", "agent_reask_turns")):
        turns = [event.turn for event in events if event.kind == kind]
        out[kind], out[column] = bool(turns), " ".join(map(str, turns))
    out["transfers"] = sum(event.kind == "transfer" for event in events)
    out["transferred"] = out["transfers"] > 0
    out["resolution"] = facts.resolution(d)
    for link, find in LINKS.items():
        step = find(d)
        out[f"loop_{link}"], out[f"loop_{link}_turn"] = step.taken, step.turn
    out["complaint_level"] = facts.complaint_level(d)
    out["feedback_dimension"] = facts.feedback_dimension(d)
    for spin in SPIN_TYPE.label_names[1:]:
        out[f"spin_{spin}"] = spin in d.spins
    steps = facts.steps(d) if d.discontent else {}
    for step_name in STEPS:
        out[f"step_{step_name}"] = steps[step_name].taken if steps else None
    return out | _amounts(d, new_words)


def _funnel(d: Dialogue, events: list[Event]) -> dict[str, Any]:
    path = [stage for i, stage in enumerate(d.stages) if i == 0 or stage != d.stages[i - 1]]
    reached = {STAGES.index(stage) for stage in d.stages}
    falls = sum(event.kind == "fall_back" for event in events)
    return {
        "funnel_path": ">".join(path),
        **{f"reached_{stage}": stage in d.stages for stage in STAGES},
        **{f"turns_{stage}": list(d.stages).count(stage) for stage in STAGES},
        "skipped": ">".join(stage for i, stage in enumerate(STAGES) if i < max(reached) and i not in reached),
        "fell_back": falls > 0,
        "fall_backs": falls,
    }


def _emotion(d: Dialogue) -> dict[str, Any]:
    phases = [d.severity(turn) for turn in d.customer_turns]
    response, response_turn = facts.response_to_anger(d)
    return {
        "emotion_start": PHASES[phases[0]] if phases else "",
        "emotion_peak": PHASES[d.peak] if phases else "",
        "emotion_end": PHASES[phases[-1]] if phases else "",
        "trajectory": facts.trajectory(phases) if phases else "",
        "turns_to_deescalation": facts.turns_to_deescalation(d),
        "response_to_anger": response,
        "response_turn": response_turn,
    }


def _need(d: Dialogue) -> dict[str, Any]:
    need, probe = facts.need_turn(d), facts.implicit_need(d)
    answer = next((turn for turn in d.customer_turns if probe.taken and turn > probe.turn), -1)
    return {
        "need_turn": need,
        "need_text": d.texts[need] if need >= 0 else "",
        "implicit_need_probed": probe.taken,
        "implicit_need_turn": probe.turn,
        "implicit_need_answer_turn": answer,
    }


def _amounts(d: Dialogue, new_words: list[int]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for role in ROLES:
        for question in QUESTION_TYPE.label_names[1:]:
            out[f"questions_{role}_{question}"] = sum(d.questions[turn] == question for turn in d.turns_of(role))
    lengths = [len(text) for text in d.texts]
    for stage in STAGES:
        turns = d.in_stage(stage)
        out[f"chars_{stage}"] = sum(lengths[turn] for turn in turns)
        out[f"new_words_{stage}"] = sum(new_words[turn] for turn in turns)
    out["talk_ratio_agent"] = sum(lengths[turn] for turn in d.agent_turns) / max(1, sum(lengths))
    out["longest_monologue"] = max(sum(lengths[turn] for turn in run) for run in d.runs)
    return out
