"""One turn at a time: what a live service waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import Barrier
from typing import Any

import numpy as np

import funnelnlp
from tests.benchmarks.clock import repeat, spread
from tests.benchmarks.contenders import naive_pipelines
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import number, table, times, with_range

THREADS = 8

Turns = list[tuple[str, str]]
Call = Callable[[str, str], object]


def _timed(conversations: Iterable[Turns], begin: Callable[[], Call]) -> list[tuple[int, int]]:
    """Return (CPU, wall) nanoseconds of every turn; ``begin`` starts a conversation."""
    result = []
    cpu, wall = time.thread_time_ns, time.perf_counter_ns
    for turns in conversations:
        add = begin()
        for role, text in turns:
            c, w = cpu(), wall()
            add(role, text)
            result.append((cpu() - c, wall() - w))
    return result


def _pass(conversations: list[Turns], begin: Callable[[], Call], threads: int) -> dict[str, float]:
    """Time every turn once, the conversations dealt to the threads."""
    together = Barrier(threads)

    def work(number: int) -> tuple[int, int, list[tuple[int, int]]]:
        together.wait()
        start = time.perf_counter_ns()
        timed = _timed(conversations[number::threads], begin)
        return start, time.perf_counter_ns(), timed

    with ThreadPoolExecutor(threads) as pool:
        starts, ends, timed = zip(*pool.map(work, range(threads)), strict=True)
    micros = np.concatenate([np.array(part) for part in timed]) / 1e3
    seconds = (max(ends) - min(starts)) / 1e9
    (cpu_p50, wall_p50), (cpu_p99, wall_p99) = np.percentile(micros, [50, 99], axis=0)
    return {
        "seconds": seconds,
        "turns_per_second": len(micros) / seconds,
        "cpu_us_p50": cpu_p50,
        "cpu_us_p99": cpu_p99,
        "wall_us_p50": wall_p50,
        "wall_us_p99": wall_p99,
    }


def measure(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Return a row per way of labelling single turns."""
    model = funnelnlp.load()
    conversations = corpus.conversations
    few = [list(chain.from_iterable(conversations))[: settings.slow_turns]]

    def naive(engine: str) -> Callable[[], Call]:
        pipelines = naive_pipelines(corpus, engine).values()
        return lambda: lambda _, text: [pipeline.predict([text]) for pipeline in pipelines]

    rows: list[dict[str, Any]] = []
    for name, turns, begin, threads in (
        ("naive scikit-learn pipelines, jieba", few, naive("jieba"), 1),
        ("naive scikit-learn pipelines, rjieba", few, naive("rjieba"), 1),
        ("funnelnlp, labels alone", conversations, lambda: model.track_turns().add, 1),
        ("funnelnlp `Tracker.add`, with events and advice", conversations, lambda: model.track().add, 1),
        ("funnelnlp, labels alone", conversations, lambda: model.track_turns().add, THREADS),
    ):
        _pass(turns, begin, threads)
        passes = repeat(
            lambda turns=turns, begin=begin, threads=threads: _pass(turns, begin, threads),
            lambda figures: figures["seconds"],
            settings,
        )
        figures = {key: spread([float(one[key]) for one in passes]) for key in passes[0] if key != "seconds"}
        rows.append({"name": name, "threads": threads, "turns": sum(map(len, turns)), "repeats": len(passes), **figures})
    for row in rows:
        row["times_faster_than_naive"] = rows[0]["cpu_us_p50"]["median"] / row["cpu_us_p50"]["median"]
    return {"rows": rows}


def show(result: dict[str, Any]) -> list[str]:
    """Return the table as Markdown."""
    return [
        "## Single turns",
        "",
        "Held-out turns in their conversations, all four tasks, one model for all threads. Latency of a call in µs: median over "
        "the passes (smallest–largest). Wall time includes waiting for whatever else runs.",
        "",
        *table(
            ["", "threads", "CPU p50", "CPU p99", "wall p50", "wall p99", "turns per second", "against naive jieba, CPU p50"],
            result["rows"],
            lambda row: str(row["threads"]),
            lambda row: with_range(row["cpu_us_p50"]),
            lambda row: with_range(row["cpu_us_p99"]),
            lambda row: with_range(row["wall_us_p50"]),
            lambda row: with_range(row["wall_us_p99"]),
            lambda row: number(row["turns_per_second"]["median"]),
            lambda row: times(row["times_faster_than_naive"]),
        ),
    ]
