"""Exceptions of the library: every one says what was wrong, where, and what to do next."""

from __future__ import annotations


class FunnelError(ValueError):
    """Base of all errors that funnelnlp raises on purpose."""


class TranscriptError(FunnelError):
    """A transcript file or frame that cannot be understood (file, row and accepted values are named)."""


class DamagedError(TranscriptError):
    """A transcript file that breaks off or cannot be read further."""


class TaxonomyError(FunnelError):
    """A task definition or a label outside it."""


class LabelError(TaxonomyError):
    """A cell of labelled data that holds no label.

    Parameters
    ----------
    position : int
        Of the row, from 0.
    where : str
        What a person finds the row by.
    problem : str
        What is wrong, and what is accepted.
    """

    def __init__(self, position: int, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.position = position
        self.problem = problem


class ModelError(FunnelError):
    """A model folder that is damaged, incomplete, too new or not a model at all."""
