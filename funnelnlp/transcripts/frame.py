"""The one shape of transcripts: a frame with conversation_id, turn_index, role, text and whatever else came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.taxonomy import BUILTIN_TASKS, accepted_roles, canonical_role

_ALIASES = {
    "conversation_id": (
        "conversation_id conversationid conversation session_id sessionid session dialog_id dialogue_id "
        "dialogid chat_id chatid call_id thread_id ticket_id 会话id 对话id 会话编号 对话编号 会话号 会话 对话 "
        "通话id 通话编号 聊天id 工单号 工单id 會話id 對話id 會話編號"
    ).split(),
    "turn_index": (
        "turn_index turnindex turn turn_id turnid utterance_id message_index msg_index seq sequence 轮次 序号 "
        "轮 句序 消息序号 发言序号 顺序 輪次 序號"
    ).split(),
    "role": ("role speaker sender from side party 角色 说话人 发言人 发送方 发送人 说话方 身份 說話人 發言人").split(),
    "text": (
        "text content message msg utterance sentence body query 内容 文本 消息 消息内容 对话内容 发言 发言内容 "
        "话术 聊天内容 语句 內容 訊息 對話內容"
    ).split(),
}
CORE = tuple(_ALIASES)
REQUIRED = ("role", "text")
_ALIAS_OF = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
CHINESE_COLUMNS = {
    "conversation_id": "会话ID",
    "turn_index": "轮次",
    "role": "角色",
    "text": "内容",
    **{task.name: task.title for task in BUILTIN_TASKS},
    **{f"{task.name}_confidence": f"{task.title}置信度" for task in BUILTIN_TASKS},
    **{f"{task.name}_given": f"{task.title}原标注" for task in BUILTIN_TASKS},
}
_TASK_OF_TITLE = {task.title: task.name for task in BUILTIN_TASKS}
_CHINESE_ROLES = {"customer": "客户", "agent": "客服"}


def _simple(name: object) -> str:
    return str(name).strip().lower().replace(" ", "_").replace("-", "_")


def canonical_columns(names: Iterable[object], overrides: Mapping[str, str], where: str) -> dict[str, str]:
    """Map the column names of a source to the canonical ones.

    Parameters
    ----------
    names : iterable
        Column names as they stand in the source.
    overrides : mapping of str to str
        Canonical name → name in the source; wins over the aliases.
    where : str
        Source for error messages.

    Returns
    -------
    dict
        Name in the source → canonical name, only for the columns that have one.

    Raises
    ------
    TranscriptError
        When an override names no column, a required column is missing or two columns mean the same.
    """
    present = [str(name) for name in names]
    mapping: dict[str, str] = {}
    for canonical, source in overrides.items():
        if canonical not in {*CORE, *_TASK_OF_TITLE.values()}:
            raise TranscriptError(f"column override {canonical}={source}: {canonical!r} is not one of {list(CORE)}")
        if source not in present:
            raise TranscriptError(f"{where}: no column {source!r} (asked for as {canonical}); it has {present}")
        mapping[source] = canonical
    for name in present:
        target = _ALIAS_OF.get(_simple(name)) or _TASK_OF_TITLE.get(name.strip())
        if target and name not in mapping and target not in overrides:
            clash = [other for other, t in mapping.items() if t == target]
            if clash:
                # An exact canonical name beats an alias; two aliases are a question for the user.
                if target in present:
                    mapping = {o: t for o, t in mapping.items() if t != target}
                    mapping[target] = target
                    continue
                raise TranscriptError(
                    f"{where}: the columns {clash[0]!r} and {name!r} both look like {target}; "
                    f"say which with --column {target}=NAME (columns={{{target!r}: 'NAME'}} in Python)"
                )
            mapping[name] = target
    missing = [name for name in REQUIRED if name not in mapping.values()]
    if missing:
        known = "; ".join(f"{name}: {', '.join(_ALIASES[name][:12])} …" for name in missing)
        raise TranscriptError(
            f"{where}: no column for {' and '.join(missing)}; it has {present}. Understood names — {known}. "
            f"For another name use --column {missing[0]}=NAME (columns={{{missing[0]!r}: 'NAME'}} in Python)"
        )
    return mapping


def tidy(frame: pd.DataFrame, columns: Mapping[str, str], where: str, unit: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give a raw frame the canonical shape and set bad rows apart.

    Parameters
    ----------
    frame : pandas.DataFrame
        Index: the row or line number in the source, as a person counts.
    columns : mapping of str to str
        Overrides as in `canonical_columns`.
    where : str
        Source for error messages.
    unit : str
        ``"row"`` or ``"line"``.

    Returns
    -------
    good : pandas.DataFrame
        Canonical columns (ids and index added where absent), then the others, fresh index.
    rejected : pandas.DataFrame
        The bad rows as they came, with the columns ``row`` and ``error`` in front.
    """
    mapping = canonical_columns(frame.columns, columns, where)
    renamed = frame.rename(columns=mapping)
    if duplicated := sorted({str(c) for c in renamed.columns[renamed.columns.duplicated()]}):
        raise TranscriptError(f"{where}: the columns {duplicated} occur more than once")
    problems: dict[Any, str] = {}

    def note(row: Any, message: str) -> None:
        problems.setdefault(row, message)

    for row, text in renamed["text"].items():
        if not isinstance(text, str):
            shown = "an empty cell" if _empty(text) else repr(text)
            note(row, f"text must be text, got {shown}")
    roles = renamed["role"].map(canonical_role)
    for row in renamed.index[roles.isna()]:
        value = renamed.at[row, "role"]
        shown = "an empty cell" if _empty(value) else repr(value)
        note(row, f"unknown role: {shown}; accepted: {accepted_roles()}")
    renamed["role"] = roles
    if "conversation_id" in renamed:
        ids = renamed["conversation_id"]
        for row in renamed.index[ids.isna() | (ids.astype(str).str.strip() == "")]:
            note(row, "conversation_id is an empty cell; every turn must say which conversation it belongs to")
    if "turn_index" in renamed:
        numbers = pd.to_numeric(renamed["turn_index"], errors="coerce")
        for row in renamed.index[numbers.isna()]:
            note(row, f"turn_index must be a number, got {renamed.at[row, 'turn_index']!r}")
        whole = numbers.notna() & (numbers == numbers.round())
        renamed["turn_index"] = numbers.astype("Int64") if whole.all() else numbers
        if "conversation_id" in renamed:
            usable = renamed[~renamed.index.isin(list(problems))]
            keys = usable[["conversation_id", "turn_index"]]
            first: dict[tuple[Any, Any], Any] = {}
            for row, conversation, turn in zip(usable.index, keys["conversation_id"], keys["turn_index"], strict=True):
                seen = first.setdefault((conversation, turn), row)
                if seen != row:
                    note(row, f"conversation {conversation!r} has turn_index {turn} twice, first in {unit} {seen}")
    bad = renamed.index.isin(list(problems))
    rejected = frame[bad].copy()
    rejected.insert(0, "error", [problems[row] for row in rejected.index])
    rejected.insert(0, "row", rejected.index)
    good = renamed[~bad].reset_index(drop=True)
    if "turn_index" in good:
        good["turn_index"] = pd.to_numeric(good["turn_index"]).astype("int64" if _whole(good["turn_index"]) else float)
    elif "conversation_id" in good:
        good["turn_index"] = good.groupby("conversation_id", sort=False, dropna=False).cumcount()
    front = [name for name in CORE if name in good]
    return good[[*front, *(c for c in good.columns if c not in front)]], rejected.reset_index(drop=True)


