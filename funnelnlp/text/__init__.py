"""Normalising, typed placeholders for personal data, tokenising and lexicons."""

from funnelnlp.text.lexicons import Lexicons, read_lexicons
from funnelnlp.text.masking import mask, personal_data
from funnelnlp.text.normalise import normalise, normalise_all
from funnelnlp.text.placeholders import NAME_OF_CHAR, readable
from funnelnlp.text.tokenise import Tokeniser, read_user_dictionary

__all__ = [
    "NAME_OF_CHAR",
    "Lexicons",
    "Tokeniser",
    "mask",
    "normalise",
    "normalise_all",
    "personal_data",
    "read_lexicons",
    "read_user_dictionary",
    "readable",
]
