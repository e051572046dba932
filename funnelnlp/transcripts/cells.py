"""Single cells: what is empty, and what a cell is in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def is_empty(value: Any) -> bool:
    """Tell whether a cell holds nothing: None, NaN, NaT, NA or an empty text."""
    if isinstance(value, str):
        return value == ""
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def plain(value: Any) -> Any:
    """Return a cell as JSON-ready data; an empty number or date becomes None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value]
    return value if isinstance(value, str) or not is_empty(value) else None


def whole_number(value: Any) -> float | None:
    """Return a cell as a finite number that a float holds exactly, None for anything else."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | str | np.number):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 2**53 else None
