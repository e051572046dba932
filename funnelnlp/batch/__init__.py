"""Scoring in bulk: one picklable callable for one process, for many, and for clusters."""

from funnelnlp.batch.scorer import TurnScorer, buckets, label_in_parts

__all__ = ["TurnScorer", "buckets", "label_in_parts"]
