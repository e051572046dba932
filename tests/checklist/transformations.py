"""Rewritings of the turns of one conversation that change no label.

Each is a function ``(turns, rng) -> turns`` over the texts of a conversation in their order, and needs nothing but
the standard library (and OpenCC for scripts), so that it can rewrite training data as well.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

import opencc

Transformation = Callable[[Sequence[str], random.Random], list[str]]

_HAN = re.compile(r"[\u4e00-\u9fff]")
_BETWEEN_HAN = re.compile(r"(?<=[\u4e00-\u9fff])(?=[\u4e00-\u9fff])")


def each_turn(rewrite: Callable[[str, random.Random], str]) -> Transformation:
    """Lift a rewriting of one turn to the turns of a conversation."""
    return lambda turns, rng: [rewrite(turn, rng) for turn in turns]


def script(configuration: str) -> Transformation:
    """Return the conversion of an OpenCC configuration such as ``s2tw``."""
    converter = opencc.OpenCC(configuration)
    return lambda turns, rng: [converter.convert(turn) for turn in turns]


_TO_FULL = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_TO_HALF = {full: half for half, full in _TO_FULL.items()} | str.maketrans("。、【】“”", '.,[]""')


def full_width(text: str, rng: random.Random) -> str:
    return text.translate(_TO_FULL)


def half_width(text: str, rng: random.Random) -> str:
    return text.translate(_TO_HALF)


def drop_full_stop(text: str, rng: random.Random) -> str:
    return re.sub(r"(?<=[^\W_])[。.]\s*$", "", text)


def add_full_stop(text: str, rng: random.Random) -> str:
    return text + "。" if re.search(r"[^\W_]$", text) else text


def remove_punctuation(text: str, rng: random.Random) -> str:
    """As a speech recogniser without punctuation would write it; marks inside numbers stay."""
    bare = re.sub(r"[，。！？、]|(?<!\d)[,!?]|[,!?](?!\d)|(?<=[\u4e00-\u9fff])\.", "", text)
    return bare if bare.strip() else text


def swap_emoticons(groups: Mapping[str, Sequence[str]]) -> Transformation:
    """Return a transformation that replaces emoji and bracket emoticons by others of their mood.

    ``groups`` maps a mood to its members; a member of one character is an emoji, a longer one stands between brackets.
    """

    def written(member: str) -> str:
        return member if len(member) == 1 and not _HAN.match(member) else f"[{member}]"

    mood = {}
    for members in groups.values():
        for member in members:
            mood[written(member)] = [written(other) for other in members if other != member]
    pattern = re.compile("|".join(map(re.escape, sorted(mood, key=len, reverse=True))))
    return each_turn(lambda text, rng: pattern.sub(lambda match: rng.choice(mood[match[0]]), text))


# Numbers that name whom the customer will call are words.
_PUBLIC = r"(?!(?:123\d\d|12[0-2]|11[09]|1000\d|10086|10010|400-?\d{3}-?\d{4})(?!\d))"
_PHONE = rf"(?<![A-Za-z\d-]){_PUBLIC}1\d{{10}}(?![A-Za-z\d-])"
_CODE = rf"(?<![A-Za-z\d.-]){_PUBLIC}(?:[A-Z]{{2}})?\d{{6,}}(?![A-Za-z\d.-])"
_AMOUNT = r"(?<![A-Za-z\d.])\d+(?:\.\d+)?(?=元|块)"
_PLAIN = rf"(?<![A-Za-z\d.:：/*+#_-]){_PUBLIC}\d+(?:\.\d+)?(?![A-Za-z\d.:：/*+#_%％月日号点年-])"
# "[订单]" without the x is a card that the chat shows, not a masked number.
_MASK = re.compile(
    r"\[(?:(数字|订单|编号|单号|电话|手机号|金额|价格|时间|日期|链接|地址)x"
    r"|(订单号|手机号|数字|电话|姓名|金额|日期))\](?=(元|块)?)"
)
_BRACKETS = r"\[[^\[\]]*\]|https?://\S+|@\S+"


def _digits(rng: random.Random, length: int) -> str:
    return str(rng.randint(1, 9)) + "".join(rng.choices("0123456789", k=length - 1))


def _unmasked(kind: str, before_unit: bool, rng: random.Random) -> str:
    match kind:
        case "数字":
            return _digits(rng, rng.randint(2, 4))
        case "订单" | "订单号" | "编号" | "单号":
            return _digits(rng, 16)
        case "电话" | "手机号":
            return "1" + _digits(rng, 10)
        case "金额" | "价格":
            return _digits(rng, rng.randint(2, 3)) + ("" if before_unit else "元")
        case "时间":
            return f"{rng.randint(8, 21)}点{rng.randint(10, 59)}"
        case "日期":
            return f"{rng.randint(1, 12)}月{rng.randint(1, 28)}日"
        case "链接":
            return f"https://item.example.com/{_digits(rng, 9)}.html"
        case "地址":
            return f"{rng.choice(['柳荫', '石桥', '文昌', '东湖'])}路{rng.randint(2, 300)}号"
        case _:
            return rng.choice("李婷 王建国 陈晓敏 赵磊 周雨欣 孙浩".split())


def unmask_numbers(text: str, rng: random.Random) -> str:
    """Replace masks such as ``[数字x]``, ``[订单号]`` and ``[姓名]`` by plausible values."""
    return _MASK.sub(lambda match: _unmasked(match[1] or match[2], match[3] is not None, rng), text)


def mask_numbers(text: str, rng: random.Random) -> str:
    """Replace phone numbers, codes, amounts and plain numbers by masks; dates, times and models stay."""

    def mask(match: re.Match[str]) -> str:
        names = ("电话", "订单号", "金额x", "数字x")
        return next((f"[{name}]" for name, found in zip(names, match.groups(), strict=True) if found), match[0])

    return re.sub(rf"{_BRACKETS}|({_PHONE})|({_CODE})|({_AMOUNT}(?:元|块))|({_PLAIN})", mask, text)


def renumber(text: str, rng: random.Random) -> str:
    """Replace phone numbers, codes and amounts by others of the same length."""

    def other(match: re.Match[str]) -> str:
        if not any(match.groups()):
            return match[0]
        return re.sub(r"\d", lambda digit: str(rng.randint(0 if digit.start() else 1, 9)), match[0])

    return re.sub(rf"{_BRACKETS}|({_PHONE})|({_CODE})|({_AMOUNT})", other, text)


def _swap(pattern: re.Pattern[str], substitutes: Sequence[str]) -> Transformation:
    def swap(turns: Sequence[str], rng: random.Random) -> list[str]:
        chosen: dict[str, str] = {}

        def substitute(match: re.Match[str]) -> str:
            if match[0] not in chosen:
                chosen[match[0]] = rng.choice(substitutes)
            return chosen[match[0]]

        return [pattern.sub(substitute, turn) for turn in turns]

    return swap


def swap_words(words: Sequence[str], substitutes: Sequence[str]) -> Transformation:
    """Return a transformation that gives each of ``words`` one substitute throughout a conversation."""
    return _swap(re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True)))), substitutes)


def swap_surnames(people: Mapping[str, str], surnames: Sequence[str]) -> Transformation:
    """Return a transformation that gives each surname before its title (``{"先生": "逯 仇"}``) another one."""
    before_title = (rf"[{''.join(names.split())}](?={title})" for title, names in people.items())
    return _swap(re.compile("|".join(before_title)), surnames)


FILLERS = ("嗯", "呃", "那个", "就是说", "嗯那个", "呃就是")


def add_filler(text: str, rng: random.Random) -> str:
    if not _HAN.search(text):
        return text
    return rng.choice(FILLERS) + ("，" if re.search("[，,。]", text) else " ") + text


# What input methods and tired eyes confuse; nothing here turns a statement into a question or back.
TYPOS = dict(
    pair.split("/")
    for pair in (
        "现在/现再 再见/在见 已经/以经 可以/可已 账号/帐号 账户/帐户 到账/到帐 账单/帐单 做/作 作/做 在/再 再/在 的/得 "
        "得/的 登录/登陆 登陆/登录 联系/连系 抱歉/报歉 辛苦/幸苦 因为/应为 应该/因该 订单/定单 预订/预定 收货/收获 "
        "投诉/投拆 垃圾/拉圾 一直/一只 师傅/师父 座/坐 坐/座 像/象 需要/须要 等候/等侯 稍候/稍侯 拨打/拔打 详细/祥细 "
        "安装/按装 反映/反应 反应/反映 按照/安照 竟然/尽然 必须/必需 账/帐 帐/账"
    ).split()
)
# The particle 地, not the ground: after an adverb and before what it qualifies.
_TYPO = re.compile("|".join(sorted(TYPOS, key=len, reverse=True)) + "|(?<=[快慢好速续心真白般样断停])地(?=[\u4e00-\u9fff])")


def add_typo(text: str, rng: random.Random) -> str:
    """Make one of the confusions of `TYPOS`, at a place taken at random."""
    places = list(_TYPO.finditer(text))
    if not places:
        return text
    place = rng.choice(places)
    return text[: place.start()] + TYPOS.get(place[0], "的") + text[place.end() :]


def add_white_space(text: str, rng: random.Random) -> str:
    """Put white space of all kinds at the ends, after punctuation and in place of blanks."""
    kinds = (" ", "  ", "\u3000", "\t", "\n", "\xa0")
    spaced = re.sub(r"(?<=[，。！？,!?])| +", lambda match: rng.choice(kinds), text)
    return rng.choice(kinds) + spaced + rng.choice(kinds)


def split_word(text: str, rng: random.Random) -> str:
    """Put one blank between two Chinese characters, at a place taken at random."""
    places = [match.start() for match in _BETWEEN_HAN.finditer(text)]
    if not places:
        return text
    place = rng.choice(places)
    return text[:place] + " " + text[place:]


def repeat_particle(text: str, rng: random.Random) -> str:
    return re.sub(r"([了吗呢吧啊呀哦嘛啦哈])(?=[。！？!?.~～ ]*$)", r"\1\1", text)


def add_politeness(text: str, rng: random.Random) -> str:
    if not _HAN.search(text) or re.match(r"亲|[您你]们?好|尊敬|hi|hello", text, re.IGNORECASE):
        return text
    return rng.choice(("亲，", "您好，", "你好，")) + text
