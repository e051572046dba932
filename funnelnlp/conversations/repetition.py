"""Saying the same again: fingerprints to compare turns by, and the words with which customers complain of it."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from itertools import pairwise

from funnelnlp.text import NAME_OF_CHAR

Fingerprint = frozenset[int]

# Characters that any two sentences may share.
_IDLE = re.compile(
    "[的了吗呢啊吧呀嘛哦哈嗯我你您们他她它是在就都也还又再这那个一有没不要跟给把被和说,.。?!:\"' ~"
    + "".join(NAME_OF_CHAR)
    + "-]+"
)
_KEPT_TURNS = 12
_KEPT_PAIRS = 32

_MANY = r"(?:[几两三四五六七八九十好无多数百n]|[\d\ue00a]){1,3}"
_SAY = "交|递|说|讲|问|报|反[映馈]|投诉|申诉|催|发|给|提供|寄|申请|提交|报修|重复|强调|联系|咨询|填|私信|解释"
_SAYS_AGAIN = re.compile(
    rf"(?<!给我)(?:{_SAY}|打|找)(?:了|过|你们|您|过你们|了你们|热线|客服)?(?:不下|不止|快|有|都|至少)?"
    rf"{_MANY}(?:多|来)?(?:次|遍|回|通|轮|个客服|个?电话)(?!推销)|(?:说|讲|问|转)(?:了|过)(?:我|你们?)?{_MANY}个人|"
    rf"{_MANY}(?:次|度|回|番)(?:发函|致函|来函|去函|来信|去信|致电|私信|email|whatsapp|反映|反馈|投诉|催)|"
    rf"第{_MANY}(?:遍了|(?:次|遍|回|通)(?:来?(?:找|问|打|说|讲|报|发|反|投|催|联|私|@|申|提|听)))|"
    rf"(?:最后|(?<!工号)(?<!名)再)(?:说|问|讲|强调|重复|念|抄|报|发)(?:最后)?一(?:遍|次)|从头(?:再|又)?(?:讲|说)|"
    rf"(?:跟|给|和|同|向)(?:你|您|你们|客服).{{0,6}}?(?:{_SAY})过|"
    rf"(?<!他)(?<!家)(?:(?:都|已经|早就?|刚才?|刚刚|前面|上面|之前|不是|上次|上周|昨天|上回)(?:跟|给|和)?(?:你|您|你们)?(?:就|都)?(?:{_SAY}|提|传|登记|写)"
    r"(?:过|(?<!都发)(?<!都说)(?<!都问)了(?:吗|么|嘛|不|是)))|"
    r"(?:说|讲|问|发|报|给|催)了?(?:你们?)?(?:多少|好几|好多)(?:次|遍|回|个)|"
    r"(?:上面|前面|记录里?)(?:不是|就|都|里)?(?:有|写)(?:吗|么|嘛|的|了|过)|(?:又要?|还要|(?<!得)重新)(?:我|再|从)?(?:说|讲|报|问|填|提供|发)(?:一|遍|订|单|号|手|电|地|$)|"
    r"答非所问|没(?:有)?(?:正面)?(?:回答|答复)我|回答我|听不懂(?:人话|我|吗)|复读机|车轱辘|最后(?:跟|给|和)?你(?:说|讲)一|[次回]{2}都|"
    r"(?:还|又|昨天|前天|刚才)(?:也)?是这(?:句|套)|我(?:问|说)的(?:就)?是|就(?:问|告诉)(?:你|我)|(?:上次|上周.?|昨天|前天|上回|每[次回])[^,]{0,4}(?:也|都)(?:是)?(?:这么|这样)?(?:说|答应|叫|让)"
)
# One of these stands in whatever the pattern above finds; literals only, so that most turns are passed over fast.
_SAY_SIGNS = re.compile(
    "遍|次|回|度|番|通|轮|从头|过|个客服|电话|个人|不是|刚才|刚刚|刚|早|上面|前面|已经|之前|昨天|上次|上周|记录|又|还要|重新|问的|说的|就问|就告|前天|多少|答|听不懂|复读机|车轱辘|最后"
)


def fingerprint(text: str) -> Fingerprint:
    """Return numbers that turns of the same content share and that no wording can be read from.

    They are the character pairs of the normalised turn without its commonest characters and its placeholders,
    hashed to 15 bits each, in no order.
    """
    codes = array("H", _IDLE.sub("", text)[:_KEPT_PAIRS].encode("utf-16-le"))
    return frozenset([(a * 40503 ^ b * 25717) & 0x7FFF for a, b in pairwise(codes)])


# What customers demand, by what it comes to; one that is made again in discontent was not met.
_DEMANDS = {
    phrase: kind
    for kind, phrases in {
        "refund": "退钱 退款 还钱 退我 全退 退费 退货 退押金 退给我 退一赔",
        "exchange": "给我换 换货 换一台 换一个 换机",
        "dispatch": "发货 补发",
        "apology": "道歉 赔礼",
        "cancel": "撤销 解约 销户 注销 退订 销卡",
        "visit": "上门 派人 来人 来修 人来",
        "person": "人工 真人 换人 叫领导 叫经理 叫主管 叫老板 领导来 经理来 主管来",
        "date": "什么时候 啥时候 几时 哪天能",
    }.items()
    for phrase in phrases.split()
}
_DEMAND = re.compile("|".join(_DEMANDS))


def demands(text: str) -> set[str]:
    """Return the kinds of demand that a customer's turn makes."""
    return {_DEMANDS[found] for found in _DEMAND.findall(text)}


def says_again(text: str) -> bool:
    """Tell whether a customer's turn says that this, or the like, was said before."""
    return _SAY_SIGNS.search(text) is not None and _SAYS_AGAIN.search(text) is not None


class Repeats:
    """Finds turns that say what one of the last turns of the same speaker said.

    Parameters
    ----------
    earlier : iterable of iterable of int
        Fingerprints kept so far, oldest first.
    """

    def __init__(self, earlier: Iterable[Iterable[int]] = ()) -> None:
        self.earlier: list[Fingerprint] = [frozenset(pairs) for pairs in earlier]

    def like(self, pairs: Fingerprint, share: float, least: int) -> bool:
        """Tell whether a turn kept has at least ``share`` of the pairs, and ``least`` pairs, in common with this one."""
        return len(pairs) >= least and any(
            len(pairs & kept) >= max(least, share * min(len(pairs), len(kept))) for kept in self.earlier
        )

    def keep(self, pairs: Fingerprint) -> None:
        """Keep a turn to compare later ones with; of many the oldest is let go."""
        if len(pairs) > 1:
            self.earlier.append(pairs)
            del self.earlier[:-_KEPT_TURNS]
