"""One normaliser for training, batches and single turns."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import opencc
from numpy.typing import NDArray

from funnelnlp.text.placeholders import ANY_DATA, CHAR, SIGNS, emoticons, insert_placeholders

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
# Other spellings, and slips of the keyboard that are no word of their own.
_WORDS = tuple(
    pair.split("→")
    for pair in (
        "甚么→什么 干吗→干嘛 𠮶→嗰 可已→可以 以经→已经 现再→现在 帐号→账号 帐户→账户 帐单→账单 登陆→登录 因该→应该 "
        "报歉→抱歉 须要→需要"
    ).split()
)
_ANY_VARIANT = re.compile("|".join(variant for variant, _ in _WORDS))
# Sounds before a turn begins; alone they are an answer.
_FILLERS = re.compile(r"^(?:(?:嗯+|呃+|额+|那个|就是说|就是)[, ]+)+(?=[^, ])", re.MULTILINE)
_FILLED = "嗯呃额那就"
# What lies beyond 16 bits and is no emoji is rare Han, partly made by OpenCC itself.
_BEYOND = re.compile("[\U00010000-\U0010ffff]+")
# GB 2312 is the Simplified character set; these of its characters are (also) Traditional spellings of others.
_ALSO_TRADITIONAL = re.compile("[乾吒夥後徵拚捱摺於榘菸薹袷醣麴麽瞭覆沈藉]")
_PAUSES = " ,:|"
_PAUSE = re.compile(f",[{_PAUSES}]+")
# Only what people do draw out; any character at all would need a back-reference at every place.
_DRAWN_OUT_CLASS = "[a-z哈呵嘿嘻啊呀哦噢嗯呜喂唉哎诶嘛呢吧啦哇好快急滚退钱~+=#:]"
_DRAWN_OUT = re.compile(rf"({_DRAWN_OUT_CLASS})\1{{2,}}")
_EDGES = " ,.~"
# From here on the tables of the shortcut cost less than what they save.
_MANY = 48

_local = threading.local()


@cache
def _folding() -> tuple[re.Pattern[str], dict[str, str]]:
    """Return a pattern of the characters to replace and what replaces them."""
    table = dict(_VARIANTS)
    for first, last in _COMPATIBILITY:
        for char in map(chr, range(first, last + 1)):
            if unicodedata.is_normalized("NFKC", char) or char in table:
                continue
            table[char] = "".join(_VARIANTS.get(c, c) for c in unicodedata.normalize("NFKC", char))
    emoji = emoticons()[0]
    for first, last in _PICTOGRAPHS:
        for char in map(chr, range(first, last + 1)):
            if char not in table:
                table[char] = emoji.get(char, CHAR["表情"])
    table.update(emoji)
    del table["…"]  # three full stops would make no difference, and cost a turn its short way
    # Single characters beyond the BMP would make the class linear to search; one range keeps it a bitmap.
    return re.compile("[" + "".join(re.escape(c) for c in sorted(table) if c < "\U00010000") + "\U00010000-\U0010ffff]"), table


def _maybe_traditional(text: str) -> bool:
    try:
        text.encode("gb2312")
    except UnicodeEncodeError:
        return True
    return _ALSO_TRADITIONAL.search(text) is not None


def simplify(text: str) -> str:
    """Return a text with its Traditional characters made Simplified."""
    # A converter cannot be pickled and is not documented as thread-safe, so each thread makes its own.
    converter = getattr(_local, "converter", None)
    if converter is None:
        converter = _local.converter = opencc.OpenCC("t2s")
    return converter.convert(text)  # type: ignore[no-any-return]


def _fold_width(text: str) -> str:
    """Fold width, variants and case."""
    pattern, table = _folding()
    return pattern.sub(lambda match: table.get(match[0], match[0]), text).lower()


def _fold_script(text: str) -> str:
    # Before what lies beyond 16 bits goes: one of these words does.
    return _BEYOND.sub(_RARE, _standard(simplify(text)))


def _fold(texts: Sequence[str]) -> list[str]:
    """Fold width, variants, case and script of visible turns."""
    lines = _fold_width("\n".join(texts)).split("\n")
    foreign = [i for i, line in enumerate(lines) if _maybe_traditional(line)]
    if foreign:
        simplified = _fold_script("\n".join([lines[i] for i in foreign]))
        for i, line in zip(foreign, simplified.split("\n"), strict=True):
            lines[i] = line
    return _standard("\n".join(lines)).split("\n")


def _standard(text: str) -> str:
    for variant, standard in _WORDS:
        text = text.replace(variant, standard)
    return text


def _clean(lines: list[str]) -> list[str]:
    """Put placeholders into folded turns and take out what punctuation and drawing out repeat."""
    insert_placeholders(lines)
    joined = _commas("\n".join(lines))
    while "  " in joined:
        joined = joined.replace("  ", " ")
    joined = _DRAWN_OUT.sub(r"\1\1", joined)
    joined = _PAUSE.sub(",", joined.replace(" ,", ",").replace(":,", ",").replace("|,", ","))
    return [_trim(line) for line in _FILLERS.sub("", joined).split("\n")]


def _commas(text: str) -> str:
    return text.replace("、", ",").replace(";", ",")


def _trim(line: str) -> str:
    return line.strip(_EDGES).rstrip(_EDGES + "。")


@cache
def _special() -> re.Pattern[str]:
    """Return what `_clean` has something to do for, besides commas and edges."""
    pauses = _PAUSES + "、;"
    beside = rf"[{SIGNS}][ ,、]?[{SIGNS}]|[{pauses}][{pauses}]"
    return re.compile(rf"^[{_FILLED}]|{ANY_DATA.pattern}|…|{beside}|({_DRAWN_OUT_CLASS})\1\1")


_HARD, _DATA, _SIGN, _SPACE, _DRAWN, _EDGE, _FILLER, _SLIP, _SLIPPED = (np.uint16(1 << bit) for bit in range(9))


@cache
def _shortcut() -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Return, by UTF-16 code unit, what it is folded to and what kinds of character that is.

    ``_HARD`` is what `_fold` has to look at in its surroundings; the other kinds are those that make a
    turn one for `_clean`, alone or beside each other.
    """
    pattern, table = _folding()
    units = [chr(c) for c in range(0x20, 0x10000) if not 0xD800 <= c < 0xE000]
    folded = pattern.sub(lambda match: table.get(match[0], match[0]), "\n".join(units)).lower().split("\n")
    becomes = np.arange(0x10000, dtype=np.uint16)
    kinds = np.zeros(0x10000, dtype=np.uint16)
    # What lies beyond 16 bits takes one unit here, so that units and characters of the folded text have the same places.
    becomes[0xD800:0xE000] = ord(_RARE)
    kinds[0xD800:0xE000] = _HARD
    easy = "".join(chr(c) for c in range(0x20, 0x7F))
    easy += bytes(b for high in range(0xA1, 0xF8) for low in range(0xA1, 0xFF) for b in (high, low)).decode("gb2312", "ignore")
    # A sigma's lower case depends on its place in the word.
    simple = set(easy) - set("Σσς") - set(_ALSO_TRADITIONAL.findall(easy))
    classes = (
        (_DATA, {*ANY_DATA.findall(easy), "…"}),
        (_SIGN, set(SIGNS)),
        (_SPACE, set(_PAUSES + "、;")),
        (_DRAWN, set(re.findall(_DRAWN_OUT_CLASS, easy))),
        (_EDGE, set(_EDGES + "。、;")),
        (_FILLER, set(_FILLED)),
        (_SLIP, {variant[0] for variant, _ in _WORDS}),
        (_SLIPPED, {variant[1:] for variant, _ in _WORDS}),
    )
    for unit, char in zip(units, folded, strict=True):
        code = ord(unit)
        if char not in simple:
            kinds[code] = _HARD
            continue
        becomes[code] = ord(char)
        for kind, members in classes:
            if char in members:
                kinds[code] |= kind
    return becomes, kinds


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
    visible = [t if t.isprintable() else _INVISIBLE.sub(" ", t) for t in texts]
    if len(visible) < _MANY:
        return _clean(_fold(visible)) if visible else []
    becomes, kinds_of = _shortcut()
    units = np.frombuffer(("\n".join(visible) + "\n").encode("utf-16-le"), dtype=np.uint16)
    folded = becomes[units]
    kinds = kinds_of[units]
    ends = np.flatnonzero(units == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    # Kinds that count only beside each other.
    beside = kinds[:-1] & kinds[1:] & (_SPACE | _SIGN)
    beside |= np.where(kinds[1:] & _SLIPPED, kinds[:-1] & _SLIP, 0)
    apart = kinds[:-2] & kinds[2:]
    beside[:-1] |= np.where(kinds[1:-1] & _SPACE, apart & _SIGN, 0)
    same = folded[:-1] == folded[1:]
    beside[:-1] |= np.where(same[:-1] & same[1:], apart & _DRAWN, 0)
    special = kinds & (_HARD | _DATA)
    special[:-1] |= beside
    filled = kinds[starts] & _FILLER
    for length in (1, 2, 3):  # of a filler, before the pause that ends it
        special[starts] |= np.where(kinds[np.minimum(starts + length, len(kinds) - 1)] & _SPACE, filled, 0)
    special = np.bitwise_or.reduceat(special, starts)
    text = folded.tobytes().decode("utf-16-le")
    lines = _commas(text).split("\n")[:-1]
    slips = np.flatnonzero(special & _SLIP).tolist()
    for i in slips:
        lines[i] = _standard(lines[i])
    special &= ~_SLIP
    edges = (kinds[starts] | kinds[np.maximum(ends - 1, 0)]) & _EDGE
    for i in np.flatnonzero((special == 0) & (edges != 0)).tolist():
        lines[i] = _trim(lines[i])
    worked = np.flatnonzero(special).tolist()
    uncommon = {i: text[start:end] for i, start, end in zip(worked, starts[worked].tolist(), ends[worked].tolist(), strict=True)}
    for i in uncommon.keys() & slips:
        uncommon[i] = _standard(uncommon[i])
    hard = np.flatnonzero(special & _HARD).tolist()
    uncommon.update(zip(hard, _fold([visible[i] for i in hard]) if hard else (), strict=True))
    for i, line in zip(uncommon, _clean(list(uncommon.values())) if uncommon else (), strict=True):
        lines[i] = line
    return lines


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
    folded = _fold_width(text if text.isprintable() else _INVISIBLE.sub(" ", text))
    if _maybe_traditional(folded):
        folded = _fold_script(folded)
    if _ANY_VARIANT.search(folded):
        folded = _standard(folded)
    return _clean([folded])[0] if _special().search(folded) else _trim(_commas(folded))
