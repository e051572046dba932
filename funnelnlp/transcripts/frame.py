"""The one shape of transcripts: a frame with conversation_id, turn_index, role, text and whatever else came."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import infer_dtype

from funnelnlp.errors import TranscriptError
from funnelnlp.taxonomy import BUILTIN_TASKS, accepted_roles, canonical_role
from funnelnlp.transcripts.cells import is_empty, plain, whole_number
from funnelnlp.transcripts.chunk import Chunk

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


def tidy_columns(names: Iterable[str]) -> list[str]:
    """Return the columns that `tidy` gives to rows with these canonical names, in its order."""
    present = list(names)
    wanted = {*present, "turn_index"} if "conversation_id" in present else {*present}
    return [*(name for name in CORE if name in wanted), *(name for name in present if name not in CORE)]


def inspect(chunk: Chunk) -> tuple[pd.DataFrame, dict[int, str]]:
    """Give rows their canonical columns, roles and turn numbers, and find the bad ones.

    Parameters
    ----------
    chunk : Chunk
        Whole conversations.

    Returns
    -------
    frame : pandas.DataFrame
        All rows, index as in the chunk; what bad rows hold in the column that is wrong is undefined.
    problems : dict of int to str
        Position of each bad row → what is wrong with it.
    """
    frame = chunk.frame.rename(columns=dict(chunk.names))
    problems: dict[int, str] = {}

    def note(positions: Iterable[int], message: Callable[[Any], str], values: NDArray[Any]) -> None:
        for position in positions:
            problems.setdefault(int(position), message(values[position]))

    texts = _objects(frame["text"])
    if infer_dtype(texts, skipna=False) not in ("string", "empty"):
        no_text = [position for position, text in enumerate(texts) if not isinstance(text, str)]
        note(no_text, lambda value: f"text must be text, got {_shown(value)}", texts)
    frame["text"] = _column(texts, frame)

    given = _objects(frame["role"])
    roles = _by_value(given, canonical_role)
    unknown = np.flatnonzero(pd.isna(roles))
    note(unknown, lambda value: f"unknown role: {_shown(value)}; accepted: {accepted_roles()}", given)
    frame["role"] = _column(roles, frame)

    conversations = _objects(frame["conversation_id"]) if "conversation_id" in frame else None
    if conversations is not None:
        complaints = _by_value(conversations, _id_problem)
        note(np.flatnonzero(~pd.isna(complaints)), lambda value: str(_id_problem(value)), conversations)
        frame["conversation_id"] = _column(conversations, frame)
    if "turn_index" in frame:
        given = _objects(frame["turn_index"])
        numbers = _by_value(given, whole_number).astype(float)
        note(np.flatnonzero(np.isnan(numbers)), lambda value: f"turn_index must be a number, got {value!r}", given)
        frame["turn_index"] = numbers
        if conversations is not None:
            for position, first in _repeated(conversations, numbers, problems):
                problems[position] = (
                    f"conversation {conversations[position]!r} has turn_index {numbers[position]:g} twice, "
                    f"first in {chunk.unit} {frame.index[first]}"
                )
    return frame, problems


def _column(values: NDArray[Any], frame: pd.DataFrame) -> pd.Series:
    return pd.Series(values, index=frame.index, dtype=object)


def _objects(column: pd.Series) -> NDArray[Any]:
    return column.to_numpy(dtype=object)


def _shown(value: Any) -> str:
    return "an empty cell" if is_empty(value) else repr(value)


def _by_value(values: NDArray[Any], function: Callable[[Any], Any]) -> NDArray[Any]:
    """Apply a function once to each different value; columns repeat few of them."""
    try:
        codes, different = pd.factorize(values, use_na_sentinel=False)
    except TypeError:  # lists and the like
        codes, different = np.arange(len(values)), values
    results = np.empty(len(different), dtype=object)
    results[:] = [function(value) for value in different]
    return results[codes]


def _id_problem(value: Any) -> str | None:
    if is_empty(value) or (isinstance(value, str) and not value.strip()):
        return "conversation_id is an empty cell; every turn must say which conversation it belongs to"
    return None if isinstance(value, Hashable) else f"conversation_id must be a text or a number, got {value!r}"


def _repeated(conversations: NDArray[Any], numbers: NDArray[Any], problems: Mapping[int, str]) -> list[tuple[int, int]]:
    """Return (position, position of the first) for turns that a conversation has already."""
    usable = np.setdiff1d(np.arange(len(numbers)), list(problems))
    turns = pd.DataFrame({"conversation": pd.factorize(conversations[usable])[0], "number": numbers[usable]})
    again = turns.duplicated(keep=False).to_numpy()
    first: dict[tuple[Any, Any], int] = {}
    repeated = []
    for position, *turn in zip(usable[again], *turns[again].to_numpy().T, strict=True):
        before = first.setdefault(tuple(turn), int(position))
        if before != position:
            repeated.append((int(position), before))
    return repeated


def tidy(chunk: Chunk) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give raw rows the canonical shape and set bad ones apart.

    Parameters
    ----------
    chunk : Chunk
        Whole conversations.

    Returns
    -------
    good : pandas.DataFrame
        Canonical columns (ids and index added where absent), then the others, fresh index.
    rejected : pandas.DataFrame
        Bad rows and broken lines as they came, in the order of the file, with the columns ``file``, ``row`` and
        ``error`` in front.
    """
    frame, problems = inspect(chunk)
    good = without(frame, problems)
    if "turn_index" not in good and "conversation_id" in good:
        good["turn_index"] = good.groupby("conversation_id", sort=False, dropna=False).cumcount()
    return arranged(good), rejected_rows(chunk, problems)


