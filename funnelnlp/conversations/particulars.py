"""Order numbers, phones, names and the like: which of them the customer has given and the agent asks for."""

from __future__ import annotations

import re

from funnelnlp.text.placeholders import CHAR

_NOUNS = {
    "运单号": r"运单(?:编?号)?|快递单?号|物流单?号|退货单?号",
    "工单号": r"工单(?:编?号)|服务单号|受理(?:编?号)|案件(?:编?号)|报修单?号",
    "订单号": (
        r"订单(?:编?号|尾号|后[四六]位)?(?![里上页显状已信])|"
        r"(?<![交保流预服受工运递物退维易])单号|(?:预约|预订|确认|挂号|保单|合同|取票)(?:编?号)"
    ),
    "电话": (
        r"手机号码?|(?:电话|联系|预留)号码|联系电话|联系方式|电话(?=[报发留是多给]|$)|"
        r"您的号码|(?<![送电方])号码(?=[报发是多给])"
    ),
    "姓名": r"姓名|名字|贵姓|怎么称呼|如何称呼",
    "地址": r"(?<!新)地址|哪个(?:城市|小区)|小区名?|门牌号?|几栋|几号楼|几单元",
    "证件号": r"身份证号?码?|证件号?码?",
    "账号": r"账号|账户名|会员[号卡]|户号|学号|(?<![a-z])u?id(?![a-z])|用户名",
    "型号": r"型号|机型|什么牌子|哪个版本|版本号",
    "车牌": r"车牌号?",
    "邮箱": r"邮箱",
    "时间": r"(?:什么时候|哪一?天|几[月号])[^,]{0,4}(?:买|拍|下单|坏|开始|发生|出现|寄|签收|办|装|购|入住|到货)",
    "凭证": r"照片|图片|截图|凭证|视频",
}
# Another photo may show something else.
_ASKED_ANEW = {"凭证"}
_NOUN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _NOUNS.items()))
# One of these stands in whatever the pattern above finds; literals only, so that most turns are passed over fast.
_NOUN_SIGNS = re.compile(
    "单号|预约|预订|确认|挂号|保单|合同|取票|订单|运单|快递单|物流单|工单|受理|案件|手机号|号码|电话|联系方式|姓名|名字|贵姓|称呼|地址|哪个|小区|门牌|几栋|几号|几单元|身份证|证件|"
    "账号|账户名|会员|户号|学号|id|用户名|型号|机型|什么|版本|车牌|邮箱|哪天|哪一天|几月|照片|图片|截图|凭证|视频"
)
_NUMBERED = frozenset(("订单号", "运单号", "工单号", "电话", "证件号", "账号", "车牌", "邮箱"))
_SHOWN = {
    CHAR[name]: kind
    for name, kind in {
        "编号": "订单号",
        "电话": "电话",
        "证件号": "证件号",
        "银行卡": "账号",
        "车牌": "车牌",
        "邮箱": "邮箱",
        "姓名": "姓名",
        "地址": "地址",
    }.items()
}
_DIGITS = frozenset("0123456789").union(_SHOWN, (CHAR["数字"], CHAR["热线"], CHAR["掩码"]))

