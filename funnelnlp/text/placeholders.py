"""Typed placeholders: what must not reach a model file, and what must not be cut by the tokeniser.

Order numbers, phones, cards, e-mails, plates, amounts, times, links, names and emoticons become one
private-use character each. One character cannot be split by a tokeniser or mistaken for a word, and
personal data is gone before any feature is counted. Masks that logs already contain
(``[数字x]``, ``[姓名]``, ``***``) become the same placeholders as the real thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

# The order is part of the model format: append, never insert.
NAMES = (
    "编号 电话 证件号 银行卡 邮箱 车牌 金额 时间 链接 提及 数字 姓名 地址 掩码 图片 语音 文件 卡片 "
    "叹号串 问号串 问叹串 省略号 热线 表情 joy laugh love approve sad awkward angry"
).split()
_FIRST = 0xE000
CHAR = {name: chr(_FIRST + i) for i, name in enumerate(NAMES)}
NAME_OF_CHAR = {char: f"<{name}>" for name, char in CHAR.items()}

# Public short numbers mean something (whom the customer will call), so they stay words.
_KEPT_NUMBERS = frozenset(
    "12315 12345 12300 12321 12378 12386 12363 12388 12328 12333 12366 12318 12371 12306 12358 12369 "
    "12320 96315 315 110 119 120 122 404 502 503 500".split()
)

_MEDIA = {
    "图片": "图片 截图 照片 视频 image img 相册 图 短视频 screenshot 圖片 截圖",
    "语音": "语音 语音消息 voice 语音通话 視訊 語音",
    "文件": "文件 附件 file pdf 文档 档案",
    "卡片": "卡片 订单卡片 商品卡片 商品链接 小程序 订单链接 名片 位置 定位 转账 红包 订单 商品 聊天记录",
    "链接": "链接 url 网址 连接 link url链接 网页链接",
    "表情": "表情 动画表情 动态表情 表情包 贴图 貼圖",
}
_MASKS = {
    "数字": "数字 number num 数量 年龄 百分比",
    "姓名": "姓名 人名 名字 name 客户姓名 收货人",
    "编号": "订单 订单号 单号 运单号 编号 工号 order 服务单 订单编号 账号 卡密 id 快递单号 帐号",
    "电话": "电话 手机号 手机 号码 phone 联系电话 电话号码 手机号码 tel",
    "证件号": "身份证 身份证号 证件号",
    "银行卡": "银行卡 卡号 银行卡号",
    "邮箱": "邮箱 email",
    "地址": "地址 地点 address 地区 站点 城市 小区",
    "时间": "时间 日期 date time",
    "金额": "金额 价格 money price 钱",
    "链接": "网址链接 url",
    "车牌": "车牌 车牌号",
    "掩码": "敏感词 脱敏 mask 隐去 已隐藏",
}

_HOTLINE = re.compile(r"(?:10|12|95|96)\d{3,4}")
_PLATE_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_SPOKEN_DIGIT = "零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖"


@cache
def emoticons() -> tuple[dict[str, str], dict[str, str]]:
    """Return (emoji → placeholder, bracket content → placeholder) from the bundled list."""
    emoji: dict[str, str] = {}
    bracket: dict[str, str] = {}
    listing = Path(__file__).with_name("emoticons.txt").read_text(encoding="utf-8")
    for line in listing.splitlines():
        if line and not line.startswith("#"):
            group, members = line.split("\t")
            for member in members.split():
                if len(member) == 1 and ord(member) > 0x2000 and not "一" <= member <= "鿿":
                    emoji[member] = CHAR[group]
                else:
                    bracket[member] = CHAR[group]
    for skin_or_variation in (*range(0x1F3FB, 0x1F400), 0xFE0E, 0xFE0F, 0x20E3):
        emoji[chr(skin_or_variation)] = ""
    # "[订单]" is a card that the chat shows, "[订单x]" a number that somebody masked.
    masks = {word: CHAR[name] for name, words in _MASKS.items() for word in words.split()}
    media = {word: CHAR[name] for name, words in _MEDIA.items() for word in words.split()}
    masked = {f"{word}x": char for word, char in {**media, **masks}.items()}
    bracket = {**masked, **masks, **media, **bracket}
    return emoji, bracket


def _bracket(match: re.Match[str]) -> str:
    return emoticons()[1].get(match[1].strip(), match[0])


def _shouting(match: re.Match[str]) -> str:
    run = match[0]
    return CHAR["叹号串" if "?" not in run else "问号串" if "!" not in run else "问叹串"]


def _number(match: re.Match[str]) -> str:
    number = match[0]
    if len(number) < 3:
        return CHAR["数字"]
    if number in _KEPT_NUMBERS:
        return number
    return CHAR["热线" if _HOTLINE.fullmatch(number) else "数字"]


_N, _T = CHAR["数字"], CHAR["时间"]
_Replacement = str | Callable[[re.Match[str]], str]
# What a line must hold, and what is then replaced in it by what.
_Rule = tuple[re.Pattern[str], tuple[tuple[re.Pattern[str], _Replacement], ...]]
_RuleText = tuple[str, *tuple[tuple[str, _Replacement], ...]]


@cache
def _compiled(rules: tuple[_RuleText, ...]) -> tuple[_Rule, ...]:
    """Compile rules when the first line needs them: that takes longer than labelling a hundred turns."""
    return tuple((re.compile(trigger), tuple((re.compile(p), new) for p, new in changes)) for trigger, *changes in rules)


# Text is lower-case, half-width and Simplified when these run, in this order; none may cross a line break. Most turns
# hold nothing of the kind, so a rule looks only at the lines that its trigger finds, and most rules only at lines that
# hold a digit, a Latin letter or a sign of their own at all. Triggers and the rules for numbers start with a character
# class, look back after it and repeat no groups: that is what the regular-expression engine searches for fastest.
ANY_DATA = re.compile(rf"[\d{_N}a-z@#*\[]")
_MARK_RULES = (
    ("#e-", (r"#e-[a-z](?:\d+|\[[^\[\]\n]{1,6}\])(?:#e-[a-z](?:\d+|\[[^\[\]\n]{1,6}\]))*", CHAR["表情"])),
    (r"\[", (r"\[([^\[\]\n]{1,12})\]", _bracket)),
    (
        "@ ?[a-z0-9-]{1,63}[.,]",
        (
            r"(?<![a-z0-9._%+-])(?:[a-z0-9._%+-]{1,64}|[\u4e00-\u9fff]{1,4}) ?@ ?[a-z0-9-]{1,63}(?:[.,][a-z0-9-]{1,63})+",
            CHAR["邮箱"],
        ),
    ),
    (
        r"[.:](?:(?<=[a-z].)[a-z]|(?<=:)//)",
        (
            r"(?:https?://|www\.)[!-~\ue000-\ue01f]+(?:/[^\s,，。；;、()（）\"<>]+)?"
            r"|(?<![a-z0-9.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,5}"
            r"\.(?:com|cn|net|org|tw|hk|io|me|tv|vip|top|cc|info|xyz|site|shop)(?![a-z])(?:[/?#:][!-~]*)?",
            CHAR["链接"],
        ),
    ),
    ("@", (r"@[\w-]{1,16}?(?:客服|官方微博|官微|官方|小助手)(?![\u4e00-\u9fff]{0,2}部)|@[\w-]{1,16}", CHAR["提及"])),
)
_ANY_NUMBER = re.compile(rf"[\d{_N}{_T}]")
_NUMBER_RULES = (
    (
        r"\d[ -]?[\da-z*][ -]?[\da-z*][ -]?[\da-z*]",
        (rf"[{_PLATE_PROVINCES}][a-z][·•. ]?(?=[a-z]*\d)[a-z0-9]{{4,5}}[a-z0-9警学挂港澳](?![a-z0-9])", CHAR["车牌"]),
        (r"\d(?<![a-z0-9].)(?:\d{16}[\dx]|\d{5}[ -]\d{8}[ -]\d{3}[\dx]|\d{5}\*{4,8}\d{2,3}[\dx])(?![a-z0-9])", CHAR["证件号"]),
        (
            r"\d(?:(?<![a-z0-9].)\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}(?:[ -]?\d{3})??(?![a-z0-9])|\d{3}[ *]{4,12}\d{4})",
            CHAR["银行卡"],
        ),
        (
            r"[+\d](?:(?<![a-z0-9.].)(?:(?<=1)|(?<=8)6[ -]?1|(?<=\+)86[ -]?1)\d{2}[ -]?(?:\d{4}|\*{4})[ -]?(?:\d{4}|\*{4})"
            r"(?![a-z0-9])|(?<!\d.)(?:(?<=0)\d{2,3}-?\d{7,8}|(?<=[48])00-?\d{3}-?\d{4}|(?<=0)9\d{2}-?\d{3}-?\d{3})(?!\d))",
            CHAR["电话"],
        ),
    ),
    (
        r"[¥￥$元块毛金币bd]",
        (
            rf"[¥￥$rhn\d{_N}](?:(?:(?<=[¥￥$])|(?<=r)mb|(?<=h)k\$|(?<=n)t\$) ?[\d{_N}]++(?:[,.]\d++)*+(?:万|w|k)?"
            rf"|(?<=[\d{_N}])(?<![\d{_N},.].)[\d{_N}]*+(?:[,.]\d++)*+ ?"
            r"(?:万元|块钱|元钱|元|块|毛钱|rmb|美元|美金|港币|台币|欧元|usd)(?!素))",
            CHAR["金额"],
        ),
    ),
    (
        r"[-/.年月:点日号](?<=\d.)",
        (
            r"\d(?<!\d\d)(?:\d{1,3}[-/.年] ?\d{1,2}[-/.月] ?\d{1,2}[日号]?(?!\d)|\d{3}年(?:\d{1,2}月)?"
            r"|\d?(?:月(?:\d{1,2}[日号]?|份)?|:\d{2}(?::\d{2})?(?!\d)|点(?:半|\d{1,2}分?|钟)?|[日号](?![\d线楼店])))",
            _T,
        ),
    ),
    (_T, (rf"{_T}(?: ?[-~到至]? ?{_T})+", _T)),
    (r"[ -](?<=\d{3}.)\d{3}", (r"(?<![a-z0-9])\d{3,}+(?:[ -]\d{3,}+)+(?![a-z0-9])", CHAR["编号"])),
    (
        r"\d[a-z_-]*\d[a-z_-]*\d[a-z_-]*\d[a-z_-]*\d",
        (r"(?<![a-z0-9_-])(?=[a-z_-]*(?:\d[a-z_-]*){5})[a-z0-9_-]{6,}", CHAR["编号"]),
    ),
    (
        r"[号信xq][:是为 ]{0,3}[a-z_-]{0,20}\d",
        (
            r"((?:订单|运单|快递单|工|服务)单?号[:是为 ]{0,3}|(?:微信号?|wx|vx|qq号?|q号)[:是为 ]{0,3})"
            r"(?=[a-z_-]{0,20}\d)[a-z0-9_-]{4,}",
            lambda m: m[1] + CHAR["编号"],
        ),
    ),
    (r"\d", (r"\d(?<![a-z0-9.]\d)\d*+(?:[.,]\d++)*+%?(?![a-z0-9])", _number)),
)
SIGNS = rf"{_SPOKEN_DIGIT}么*x!?.。·・_-"
_SIGN_TRIGGER = re.compile(rf"[…{SIGNS}](?:(?<=…)|[ ,、]?[{SIGNS}])")
_SIGN_RULES = (
    # OpenCC's Taiwan variant writes the spoken digit 幺 as 么; only its neighbours tell the two apart.
    ("么", (rf"(?<=[{_SPOKEN_DIGIT}])么+|(?<![什怎这那多要])么+(?=[{_SPOKEN_DIGIT}])", lambda m: "幺" * len(m[0]))),
    (rf"[{_SPOKEN_DIGIT}]", (rf"[{_SPOKEN_DIGIT}](?:[ ,、]?[{_SPOKEN_DIGIT}]){{4,}}", CHAR["编号"])),
    (r"[*x]", (r"\*{2,}|(?<![a-z])x{3,}(?![a-z])", CHAR["掩码"])),
    (r"[!?]", (r"[!?](?: ?[!?])+", _shouting)),
    (r"[.。…·・_-]", (r"[.。]{2,}…*|…+|[·・]{3,}|-{3,}|_{2,}", CHAR["省略号"])),
)


def all_rules() -> tuple[_Rule, ...]:
    """Return what must trigger a rule and what it replaces, in the order of the rules."""
    return _compiled((*_MARK_RULES, *_NUMBER_RULES, *_SIGN_RULES))


def insert_placeholders(lines: list[str]) -> None:
    """Put typed placeholders for data and emoticons into ``lines``, in place.

    Parameters
    ----------
    lines : list of str
        One folded, lower-case, Simplified turn each. Phone numbers, order numbers, amounts, emoticons …
        become one private-use character each.
    """
    marked = [i for i, line in enumerate(lines) if ANY_DATA.search(line)]
    _apply(_MARK_RULES, lines, marked)
    _apply(_NUMBER_RULES, lines, [i for i in marked if _ANY_NUMBER.search(lines[i])])
    _apply(_SIGN_RULES, lines, [i for i, line in enumerate(lines) if _SIGN_TRIGGER.search(line)])


def _apply(rules: tuple[_RuleText, ...], lines: list[str], candidates: list[int]) -> None:
    if not candidates:
        return
    for trigger, changes in _compiled(rules):
        search = trigger.search
        found = [i for i in candidates if search(lines[i])]
        if found:
            text = "\n".join([lines[i] for i in found])
            for pattern, replacement in changes:
                text = pattern.sub(replacement, text)
            for i, line in zip(found, text.split("\n"), strict=True):
                lines[i] = line


def readable(text: str) -> str:
    """Return ``text`` with placeholder characters spelled out.

    Examples
    --------
    >>> from funnelnlp.text import normalise
    >>> readable(normalise("订单号 20231107112，電話12655013380！！！"))
    '订单号 <编号>,电话<电话><叹号串>'
    """
    return "".join(NAME_OF_CHAR.get(char, char) for char in text)