def _whole(numbers: pd.Series) -> bool:
    return bool((numbers == numbers.round()).all())


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return conversation records, ``{"conversation_id": …, "turns": [{"role": …, "text": …, …}]}``.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``conversation_id``; columns that are constant within every conversation and are not part of
        a turn (all but role, text, turn_index and the label columns) move up to the conversation.

    Returns
    -------
    list of dict
        In order of first appearance; empty cells are left out.
    """
    if "conversation_id" not in frame.columns:
        raise TranscriptError("records need a conversation_id column; this frame has none")
    groups = frame.groupby("conversation_id", sort=False, dropna=False)
    own = {"conversation_id", "turn_index", "role", "text", *CHINESE_COLUMNS}
    shared = [
        c
        for c in frame.columns
        if c not in own and not str(c).endswith("_confidence") and (groups[c].nunique(dropna=False) <= 1).all()
    ]
    inner = [c for c in frame.columns if c not in {"conversation_id", "turn_index", *shared}]
    records = []
    for conversation, rows in groups:
        if "turn_index" in rows:
            rows = rows.sort_values("turn_index", kind="stable")
        first = rows.iloc[0]
        records.append(
            {
                "conversation_id": _plain(conversation),
                **{c: _plain(first[c]) for c in shared if not _empty(first[c])},
                "turns": [
                    {c: _plain(v) for c, v in zip(inner, row, strict=True) if not _empty(v)}
                    for row in rows[inner].itertuples(index=False, name=None)
                ],
            }
        )
    return records


def _empty(value: object) -> bool:
    return value is None or value is pd.NA or value == "" or value != value


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def in_chinese(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with Chinese column names and roles."""
    return frame.assign(role=frame["role"].map(_CHINESE_ROLES)).rename(columns=CHINESE_COLUMNS)
