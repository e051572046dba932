"""A turn in its context becomes sparse features; the same code for fitting, batches and single turns."""

from funnelnlp.features.conversation import Layout, Position, lay_out
from funnelnlp.features.encoder import Encoded, EncodedTurn, EncoderSettings, Ragged, TurnEncoder
from funnelnlp.features.structure import STRUCTURE_NAMES, structure_matrix

__all__ = [
    "STRUCTURE_NAMES",
    "Encoded",
    "EncodedTurn",
    "EncoderSettings",
    "Layout",
    "Position",
    "Ragged",
    "TurnEncoder",
    "lay_out",
    "structure_matrix",
]
