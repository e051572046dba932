"""What comes back for one turn, and what an explanation consists of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from funnelnlp.model.transitions import softmax_one


class Probabilities(Mapping[str, Mapping[str, float]]):
    """Per task the calibrated probability of every label, computed when somebody asks for it.

    Parameters
    ----------
    names : mapping of str to sequence of str
        Labels per task.
    temperatures : mapping of str to float
        Per task what scores are divided by.
    scores : mapping of str to sequence of float
        Per task the score of each label; none where the task does not apply.

    Examples
    --------
    >>> Probabilities({"mood": ("good", "bad")}, {"mood": 1.5}, {"mood": [1.0, 1.0]})["mood"]
    {'good': 0.5, 'bad': 0.5}
    """

    __slots__ = ("_computed", "_names", "_scores", "_temperatures")

    def __init__(
        self, names: Mapping[str, Sequence[str]], temperatures: Mapping[str, float], scores: Mapping[str, Sequence[float]]
    ) -> None:
        self._names = names
        self._temperatures = temperatures
        self._scores = scores
        self._computed: dict[str, dict[str, float]] = {}

    def __getitem__(self, task: str) -> dict[str, float]:
        if task not in self._computed:
            temperature = self._temperatures[task]
            scaled = [score / temperature for score in self._scores[task]]
            self._computed[task] = dict(zip(self._names[task], softmax_one(scaled), strict=True)) if scaled else {}
        return self._computed[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)


class TurnLabels(Mapping[str, "str | float | None"]):
    """Labels of one turn with their calibrated confidence.

    Reads like a mapping (``labels["funnel_stage"]``) and like an object (``labels.funnel_stage``); the
    keys are each task's name and ``<task>_confidence``. Where a task does not apply to the turn's role
    the label is ``""`` and the confidence None. Where the model abstains (``min_confidence``) the label is
    ``""`` too, and the confidence that of the likeliest label.

    Parameters
    ----------
    labels : mapping of str to str
        Label per task.
    probabilities : mapping of str to mapping
        Per task the calibrated probability of every label; empty where the task does not apply.
    familiarity : float
        Share of the turn's words and pairs of neighbouring characters that the model has seen, 0 to 1; low for
        text foreign to its training, whose labels mean little.
    alerts : tuple of str
        Tasks whose alert labels together are likely enough to call somebody (see `Model.alert_thresholds`).

    Examples
    --------
    >>> turn = TurnLabels({"mood": "good"}, {"mood": {"good": 0.75, "bad": 0.25}})
    >>> turn.mood, turn["mood_confidence"]
    ('good', 0.75)
    """

    __slots__ = ("_labels", "alerts", "familiarity", "probabilities")

    def __init__(
        self,
        labels: Mapping[str, str],
        probabilities: Mapping[str, Mapping[str, float]],
        familiarity: float = 1.0,
        alerts: tuple[str, ...] = (),
    ) -> None:
        self._labels = labels
        self.probabilities = probabilities
        self.familiarity = familiarity
        self.alerts = alerts

    def __getitem__(self, key: str) -> str | float | None:
        if key in self._labels:
            return self._labels[key]
        task = key.removesuffix("_confidence")
        if task != key and task in self._labels:
            return max(self.probabilities[task].values(), default=None)
        raise KeyError(key)

    def __getattr__(self, name: str) -> str | float | None:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no task {name!r}; this model labels {list(self._labels)}") from None

    def __getstate__(self) -> tuple[Any, ...]:
        return self._labels, self.probabilities, self.familiarity, self.alerts

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._labels, self.probabilities, self.familiarity, self.alerts = state

    def __iter__(self) -> Iterator[str]:
        for task in self._labels:
            yield task
            yield f"{task}_confidence"

    def __len__(self) -> int:
        return 2 * len(self._labels)

    def __repr__(self) -> str:
        shown = ", ".join(f"{task}={label!r} ({self[f'{task}_confidence']:.2f})" for task, label in self._labels.items() if label)
        return f"TurnLabels({shown})"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature adds to the score of a label.

    Attributes
    ----------
    feature : str
        Readable name, such as ``word 退款`` or ``cue thanks``.
    where : {"this turn", "speaker's turn before", "other speaker's turn before", "turn before", "place", "always"}
        Which text or circumstance the feature was seen in; "turn before" is whoever's.
    value, weight, contribution : float
        ``contribution = value * weight``.
    """

    feature: str
    where: str
    value: float
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a turn got its label: the exact sum that its score is.

    Attributes
    ----------
    task, label : str
    confidence : float
        Calibrated probability of ``label``.
    score : float
        Linear score; equals the sum of all contributions.
    contributions : tuple of Contribution
        Largest absolute contribution first, nothing left out.
    """

    task: str
    label: str
    confidence: float
    score: float
    contributions: tuple[Contribution, ...]
