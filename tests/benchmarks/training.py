"""From labelled turns to a model."""

from __future__ import annotations

from functools import partial
from typing import Any

import funnelnlp
from tests.benchmarks.clock import cpu_seconds, spread
from tests.benchmarks.contenders import fit_naive
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import table, times, with_range


def measure(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Return a row per way of training on all of ``data/train``."""
    runs = {
        "naive scikit-learn pipelines, jieba": partial(fit_naive, corpus, "jieba"),
        "naive scikit-learn pipelines, rjieba": partial(fit_naive, corpus, "rjieba"),
        "`funnelnlp.train`, calibrated by cross-validation": partial(funnelnlp.train, corpus.training, n_jobs=1),
    }
    seconds = cpu_seconds(runs, settings, warm_up=False)
    rows: list[dict[str, Any]] = [{"name": n, "repeats": len(s), "cpu_seconds": spread(s)} for n, s in seconds.items()]
    for row in rows:
        row["times_faster_than_naive"] = rows[0]["cpu_seconds"]["median"] / row["cpu_seconds"]["median"]
    return {"rows": rows, "turns": len(corpus.training)}


def show(result: dict[str, Any]) -> list[str]:
    """Return the table as Markdown."""
    return [
        "## Training",
        "",
        f"All four tasks on {result['turns']:,} turns, in one process.",
        "",
        *table(
            ["", "CPU seconds", "against naive jieba"],
            result["rows"],
            lambda row: with_range(row["cpu_seconds"]),
            lambda row: times(row["times_faster_than_naive"]),
        ),
    ]
