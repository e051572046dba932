"""Live labelling: one conversation, turn by turn, at constant cost per turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features import Position
from funnelnlp.features.conversation import role_code
from funnelnlp.model.labels import Probabilities, TurnLabels
from funnelnlp.model.turns import parse_role, parse_text

if TYPE_CHECKING:
    from funnelnlp.model.model import Model

_NONE: list[float] = []


class TurnTracker:
    """Labels a conversation while it goes on; made by `Model.track_turns`.

    Its labels equal those of a batch run: a turn's labels depend on it and on what came before.

    Parameters
    ----------
    model : Model
    state : mapping, optional
        What `state` returned after earlier turns, to go on from there.

    Attributes
    ----------
    text : str
        The last turn as `funnelnlp.text.normalise` gives it.

    Examples
    --------
    >>> import funnelnlp
    >>> model = funnelnlp.load()
    >>> tracker = model.track_turns()
    >>> tracker.add("agent", "您好，请问有什么可以帮您？").question_type
    '开放式'
    >>> model.track_turns(tracker.state()).add("customer", "都三天了还没人管，你们什么态度").emotion_phase
    '不满'
    """

    def __init__(self, model: Model, state: Mapping[str, Any] | None = None) -> None:
        self.text = ""
        self._model = model
        self._temperatures = {task: float(model.weights.temperature[part.start]) for task, _, part in model.outputs}
        self._last: Position | None = None
        # Per speaker, what their last turn adds to the scores of the turns after it.
        self._memory: dict[int, NDArray[np.float32]] = {}
        self._before_run: NDArray[np.float32] | None = None
        # Per speaker, how likely each label of their last turn is by its plain scores (see `Transitions`).
        self._odds: dict[int, list[float]] = {}
        if state is not None and state["last"] is not None:
            self._last = Position(*state["last"])
            self._memory = {int(role): np.array(row, dtype=np.float32) for role, row in state["memory"].items()}
            self._odds = {int(role): list(row) for role, row in state["odds"].items()}
            if state["before_run"] is not None:
                self._before_run = np.array(state["before_run"], dtype=np.float32)

    def state(self) -> dict[str, Any]:
        """Return all that the next turns depend on, JSON-ready; it holds numbers only, no text."""
        return {
            "last": None if self._last is None else list(astuple(self._last)),
            "memory": {str(role): row.tolist() for role, row in self._memory.items()},
            "odds": {str(role): list(row) for role, row in self._odds.items()},
            "before_run": None if self._before_run is None else self._before_run.tolist(),
        }

    def add(self, role: str | None, text: str) -> TurnLabels:
        """Label the next turn.

        Parameters
        ----------
        role : str or None
            ``"customer"``, ``"agent"`` or an alias of them; None when unknown.
        text : str

        Returns
        -------
        TurnLabels

        Raises
        ------
        TranscriptError
            For an unknown role or a text that is not a string.
        """
        last = self._last
        where = f"turn {last.index + 1 if last else 0}"
        role = parse_role(role, where)
        model = self._model
        turn = model.encoder.encode_one(parse_text(text, where))
        self.text = turn.text
        code = role_code(role)
        if last is None:
            position = Position(code, 0, 0, answered=False)
        elif last.role == code:
            position = Position(code, last.index + 1, last.run + 1, last.answered)
        else:
            position = Position(code, last.index + 1, 0, answered=True)
            self._before_run = self._memory[last.role]
        products = model.products
        scores, memory = products.one(turn)
        k = products.k
        if code in self._memory:
            scores += self._memory[code][:k]
        if position.answered and self._before_run is not None:
            scores += self._before_run[k:]
        scores += products.place(position, turn.length)
        plain = scores.tolist()
        if (transitions := model.transitions) is not None:
            odds = transitions.odds(plain)
            if last is not None:
                shift = transitions.shift_of_one(plain, code, self._odds[last.role], self._odds.get(code))
                plain[transitions.part] = map(add, plain[transitions.part], shift)
            self._odds[code] = odds
        self._memory[code] = memory
        self._last = position
        return self._labels(plain, role, turn.known)

    def _labels(self, plain: list[float], role: str | None, familiarity: float) -> TurnLabels:
        model = self._model
        labels: dict[str, str] = {}
        scores: dict[str, list[float]] = {}
        for task, only, part in model.outputs:
            if only is not None and role is not None and role != only:
                labels[task], scores[task] = "", _NONE
                continue
            scores[task] = block = plain[part]
            labels[task] = model.label_names[task][block.index(max(block))]
        probabilities = Probabilities(model.label_names, self._temperatures, scores)
        if model.min_confidence:
            for task in labels:
                if max(probabilities[task].values(), default=1.0) < model.min_confidence:
                    labels[task] = ""
        alerts: tuple[str, ...] = ()
        for task, (threshold, risky) in model.alert_thresholds.items():
            odds = probabilities[task]
            if odds and sum([odds[label] for label in risky]) >= threshold:
                alerts = (*alerts, task)
        return TurnLabels(labels, probabilities, familiarity, alerts)
