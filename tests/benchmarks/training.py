"""From labelled turns to a model."""

from __future__ import annotations

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import funnelnlp
from funnelnlp.transcripts import write_transcripts
from tests.benchmarks.child import usage
from tests.benchmarks.clock import cpu_seconds, spread
from tests.benchmarks.contenders import fit_naive
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import number, table, times, with_range


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
    return {"rows": rows, "turns": len(corpus.training), "sizes": _sizes(corpus, settings)}


def _sizes(corpus: Corpus, settings: Settings) -> list[dict[str, Any]]:
    """Return a row per size of the training data, through the command."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "labelled.csv"), Path(folder, "model")
        for turns in settings.learn_sizes:
            write_transcripts(corpus.labelled_log(turns), source)
            used = usage([sys.executable, "-m", "funnelnlp", "train", str(source), "-o", str(target)])
            rows.append({"name": f"{turns:,} turns", "turns": turns, **used})
            shutil.rmtree(target)
    return rows


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
        "",
        "`funnelnlp train labelled.csv -o model` as a process of its own, one run, on all cores, with cross-validation; turns",
        "beyond those of `data/train` are copies in which characters were lost or mistaken. Peak memory is that of the largest",
        "process.",
        "",
        *table(
            ["", "wall seconds", "CPU seconds", "peak memory, MiB"],
            result["sizes"],
            lambda row: number(row["wall"]),
            lambda row: number(row["cpu"]),
            lambda row: number(row["peak_mib"]),
        ),
    ]
