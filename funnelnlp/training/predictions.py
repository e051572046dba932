"""Calibrated probabilities for labelled turns, from a model or from cross-validation: what every evaluation starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from funnelnlp.errors import TaxonomyError, TranscriptError
from funnelnlp.model import Model
from funnelnlp.model.frames import conversation_codes
from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.text import Lexicons
from funnelnlp.training.fit import TrainingSettings, best_temperature, out_of_fold, scores_of
from funnelnlp.training.labelled import Floats, Ints, column_of, label_shares, majority
from funnelnlp.training.slices import values_of

_GROUP_FOLDS = 10


@dataclass(frozen=True, slots=True)
class Predictions:
    """What somebody said about labelled turns, and what is right.

    Attributes
    ----------
    frame : pandas.DataFrame
        The turns.
    tasks : tuple of Task
        Those that the frame has labels of.
    truth : dict of str to ndarray of int64, shape (n,)
        Per task the right label number of every turn, the majority's of several votes; negative where there is none.
    probabilities : dict of str to ndarray of float64, shape (n, labels)
        Per task, calibrated.
    left_out : str
        Columns (with commas between) whose groups were left out whole by cross-validation; empty for none.
    """

    frame: pd.DataFrame
    tasks: tuple[Task, ...]
    truth: dict[str, Ints]
    probabilities: dict[str, Floats]
    left_out: str = ""

    def rows(self, task: Task) -> Ints:
        """Return the positions of the turns that have a label of the task."""
        return np.flatnonzero(self.truth[task.name] >= 0)

    @property
    def conversation(self) -> Ints:
        """A number per conversation for every turn."""
        return conversation_codes(self.frame)


def _shares(frame: pd.DataFrame, tasks: Sequence[Task]) -> dict[Task, Floats]:
    """Return the vote shares of the tasks that the frame has labels of."""
    present = [task for task in tasks if column_of(frame, task)] or [tasks[0]]
    shares = {task: label_shares(frame, task) for task in present}
    used = {task: of_task for task, of_task in shares.items() if (majority(of_task) >= 0).any()}
    if not used:
        raise TaxonomyError(f"no turn has a label of {', '.join(task.name for task in present)}: nothing to measure")
    return used


def _truth(shares: Mapping[Task, Floats]) -> dict[str, Ints]:
    return {task.name: majority(of_task) for task, of_task in shares.items()}


def predict(model: Model, frame: pd.DataFrame) -> Predictions:
    """Let a model label turns whose labels are known.

    Parameters
    ----------
    model : Model
    frame : pandas.DataFrame
        With a label column for at least one of the model's tasks.

    Returns
    -------
    Predictions
        Tasks whose column is absent are left out.

    Raises
    ------
    TaxonomyError
        When no task has its column or a cell holds something that is no label.
    """
    shares = _shares(frame, model.tasks)
    probabilities = model.probabilities(scores_of(model, frame)).astype(np.float64)
    of_tasks = {task.name: probabilities[:, model.slices[task.name]] for task in shares}
    return Predictions(frame, tuple(shares), _truth(shares), of_tasks)


def cross_predict(
    frame: pd.DataFrame,
    tasks: Sequence[Task] = BUILTIN_TASKS,
    *,
    leave_out: str = "",
    settings: TrainingSettings | None = None,
    lexicons: Lexicons | None = None,
    folds: int | None = None,
    n_jobs: int = -1,
) -> Predictions:
    """Label every turn with a model that was trained on the other conversations, or on the other groups.

    Parameters
    ----------
    frame : pandas.DataFrame
        Labelled turns, one column per task; tasks whose column is absent are left out.
    tasks : sequence of Task
    leave_out : str
        A column, or several with commas between (``"channel,batch"``), whose groups are left out whole: says how
        well a model does on a channel that it has not seen. Conversations are left out when not given.
    settings, lexicons, n_jobs
        As in `train`.
    folds : int, optional
        At most the number of groups; ``settings.folds`` (at least 2) when not given, 10 with ``leave_out``.

    Returns
    -------
    Predictions
        Calibrated by the temperature that fits these very turns best: one number a task, so the calibration
        figures are slightly better than those of new turns, and no label changes.

    Raises
    ------
    TaxonomyError
        When a label column cannot be used, or a fold would have one label left to learn from.
    TranscriptError
        When a column is missing, is not the same within a conversation, or has one group only.
    """
    settings = settings or TrainingSettings()
    shares = _shares(frame, tasks)
    used = tuple(shares)
    groups = _groups(frame, leave_out) if leave_out else None
    n_groups = int((conversation_codes(frame) if groups is None else groups).max()) + 1
    if n_groups < 2:
        raise TranscriptError(
            f"cross-validation needs at least two groups, and there is one {leave_out or 'conversation'} only; "
            "measure a trained model on these turns instead"
        )
    folds = folds or (_GROUP_FOLDS if leave_out else max(2, settings.folds))
    scores = out_of_fold(frame, used, settings=settings, groups=groups, folds=folds, lexicons=lexicons, n_jobs=n_jobs)
    probabilities = {}
    blocks = np.split(scores.astype(np.float64), np.cumsum([len(task.labels) for task in used])[:-1], axis=1)
    for (task, of_task), block in zip(shares.items(), blocks, strict=True):
        probabilities[task.name] = special.softmax(block / best_temperature(block, of_task), axis=1)
    return Predictions(frame, used, _truth(shares), probabilities, leave_out)


def _groups(frame: pd.DataFrame, columns: str) -> Ints:
    """Return a number per group of the columns for every turn, refusing groups that tear a conversation apart."""
    values = values_of(frame, columns)
    if (absent := values.isna()).any():
        raise TranscriptError(
            f"row {frame.index[int(absent.to_numpy().argmax())]!r} has no {columns}: its group cannot be left out"
        )
    groups: Ints = values.factorize()[0].astype(np.int64)
    conversation = pd.Series(conversation_codes(frame))
    torn = pd.Series(groups).groupby(conversation).nunique() > 1
    if torn.any():
        rows = (conversation == torn.idxmax()).to_numpy()
        raise TranscriptError(
            f"conversation {frame.loc[rows, 'conversation_id'].iloc[0]!r} has several values of {columns} "
            f"({', '.join(values[rows].unique()[:3])}); leave out columns that are the same in a whole conversation"
        )
    return groups
