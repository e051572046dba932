"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def number(value: float) -> str:
    """Return a figure with about three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def with_range(figures: Mapping[str, float]) -> str:
    """Return a median with its smallest and largest repeat."""
    return f"{number(figures['median'])} ({number(figures['min'])}–{number(figures['max'])})"


def times(ratio: float) -> str:
    return f"{number(ratio)}×"


def table(head: list[str], rows: Iterable[Mapping[str, Any]], *cells: Any) -> list[str]:
    """Return a table: the rows' names, then a cell per function; a row with a note says why it has no figures."""
    lines = [head, ["---"] * len(head)]
    for row in rows:
        figures = [row["note"], *[""] * (len(cells) - 1)] if "note" in row else [cell(row) for cell in cells]
        lines.append([row["name"], *figures])
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]
