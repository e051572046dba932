"""The model: labels, probabilities and explanations with NumPy alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.errors import FunnelError
from funnelnlp.features import STRUCTURE_NAMES, Layout, TurnEncoder, lay_out, structure_matrix
from funnelnlp.features.conversation import UNKNOWN_ROLE, role_code
from funnelnlp.model.frames import frame_columns, with_labels
from funnelnlp.model.labels import Contribution, Explanation, TurnLabels
from funnelnlp.model.tracker import TurnTracker
from funnelnlp.model.transitions import Transitions
from funnelnlp.model.turns import Turn, parse_turns
from funnelnlp.model.weights import Products, Weights
from funnelnlp.taxonomy import Task

if TYPE_CHECKING:
    import pandas as pd

    from funnelnlp.conversations.tracker import Tracker

# Turns encoded at once: large enough to amortise call overhead, small enough for the memory of a laptop.
_CHUNK = 8192


class Model:
    """Labels turns of customer-service conversations; made by training or `funnelnlp.load`.

    One loaded model may be shared by all threads of a process.

    Parameters
    ----------
    tasks : tuple of Task
    encoder : TurnEncoder
    weights : Weights
    info : mapping
        JSON-ready facts about the training, shown by ``funnelnlp info``.
    transitions : Transitions, optional
        What the labels of the turns before add; set the attribute to None to label without.

    Attributes
    ----------
    min_confidence : float
        A label less likely than this becomes ``""``, its confidence is kept. 0, the default, never abstains.
    alert_thresholds : dict of str to (float, tuple of str)
        Per task with alert labels (see `Task.alert_labels`): from which summed probability of them on a turn is
        an alert, chosen so that 95 % of alerts were right on registers left out of the training; and the labels.

    Examples
    --------
    >>> import funnelnlp
    >>> model = funnelnlp.load()
    >>> turns = model.label([("agent", "您好，请问有什么可以帮您？"), ("customer", "你们就是骗子！！马上退钱！！")])
    >>> turns[0].funnel_stage, turns[1].emotion_phase
    ('引导', '愤怒')
    """

    def __init__(
        self,
        tasks: tuple[Task, ...],
        encoder: TurnEncoder,
        weights: Weights,
        info: Mapping[str, Any] | None = None,
        transitions: Transitions | None = None,
    ) -> None:
        self.tasks = tasks
        self.encoder = encoder
        self.weights = weights
        self.transitions = transitions
        self.info = dict(info or {})
        self._products: Products | None = None
        self.min_confidence = 0.0
        self.alert_thresholds = {
            task.name: (float(self.info["alert_thresholds"][task.name]), task.alert_labels)
            for task in tasks
            if task.name in self.info.get("alert_thresholds", ())
        }
        ends = np.cumsum([len(task.labels) for task in tasks])
        self.slices = {t.name: slice(int(e) - len(t.labels), int(e)) for t, e in zip(tasks, ends, strict=True)}
        self.label_names = {task.name: task.label_names for task in tasks}
        # Task, the only role it applies to, place of its labels: what labelling a single turn loops over.
        self.outputs = [(task.name, task.role, self.slices[task.name]) for task in tasks]

    def __repr__(self) -> str:
        return f"Model(tasks={[task.name for task in self.tasks]}, features={self.encoder.n_features})"

    def task(self, name: str) -> Task:
        """Return the task of that name.

        Raises
        ------
        FunnelError
            When the model has no such task.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise FunnelError(f"this model has no task {name!r}; it has {[t.name for t in self.tasks]}")

    # --- one conversation -----------------------------------------------------------------------------------

    def track(self, state: Mapping[str, Any] | None = None) -> Tracker:
        """Follow one live conversation: labels, funnel position, emotion trend, events and advice turn by turn.

        Parameters
        ----------
        state : mapping, optional
            What `Tracker.state` returned after earlier turns, to go on from there.
        """
        from funnelnlp.conversations.tracker import Tracker

        return Tracker(self, state)

    def track_turns(self, state: Mapping[str, Any] | None = None) -> TurnTracker:
        """Return what labels a conversation turn by turn, from its start or from a saved state."""
        return TurnTracker(self, state)

    def label(self, turns: str | Iterable[Turn]) -> list[TurnLabels]:
        """Label the turns of one conversation.

        Parameters
        ----------
        turns : iterable of str, (role, text) or mapping
            In order. A mapping has ``text`` and may have ``role``. A bare string is a turn of unknown role,
            which gets a label for every task. A single string is taken as one turn.

        Returns
        -------
        list of TurnLabels
            One a turn.

        Raises
        ------
        TranscriptError
            When a turn has another shape, an unknown role or a text that is not text.
        """
        tracker = self.track_turns()
        return [tracker.add(role, text) for role, text in parse_turns(turns)]

    def explain(self, turns: str | Iterable[Turn], index: int, task: str, label: str | None = None) -> Explanation:
        """Say what made the score of a label, exactly.

        Parameters
        ----------
        turns : as in `label`
        index : int
            Which turn; negative numbers count from the end.
        task : str
        label : str, optional
            The label to explain; the one given to the turn when left out.

        Returns
        -------
        Explanation
            Contributions add up to the score.

        Raises
        ------
        FunnelError
            For an unknown task or label, an index outside the conversation, or a task that does not
            apply to the turn's role.
        """
        chosen = self.task(task)
        parsed = parse_turns(turns)
        if not -len(parsed) <= index < len(parsed):
            raise FunnelError(f"turn {index} does not exist: the conversation has {len(parsed)} turns, counted from 0")
        parsed = parsed[: index % len(parsed) + 1]
        if not chosen.applies_to(parsed[-1][0]):
            raise FunnelError(f"task {task!r} applies to {chosen.role} turns, turn {index} is of {parsed[-1][0]}")
        if label is not None and chosen.canonical(label) is None:
            raise FunnelError(f"task {task!r} has no label {label!r}; it has {list(chosen.label_names)}")
        given = self.label(parsed)[-1]
        odds = given.probabilities[task]
        label = max(odds, key=odds.__getitem__) if label is None else str(chosen.canonical(label))
        column = self.slices[task].start + chosen.label_names.index(label)
        layout = self._lay_out_one([role for role, _ in parsed])
        last = len(parsed) - 1
        parts: list[Contribution] = []

        def add(where: str, names: Sequence[str], ids: Iterable[int], values: Iterable[float], weights: Any) -> None:
            for i, value in zip(ids, values, strict=True):
                weight = float(weights[i])
                parts.append(Contribution(names[i], where, float(value), weight, float(value) * weight))

        turn = self.encoder.encode_one(parsed[-1][1])
        add("this turn", self.encoder.names, *self.encoder.weigh(turn), self.weights.own[:, column])
        k = len(self.weights.bias)
        for where, row, offset in (
            ("speaker's turn before", layout.same[last], 0),
            ("other speaker's turn before", layout.other[last], k),
        ):
            if row >= 0:
                ids, values = self.encoder.weigh(self.encoder.encode_one(parsed[int(row)][1]))
                kept = [(i, v) for i, v in zip(ids, values, strict=True) if i < self.encoder.n_context]
                add(
                    where,
                    self.encoder.names,
                    [i for i, _ in kept],
                    [v for _, v in kept],
                    self.weights.memory[:, offset + column],
                )
        on = structure_matrix(layout, np.full(len(parsed), turn.length))[last]
        add("place", STRUCTURE_NAMES, on.tolist(), [1.0] * len(on), self.weights.structure[:, column])
        if self.transitions and self.transitions.task == chosen:
            plain, _ = self._plain_scores([text for _, text in parsed], layout)
            values = self.transitions.features(plain, layout)[last]
            for name, where, value, weight in self.transitions.parts(values, chosen.label_names.index(label)):
                parts.append(Contribution(name, where, value, weight, value * weight))
        bias = float(self.weights.bias[column])
        parts.append(Contribution("start value", "always", 1.0, bias, bias))
        parts.sort(key=lambda part: -abs(part.contribution))
        return Explanation(
            task=task,
            label=label,
            confidence=given.probabilities[task][label],
            score=sum(part.contribution for part in parts),
            contributions=tuple(parts),
        )

    @property
    def products(self) -> Products:
        """The weights ready for summing; made at the first use, and again when the weights are replaced."""
        if self._products is None or self._products.weights is not self.weights:
            self._products = Products(self.weights, self.encoder)
        return self._products

    # --- many turns -----------------------------------------------------------------------------------------

    def _lay_out_one(self, roles: Sequence[str | None]) -> Layout:
        codes = np.array([role_code(role) for role in roles], dtype=np.int64)
        return lay_out(np.zeros(len(codes), dtype=np.int64), codes)

    def scores(self, texts: Sequence[str], layout: Layout) -> NDArray[np.float32]:
        """Return the linear scores of all labels of all tasks, shape (n, k).

        Parameters
        ----------
        texts : sequence of str, length n
        layout : Layout
        """
        return self._scores(texts, layout)[0]

    def _scores(self, texts: Sequence[str], layout: Layout) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the scores and the familiarity of every turn."""
        scores, known = self._plain_scores(texts, layout)
        if self.transitions:
            self.transitions.shift(scores, layout)
        return scores, known

    def _plain_scores(self, texts: Sequence[str], layout: Layout) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the same before the transitions."""
        n, k = len(texts), len(self.weights.bias)
        result = np.empty((n, k), dtype=np.float32)
        # The last row is what row -1, "nobody spoke before", points at.
        same, other = np.zeros((2, n + 1, k), dtype=np.float32)
        lengths = np.empty(n, dtype=np.int64)
        known = np.empty(n, dtype=np.float32)
        for start in range(0, n, _CHUNK):
            part = slice(start, min(n, start + _CHUNK))
            encoded = self.encoder.encode(texts[part])
            lengths[part], known[part] = encoded.lengths, encoded.known
            result[part], memory = self.products.many(encoded)
            same[part], other[part] = memory[:, :k], memory[:, k:]
        result += np.take(same, layout.same, axis=0, mode="wrap")
        result += np.take(other, layout.other, axis=0, mode="wrap")
        result += self.products.places(layout, lengths)
        return result, known

    def probabilities(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn scores of shape (n, k) into calibrated probabilities, summing to 1 within each task."""
        # A label in a row of its own: long rows are what NumPy is fast at.
        scaled = np.ascontiguousarray(scores.T)
        scaled /= self.weights.temperature[:, None]
        for part in self.slices.values():
            block = scaled[part]
            block -= block.max(axis=0)
            np.exp(block, out=block)
            block /= block.sum(axis=0)
        return scaled.T

    @cached_property
    def columns(self) -> dict[str, type]:
        """Every column that `label_frame` adds, in their order, and what it holds: str (a label), float or bool."""
        result: dict[str, type] = {}
        for task in self.tasks:
            result |= {task.name: str, f"{task.name}_confidence": float}
            if task.name in self.alert_thresholds:
                result[f"{task.name}_alert"] = bool
        return {**result, "familiarity": float}

    @cached_property
    def _label_arrays(self) -> dict[str, Any]:
        # Of the type that pandas gives to text, so that it need not look at every label.
        import pandas as pd

        return {task.name: pd.Series([*task.label_names, ""]).array for task in self.tasks}

    def label_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Label every row of a frame.

        Parameters
        ----------
        frame : pandas.DataFrame
            With a column ``text``; ``role``, ``conversation_id`` and ``turn_index`` are used where they are
            there. Without conversation ids every row is labelled on its own. Rows need not be sorted.

        Returns
        -------
        pandas.DataFrame
            The same rows, order, index and columns, followed by each task's label and
            ``<task>_confidence``, ``<task>_alert`` (True or False, for tasks in ``alert_thresholds``) and
            ``familiarity`` (see `TurnLabels`). An input column of such a name is kept as ``<name>_given``.

        Raises
        ------
        TranscriptError
            When the text column is missing, a text is not text, a role is unknown or a turn index is
            not a number; names the row.
        """
        texts, roles, conversation, order = frame_columns(frame)
        layout = lay_out(conversation, roles, order)
        scores, familiarity = self._scores(texts, layout)
        probabilities = self.probabilities(scores)
        labels: dict[str, NDArray[Any]] = {}
        for task in self.tasks:
            block = probabilities[:, self.slices[task.name]]
            best = block.argmax(axis=1)
            confidence = block[np.arange(len(block)), best].astype(np.float64)
            if self.min_confidence:
                best[confidence < self.min_confidence] = len(task.labels)
            silent = np.zeros(len(block), dtype=bool)
            if task.role is not None:
                silent = (roles != role_code(task.role)) & (roles != UNKNOWN_ROLE)
                best[silent] = len(task.labels)
                confidence[silent] = np.nan
            labels[task.name] = self._label_arrays[task.name].take(best)
            labels[f"{task.name}_confidence"] = confidence
            if task.name in self.alert_thresholds:
                threshold, risky = self.alert_thresholds[task.name]
                odds = block[:, [task.label_names.index(label) for label in risky]].sum(axis=1)
                labels[f"{task.name}_alert"] = (odds >= threshold) & ~silent
        labels["familiarity"] = familiarity.astype(np.float64)
        chinese = {"熟悉度": "familiarity"} | {
            title: name for task in self.tasks for name, title in task.columns_in_chinese().items()
        }
        return with_labels(frame, labels, chinese)

    def save(self, folder: Any) -> None:
        """Write the model to a folder (see `funnelnlp.model.persistence`)."""
        from funnelnlp.model.persistence import save

        save(self, folder)
