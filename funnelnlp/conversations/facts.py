"""What is read off one labelled conversation, by the conversation guide. Every function answers one question."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from funnelnlp.conversations.dialogue import Dialogue
from funnelnlp.taxonomy import AGENT

NONE = -1


class Step(NamedTuple):
    """A turn that shows something, -1 where none does."""

    turn: int

    @property
    def taken(self) -> bool:
        """Whether some turn shows it."""
        return self.turn != NONE


def first(turns: list[int]) -> Step:
    """Return the first of the turns as a step."""
    return Step(turns[0] if turns else NONE)


# --- emotion ---------------------------------------------------------------------------------------------------------


def trajectory(phases: list[int]) -> str:
    """Name the course of the customer's phases (0 to 3)."""
    steps = [b - a for a, b in pairwise(phases) if a != b]
    if not steps:
        return "平稳"
    rises = [i for i, step in enumerate(steps) if step > 0]
    falls = [i for i, step in enumerate(steps) if step < 0]
    if not falls:
        return "升级"
    if rises and max(rises) > min(falls):
        return "反复"
    return "平复"


def turns_to_deescalation(d: Dialogue) -> int | None:
    """Return the number of turns from the peak to the first customer turn below it, None without one."""
    if d.peak == 0:
        return None
    top = next(turn for turn in d.customer_turns if d.severity(turn) == d.peak)
    return next((turn - top for turn in d.customer_turns if turn > top and d.severity(turn) < d.peak), None)


def response_to_anger(d: Dialogue) -> tuple[str, int]:
    """Return how the agent answers the first discontented turn, and the turn that shows it."""
    if not d.discontent:
        return "无", NONE
    run = next((run for run in d.runs if run.start > d.discontent[0] and d.roles[run.start] == AGENT), None)
    if run is None:
        return "无", NONE
    defends = [turn for turn in run if defensive(d, turn)]
    if defends:
        return "辩解", defends[0]
    accepts = d.saying(run, "<apology>", "<acceptance>", "<responsibility>", "<soothing>")
    return ("接纳", accepts[0]) if accepts else ("解释", run.start)


def defensive(d: Dialogue, turn: int) -> bool:
    """Tell whether an agent's turn denies, shifts the blame or tells the customer to calm down."""
    return d.says(turn, "<calming>") or (d.says(turn, "<contradicting>", "<shifting>") and not d.says(turn, "<responsibility>"))


# --- need ------------------------------------------------------------------------------------------------------------


def need_turn(d: Dialogue) -> int:
    """Return the first customer turn that says what is wanted or wrong."""
    for turn in d.customer_turns:
        if d.says(turn, "<greeting_only>"):
            continue
        asked = turn > 0 and d.roles[turn - 1] == AGENT and d.says(turn - 1, "<menu>")
        if asked and d.says(turn, "<menu_key>"):
            continue
        if d.says(turn, "<need>") or d.questions[turn] != "非提问" or d.severity(turn) > 0:
            return turn
        if len(d.folded(turn).strip()) >= 6 and not d.says(turn, "<bare_particulars>"):
            return turn
    return NONE


def implicit_need(d: Dialogue) -> Step:
    """Find the agent's question about use, effect, urgency or preference."""
    return first(
        [
            turn
            for turn in d.agent_turns
            if d.spins[turn] in ("暗示", "需求效益")
            or (d.spins[turn] == "背景" and presale(d))
            or (d.questions[turn] != "非提问" and d.says(turn, "<probing>"))
        ]
    )


# --- the loop --------------------------------------------------------------------------------------------------------


def identified(d: Dialogue) -> Step:
    """需求识别: the need is restated, named, or asked and acted on precisely."""
    need = need_turn(d)
    return first(
        [
            turn
            for turn in d.agent_turns
            if turn > need >= 0
            and not defensive(d, turn)
            and (d.spins[turn] != "无" or delivers(d, turn) or d.stages[turn] == "确认" or d.says(turn, "<restate>"))
        ]
    )


def delivers(d: Dialogue, turn: int) -> bool:
    """Tell whether an agent's turn gives or promises a solution, an answer or a measure."""
    if d.roles[turn] != AGENT or d.stages[turn] not in ("解决", "确认"):
        return False
    if defensive(d, turn) or d.says(turn, "<procedure>"):
        return d.says(turn, "<undertaking>")
    if d.says(turn, "<measure>", "<instruction>"):
        return True
    empty = d.says(turn, "<closing>", "<reassurance>", "<soothing>", "<waiting>")
    return d.stages[turn] == "解决" and not empty and d.questions[turn] == "非提问" and len(d.folded(turn)) > 3


def delivered(d: Dialogue) -> Step:
    """服务设计与交付."""
    return first([turn for turn in d.agent_turns if delivers(d, turn)])


def feedback(d: Dialogue) -> Step:
    """反馈收集: after a solution, asking for the result, for anything else or for a rating."""
    solved = delivered(d)
    later = [turn for turn in d.agent_turns if turn >= solved.turn >= 0]
    asks = [
        turn
        for turn in d.saying(later, "<close_check>", "<closing_question>")
        if d.says(turn, "<closing_question>") or (d.questions[turn] != "非提问" and d.stages[turn] in ("解决", "确认"))
    ]
    return first(asks)


def follows_up(d: Dialogue, turn: int) -> bool:
    """Tell whether the agent promises to come back on their own."""
    return d.says(turn, "<own_follow_up>") and not d.says(turn, "<holding>")


