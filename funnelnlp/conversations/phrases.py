"""Phrase patterns over turns as people wrote them: what is matched, and where in the raw text it stands."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from itertools import accumulate

from funnelnlp.errors import FunnelError
from funnelnlp.text.normalise import simplify

Span = tuple[int, int]

# "<time>" in a pattern stands for any of the phrases of that name; "(?P<name>…)" is left alone.
_SPLICE = re.compile(r"(?<!\?P)<([a-z_]+)>")
# What Cantonese writes with characters of its own stands for these, one for one.
_CANTONESE = dict(zip("係哋唔俾畀喺嘅咗嚟睇冇㗎佢咁嗰嘢啲搵嗌", "是们不给给在的了来看没的他这那事些找叫", strict=True))
_FOLDED = _CANTONESE | {"\n": " ", "\r": " ", "、": ",", "。": ".", "“": '"', "”": '"', "妳": "你", "祢": "你"}


def fold_all(texts: Sequence[str]) -> list[str]:
    """Return texts in half width, lower case and Simplified characters, each as long as it was.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    list of str
        Character ``i`` of a result stands for character ``i`` of its text; line breaks become spaces.

    Examples
    --------
    >>> fold_all(["請問ＶＩＰ怎麼退？"])
    ['请问vip怎么退?']
    """
    table: dict[int, str] = {}
    for char in set("".join(texts)):
        folded = _FOLDED.get(char) or unicodedata.normalize("NFKC", char).lower()
        if folded != char and len(folded) == 1:
            table[ord(char)] = folded if folded.isprintable() else " "
        elif not char.isprintable():
            table[ord(char)] = " "
    result = []
    for text in texts:
        translated = text.translate(table)
        simplified = simplify(translated)
        # A phrase that OpenCC makes longer or shorter would move every span after it.
        result.append(simplified if len(simplified) == len(text) else "".join(map(simplify, translated)))
    return [folded if len(folded) == len(text) else text.translate(table) for folded, text in zip(result, texts, strict=True)]


class Phrases:
    """Named lists of regular expressions that may use one another as ``<name>``.

    Parameters
    ----------
    table : mapping of str to sequence of str
    """

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self.table = table
        self._known: dict[str, str] = {}

    def with_more(self, table: Mapping[str, Sequence[str]]) -> Phrases:
        """Return phrases that have these expressions too, under old names or new ones."""
        both = {name: [*self.table.get(name, ()), *more] for name, more in table.items()}
        return Phrases({**self.table, **both})

    def expression(self, name: str) -> str:
        """Return one regular expression for all phrases of that name.

        Raises
        ------
        FunnelError
            When there is no such name, or it leads back to itself.
        """
        if name not in self._known:
            if name not in self.table:
                raise FunnelError(f"no phrases are called <{name}>; there are {sorted(self.table)}")
            self._known[name] = ""  # so that a circle is found
            self._known[name] = self.join(self.table[name])
        if not self._known[name]:
            raise FunnelError(f"the phrases <{name}> lead back to themselves")
        return self._known[name]

    def join(self, patterns: Sequence[str]) -> str:
        """Return one regular expression for any of the patterns."""
        return "(?:" + "|".join(_SPLICE.sub(lambda m: self.expression(m[1]), pattern) for pattern in patterns) + ")"

    def compile(self, patterns: Sequence[str]) -> re.Pattern[str]:
        """Return the compiled form of any of the patterns."""
        return re.compile(self.join(patterns), re.MULTILINE)


@cache
def bundled_phrases() -> Phrases:
    """Return the phrases that come with the library."""
    text = files("funnelnlp.conversations").joinpath("phrases.toml").read_text(encoding="utf-8")
    return Phrases(tomllib.loads(text))


class PhraseIndex:
    """Where phrases occur in many turns; every phrase list is looked for once, in all turns at a time.

    Parameters
    ----------
    texts : sequence of str
        Raw turns.
    phrases : Phrases
    """

    def __init__(self, texts: Sequence[str], phrases: Phrases) -> None:
        self.phrases = phrases
        self.folded = fold_all(texts)
        self._found: dict[tuple[str, ...], dict[int, list[Span]]] = {}

    @cached_property
    def _joined(self) -> tuple[str, list[int]]:
        starts = [0, *accumulate(len(text) + 1 for text in self.folded)]
        return "\n".join(self.folded), starts

    def find(self, patterns: Sequence[str]) -> dict[int, list[Span]]:
        """Return turn number → spans of all matches of any of the patterns."""
        key = tuple(patterns)
        if key not in self._found:
            text, starts = self._joined
            found: dict[int, list[Span]] = {}
            for match in self.phrases.compile(key).finditer(text):
                turn = bisect_right(starts, match.start()) - 1
                if match.end() > match.start():
                    found.setdefault(turn, []).append((match.start() - starts[turn], match.end() - starts[turn]))
            self._found[key] = found
        return self._found[key]
