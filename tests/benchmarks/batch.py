"""Many turns at once: CPU time and accuracy of every contender, on the same turns with the same tasks."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from funnelnlp.model.frames import conversation_codes
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.text import Tokeniser
from funnelnlp.training.evaluation import evaluate_predictions
from funnelnlp.training.labelled import label_numbers
from funnelnlp.transcripts import read_transcripts
from tests.benchmarks.clock import cpu_seconds, spread
from tests.benchmarks.contenders import CONTENDERS, INSTALL, NAIVE, Labeller
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import number, table, times, with_range

FLOOR = "floor: rjieba alone, all turns in one call"


def _read_csv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _accuracy(label: Labeller, corpus: Corpus) -> dict[str, Any]:
    predicted = label(corpus.heldout)
    conversation = conversation_codes(corpus.heldout)
    result = {}
    for task in BUILTIN_TASKS:
        # The empty label, of a task that does not apply, has no number and no truth to be compared with.
        place = {name: n for n, name in enumerate(("", *task.label_names), -1)}
        numbers = np.array([place[name] for name in predicted[task.name]])
        figures = evaluate_predictions(label_numbers(corpus.heldout, task), numbers, conversation, task.label_names)
        result[task.name] = {key: figures[key] for key in ("macro_f1", "macro_f1_interval", "turns")}
    return result


def _missing(name: str) -> dict[str, Any]:
    return {"name": name, "note": INSTALL}


def measure(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Return a row of CPU times per contender and floor, and the accuracy of each contender."""
    names = [contender.name for contender in CONTENDERS]
    labellers = {contender.name: contender.learn(corpus) for contender in CONTENDERS if contender.installed}
    frame = corpus.frame(settings.turns)
    runs: dict[str, tuple[Callable[[], object], int]] = {}
    for contender in CONTENDERS:
        if contender.installed:
            turns = frame.head(settings.slow_turns if contender.slow else None)
            runs[contender.name] = partial(labellers[contender.name], turns), len(turns)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.csv")
        corpus.write_csv(path, settings.turns)
        runs[FLOOR] = partial(Tokeniser().raw, frame["text"].tolist()), len(frame)
        runs["reading the CSV file: `csv.reader`"] = partial(_read_csv, path), len(frame)
        runs["reading the CSV file: `read_transcripts`"] = partial(read_transcripts, path), len(frame)
        seconds = cpu_seconds({name: run for name, (run, _) in runs.items()}, settings)
    micros = {name: spread([1e6 * s / runs[name][1] for s in repeats]) for name, repeats in seconds.items()}
    rows = [
        {
            "name": name,
            "turns": runs[name][1],
            "repeats": len(seconds[name]),
            "cpu_us_per_turn": micros[name],
            "times_faster_than_naive": micros[NAIVE.name]["median"] / micros[name]["median"],
            "times_the_floor": micros[name]["median"] / micros[FLOOR]["median"],
        }
        if name in runs
        else _missing(name)
        for name in dict.fromkeys([*names, *runs])
    ]
    accuracy = [
        {"name": name, "tasks": _accuracy(labellers[name], corpus)} if name in labellers else _missing(name) for name in names
    ]
    return {"rows": rows, "accuracy": accuracy, "learnt_from": len(corpus.training), "accuracy_on": len(corpus.heldout)}


def show(result: dict[str, Any]) -> list[str]:
    """Return the tables as Markdown."""

    def macro_f1(task: str) -> Callable[[dict[str, Any]], str]:
        def cell(row: dict[str, Any]) -> str:
            figures = row["tasks"][task]
            low, high = figures["macro_f1_interval"]
            return f"{figures['macro_f1']:.3f} ({low:.3f}–{high:.3f})"

        return cell

    tasks = [task.name for task in BUILTIN_TASKS]
    return [
        "## Batch",
        "",
        "All four tasks of every turn, tokenising included. CPU µs per turn: median of the repeats (smallest–largest). The naive "
        "pipelines, one per task, cut every turn for themselves; spaCy and fastText are given the words of all turns, cut once "
        "in one call. All but funnelnlp see a turn without its conversation.",
        "",
        *table(
            ["", "turns", "CPU µs per turn", "against naive jieba", "times the floor"],
            result["rows"],
            lambda row: f"{row['turns']:,}",
            lambda row: with_range(row["cpu_us_per_turn"]),
            lambda row: times(row["times_faster_than_naive"]),
            lambda row: number(row["times_the_floor"]),
        ),
        f"Macro-F1 with 95 % intervals on {result['accuracy_on']:,} held-out turns. The bundled model was trained on "
        f"`data/train`, the others on {result['learnt_from']:,} turns of it:",
        "",
        *table(["", *tasks], result["accuracy"], *map(macro_f1, tasks)),
    ]
