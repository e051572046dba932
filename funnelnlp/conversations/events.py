"""What happens in a conversation, noticed turn by turn: escalation, fall-back, repetition, transfer, silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from funnelnlp.conversations.particulars import Particulars, points_back
from funnelnlp.conversations.repetition import Repeats, demands, fingerprint, says_again
from funnelnlp.conversations.transfers import Transfers
from funnelnlp.taxonomy import AGENT, CUSTOMER, EMOTION_PHASE

# What to attend to first stands first.
EVENT_KINDS = (
    "escalation",
    "agent_reasks",
    "customer_repeats",
    "transfer",
    "dissatisfaction",
    "fall_back",
    "silence",
    "deescalation",
)
# Seconds without a word after which people wonder whether anybody is still there.
LONG_GAP = 180.0

_PHASE = {name: level for level, name in enumerate(EMOTION_PHASE.label_names)}
_CHASES = re.compile(r"人呢|还在[吗么不]|在不在|有人[吗么没]|怎么[不没](?:说话|回|理)|没人[理回管]|^在[吗么]")
_ASKS_WHETHER_THERE = re.compile(
    r"还在(?:[吗么不听]|线)|在[吗么](?<=^在.)|在[吗么不](?<=^您在.)|没有?(?:收到|得到|等到|看到)您?的?(?:回复|消息|回应|信息)|"
    r"未(?:收到|得到|等到|看到)您?的?(?:回复|消息|回应|信息)|长时间[没未]|暂时离开"
)
_ASKS_THE_MATTER = re.compile(
    r"(?:有|遇到|是|咨询|反映|碰到|出)了?(?:什么|啥|哪方面的?)样?的?(?:问题|事|情况)|什么(?:问题|事情?|情况)呢?\??$|什么可以帮|说下您的需求"
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth knowing that a turn brought to light.

    Attributes
    ----------
    kind : str
        One of `EVENT_KINDS`: the customer rises to 不满 (``dissatisfaction``), to 愤怒 or 对抗 (``escalation``) or
        comes down (``deescalation``); an agent asks again after a solution (``fall_back``); the customer says the
        same again (``customer_repeats``); the agent asks for what was given (``agent_reasks``); somebody else takes
        over (``transfer``); one side asks whether the other is still there, or nobody speaks for minutes (``silence``).
    detail : str
        What exactly, in Chinese; never personal data.
    turn : int
        Number of the turn that it stands in, from 0; earlier than the turn that it was noticed in where
        only the answer shows it ("单号刚才发过了").
    """

    kind: str
    detail: str
    turn: int


