"""Scoring in bulk: one picklable callable for one process, for many, and for clusters; files of any size."""

from funnelnlp.batch.files import Scored, score_files
from funnelnlp.batch.scorer import TurnScorer, buckets

__all__ = ["Scored", "TurnScorer", "buckets", "score_files"]
