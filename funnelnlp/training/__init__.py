"""Training and evaluation; the only room that needs scikit-learn."""

from funnelnlp.training.check import Finding, check
from funnelnlp.training.estimator import FunnelClassifier
from funnelnlp.training.evaluation import agreement, evaluate, evaluate_predictions
from funnelnlp.training.fit import TrainingSettings, learning_curve, out_of_fold, train

__all__ = [
    "Finding",
    "FunnelClassifier",
    "TrainingSettings",
    "agreement",
    "check",
    "evaluate",
    "evaluate_predictions",
    "learning_curve",
    "out_of_fold",
    "train",
]
