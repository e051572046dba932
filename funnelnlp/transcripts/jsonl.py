"""JSON Lines: flat rows, or one conversation record a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts.cells import plain
from funnelnlp.transcripts.chunk import Broken, Raw
from funnelnlp.transcripts.encoding import TextSource


def read(path: Path, encoding: str | None, rows: int) -> Iterator[Raw]:
    """Read JSON Lines in chunks; a line is a turn, or a record with a list ``turns``.

    Parameters
    ----------
    path : pathlib.Path
    encoding : str or None
        As for `TextSource`.
    rows : int
        Size of a chunk, not counting what the last record of it has more.

    Yields
    ------
    Raw
        Index: line number for flat rows, ``line.turn`` for turns of a record. Keys of a record other than
        ``turns`` become columns of each of its turns; a chunk has all columns that were seen so far. Broken are
        lines that are not JSON, not an object, or whose turns are not objects.
    """
    source = TextSource(path, encoding, newline="\n")
    columns: dict[str, None] = {}
    with source.open() as file:
        lines = enumerate(file, 1)
        more = True
        while more:
            turns: list[dict[str, Any]] = []
            places: list[int | str] = []
            broken: list[Broken] = []
            while len(turns) + len(broken) < rows:
                number, line = next(lines, (0, ""))
                if not number:
                    more = False
                    break
                if line.strip():
                    try:
                        _take(number, line, turns, places)
                    except (ValueError, RecursionError) as error:
                        broken.append((number, line.rstrip("\n"), str(error)))
            for turn in turns:
                columns.update(dict.fromkeys(turn))
            if broken and not columns:
                raise TranscriptError(f"{path}, line {broken[0][0]}: {broken[0][2]}")
            index = pd.Index(places, dtype=object)
            data = {key: pd.Series([turn.get(key) for turn in turns], index, dtype=object) for key in columns}
            yield Raw(pd.DataFrame(data, index), broken, source.share)


def _take(number: int, line: str, turns: list[dict[str, Any]], places: list[int | str]) -> None:
    """Add the turns of a line; ValueError says why there are none."""
    try:
        item = json.loads(line)
        if "\\u" in line:
            item = _whole_characters(item)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {error}") from None
    if not isinstance(item, dict):
        raise ValueError(f"expected an object, got {type(item).__name__}")
    if "turns" not in item:
        turns.append(item)
        places.append(number)
        return
    if not isinstance(item["turns"], list) or not all(isinstance(turn, dict) for turn in item["turns"]):
        raise ValueError("'turns' must be a list of objects with 'role' and 'text'")
    shared = {key: value for key, value in item.items() if key != "turns"}
    for index, turn in enumerate(item["turns"]):
        turns.append({**shared, "turn_index": index, **turn})
        places.append(f"{number}.{index}")


def _whole_characters(value: Any) -> Any:
    """Replace halves of cut emoji, which no file can hold, by the replacement character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_characters(item) for key, item in value.items()}
    return value


def lines(frame: pd.DataFrame) -> bytes:
    """Return one JSON object a row, in UTF-8; empty numbers become null."""
    if frame.empty:
        return b""
    keys = [_text(name).replace("%", "%%") for name in map(str, frame.columns)]
    template = "{" + ", ".join(f"{key}: %s" for key in keys) + "}\n"
    cells = (_fragments(frame.iloc[:, i]) for i in range(frame.shape[1]))
    return "".join([template % row for row in zip(*cells, strict=True)]).encode()


def _fragments(column: pd.Series) -> list[str]:
    """Return every cell as JSON, a column at a time because most columns hold one type."""
    cells = column.tolist()
    types = set(map(type, cells))
    if types == {str}:
        return [encode_basestring(cell) for cell in cells]
    if types == {int} or (types == {float} and math.inf not in cells and -math.inf not in cells):
        return ["null" if cell != cell else repr(cell) for cell in cells]
    return [_text(plain(cell)) for cell in cells]


_text = json.JSONEncoder(ensure_ascii=False, default=str).encode


def record_lines(records: Iterable[dict[str, Any]]) -> bytes:
    """Return one conversation record a line, in UTF-8."""
    return "".join(f"{_text(record)}\n" for record in records).encode()