def improvement(d: Dialogue) -> Step:
    """改进: following up on their own, or passing an improvement on."""
    return first([turn for turn in d.agent_turns if follows_up(d, turn) or d.says(turn, "<improvement>")])


# --- outcome ---------------------------------------------------------------------------------------------------------


def resolution(d: Dialogue) -> str:
    """Return 已解决, 待跟进 or 未解决."""
    solving = [turn for turn in d.agent_turns if delivers(d, turn)]
    if not solving or not d.customer_turns:
        return "未解决"
    last = d.customer_turns[-1]
    mood = d.severity(last)
    settled = d.saying(d.customer_turns, "<settled>")
    pending = [turn for turn in promises(d, contact=not settled) if not any(done > turn for done in settled)]
    done = d.saying(d.agent_turns, "<done_now>")
    answered = any(turn > last for turn in [*pending, *done])
    rejects = mood > 0 and d.says(last, "<rejecting>")
    if not answered and (rejects or (mood == 2 and not settled)):
        return "未解决"
    # The customer's last word is about a plan, and nobody has reported since that it was carried out.
    sent_off = d.says(d.agent_turns[-1], "<procedure>")
    agreed = d.stages[last] == "确认" and not answered and not sent_off and not presale(d)
    if pending or agreed:
        return "待跟进"
    return "未解决" if mood and not settled and not done else "已解决"


def promises(d: Dialogue, contact: bool) -> list[int]:
    """Return the agent's turns that promise what is still to be done; with ``contact`` also a mere message or call."""
    patterns = ("<ahead>", "<ahead_contact>") if contact else ("<ahead>",)
    return [
        turn
        for turn in d.saying(d.agent_turns, *patterns)
        if d.stages[turn] in ("解决", "确认")
        and not d.says(turn, "<conditional>")
        and (not d.says(turn, "<done_now>") or d.says(turn, "<surely_ahead>"))
    ]


def presale(d: Dialogue) -> bool:
    """Tell whether the matter is something not bought yet."""
    need = need_turn(d)
    return need >= 0 and d.says(need, "<presale>") and not d.says(need, "<failure_product>", "<failure_service>")


def complaint_level(d: Dialogue) -> str:
    """Return L1 to L4."""
    before_purchase = presale(d)
    faults = [] if before_purchase else d.saying(d.customer_turns, "<failure_product>", "<failure_service>")
    threats = [] if before_purchase else d.saying(d.customer_turns, "<threat>")
    # An insurer hears of accidents that are not its own.
    unsafe = [] if before_purchase or d.saying(d.customer_turns, "<claim>") else d.saying(d.customer_turns, "<safety>")
    if d.peak >= 2 or threats or unsafe:
        return "L4"
    taken_on = d.saying(d.agent_turns, "<strong_measure>", "<responsibility>", "<apology>")
    if (d.discontent and not before_purchase) or (faults and taken_on and not d.saying(d.agent_turns, "<no_fault>")):
        return "L3"
    probing = sum(d.spins[turn] != "无" for turn in d.agent_turns)
    asked = sum(d.questions[turn] != "非提问" for turn in d.customer_turns)
    if faults or probing >= 3 or asked >= 4 or d.saying(d.customer_turns, "<compare>"):
        return "L2"
    return "L1"


def feedback_dimension(d: Dialogue) -> str:
    """Return what the customer is discontented about or gives feedback on, the opening of the matter counting most."""
    if presale(d) and not d.discontent:
        return "无"
    need = need_turn(d)
    weights = {turn: 4 if turn == need else 2 if d.severity(turn) else 1 for turn in d.customer_turns}

    def weight(*phrases: str) -> int:
        return sum(weights[turn] for turn in d.saying(d.customer_turns, *phrases))

    failures = {
        "人员态度": weight("<attitude>"),
        "服务流程": weight("<failure_service>"),
        "产品功能": weight("<failure_product>"),
        "竞品对比": weight("<rival>"),
    }
    topics = {"服务流程": weight("<service_topic>"), "产品功能": weight("<product_topic>")}
    for counts in (failures, topics) if d.discontent else (failures,):
        top = max(counts, key=lambda name: counts[name])
        if counts[top]:
            return top
    return "服务流程" if d.discontent else "无"


# --- the five steps and the sandwich ---------------------------------------------------------------------------------


def steps(d: Dialogue) -> dict[str, Step]:
    """Return the steps of handling a complaint, taken after the first discontent (anywhere, where there is none)."""
    start = d.discontent[0] if d.discontent else 0
    turns = [turn for turn in d.agent_turns if turn > start]
    checks: dict[str, Callable[[int], bool]] = {
        "accept": lambda t: d.says(t, "<acceptance>", "<own_fault>"),
        "clarify": lambda t: d.spins[t] != "无" or d.says(t, "<restate>", "<lookup>", "<asks_fact>"),
        "responsibility": lambda t: (
            d.says(t, "<responsibility>") or (d.says(t, "<apology>") and not d.says(t, "<refusing_apology>"))
        ),
        "plan": lambda t: (
            d.says(t, "<strong_measure>", "<instruction>", "<undertaking>", "<done_now>")
            and d.stages[t] in ("解决", "确认")
            and not d.says(t, "<procedure>")
        ),
        "followup": lambda t: follows_up(d, t) and d.says(t, "<moment>", "<now>", "<person>"),
        "repair": lambda t: d.says(t, "<repair>"),
    }
    return {name: first([turn for turn in turns if shows(turn)]) for name, shows in checks.items()}
