"""Label every turn of Chinese customer-service conversations.

Funnel stage, question type, SPIN type and emotion phase from one linear model that explains itself.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelnlp.errors import FunnelError, ModelError, TaxonomyError, TranscriptError
from funnelnlp.model import Contribution, Explanation, Model, TurnLabels
from funnelnlp.model import load as _load_folder
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS, Label, Task, load_tasks

if TYPE_CHECKING:
    from funnelnlp.batch import TurnScorer, score_files
    from funnelnlp.conversations import Tracker, analyse
    from funnelnlp.training import FunnelClassifier, evaluate, train
    from funnelnlp.transcripts import read_transcripts, write_transcripts

__all__ = [
    "BUILTIN_TASKS",
    "Contribution",
    "Explanation",
    "FunnelClassifier",
    "FunnelError",
    "Label",
    "Model",
    "ModelError",
    "Task",
    "TaxonomyError",
    "Tracker",
    "TranscriptError",
    "TurnLabels",
    "TurnScorer",
    "analyse",
    "evaluate",
    "load",
    "load_tasks",
    "read_transcripts",
    "score_files",
    "train",
    "write_transcripts",
]

__version__ = "0.1.0"

# These need pandas or scikit-learn, which a service that only labels turns should not have to load.
_ON_DEMAND = {
    "FunnelClassifier": "funnelnlp.training",
    "Tracker": "funnelnlp.conversations",
    "TurnScorer": "funnelnlp.batch",
    "analyse": "funnelnlp.conversations",
    "evaluate": "funnelnlp.training",
    "read_transcripts": "funnelnlp.transcripts",
    "score_files": "funnelnlp.batch",
    "train": "funnelnlp.training",
    "write_transcripts": "funnelnlp.transcripts",
}


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module 'funnelnlp' has no attribute {name!r}")


def load(path: str | Path | None = None, *, min_confidence: float = 0.0) -> Model:
    """Load a model.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A model folder made by ``funnelnlp train``; the bundled default model when not given.
    min_confidence : float, default 0
        Below this calibrated probability the model abstains: the label is ``""``, the confidence kept.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        When the folder is not a model, is damaged or too new. No code in it is ever run.
    FunnelError
        When ``min_confidence`` is not between 0 and 1.

    Examples
    --------
    >>> model = load()
    >>> [task.name for task in model.tasks]
    ['funnel_stage', 'question_type', 'spin_type', 'emotion_phase']
    """
    if not 0 <= min_confidence <= 1:
        raise FunnelError(f"min_confidence is a probability between 0 and 1, got {min_confidence}")
    model = _load_folder(bundled("models/default") if path is None else path)
    model.min_confidence = min_confidence
    return model
