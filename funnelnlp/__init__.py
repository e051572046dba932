"""Label every turn of Chinese customer-service conversations.

Funnel stage, question type, SPIN type and emotion phase from one linear model that explains itself.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelnlp.errors import FunnelError, ModelError, TaxonomyError, TranscriptError
from funnelnlp.model import Contribution, Explanation, Model, Tracker, TurnLabels
from funnelnlp.model import load as _load_folder
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS, Label, Task, load_tasks

if TYPE_CHECKING:
    from funnelnlp.batch import TurnScorer, score_files
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
    "TurnScorer": "funnelnlp.batch",
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


def load(path: str | Path | None = None) -> Model:
    """Load a model.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A model folder made by ``funnelnlp train``; the bundled default model when not given.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        When the folder is not a model, is damaged or too new. No code in it is ever run.

    Examples
    --------
    >>> model = load()
    >>> [task.name for task in model.tasks]
    ['funnel_stage', 'question_type', 'spin_type', 'emotion_phase']
    """
    return _load_folder(bundled("models/default") if path is None else path)
