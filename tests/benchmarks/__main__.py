"""CPU time per turn of this library and of what it replaces, on the same turns in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pandas as pd

import funnelnlp
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.text import Tokeniser
from funnelnlp.training.baselines import naive_pipeline
from funnelnlp.training.labelled import label_numbers
from funnelnlp.transcripts import read_transcripts

TURNS = 20_000
REPEATS = 3
LONG_ENOUGH = 5.0
NAIVE_TASKS = [task for task in BUILTIN_TASKS if task.name != "spin_type"]


def log(training: pd.DataFrame, turns: int) -> pd.DataFrame:
    """Return a log of ``turns`` turns: the corpus as often as needed, each copy with its own conversation ids."""
    copies = -(-turns // len(training))
    parts = [training.assign(conversation_id=training["conversation_id"] + f"-{n}") for n in range(copies)]
    frame = pd.concat(parts, ignore_index=True).head(turns)
    return frame[["conversation_id", "turn_index", "role", "text"]]


def cpu_seconds(run: Callable[[], object]) -> list[float]:
    """Return the CPU seconds of each repeat, after one run to warm up."""
    run()
    seconds: list[float] = []
    # Short runs repeat until there is enough of them for a steady median.
    while len(seconds) < REPEATS or sum(seconds) < LONG_ENOUGH:
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return seconds


def main() -> None:
    """Measure and print one table."""
    training = read_transcripts(bundled("data/train"))
    frame = log(training, TURNS)
    texts = frame["text"].tolist()
    model = funnelnlp.load()
    tokeniser = Tokeniser()

    def fitted(engine: str) -> Callable[[], object]:
        pipelines = []
        for task in NAIVE_TASKS:
            y = label_numbers(training, task)
            pipelines.append(naive_pipeline(engine).fit(training["text"][y >= 0].tolist(), y[y >= 0]))
        return lambda: [pipeline.predict(texts) for pipeline in pipelines]

    single = frame[["role", "text"]].head(1000).values.tolist()
    runs: dict[str, tuple[Callable[[], object], int]] = {
        "naive scikit-learn pipelines with jieba, 3 tasks": (fitted("jieba"), TURNS),
        "naive scikit-learn pipelines with rjieba, 3 tasks": (fitted("rjieba"), TURNS),
        "funnelnlp Model.label_frame, 4 tasks": (lambda: model.label_frame(frame), TURNS),
        "funnelnlp Tracker.add, one turn at a time, 4 tasks": (lambda: model.label(single), len(single)),
        "floor: rjieba alone, all turns in one call": (lambda: tokeniser.raw(texts), TURNS),
    }
    baseline = None
    print(f"{TURNS} turns, at least {REPEATS} repeats, one process; CPU µs per turn")
    print(f"{'':54} {'median':>9} {'min':>9} {'max':>9} {'ratio':>8}")
    for name, (run, turns) in runs.items():
        micros = [1e6 * s / turns for s in cpu_seconds(run)]
        median = statistics.median(micros)
        baseline = baseline or median
        print(f"{name:54} {median:9.1f} {min(micros):9.1f} {max(micros):9.1f} {baseline / median:7.1f}×")


if __name__ == "__main__":
    main()
