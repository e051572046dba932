"""JSON Lines: flat rows, or one conversation record a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts.cells import plain
from funnelnlp.transcripts.csv import decode


def read(path: Path, encoding: str | None) -> tuple[pd.DataFrame, list[tuple[int, str, str]]]:
    """Read JSON Lines; a line is a turn, or a record with a list ``turns``.

    Returns
    -------
    frame : pandas.DataFrame
        Index: line number for flat rows, ``line.turn`` for turns of a record. Keys of a record other than
        ``turns`` become columns of each of its turns.
    broken : list of (line, raw text, message)
        Lines that are not JSON, not an object, or whose turns are not objects.
    """
    rows: list[dict[str, Any]] = []
    places: list[int | str] = []
    broken: list[tuple[int, str, str]] = []
    for number, line in enumerate(decode(path.read_bytes(), encoding, str(path)).removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
            if "\\u" in line:
                item = _whole_characters(item)
        except (ValueError, RecursionError) as error:
            broken.append((number, line, f"not valid JSON: {error}"))
            continue
        if not isinstance(item, dict):
            broken.append((number, line, f"expected an object, got {type(item).__name__}"))
        elif "turns" not in item:
            rows.append(item)
            places.append(number)
        elif not isinstance(item["turns"], list) or not all(isinstance(turn, dict) for turn in item["turns"]):
            broken.append((number, line, "'turns' must be a list of objects with 'role' and 'text'"))
        else:
            shared = {key: value for key, value in item.items() if key != "turns"}
            for index, turn in enumerate(item["turns"]):
                rows.append({**shared, "turn_index": index, **turn})
                places.append(f"{number}.{index}")
    columns = list(dict.fromkeys(key for row in rows for key in row))
    data = {key: pd.Series([row.get(key) for row in rows], dtype=object, index=places) for key in columns}
    frame = pd.DataFrame(data, index=places)
    if not rows and broken:
        first = broken[0]
        raise TranscriptError(f"{path}, line {first[0]}: {first[2]}")
    return frame, broken


def _whole_characters(value: Any) -> Any:
    """Replace halves of cut emoji, which no file can hold, by the replacement character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_characters(item) for key, item in value.items()}
    return value


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write one JSON object a row, in UTF-8; empty numbers become null."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        names = [str(c) for c in frame.columns]
        for row in frame.itertuples(index=False, name=None):
            cells = {n: plain(v) for n, v in zip(names, row, strict=True)}
            file.write(json.dumps(cells, ensure_ascii=False, default=str) + "\n")


def write_records(records: list[dict[str, Any]], path: Path) -> None:
    """Write one conversation record a line, in UTF-8."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