class EventDetector:
    """Notices the events of one conversation while it goes on, each turn at constant cost.

    Parameters
    ----------
    state : mapping, optional
        What `state` returned after earlier turns, to go on from there.

    Examples
    --------
    >>> from funnelnlp.text import normalise
    >>> detector = EventDetector()
    >>> detector.add("customer", normalise("净水器漏水，单号A20938821"), "引导", "非提问", "平静")
    ()
    >>> detector.add("agent", normalise("请问订单号是多少呢"), "筛选", "封闭式", "")
    (Event(kind='agent_reasks', detail='订单号', turn=1),)
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self._turn: int = state.get("turn", 0)
        self._time: float | None = state.get("time")
        self._last_role: str | None = state.get("last_role")
        self._phase: int = state.get("phase", 0)
        self._solved: bool = state.get("solved", False)
        self._chased: bool = state.get("chased", False)
        self._matter_told: bool = state.get("matter_told", False)
        # The agent's last turn that asked for particulars, until it is answered or known to be asked again.
        self._asked_in: int = state.get("asked_in", -1)
        # Demands made so far, and those of the customer's present run.
        self._demanded: set[str] = set(state.get("demanded", ()))
        self._demanding: set[str] = set(state.get("demanding", ()))
        self._particulars = Particulars(state.get("given", ()), state.get("asked", ()))
        self._transfers = Transfers(state.get("pending", False), state.get("fresh", False))
        self._said = Repeats(state.get("said", ()))
        self._saying = Repeats(state.get("saying", ()))
        self._questions = Repeats(state.get("questions", ()))
        self._asking = Repeats(state.get("asking", ()))

    def state(self) -> dict[str, Any]:
        """Return all that later events depend on, JSON-ready, of bounded size and without readable text."""
        return {
            "turn": self._turn,
            "time": self._time,
            "last_role": self._last_role,
            "phase": self._phase,
            "solved": self._solved,
            "chased": self._chased,
            "matter_told": self._matter_told,
            "asked_in": self._asked_in,
            "demanded": sorted(self._demanded),
            "demanding": sorted(self._demanding),
            "given": sorted(self._particulars.given),
            "asked": sorted(self._particulars.asked),
            "pending": self._transfers.pending,
            "fresh": self._transfers.fresh,
            "said": [sorted(pairs) for pairs in self._said.earlier],
            "saying": [sorted(pairs) for pairs in self._saying.earlier],
            "questions": [sorted(pairs) for pairs in self._questions.earlier],
            "asking": [sorted(pairs) for pairs in self._asking.earlier],
        }

    def add(
        self, role: str | None, text: str, stage: str, question: str, phase: str, time: float | None = None
    ) -> tuple[Event, ...]:
        """Take in the next turn and return what it brings to light.

        Parameters
        ----------
        role : {"customer", "agent", None}
        text : str
            Normalised (`funnelnlp.text.normalise`).
        stage, question, phase : str
            Its labels, ``""`` where there is none.
        time : float, optional
            Seconds since any fixed moment.

        Returns
        -------
        tuple of Event
        """
        turn = self._turn
        found: list[Event] = []
        if time is not None:
            if self._time is not None and time - self._time > LONG_GAP:
                found.append(Event("silence", f"间隔{round((time - self._time) / 60)}分钟", turn))
            self._time = time
        if role == CUSTOMER:
            self._customer(text, stage, phase, found)
        elif role == AGENT:
            self._agent(text, stage, question, found)
        self._last_role = role
        self._turn += 1
        return tuple(found)

    def _customer(self, text: str, stage: str, phase: str, found: list[Event]) -> None:
        turn = self._turn
        level = _PHASE.get(phase, self._phase)
        if level > self._phase:
            found.append(Event("escalation" if level > 1 else "dissatisfaction", phase, turn))
        elif level < self._phase:
            found.append(Event("deescalation", phase, turn))
        self._phase = level
        if self._last_role == AGENT:
            # Only what an agent has spoken to since can have been left unanswered.
            for pairs in self._saying.earlier:
                self._said.keep(pairs)
            self._saying = Repeats()
            self._demanded |= self._demanding
            self._demanding.clear()
            self._chased = False
        pairs, wanted = fingerprint(text), demands(text)
        unmet = wanted & self._demanded
        chases = turn > 0 and _CHASES.search(text) is not None
        if says_again(text) or (self._asked_in >= 0 and points_back(text)):
            found.append(Event("customer_repeats", "说已经说过", turn))
        elif stage != "确认" and (self._said.like(pairs, 0.6, 3) or (level and self._said.like(pairs, 0.4, 2))):
            found.append(Event("customer_repeats", "又说同样的内容", turn))
        elif "person" in unmet or (unmet and level and stage != "确认"):
            found.append(Event("customer_repeats", "再次提出同样的要求", turn))
        elif chases and self._chased:
            found.append(Event("customer_repeats", "再次催问", turn))
        if chases:
            self._chased = True
            found.append(Event("silence", "客户在等回复", turn))
        self._saying.keep(pairs)
        self._demanding |= wanted
        if self._asked_in >= 0:
            if points_back(text):
                found.append(Event("agent_reasks", "客户指出已经给过", self._asked_in))
            self._asked_in = -1
        self._matter_told |= len(text) >= 8 and stage in ("引导", "筛选")
        self._particulars.answer(text)

    def _agent(self, text: str, stage: str, question: str, found: list[Event]) -> None:
        turn = self._turn
        transfer = self._transfers.see(text, turn)
        if transfer in ("转出", "接手"):
            found.append(Event("transfer", transfer, turn))
        if stage == "解决":
            # Handing over solves nothing.
            self._solved |= not transfer
        elif self._solved and stage in ("引导", "筛选") and question != "非提问":
            self._solved = False
            found.append(Event("fall_back", stage, turn))
        if self._last_role == CUSTOMER:
            self._particulars.asked.clear()
            for pairs in self._asking.earlier:
                self._questions.keep(pairs)
            self._asking = Repeats()
        again = self._particulars.ask(text, solving=stage == "解决")
        if self._transfers.fresh and self._matter_told and _ASKS_THE_MATTER.search(text):
            again.add("来意")
        if question in ("封闭式", "开放式") and stage == "筛选":
            pairs = fingerprint(text)
            if not again and self._questions.like(pairs, 0.6, 4):
                again.add("同一个问题")
            self._asking.keep(pairs)
        if again:
            found.append(Event("agent_reasks", "、".join(sorted(again)), turn))
        self._asked_in = turn if (self._particulars.asked or question != "非提问") and not again else -1
        if self._last_role is not None and _ASKS_WHETHER_THERE.search(text):
            found.append(Event("silence", "客服催问", turn))
        if not transfer:
            self._transfers.fresh = False


def conversation_events(turns: Iterable[tuple[str | None, str, str, str, str, float | None]]) -> list[Event]:
    """Return the events of one whole conversation in the order in which they were noticed.

    Parameters
    ----------
    turns : iterable of (role, normalised text, stage, question, phase, time)
        As for `EventDetector.add`; normalise a whole log in one call of `funnelnlp.text.normalise_all`.

    Returns
    -------
    list of Event
    """
    detector = EventDetector()
    return [event for turn in turns for event in detector.add(*turn)]
