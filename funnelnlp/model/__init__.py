"""Weights, labels, explanations and the model folder; inference needs NumPy and the text room only."""

from funnelnlp.model.labels import Contribution, Explanation, TurnLabels
from funnelnlp.model.model import Model
from funnelnlp.model.persistence import FORMAT, load, save
from funnelnlp.model.tracker import TurnTracker
from funnelnlp.model.weights import Weights

__all__ = ["FORMAT", "Contribution", "Explanation", "Model", "TurnLabels", "TurnTracker", "Weights", "load", "save"]
