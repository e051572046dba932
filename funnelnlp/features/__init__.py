"""A turn in its context becomes sparse features; the same code for fitting, batches and single turns."""

from funnelnlp.features.conversation import Layout, Position, lay_out
from funnelnlp.features.encoder import EncoderSettings, Rows, TurnEncoder
from funnelnlp.features.structure import STRUCTURE_NAMES, structure_matrix, structure_of

__all__ = [
    "STRUCTURE_NAMES",
    "EncoderSettings",
    "Layout",
    "Position",
    "Rows",
    "TurnEncoder",
    "lay_out",
    "structure_matrix",
    "structure_of",
]
