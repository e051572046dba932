"""Repeated timing, with spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.benchmarks.settings import Settings


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, smallest and largest value."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def repeat(run: Callable[[], Any], seconds: Callable[[Any], float], settings: Settings) -> list[Any]:
    """Run until there are enough results for a steady median; ``seconds`` says how long a result took."""
    results: list[Any] = []
    while len(results) < settings.repeats or sum(map(seconds, results)) < settings.seconds:
        results.append(run())
    return results


def cpu_seconds(runs: dict[str, Callable[[], object]], settings: Settings, *, warm_up: bool = True) -> dict[str, list[float]]:
    """Return the CPU seconds of every repeat of every run.

    The runs take turns, so that a machine that is busier for a while is so for all of them.
    """
    if warm_up:
        for run in runs.values():
            run()
    # What other runs keep in memory would be walked through again and again while this one is timed.
    gc.collect()
    gc.freeze()
    result: dict[str, list[float]] = {name: [] for name in runs}
    pending = dict(runs)
    while pending:
        for name, run in list(pending.items()):
            start = time.process_time()
            run()
            result[name].append(time.process_time() - start)
            if len(result[name]) >= settings.repeats and sum(result[name]) >= settings.seconds:
                del pending[name]
    gc.unfreeze()
    return result
