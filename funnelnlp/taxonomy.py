"""The labelling tasks as plain data: labels in their natural order, aliases, roles, definitions, advice.

The four built-in tasks follow the bundled labelling guide; a task of your own has the same shape,
so that training on another label set needs no code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funnelnlp.errors import TaxonomyError

AGENT = "agent"
CUSTOMER = "customer"
ROLES = (CUSTOMER, AGENT)

_ROLE_ALIASES = {
    CUSTOMER: (
        "customer user client buyer caller guest visitor consumer 客户 顾客 用户 买家 来电人 消费者 访客 客人 "
        "会员 市民 乘客 患者 家长 学员 业主 主叫 客户端 客戶 顧客 用戶 買家 來電人 消費者 訪客"
    ).split(),
    AGENT: (
        "agent assistant staff seller service support operator bot robot merchant csr representative 客服 坐席 "
        "座席 商家 卖家 店家 机器人 人工 人工客服 在线客服 智能客服 客服人员 服务人员 顾问 销售 话务员 接线员 "
        "被叫 客服人員 商家客服 賣家 機器人 專員 专员 店小二"
    ).split(),
}
ROLE_OF_ALIAS = {alias: role for role, aliases in _ROLE_ALIASES.items() for alias in aliases}


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a task.

    Attributes
    ----------
    name : str
        The label as it stands in data and results.
    alias : str
        English name; empty when there is none.
    definition : str
        What makes a turn carry this label.
    response : str
        Recommended response (应对策略) of the service side; empty where the task has none.
    """

    name: str
    alias: str = ""
    definition: str = ""
    response: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One question that is answered for every turn.

    Attributes
    ----------
    name : str
        Column name of the task.
    labels : tuple of Label
        In their natural order.
    role : {"customer", "agent", None}
        Whose turns the task applies to; ``None`` means everybody's.
    ordinal : bool
        Whether the order of the labels is a scale (used by evaluation).
    title : str
        Chinese column name.
    definition : str
        What is asked.

    Examples
    --------
    >>> from funnelnlp.taxonomy import FUNNEL_STAGE
    >>> FUNNEL_STAGE.label_names
    ('引导', '筛选', '确认', '解决')
    """

    name: str
    labels: tuple[Label, ...]
    role: str | None = None
    ordinal: bool = False
    title: str = ""
    definition: str = ""

    def __post_init__(self) -> None:
        if not self.name or not isinstance(self.name, str):
            raise TaxonomyError(f"a task needs a name (a column name), got {self.name!r}")
        names = self.label_names
        if len(names) < 2:
            raise TaxonomyError(f"task {self.name!r} needs at least two labels, got {list(names)}")
        if "" in names:
            raise TaxonomyError(f"task {self.name!r} has an empty label; empty cells mean 'does not apply'")
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise TaxonomyError(f"task {self.name!r} lists {twice} more than once")
        if self.role not in (None, *ROLES):
            raise TaxonomyError(f"task {self.name!r} has role {self.role!r}; accepted: {list(ROLES)} or null")

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels in their natural order."""
        return tuple(label.name for label in self.labels)

    @property
    def alert_labels(self) -> tuple[str, ...]:
        """Names of the labels worth an alert: the upper half of an ordered scale, none without an order.

        Examples
        --------
        >>> from funnelnlp.taxonomy import EMOTION_PHASE, FUNNEL_STAGE
        >>> EMOTION_PHASE.alert_labels, FUNNEL_STAGE.alert_labels
        (('愤怒', '对抗'), ())
        """
        return self.label_names[(len(self.labels) + 1) // 2 :] if self.ordinal else ()

    def applies_to(self, role: str | None) -> bool:
        """Tell whether a turn of ``role`` gets a label; a turn of unknown role always does."""
        return self.role is None or role is None or role == self.role

    def columns_in_chinese(self) -> dict[str, str]:
        """Return the Chinese names of the columns that labelling adds; none for a task without a title."""
        if not self.title:
            return {}
        names = {self.name: self.title, f"{self.name}_confidence": f"{self.title}置信度"}
        return names | ({f"{self.name}_alert": f"{self.title}预警"} if self.alert_labels else {})

    def canonical(self, value: str) -> str | None:
        """Return the label that ``value`` names (a name or an English alias), or None.

        Examples
        --------
        >>> from funnelnlp.taxonomy import EMOTION_PHASE
        >>> EMOTION_PHASE.canonical("angry")
        '愤怒'
        """
        for label in self.labels:
            if value == label.name or (label.alias and value == label.alias):
                return label.name
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the task as JSON-ready data (the shape that ``--tasks`` files have)."""
        return {
            "name": self.name,
            "title": self.title,
            "role": self.role,
            "ordinal": self.ordinal,
            "definition": self.definition,
            "labels": [
                {"name": b.name, "alias": b.alias, "definition": b.definition, "response": b.response} for b in self.labels
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Task:
        """Build a task from ``{"name": …, "labels": [names or objects], "role": …}``.

        Raises
        ------
        TaxonomyError
            When a key is missing, unknown or of the wrong type.

        Examples
        --------
        >>> Task.from_dict({"name": "urgent", "labels": ["no", "yes"], "role": "customer"}).label_names
        ('no', 'yes')
        """
        known = {"name", "labels", "role", "ordinal", "title", "definition"}
        if not isinstance(data, Mapping) or "name" not in data or "labels" not in data:
            raise TaxonomyError(f"a task is an object with 'name' and 'labels', got {data!r}")
        if unknown := sorted(set(data) - known):
            raise TaxonomyError(f"task {data['name']!r} has unknown keys {unknown}; accepted: {sorted(known)}")
        if not isinstance(data["labels"], list | tuple):
            raise TaxonomyError(f"task {data['name']!r}: 'labels' must be a list, got {data['labels']!r}")
        for key in ("name", "title", "definition"):
            if not isinstance(data.get(key, ""), str):
                raise TaxonomyError(f"task {data['name']!r}: {key!r} must be a text, got {data[key]!r}")
        labels = []
        for item in data["labels"]:
            if isinstance(item, str):
                labels.append(Label(item))
            elif isinstance(item, Mapping) and isinstance(item.get("name"), str):
                extra = sorted(set(item) - {"name", "alias", "definition", "response"})
                if extra:
                    raise TaxonomyError(f"task {data['name']!r}, label {item['name']!r}: unknown keys {extra}")
                if not all(isinstance(value, str) for value in item.values()):
                    raise TaxonomyError(f"task {data['name']!r}, label {item['name']!r}: every value must be a text")
                labels.append(Label(**item))
            else:
                raise TaxonomyError(f"task {data['name']!r}: a label is a text or an object with 'name', got {item!r}")
        return cls(
            name=data["name"],
            labels=tuple(labels),
            role=data.get("role"),
            ordinal=bool(data.get("ordinal", False)),
            title=data.get("title", ""),
            definition=data.get("definition", ""),
        )


FUNNEL_STAGE = Task(
    name="funnel_stage",
    title="漏斗阶段",
    definition="这一轮在服务沟通漏斗里做的是哪一步工作",
    labels=(
        Label(
            "引导",
            "opening",
            "建立联系、请客户说明来意，或客户第一次说出来意",
            "用开放式问题请对方把事情和感受讲完整，少打断，先听后问",
        ),
        Label(
            "筛选",
            "narrowing",
            "询问或提供能锁定需求、原因的细节，排除可能",
            "围绕关键信息逐步收窄，一次只问一件事，已经给过的信息不再问",
        ),
        Label(
            "确认",
            "confirming",
            "核对双方理解一致，或对已经提出的方案作出反应、问其细节",
            "用自己的话复述需求和方案要点，逐条核对时间、方式、金额，取得明确同意",
        ),
        Label(
            "解决",
            "resolving",
            "给出答案、方案、处理进展或结果，以及后续安排和告别",
            "说清做什么、谁来做、何时完成，完成后问是否解决，并约定跟进",
        ),
    ),
)

QUESTION_TYPE = Task(
    name="question_type",
    title="提问类型",
    definition="这一轮要求什么样的回答",
    labels=(
        Label("非提问", "none", "没有需要对方用信息来回答的问题"),
        Label("开放式", "open", "请对方自由描述情况、原因、做法或愿望"),
        Label("封闭式", "closed", "用是否、选项或一个具体事实就能回答，也包括征求同意"),
        Label("引导式", "guiding", "让对方权衡、设想或重新考虑自己的做法"),
    ),
)

SPIN_TYPE = Task(
    name="spin_type",
    title="SPIN类型",
    role=AGENT,
    definition="客服的提问属于 SPIN 的哪一类",
    labels=(
        Label("无", "none", "不是提问，或只是核对身份、约时间、征求同意之类的问题"),
        Label("背景", "situation", "了解现状、配置、使用情况和经过"),
        Label("难点", "problem", "了解困难、不满和故障本身的表现"),
        Label("暗示", "implication", "引对方想到问题不解决会带来什么后果"),
        Label("需求效益", "need_payoff", "引对方说出问题解决之后的好处"),
    ),
)

EMOTION_PHASE = Task(
    name="emotion_phase",
    title="情绪阶段",
    role=CUSTOMER,
    ordinal=True,
    definition="客户这一轮表现出情绪四阶段中的哪一个",
    labels=(
        Label(
            "平静",
            "calm",
            "理性说明需要，中性、友好、感谢，或只是好奇、担心",
            "专心听，尽快给出准确的答复",
        ),
        Label(
            "不满",
            "dissatisfied",
            "语气变重：抱怨、失望、催促、责备、讽刺、生硬拒绝",
            "先接住情绪，再解决问题：给一个具体做法，并问是否合适",
        ),
        Label(
            "愤怒",
            "angry",
            "激动：辱骂、吼叫、指责对方不诚信、强烈否定",
            "保持平稳不争辩，说出对方的感受，提议缓一缓，一起想办法",
        ),
        Label(
            "对抗",
            "confrontational",
            "以后果相威胁、下最后期限、拒绝沟通或提出远超规则的要求",
            "礼貌守住底线，讲明权限之外的是什么、可以申请的是什么、什么时候答复",
        ),
    ),
)

BUILTIN_TASKS = (FUNNEL_STAGE, QUESTION_TYPE, SPIN_TYPE, EMOTION_PHASE)


def load_tasks(path: str | Path) -> tuple[Task, ...]:
    """Read task definitions from a JSON file.

    Parameters
    ----------
    path : str or pathlib.Path
        A file with a list of ``{"name": …, "labels": [… in order …], "role": "customer" | "agent" | null}``.

    Returns
    -------
    tuple of Task

    Raises
    ------
    TaxonomyError
        When the file is missing, is not JSON, or a task in it is not well formed.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise TaxonomyError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise TaxonomyError(f"{path}: not valid JSON in UTF-8 ({error})") from None
    if not isinstance(data, list) or not data:
        raise TaxonomyError(f"{path}: expected a list of tasks, each an object with 'name' and 'labels'")
    return unique_tasks(Task.from_dict(item) for item in data)


def unique_tasks(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Return the tasks as a tuple, refusing two of the same name."""
    result = tuple(tasks)
    names = [task.name for task in result]
    columns = [column for name in names for column in (name, f"{name}_confidence")]
    if twice := sorted({n for n in columns if columns.count(n) > 1}):
        raise TaxonomyError(f"task names must differ, with _confidence added too; {twice} occur more than once")
    if reserved := sorted({"conversation_id", "turn_index", "role", "text"} & set(columns)):
        raise TaxonomyError(f"{reserved} are columns of every transcript; give the task another name")
    return result


def canonical_role(value: object) -> str | None:
    """Return ``"customer"`` or ``"agent"`` for a role or one of its aliases, None for anything else.

    Examples
    --------
    >>> canonical_role("坐席"), canonical_role("Buyer"), canonical_role("moon")
    ('agent', 'customer', None)
    """
    return ROLE_OF_ALIAS.get(value.strip().lower()) if isinstance(value, str) else None


def accepted_roles() -> str:
    """Return the accepted role spellings as one line for error messages."""
    return "; ".join(f"{role}: {', '.join(aliases)}" for role, aliases in _ROLE_ALIASES.items())
