"""A live conversation: labels of each turn, where it stands, how the emotion moves, what happened, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from funnelnlp.conversations.advice import Advice, advise
from funnelnlp.conversations.events import EVENT_KINDS, Event, EventDetector
from funnelnlp.errors import TranscriptError
from funnelnlp.taxonomy import AGENT, CUSTOMER, EMOTION_PHASE, FUNNEL_STAGE, canonical_role

if TYPE_CHECKING:
    from funnelnlp.model import Model, TurnLabels

_PHASES = EMOTION_PHASE.label_names
_LEVEL = {name: level for level, name in enumerate(_PHASES)}
_DEPTH = {name: depth for depth, name in enumerate(FUNNEL_STAGE.label_names)}
_PRIORITY = {kind: place for place, kind in enumerate(EVENT_KINDS)}


class FunnelPosition(NamedTuple):
    """Where a conversation stands in the funnel: the stage of the turn and the furthest one reached so far."""

    current: str
    furthest: str


class EmotionTrend(NamedTuple):
    """How the customer's emotion moves.

    ``direction`` is 升温 or 降温 in the customer's turn that changes the phase and the next one, else 平稳;
    ``current`` and ``peak`` are phases, empty before the customer's first turn.
    """

    direction: str
    current: str
    peak: str


@dataclass(frozen=True, slots=True)
class LiveTurn:
    """One turn of a live conversation; made by `Tracker.add`.

    Labels, confidences and ``probabilities`` read as on `TurnLabels` (``turn.funnel_stage``).

    Attributes
    ----------
    labels : TurnLabels
    role : {"customer", "agent", None}
    turn : int
        Number of the turn, from 0.
    position : FunnelPosition
    trend : EmotionTrend
    events : tuple of Event
        What this turn brought to light.
    open_event : str or None
        Kind of the most pressing event since the agent last had the chance to answer it.
    """

    labels: TurnLabels
    role: str | None
    turn: int
    position: FunnelPosition
    trend: EmotionTrend
    events: tuple[Event, ...]
    open_event: str | None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.labels, name)

    @property
    def advice(self) -> Advice:
        """What the agent may do next."""
        return advise(self.role, self.position.current, self.trend.current, self.open_event)


class Tracker:
    """Follows one conversation while it goes on, at constant cost per turn.

    Parameters
    ----------
    model : Model
    state : mapping, optional
        What `state` returned after earlier turns, to go on from there, in this process or another.

    Examples
    --------
    >>> import funnelnlp
    >>> tracker = Tracker(funnelnlp.load())
    >>> tracker.add("customer", "你好，我的快递三天没动了").position
    FunnelPosition(current='引导', furthest='引导')
    >>> turn = tracker.add("customer", "你们就是骗子！！马上退钱！！")
    >>> turn.emotion_phase, turn.trend.direction, [event.kind for event in turn.events]
    ('愤怒', '升温', ['escalation'])
    >>> turn.advice.title
    '情绪升级：先停下流程'
    """

    def __init__(self, model: Model, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self._labeller = model.track_turns(state.get("labels"))
        self._detector = EventDetector(state.get("events"))
        self._turn: int = state.get("turn", 0)
        self._furthest: str = state.get("furthest", "")
        self._phase: str = state.get("phase", "")
        self._peak: str = state.get("peak", "")
        self._direction: str = state.get("direction", "平稳")
        self._since_change: int = state.get("since_change", 0)
        self._open: str | None = state.get("open")

    def state(self) -> dict[str, Any]:
        """Return all that the next turns depend on.

        Returns
        -------
        dict
            JSON-ready and of bounded size however long the conversation. Of what was said it holds numbers
            that stand for character pairs and the kinds of particulars that were given, no text.
        """
        return {
            "labels": self._labeller.state(),
            "events": self._detector.state(),
            "turn": self._turn,
            "furthest": self._furthest,
            "phase": self._phase,
            "peak": self._peak,
            "direction": self._direction,
            "since_change": self._since_change,
            "open": self._open,
        }

    def add(self, role: str | None, text: str, time: datetime | float | str | None = None) -> LiveTurn:
        """Take in the next turn.

        Parameters
        ----------
        role : str or None
            ``"customer"``, ``"agent"`` or an alias of them; None when unknown.
        text : str
        time : datetime, float or str, optional
            When it was said: a datetime, seconds since any fixed moment, or text in ISO 8601 form. With times,
            pauses of more than three minutes become events.

        Returns
        -------
        LiveTurn

        Raises
        ------
        TranscriptError
            For an unknown role, a text that is not a string or a time that cannot be read. The tracker then
            stands where it stood before.
        """
        turn = self._turn
        seconds = None if time is None else _seconds(time, turn)
        labels = self._labeller.add(role, text)
        role = canonical_role(role)
        stage = str(labels.get("funnel_stage", ""))
        question = str(labels.get("question_type", ""))
        phase = str(labels.get("emotion_phase", ""))
        events = self._detector.add(role, self._labeller.text, stage, question, phase, seconds)
        if _DEPTH.get(stage, -1) > _DEPTH.get(self._furthest, -1):
            self._furthest = stage
        if role == CUSTOMER and phase in _LEVEL:
            self._feel(phase)
        if role == AGENT:
            self._open = None
        for event in events:
            if self._open is None or _PRIORITY[event.kind] < _PRIORITY[self._open]:
                self._open = event.kind
        self._turn += 1
        return LiveTurn(
            labels,
            role,
            turn,
            FunnelPosition(stage, self._furthest),
            EmotionTrend(self._direction, self._phase, self._peak),
            events,
            self._open,
        )

    def _feel(self, phase: str) -> None:
        change = _LEVEL[phase] - _LEVEL.get(self._phase, 0)
        self._since_change += 1
        if change:
            self._direction, self._since_change = ("升温" if change > 0 else "降温"), 0
        elif self._since_change > 1:
            self._direction = "平稳"
        self._phase = phase
        if _LEVEL[phase] >= _LEVEL.get(self._peak, 0):
            self._peak = phase


def _seconds(time: datetime | float | str, turn: int) -> float:
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError:
            raise TranscriptError(
                f"turn {turn}: the time {time!r} is not in ISO 8601 form, such as 2026-03-16 08:30:40"
            ) from None
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise TranscriptError(f"turn {turn}: the time must be a datetime, seconds or ISO 8601 text, got {time!r}")
    return float(time)