def without(frame: pd.DataFrame, problems: Mapping[int, str]) -> pd.DataFrame:
    """Return the rows at positions that have no problem, with a fresh index."""
    if problems:
        frame = frame.iloc[np.setdiff1d(np.arange(len(frame)), list(problems))]
    return frame.reset_index(drop=True)


def arranged(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the canonical columns in front and turn numbers whole where they are."""
    if "turn_index" in frame and (frame["turn_index"] == frame["turn_index"].round()).all():
        frame["turn_index"] = frame["turn_index"].astype("int64")
    return frame[tidy_columns(map(str, frame.columns))]


def rejected_rows(chunk: Chunk, problems: Mapping[int, str]) -> pd.DataFrame:
    """Return bad rows and broken lines as they came, in the order of the file."""
    positions = sorted(problems)
    # A file of rejected rows that comes back mended or not has columns of these names already.
    rejected = chunk.frame.iloc[positions].rename(columns={name: f"{name}_original" for name in ("file", "row", "error", "raw")})
    rejected.insert(0, "error", [problems[position] for position in positions])
    rejected.insert(0, "row", rejected.index)
    if chunk.broken:
        lines = pd.DataFrame([{"row": number, "error": message, "raw": text} for number, text, message in chunk.broken])
        rejected = pd.concat([rejected, lines])
        rejected = rejected.sort_values("row", key=lambda rows: rows.map(place))
    rejected.insert(0, "file", chunk.where)
    return rejected.reset_index(drop=True)


def place(row: object) -> tuple[int, ...]:
    """Return what sorts row numbers and ``line.turn``."""
    return tuple(map(int, str(row).split(".")))


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
    codes = pd.factorize(frame["conversation_id"], use_na_sentinel=False)[0]
    keys = (frame["turn_index"].to_numpy(), codes) if "turn_index" in frame else (codes,)
    order = np.lexsort(keys)
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    cells = {name: [plain(cell) for cell in frame[name].iloc[order]] for name in frame.columns}
    own = {"conversation_id", "turn_index", "role", "text", *CHINESE_COLUMNS}
    shared = [
        name
        for name in frame.columns
        if name not in own and not str(name).endswith("_confidence") and _constant(cells[name], codes[order])
    ]
    inner = [name for name in frame.columns if name not in {"conversation_id", "turn_index", *shared}]
    records = []
    for start, end in itertools.pairwise([*starts.tolist(), len(frame)]):
        turns = zip(*(cells[name][start:end] for name in inner), strict=True)
        records.append(
            {
                "conversation_id": cells["conversation_id"][start],
                **{name: cells[name][start] for name in shared if not is_empty(cells[name][start])},
                "turns": [{n: cell for n, cell in zip(inner, turn, strict=True) if not is_empty(cell)} for turn in turns],
            }
        )
    return records


def _constant(cells: list[Any], conversations: NDArray[np.int64]) -> bool:
    """Tell whether cells, sorted by conversation, change between conversations only."""
    inside = conversations[1:] == conversations[:-1]
    return all(before == after for before, after in itertools.compress(itertools.pairwise(cells), inside))


def chinese_names(columns: Iterable[object]) -> list[str]:
    """Return the Chinese names of columns; other columns keep theirs.

    Raises
    ------
    TranscriptError
        When two would have the same name.
    """
    names = [CHINESE_COLUMNS.get(str(name), str(name)) for name in columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise TranscriptError(f"with Chinese column names two columns would be called {twice[0]!r}; write English ones")
    return names


def in_chinese(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with Chinese column names and roles."""
    return frame.assign(role=frame["role"].map(_CHINESE_ROLES)).set_axis(chinese_names(frame.columns), axis=1)
