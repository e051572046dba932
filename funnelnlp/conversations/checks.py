"""Structural checks: quality rules that look at the order of things, not at single phrases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from funnelnlp.conversations import facts
from funnelnlp.conversations.dialogue import Dialogue
from funnelnlp.conversations.phrases import Span
from funnelnlp.taxonomy import AGENT

# Turn and span of the evidence; turn -1 where the whole conversation is the evidence.
Found = Iterable[tuple[int, Span]]
Check = Callable[[Dialogue, Mapping[str, Any]], Found]

NOWHERE: tuple[int, Span] = (-1, (0, 0))
EMPATHY = ("<apology>", "<acceptance>", "<soothing>", "<thanks_patience>", "<responsibility>", "<care>")
# Of how many of the first questions of an opening the type counts.
OPENING_QUESTIONS = 3


def whole(d: Dialogue, turn: int) -> tuple[int, Span]:
    """Return a whole turn as evidence."""
    return turn, (0, len(d.texts[turn]))


def missing_empathy(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find agent runs directly after discontent that accept nothing."""
    for before, run in d.answers() if d.surely_discontent else ():
        if any(map(d.severity, before)) and not d.saying(run, *EMPATHY):
            yield whole(d, run.start)


def repeated_question(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find agent turns that ask for what was given."""
    return [whole(d, int(turn)) for turn in summary["agent_reask_turns"].split()]


def passed_around(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find customers sent elsewhere, handed on twice, or complaining of it."""
    sent = d.saying(d.agent_turns, "<sent_elsewhere>")
    complains = d.saying(d.customer_turns, "<passed_on_complaint>")
    for turn in sorted([*sent, *complains]):
        yield turn, d.spans(turn, "<sent_elsewhere>" if d.roles[turn] == AGENT else "<passed_on_complaint>")[0]
    if summary["transfers"] > 1:
        yield NOWHERE


def closed_opening(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find only closed questions at the opening."""
    end = next((turn for turn in d.agent_turns if d.stages[turn] == "解决"), len(d))
    asking = []
    for turn in d.agent_turns:
        if turn >= end:
            break
        if d.says(turn, "<close_check>") and d.stages[turn] == "引导":
            continue
        if d.says(turn, "<invitation>"):
            asking.append((turn, "开放式"))
        elif d.questions[turn] != "非提问" and d.stages[turn] != "确认" and not d.says(turn, "<readback>", "<consent>"):
            # Having a message read off a screen is a closed question (labelling guide).
            asking.append((turn, "封闭式" if d.says(turn, "<screen_text>") else d.questions[turn]))
    opening = asking[:OPENING_QUESTIONS]
    if len(opening) >= 2 and all(question == "封闭式" for _, question in opening):
        yield whole(d, opening[0][0])


def solution_unconfirmed(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find a measure for an issue that nobody restated, checked or agreed to."""
    measures = [turn for turn in d.agent_turns if d.stages[turn] in ("解决", "确认") and d.says(turn, "<undertaking>")]
    if summary["complaint_level"] == "L1" or not measures:
        return
    start = measures[0]
    before = [turn for turn in range(start + 1) if d.roles[turn] == AGENT]
    answered = range(before[0] + 1, start)
    confirmed = (
        any(d.stages[turn] == "确认" and not d.severity(turn) for turn in range(start))
        or d.saying(before, "<readback>", "<consent>", "<restate>", "<lookup>")
        or any(d.spins[turn] != "无" or d.questions[turn] == "封闭式" for turn in before)
        or (d.saying(before, "<asks_fact>") and d.saying(answered, "<given>"))
    )
    if not confirmed:
        yield whole(d, start)


def no_closing_check(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find a solution after which the agent never asks how it went."""
    if summary["loop_delivered"] and not summary["loop_feedback"]:
        yield whole(d, [turn for turn in d.agent_turns if facts.delivers(d, turn)][-1])


def incomplete_sandwich(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find discontent without acceptance, plan or repair."""
    if d.surely_discontent and not all(summary[f"step_{step}"] for step in ("accept", "plan", "repair")):
        yield NOWHERE


def incomplete_complaint_steps(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find a serious complaint with two or more of the five steps missing."""
    if summary["complaint_level"] == "L4":
        taken = facts.steps(d)
        if sum(not taken[step].taken for step in ("accept", "clarify", "responsibility", "plan", "followup")) >= 2:
            yield NOWHERE


def open_todo(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find something open without a time."""
    promised = set(facts.promises(d, contact=True))
    plans = [turn for turn in d.agent_turns if turn in promised or d.stages[turn] == "确认"]
    dated = d.saying(plans, "<moment>", "<now>") or any(facts.delivers(d, t) for t in d.saying(d.agent_turns, "<deadline>"))
    if summary["resolution"] == "待跟进" and not dated:
        yield whole(d, [turn for turn in d.agent_turns if facts.delivers(d, turn)][-1])


def incomplete_record(d: Dialogue, summary: Mapping[str, Any]) -> Found:
    """Find conversations whose demand, outcome or identity cannot be written down."""
    known = d.saying(d.customer_turns, "<identity>") or d.saying(d.agent_turns, "<on_record>")
    # What is sent on the channel of the conversation needs no name.
    only_a_message = facts.promises(d, contact=True) and not facts.promises(d, contact=False)
    nameless = summary["resolution"] == "待跟进" and not known and not only_a_message
    undecided = summary["resolution"] == "未解决" and not summary["loop_delivered"]
    if summary["need_turn"] < 0 or nameless or undecided:
        yield NOWHERE


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        missing_empathy,
        repeated_question,
        passed_around,
        closed_opening,
        solution_unconfirmed,
        no_closing_check,
        incomplete_sandwich,
        incomplete_complaint_steps,
        open_todo,
        incomplete_record,
    )
}
