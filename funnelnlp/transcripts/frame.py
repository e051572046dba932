"""The one shape of transcripts: a frame with conversation_id, turn_index, role, text and whatever else came."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.taxonomy import BUILTIN_TASKS, accepted_roles, canonical_role
from funnelnlp.transcripts.cells import is_empty, plain, whole_number

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
    **{name: title for task in BUILTIN_TASKS for name, title in task.columns_in_chinese().items()},
    "familiarity": "熟悉度",
    **{f"{task.name}_confidence_given": f"{task.title}置信度原值" for task in BUILTIN_TASKS},
    **{f"{task.name}_given": f"{task.title}原标注" for task in BUILTIN_TASKS},
}
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
        Canonical name → name in the source; wins over the usual names. A column that has the canonical name
        already is kept as ``<name>_original``.
    where : str
        Source for error messages.

    Returns
    -------
    dict
        Name in the source → canonical name, only for the columns that change or are one of the four.

    Raises
    ------
    TranscriptError
        When an override names no column, a required column is missing or two columns mean the same.
    """
    present = [str(name) for name in names]
    if twice := sorted({name for name in present if present.count(name) > 1}):
        raise TranscriptError(f"{where}: the columns {twice} occur more than once")
    mapping: dict[str, str] = {}
    for canonical, source in overrides.items():
        if canonical not in CORE:
            raise TranscriptError(f"column override {canonical}={source}: {canonical!r} is not one of {list(CORE)}")
        if source not in present:
            raise TranscriptError(f"{where}: no column {source!r} (asked for as {canonical}); it has {present}")
        mapping[source] = canonical
        if canonical in present and canonical != source:
            mapping[canonical] = f"{canonical}_original"
    for target in CORE:
        candidates = [name for name in present if name not in mapping and _ALIAS_OF.get(_simple(name)) == target]
        if target in overrides or not candidates:
            continue
        if len(candidates) > 1 and target not in candidates:
            raise TranscriptError(
                f"{where}: the columns {candidates[0]!r} and {candidates[1]!r} both look like {target}; "
                f"say which with --column {target}=NAME (columns={{{target!r}: 'NAME'}} in Python)"
            )
        mapping[target if target in candidates else candidates[0]] = target
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
    problems: dict[Any, str] = {}

    def note(row: Any, message: str) -> None:
        problems.setdefault(row, message)

    def shown(value: Any) -> str:
        return "an empty cell" if is_empty(value) else repr(value)

    for row, text in renamed["text"].items():
        if not isinstance(text, str):
            note(row, f"text must be text, got {shown(text)}")
    given = renamed["role"].tolist()
    roles = [canonical_role(value) for value in given]
    for row, value, role in zip(renamed.index, given, roles, strict=True):
        if role is None:
            note(row, f"unknown role: {shown(value)}; accepted: {accepted_roles()}")
    renamed["role"] = pd.Series(roles, index=renamed.index, dtype=object)
    if "conversation_id" in renamed:
        for row, value in renamed["conversation_id"].items():
            if is_empty(value) or (isinstance(value, str) and not value.strip()):
                note(row, "conversation_id is an empty cell; every turn must say which conversation it belongs to")
            elif not isinstance(value, Hashable):
                note(row, f"conversation_id must be a text or a number, got {value!r}")
    if "turn_index" in renamed:
        numbers = {row: whole_number(value) for row, value in renamed["turn_index"].items()}
        for row, number in numbers.items():
            if number is None:
                note(row, f"turn_index must be a number, got {renamed.at[row, 'turn_index']!r}")
        renamed["turn_index"] = pd.Series(numbers, dtype=object)
        if "conversation_id" in renamed:
            first: dict[tuple[Any, Any], Any] = {}
            for row, conversation in renamed["conversation_id"].items():
                if row not in problems:
                    seen = first.setdefault((conversation, numbers[row]), row)
                    if seen != row:
                        turn = f"{numbers[row]:g}"
                        note(row, f"conversation {conversation!r} has turn_index {turn} twice, first in {unit} {seen}")
    bad = renamed.index.isin(list(problems))
    # A file of rejected rows that comes back mended or not has columns of these names already.
    rejected = frame[bad].rename(columns={name: f"{name}_original" for name in ("file", "row", "error", "raw")})
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
                "conversation_id": plain(conversation),
                **{c: plain(first[c]) for c in shared if not is_empty(first[c])},
                "turns": [
                    {c: plain(v) for c, v in zip(inner, row, strict=True) if not is_empty(v)}
                    for row in rows[inner].itertuples(index=False, name=None)
                ],
            }
        )
    return records


def in_chinese(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with Chinese column names and roles."""
    names = [CHINESE_COLUMNS.get(str(name), str(name)) for name in frame.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TranscriptError(f"with Chinese column names two columns would be called {twice[0]!r}; write English ones")
    return frame.assign(role=frame["role"].map(_CHINESE_ROLES)).set_axis(names, axis=1)
