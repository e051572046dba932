"""Being handed to another person or team: announced, or shown by somebody new who takes over."""

from __future__ import annotations

import re

_TEAM = (
    "人工|真人|专[员人席线]|客[服诉]|坐席|座席|部(?![分件位])|组(?![织合装])|科(?![技学目])|处(?![理罚置于在])|队(?!列)|售[后前]|技术|[一二三]线|"
    "主管|经理|[组班店院园站]长|老板|领导|负责|律师|法务|财务|中心|总[公台店监部]|[市省分]公司|分公司|同事|团队|老师|工程师|理赔|平台|窗口"
)
_SENIOR = "专[员人席]|主管|总监|主任|[店组班园]长|律师|法务|负责人|经理|领导|客诉"
_MAKES_CONTACT = "联系|跟进|致电|来电|回电|去电|回复|答复|致歉|给?(?:您|你)?打(?:给|电话|您)|打给|给(?:您|你)打|加您|找您"
_HANDED_OVER = re.compile(
    rf"转接(?![头线口器的])|(?<![可跟制])转(?:人工|真人|专)|(?:帮|给|为|替)(?:您|你)转(?:过去|一下|接|$|[,. ])|"
    rf"(?:(?<![可周流中])转(?![告运账款正换化发让])[到给至交往]?|移交给?|上报[到给]?|交由|派给|提交[到给至]?|报给|加急给?|反映给|"
    rf"升级(?![^,]{{0,6}}(?:版|会员|服务))[到给至为成]?)[^,。]{{0,8}}?(?:{_TEAM})|"
    r"(?:已|正在|现在|这就).{0,4}(?:接入|接通|连线).{0,6}(?:人工|客服|专员|坐席)|已(?:为您|给您|帮您)?升级(?![^,]{0,6}(?:版|会员|服务))|"
    rf"(?:{_SENIOR})[^,。]{{0,14}}?(?:{_MAKES_CONTACT})|工程师[^,。]{{0,12}}?(?:看图|说明|联系|来电|回电|致电)|"
    rf"(?:请|让|由|改由)[^,。]{{0,10}}?(?:部|组|主管|经理|同事)[^,。]{{0,10}}?(?:{_MAKES_CONTACT}|说明|跟进)|"
    rf"由[^,。]{{0,8}}?(?:[组部科]|专员|中心|公司)[^,。]{{0,14}}?(?:复核|沟通|协商|跟进|{_MAKES_CONTACT})|"
    rf"(?:同事|工作人员|(?:相关|有关)部门)[^,。]{{0,12}}?(?:{_MAKES_CONTACT}|核实)|反馈[给至到][^,。]{{0,8}}?(?:{_TEAM})[^。]{{0,12}}(?:{_MAKES_CONTACT}|留意|结果)|"
    r"排队[^,]{0,6}[\d\ue00a]|前(?:面|方)[^,]{0,4}[\d\ue00a一二三四五六七八九十几两]+ ?[人位]"
)
_TAKEN_OVER = re.compile(
    r"(?<!谁)(?<!谁来)接手|接替|接.{1,4}的班|(?:由|换)我(?:来)?(?:接|跟|继续|为您|处理)|"
    r"(?:人工|真人|在线|高级|资深|[一二]线|投诉|理赔).{0,4}(?:客服|专员|坐席|专席|工程师|顾问).{0,10}(?:为您|来了|接)|"
    r"人工(?:老师|客服|服务|坐席)?.{0,8}上线|(?:本案|此事|即日起|现在起|接下来).{0,4}由我(?:本人)?负责|"
    r"^[^,]{0,4},?[^,]{0,8}(?:人工客服|真人客服|专席|专员)[^,。]{0,6}(?:为您|在线|来了|,|$)"
)
# A menu, an offer, a suggestion passed on and what would happen otherwise are no transfer.
_NOT_YET = re.compile(
    r"(?:回复|输入|发送|点击|选择|按|说出?|回).{0,6}(?:转|人工|专)|[\d\ue00a][.,:、 ]?转?人工|"
    r"(?:要不要|需不需要|需要|是否|想|要不您).{0,8}(?:转|升级).{0,10}(?:[吗么呢?])|(?:无法|不能|没法?|不用|不需要|以后|如果|若|不会|次起)[^,。]{0,8}(?:转|升级|专员)|"
    r"(?:您的|宝贵)(?:意见|建议)|转给?[^,]{0,4}产品"
)
# One of these stands in whatever the patterns above find; literals only, so that most turns are passed over fast.
_SIGNS = re.compile(
    "转|接入|接通|连线|接手|接替|接.{1,4}的班|由我|换我|升级|上报|移交|交由|派给|提交|报给|加急|反映给|专员|专席|专人|人工|真人|"
    "客服|坐席|主管|总监|主任|店长|组长|班长|园长|同事|工作人员|部门|反馈|律师|法务|负责人|经理|领导|客诉|工程师|顾问|请|让|由|排队|前面|前方"
)
_GREETING = re.compile(r"^(?:喂|哎|嗯)?,?(?:您好|你好|久等|让您久等|.{1,4}(?:先生|女士|小姐),?您?好)")


class Transfers:
    """Notices transfers of one conversation; an announcement and the arrival after it are one transfer."""

    def __init__(self, pending: bool = False, fresh: bool = False) -> None:
        self.pending = pending
        # The one who speaks took over just now, and may not know what was said before.
        self.fresh = fresh

    def see(self, text: str, turn: int) -> str:
        """Return what an agent's turn says of a transfer: ``"转出"``, ``"接手"``, ``"接通"`` (announced before) or ``""``."""
        if not turn:
            return ""
        signs = _SIGNS.search(text) is not None
        if self.pending and (_GREETING.search(text) or (signs and _TAKEN_OVER.search(text))):
            self.pending, self.fresh = False, True
            return "接通"
        if not signs or _NOT_YET.search(text):
            return ""
        if _HANDED_OVER.search(text):
            announced, self.pending = self.pending, True
            return "接通" if announced else "转出"
        # Whoever answers the customer's first turn has taken over from nobody.
        return "接手" if turn > 1 and _TAKEN_OVER.search(text) else ""