_REQUEST_BEFORE = re.compile(
    r"(?:提供|报|发[我下一来]?|拍|传|留|告知|告诉我?|输入|说[下一]|核[对实]|确认|给[我下一]|填|补充|私信|麻烦|请问|念|登记)[^,。?!]{0,8}$"
)
_REQUEST_AFTER = re.compile(
    r"[^,。?!]{0,5}?(?:多少|是什么|是啥|是几|是哪|发[我下给一来]|报[我下给一上]|提供|留[下一个]|给我|给[一下]|说[一下]|念[一下]|需?要?核对)|[呢?]|是$"
)
_READ_BACK = re.compile(
    r"是吗|对吗|[对是]吧|对不对|是不是|没错|正确吗|显示|查到|看到|收到|尾号[\d\ue000-\ue01f]|吧\??$|[带发给报]您|您可以|(?:不用|无需|不必|带[上着]?)"
)
_WITHHELD = re.compile(
    r"不知道|没有|没(?:带|留|记)|忘|找不|找一?下|找找|稍等|等等|等一?下|看看|看一?下|哪[里儿]|怎么[看找查]|不记得|记不|不清楚|"
    r"不想|不给|不方便|凭什么|为什么|为啥|什么|不用|不是|干[嘛吗]|[?\ue012-\ue014]"
)
_POINTS_BACK = re.compile(
    r"(?:不是|早就?|刚才?|刚刚|上面|前面|之前|已经)(?:都|就)?(?:跟|给|和)?(?:你|您)?们?(?:都|就)?(?:给|发|报|说|讲|填|写|传|提供|念|登记|拍)(?:给)?(?:你|您)?们?(?:过|了(?![点钱我他]))|"
    r"(?:上面|前面|上边|图[里上]|九宫格)(?:不是|就|都)有|(?:照片|图|编号|单号|截图|信息|号码|型号|地址|名字)(?:都|就)?(?:贴|写)?(?:在|于)(?:第?.?图|上面|上头|附件|前面|原?微博|九宫格|评论|邮件)|(?:又[要问让]|还[问让])我?.{0,2}(?:报|说|发|念|订单|单号|手机|电话|地址|名字|型号|照片|截图)|再[抄报念发]一?遍|"
    r"(?:都|早就?|已经)(?:贴|发|放|写|附|传)(?:在|到)?(?:上面|上头|图里|图上|前面|微博|附件|评论|邮件)"
)
_POINTS_SIGNS = re.compile("不是|早|刚|上面|前面|上边|之前|已经|又|还|再|图|九宫格|在|于")
_ELSEWHERE = re.compile(r"[昨前]天|上[次周个回]|热线|电话里|个人|别的客服|私信")
_VOLUNTEERED = {
    "姓名": re.compile(r"我(?:姓|叫)|名字[是叫]|免贵|^姓.{1,2}(?:[, ]|$)"),
    "型号": re.compile(r"型号(?:是|:)?.{0,4}[a-z0-9\ue000-\ue01f]"),
    "地址": re.compile(r"(?:路|街|小区|苑|花园|村)[^,]{0,6}[\d\ue000-\ue01f一二三四五六七八九十]+(?:号|栋|幢|弄|单元|室)"),
    "账号": re.compile(r"(?:账号|会员号|户号|学号|卡号|u?id)(?:是|:| )?[^,]{0,4}[\d\ue000-\ue01f]"),
}
_VOLUNTEER_SIGNS = re.compile("姓|我叫|名字|免贵|型号|路|街|小区|苑|花园|村|账号|会员号|户号|学号|卡号|id")


class Particulars:
    """Keeps which kinds of particulars the customer has given; never the particulars themselves.

    Parameters
    ----------
    given, asked : iterable of str
        Kinds given so far, and those asked for that wait for an answer.
    """

    def __init__(self, given: tuple[str, ...] = (), asked: tuple[str, ...] = ()) -> None:
        self.given = set(given)
        self.asked = set(asked)

    def answer(self, text: str) -> None:
        """Take in a customer's turn."""
        shown = {_SHOWN[char] for char in text if char in _SHOWN}
        if self.asked:
            told = len(text) > 1 and not _WITHHELD.search(text)
            with_number = not _DIGITS.isdisjoint(text)
            got = {kind for kind in self.asked if kind in shown or (told and (with_number or kind not in _NUMBERED))}
            if got & _NUMBERED:
                # One number answers one question, whatever the normaliser takes it for.
                shown.discard("订单号")
            self.asked -= got
            self.given |= got
        self.given |= shown
        if _VOLUNTEER_SIGNS.search(text):
            self.given.update(kind for kind, pattern in _VOLUNTEERED.items() if pattern.search(text))

    def ask(self, text: str, solving: bool) -> set[str]:
        """Take in an agent's turn that asks for something; return the kinds that it asks for though they were given.

        In a turn that solves ("已发到新邮箱", "补发单号") a noun is asked for only by what follows it.
        """
        if not _NOUN_SIGNS.search(text) or _READ_BACK.search(text):
            return set()
        kinds = {
            match.lastgroup
            for match in _NOUN.finditer(text)
            if match.lastgroup
            and (
                (not solving and _REQUEST_BEFORE.search(text, max(0, match.start() - 14), match.start()))
                or _REQUEST_AFTER.match(text, match.end())
            )
        }
        again = (kinds - _ASKED_ANEW) & self.given
        self.asked |= kinds
        return again


def points_back(text: str) -> bool:
    """Tell whether a customer's answer says that what was asked for stands in this conversation already."""
    return bool(_POINTS_SIGNS.search(text) and _POINTS_BACK.search(text) and not _ELSEWHERE.search(text))
