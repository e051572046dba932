"""Where a raw text holds personal data: the placeholder rules, run with their places kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from funnelnlp.text.placeholders import CHAR, NAME_OF_CHAR, all_rules

_PERSONAL = {CHAR[name]: name for name in "编号 电话 证件号 银行卡 邮箱 车牌 链接 提及".split()}
_WORTH_A_LOOK = re.compile(
    r"[\d@]|://|[a-z]\.[a-z]|[零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖][ ,、]?[零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]"
)
_OWN = re.compile("[\ue000-\uf8ff\n]")


def _folded(text: str) -> str:
    """Fold width and case where that keeps every character in its place."""
    chars = [unicodedata.normalize("NFKC", char).lower() for char in text]
    return _OWN.sub("\x01", "".join(new if len(new) == 1 else old for new, old in zip(chars, text, strict=True)))


def personal_data(text: str) -> list[tuple[int, int, str]]:
    """Return where a raw text holds personal data.

    Order and account numbers, phone numbers, ID and bank cards, e-mail addresses, plates, links and @names
    are recognised by the rules of the placeholders; names and addresses in running text are not.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of (start, end, kind)
        In order, not overlapping; ``text[start:end]`` is of that kind (编号, 电话 …).

    Examples
    --------
    >>> personal_data("电话１２６５５０１３３８０，明天到")
    [(2, 13, '电话')]
    """
    line = _folded(text)
    if not _WORTH_A_LOOK.search(line):
        return []
    places = [(i, i + 1) for i in range(len(line))]
    for trigger, changes in all_rules():
        if trigger.search(line):
            for pattern, replacement in changes:
                line, places = _replace(pattern, replacement, line, places)
    return [(start, end, _PERSONAL[char]) for char, (start, end) in zip(line, places, strict=True) if char in _PERSONAL]


def _replace(
    pattern: re.Pattern[str], replacement: object, line: str, places: list[tuple[int, int]]
) -> tuple[str, list[tuple[int, int]]]:
    parts: list[str] = []
    kept: list[tuple[int, int]] = []
    done = 0
    for match in pattern.finditer(line):
        new = replacement(match) if callable(replacement) else str(replacement)
        # A rule may keep the words in front ("单号" + number) or everything.
        same = _common(match[0], new)
        start, end = match.start() + same, match.end()
        parts += [line[done:start], new[same:]]
        kept += places[done:start]
        if new[same:]:
            kept += [(places[start][0], places[end - 1][1])] * len(new[same:])
        done = end
    if not parts:
        return line, places
    return "".join([*parts, line[done:]]), kept + places[done:]


def _common(first: str, second: str) -> int:
    """Return how many characters two texts begin with alike."""
    for place, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return place
    return min(len(first), len(second))


def mask(text: str, spans: Sequence[tuple[int, int]] = ()) -> tuple[str, list[tuple[int, int]]]:
    """Replace personal data by its kind in angle brackets and move spans along.

    Parameters
    ----------
    text : str
    spans : sequence of (start, end)
        Parts of ``text``; one that begins or ends inside personal data is widened to all of it.

    Returns
    -------
    text : str
    spans : list of (start, end)
        The same parts in the masked text.

    Examples
    --------
    >>> mask("我的电话12655013380，快点", [(8, 18)])
    ('我的电话<电话>，快点', [(4, 11)])
    """
    found = personal_data(text)
    if not found:
        return text, list(spans)
    parts, starts, ends = [], list(range(len(text) + 1)), list(range(len(text) + 1))
    done = shift = 0
    for start, end, kind in found:
        shown = NAME_OF_CHAR[CHAR[kind]]
        parts += [text[done:start], shown]
        for place in range(done, start + 1):
            starts[place] = ends[place] = place + shift
        for place in range(start + 1, end):
            starts[place], ends[place] = start + shift, start + shift + len(shown)
        done, shift = end, shift + len(shown) - (end - start)
    for place in range(done, len(text) + 1):
        starts[place] = ends[place] = place + shift
    return "".join([*parts, text[done:]]), [(starts[start], ends[end]) for start, end in spans]
