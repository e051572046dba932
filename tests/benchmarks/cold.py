"""From nothing to the first label, in a fresh process."""

from __future__ import annotations

import sys
import tempfile
from copy import copy
from pathlib import Path
from typing import Any

import joblib
from sklearn.pipeline import Pipeline, make_pipeline

from tests.benchmarks.child import usage
from tests.benchmarks.clock import spread
from tests.benchmarks.contenders import naive_pipelines
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import table, times, with_range
from tests.benchmarks.words import jieba_words

TURN = "您好，请问有什么可以帮您？"
NAIVE = f"import joblib, sys; [p.predict([{TURN!r}]) for p in joblib.load(sys.argv[1])]"
OURS = f"import funnelnlp; funnelnlp.load().label([('agent', {TURN!r})])"


def _picklable(pipeline: Pipeline) -> Pipeline:
    vectoriser, classifier = (step for _, step in pipeline.steps)
    return make_pipeline(copy(vectoriser).set_params(tokenizer=jieba_words), classifier)


def measure(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Return a row per way to the first label."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "naive.joblib")
        joblib.dump([_picklable(pipeline) for pipeline in naive_pipelines(corpus, "jieba").values()], path)
        for name, command in (
            ("naive scikit-learn pipelines, jieba, `joblib.load`", ["-c", NAIVE, str(path)]),
            ("funnelnlp", ["-c", OURS]),
            ("floor: an empty Python program", ["-c", "pass"]),
        ):
            # jieba keeps its dictionary in the temp folder once a first start has put it there.
            starts = [usage([sys.executable, *command], TMPDIR=folder) for _ in range(settings.cold_starts + 1)][1:]
            figures = {key: spread([start[key] for start in starts]) for key in ("wall", "cpu", "peak_mib")}
            rows.append({"name": name, "repeats": len(starts), **figures})
    for row in rows:
        row["times_faster_than_naive"] = rows[0]["cpu"]["median"] / row["cpu"]["median"]
    return {"rows": rows}


def show(result: dict[str, Any]) -> list[str]:
    """Return the table as Markdown."""
    return [
        "## Cold start",
        "",
        f"A fresh process imports, loads and labels one turn; median of {result['rows'][0]['repeats']} (smallest–largest).",
        "",
        *table(
            ["", "wall seconds", "CPU seconds", "peak memory, MiB", "against naive jieba, CPU"],
            result["rows"],
            lambda row: with_range(row["wall"]),
            lambda row: with_range(row["cpu"]),
            lambda row: with_range(row["peak_mib"]),
            lambda row: times(row["times_faster_than_naive"]),
        ),
    ]
