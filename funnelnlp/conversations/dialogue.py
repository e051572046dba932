"""One labelled conversation, seen the way its summary and the quality rules look at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod

from funnelnlp.conversations.phrases import PhraseIndex, Span
from funnelnlp.taxonomy import AGENT, CUSTOMER, EMOTION_PHASE, FUNNEL_STAGE

STAGES = FUNNEL_STAGE.label_names
PHASES = EMOTION_PHASE.label_names
# How likely it must be that some turn of the customer is discontented: to describe the conversation by it, and to blame
# the agent for how it was met.
LIKELY, SURE = 0.6, 0.8


@dataclass(frozen=True)
class Dialogue:
    """The turns of one conversation with their labels.

    Attributes
    ----------
    conversation : str or other id
    roles : sequence of {"customer", "agent", None}
    texts : sequence of str
        Raw.
    stages, questions, spins, phases : sequences of str
        Labels; empty where a task does not apply.
    phase_certainty : sequence of float
        Confidence of the phases, 0 to 1.
    index : PhraseIndex
        Over the turns of the whole log.
    offset : int
        Number of the first turn in ``index``.
    """

    conversation: object
    roles: Sequence[str | None]
    texts: Sequence[str]
    stages: Sequence[str]
    questions: Sequence[str]
    spins: Sequence[str]
    phases: Sequence[str]
    phase_certainty: Sequence[float]
    index: PhraseIndex
    offset: int

    def __len__(self) -> int:
        return len(self.roles)

    def folded(self, turn: int) -> str:
        """Return the folded text of a turn, which patterns are matched against."""
        return self.index.folded[self.offset + turn]

    def spans(self, turn: int, *patterns: str) -> list[Span]:
        """Return where any of the patterns occurs in a turn; ``"<name>"`` stands for all phrases of that name."""
        return self.index.find(patterns).get(self.offset + turn, [])

    def says(self, turn: int, *patterns: str) -> bool:
        """Tell whether any of the patterns occurs in a turn."""
        return bool(self.spans(turn, *patterns))

    def saying(self, turns: Sequence[int], *patterns: str) -> list[int]:
        """Return those of the turns in which any of the patterns occurs."""
        found = self.index.find(patterns)
        return [turn for turn in turns if self.offset + turn in found]

    @cached_property
    def agent_turns(self) -> list[int]:
        """Numbers of the agent's turns."""
        return [i for i, role in enumerate(self.roles) if role == AGENT]

    @cached_property
    def customer_turns(self) -> list[int]:
        """Numbers of the customer's turns."""
        return [i for i, role in enumerate(self.roles) if role == CUSTOMER]

    def turns_of(self, role: str) -> list[int]:
        """Return the numbers of the turns of a role."""
        return self.agent_turns if role == AGENT else self.customer_turns

    @cached_property
    def runs(self) -> list[range]:
        """Maximal runs of turns of one speaker."""
        result: list[range] = []
        for turn, role in enumerate(self.roles):
            if result and self.roles[turn - 1] == role:
                result[-1] = range(result[-1].start, turn + 1)
            else:
                result.append(range(turn, turn + 1))
        return result

    @cached_property
    def _run_of(self) -> list[range]:
        return [run for run in self.runs for _ in run]

    def run_of(self, turn: int) -> range:
        """Return the run that a turn stands in."""
        return self._run_of[turn]

    def answers(self) -> Iterator[tuple[range, range]]:
        """Yield each customer run with the agent run directly after it."""
        for first, second in pairwise(self.runs):
            if self.roles[first.start] == CUSTOMER and self.roles[second.start] == AGENT:
                yield first, second

    def severity(self, turn: int) -> int:
        """Return 0 for 平静 (and for agent turns) to 3 for 对抗."""
        return PHASES.index(self.phases[turn]) if self.phases[turn] else 0

    def severity_before(self, turn: int) -> int:
        """Return the highest severity of the other speaker's run directly before the run of a turn."""
        run = self.run_of(turn)
        return max(map(self.severity, self.run_of(run.start - 1))) if run.start else 0

    def upset_before(self, turn: int) -> bool:
        """Tell whether the customer's run before is at 不满 or higher."""
        return self.severity_before(turn) > 0

    @cached_property
    def discontent(self) -> list[int]:
        """Customer turns at 不满 or higher; none where it is doubtful that any of them is."""
        return self._upset_turns if self._discontent_odds >= LIKELY else []

    @property
    def surely_discontent(self) -> bool:
        """Whether it is beyond doubt that some turn is at 不满 or higher."""
        return self._discontent_odds >= SURE

    @cached_property
    def _upset_turns(self) -> list[int]:
        return [turn for turn in self.customer_turns if self.severity(turn) > 0]

    @cached_property
    def _discontent_odds(self) -> float:
        if any(self.severity(turn) > 1 or self.says(turn, "<open_anger>") for turn in self._upset_turns):
            return 1.0
        return 1 - prod(1 - self.phase_certainty[turn] for turn in self._upset_turns)

    @cached_property
    def peak(self) -> int:
        """Highest severity that the customer reaches."""
        return max(map(self.severity, self.customer_turns), default=0)

    def in_stage(self, stage: str, role: str | None = None) -> list[int]:
        """Return the turns of a funnel stage, of one role or of all."""
        return [i for i, s in enumerate(self.stages) if s == stage and (role is None or self.roles[i] == role)]
