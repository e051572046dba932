"""One normaliser for training, batches and single turns."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import cache

import opencc

from funnelnlp.text.placeholders import CHAR, emoticons, insert_placeholders

# Everything that has no glyph, and the private-use range that placeholders live in.
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\udfff\ue000-\uf8ff\ufeff]+"
)
# Variants that OpenCC leaves alone or maps differently by region, and punctuation that means the same.
_VARIANTS = {
    **dict(zip("著妳祢牠裏麽喫臺枱衞暱唸", "着你你它里么吃台台卫昵念", strict=True)),
    **dict.fromkeys("“”‘’「」『』'`", '"'),
    **dict(zip("【】〔〕〜—–‐−•", "[][]~----·", strict=True)),
}
# Blocks whose characters NFKC may change and that occur in chats; the Han blocks hold no such character.
_COMPATIBILITY = ((0xA8, 0xFF), (0x2010, 0x33FF), (0xF900, 0xFAFF), (0xFE10, 0xFFEF), (0x1F100, 0x1F1FF))
_PICTOGRAPHS = ((0x2300, 0x23FF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF))
_RARE = "〓"
_WORDS = (("甚么", "什么"), ("干吗", "干嘛"), ("𠮶", "嗰"))
# What lies beyond 16 bits and is no emoji is rare Han, partly made by OpenCC itself.
_BEYOND = re.compile("[\U00010000-\U0010ffff]+")
_PAUSE = re.compile(r",[ ,:|]+")
# Only what people do draw out; any character at all would need a back-reference at every place.
_DRAWN_OUT = re.compile(r"([a-z哈呵嘿嘻啊呀哦噢嗯呜喂唉哎诶嘛呢吧啦哇好快急滚退钱~+=#:])\1{2,}")

_local = threading.local()


@cache
def _folding() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of the characters to replace and what replaces them."""
    table = dict(_VARIANTS)
    for first, last in _COMPATIBILITY:
        for char in map(chr, range(first, last + 1)):
            folded = unicodedata.normalize("NFKC", char)
            if folded != char and char not in table:
                table[char] = "".join(_VARIANTS.get(c, c) for c in folded)
    emoji = emoticons()[0]
    for first, last in _PICTOGRAPHS:
        for char in map(chr, range(first, last + 1)):
            if char not in table:
                table[char] = emoji.get(char, CHAR["表情"])
    table.update(emoji)
    # Single characters beyond the BMP would make the class linear to search; one range keeps it a bitmap.
    return re.compile("[" + "".join(re.escape(c) for c in sorted(table) if c < "\U00010000") + "\U00010000-\U0010ffff]"), table


def _simplify(text: str) -> str:
    # A converter cannot be pickled and is not documented as thread-safe, so each thread makes its own.
    converter = getattr(_local, "converter", None)
    if converter is None:
        converter = _local.converter = opencc.OpenCC("t2s")
    return converter.convert(text)  # type: ignore[no-any-return]


def normalise_all(texts: Sequence[str]) -> list[str]:
    """Normalise many turns at once; element for element equal to `normalise`.

    Parameters
    ----------
    texts : sequence of str

    Returns
    -------
    list of str
        As long as ``texts``.
    """
    if not texts:
        return []
    pattern, table = _folding()
    joined = "\n".join([t if t.isprintable() else _INVISIBLE.sub(" ", t) for t in texts])
    joined = pattern.sub(lambda match: table.get(match[0], match[0]), joined).lower()
    joined = _simplify(joined)
    for variant, standard in _WORDS:
        joined = joined.replace(variant, standard)
    lines = _BEYOND.sub(_RARE, joined).split("\n")
    insert_placeholders(lines)
    joined = "\n".join(lines).replace("、", ",").replace(";", ",")
    while "  " in joined:
        joined = joined.replace("  ", " ")
    joined = _DRAWN_OUT.sub(r"\1\1", joined)
    joined = _PAUSE.sub(",", joined.replace(" ,", ",").replace(":,", ",").replace("|,", ","))
    return [line.strip(" ,.~").rstrip(" ,.。~") for line in joined.split("\n")]


def normalise(text: str) -> str:
    """Return the form of a turn that features are counted on.

    Width is folded (NFKC), Traditional characters become Simplified, line breaks and control characters
    become spaces, personal data, numbers and emoticons become typed placeholders, runs of punctuation
    become one mark each (！！！ and ？？？ and …… stay distinct from single marks).

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        One line. Placeholders are private-use characters; `readable` spells them out.

    Examples
    --------
    >>> normalise("請問  訂單什麼時候到？") == normalise("请问 订单什么时候到?")
    True
    """
    return normalise_all([text])[0]
