"""Training and evaluation; the only room that needs scikit-learn."""

from funnelnlp.training.check import Finding, check
from funnelnlp.training.comparison import compare, compare_predictions
from funnelnlp.training.estimator import FunnelClassifier
from funnelnlp.training.evaluation import agreement, cross_validate, evaluate, evaluate_predictions, measure
from funnelnlp.training.fit import TrainingSettings, learning_curve, out_of_fold, train
from funnelnlp.training.mistakes import mistakes
from funnelnlp.training.plots import draw_plots
from funnelnlp.training.predictions import Predictions, cross_predict, predict

__all__ = [
    "Finding",
    "FunnelClassifier",
    "Predictions",
    "TrainingSettings",
    "agreement",
    "check",
    "compare",
    "compare_predictions",
    "cross_predict",
    "cross_validate",
    "draw_plots",
    "evaluate",
    "evaluate_predictions",
    "learning_curve",
    "measure",
    "mistakes",
    "out_of_fold",
    "predict",
    "train",
]
