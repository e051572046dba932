"""Lexicons: plain-text lists of phrases per class, one file a class, which become features."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from funnelnlp.errors import FunnelError
from funnelnlp.text.normalise import normalise_all

MAX_LENGTH = 8


class Lexicons:
    """Phrases by class, normalised the way turns are; made by `from_phrases` or `read_lexicons`.

    Parameters
    ----------
    classes : mapping of str to iterable of str
        Class name → normalised phrases.

    Attributes
    ----------
    names : tuple of str
        The classes.
    of_phrase : dict of str to tuple of int
        Phrase → places of its classes in ``names``.

    Examples
    --------
    >>> Lexicons.from_phrases({"thanks": ["谢谢", "感謝"]}).of_phrase
    {'感谢': (0,), '谢谢': (0,)}
    """

    def __init__(self, classes: Mapping[str, Iterable[str]]) -> None:
        self.classes = {name: tuple(sorted(set(phrases))) for name, phrases in sorted(classes.items())}
        self.names = tuple(self.classes)
        self.of_phrase: dict[str, tuple[int, ...]] = {}
        # Tens of thousands of phrases share some hundred combinations of classes.
        shared: dict[tuple[int, ...], tuple[int, ...]] = {}
        for index, name in enumerate(self.names):
            for phrase in self.classes[name]:
                both = (*self.of_phrase.get(phrase, ()), index)
                self.of_phrase[phrase] = shared.setdefault(both, both)

    @classmethod
    def from_phrases(cls, classes: Mapping[str, Iterable[str]]) -> Lexicons:
        """Normalise phrases as people write them.

        Parameters
        ----------
        classes : mapping of str to iterable of str
            Class name → phrases. A phrase of more than eight characters after normalising is refused:
            longer ones are found more reliably by two short entries.

        Raises
        ------
        FunnelError
            For a phrase that is empty or too long after normalising.
        """
        normalised: dict[str, list[str]] = {}
        for name, phrases in classes.items():
            originals = list(phrases)
            normalised[name] = normalise_all(originals)
            for original, phrase in zip(originals, normalised[name], strict=True):
                if not phrase or len(phrase) > MAX_LENGTH:
                    raise FunnelError(f"lexicon {name!r}: {original!r} must have 1 to {MAX_LENGTH} characters after normalising")
        return cls(normalised)

    @property
    def digest(self) -> str:
        """SHA-256 over all classes and phrases."""
        text = "\n".join(f"{name}\t{' '.join(phrases)}" for name, phrases in self.classes.items())
        return hashlib.sha256(text.encode()).hexdigest()


def read_lexicons(folder: str | Path) -> Lexicons:
    """Read every ``*.txt`` of a folder: the file name is the class, one phrase a line, ``#`` comments.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    Lexicons

    Raises
    ------
    FunnelError
        When the folder has no lexicon, or a file is not UTF-8 text.
    """
    files = sorted(Path(folder).glob("*.txt"))
    if not files:
        raise FunnelError(f"{folder}: no lexicon (*.txt) there")
    classes: dict[str, list[str]] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise FunnelError(f"lexicon {file}: not UTF-8 text ({error})") from None
        classes[file.stem] = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return Lexicons.from_phrases(classes)
