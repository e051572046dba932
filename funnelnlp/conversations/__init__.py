"""Whole conversations: live tracking with events and advice, summaries, quality rules, figures over a log."""

from funnelnlp.conversations.advice import Advice
from funnelnlp.conversations.analytics import (
    drift,
    emotion_by_progress,
    emotion_flow,
    funnel,
    key_figures,
    question_mix,
    rule_hits,
    worklist,
)
from funnelnlp.conversations.events import Event
from funnelnlp.conversations.rules import Rules, read_rules
from funnelnlp.conversations.summary import Analysis, analyse
from funnelnlp.conversations.tracker import EmotionTrend, FunnelPosition, LiveTurn, Tracker

__all__ = [
    "Advice",
    "Analysis",
    "EmotionTrend",
    "Event",
    "FunnelPosition",
    "LiveTurn",
    "Rules",
    "Tracker",
    "analyse",
    "drift",
    "emotion_by_progress",
    "emotion_flow",
    "funnel",
    "key_figures",
    "question_mix",
    "read_rules",
    "rule_hits",
    "worklist",
]
