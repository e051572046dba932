"""Ever larger files through the command: time must grow with the turns, memory must not."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from subprocess import run
from typing import Any

from tests.benchmarks.child import usage
from tests.benchmarks.clock import repeat, spread
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import Settings
from tests.benchmarks.tables import number, table, with_range

SCORE = [sys.executable, "-m", "funnelnlp", "score"]
ONCE_FROM = 10_000_000


def measure(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """Return a row per file size, and one more for two processes."""
    knows_jobs = "--jobs" in run([*SCORE, "--help"], capture_output=True, text=True, check=True).stdout
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "big.csv"), Path(folder, "out.parquet")
        for turns in settings.sizes:
            corpus.write_csv(source, turns)
            for jobs in (1, 2) if turns == max(settings.sizes) else (1,):
                name = f"{turns:,} turns, {jobs} process{'es' * (jobs > 1)}"
                if jobs > 1 and not knows_jobs:
                    rows.append({"name": name, "note": "`funnelnlp score` has no `--jobs`"})
                    continue
                command = [*SCORE, str(source), "-o", str(target), "--quiet", *(["--jobs", str(jobs)] if knows_jobs else [])]
                if turns >= ONCE_FROM:
                    runs = [usage(command)]
                else:
                    runs = repeat(lambda command=command: usage(command), lambda used: used["cpu"], settings)
                rows.append(
                    {
                        "name": name,
                        "turns": turns,
                        "jobs": jobs,
                        "repeats": len(runs),
                        "file_mib": source.stat().st_size / 2**20,
                        "cpu_us_per_turn": spread([1e6 * used["cpu"] / turns for used in runs]),
                        "wall_seconds": spread([used["wall"] for used in runs]),
                        "peak_mib": spread([used["peak_mib"] for used in runs]),
                    }
                )
    return {"rows": rows}


def show(result: dict[str, Any]) -> list[str]:
    """Return the table as Markdown."""
    return [
        "## Growth",
        "",
        "`funnelnlp score big.csv -o out.parquet` as a process of its own, start included. Peak memory is that of the largest "
        "process.",
        "",
        *table(
            ["", "file, MiB", "CPU µs per turn", "wall seconds", "peak memory, MiB", "repeats"],
            result["rows"],
            lambda row: number(row["file_mib"]),
            lambda row: with_range(row["cpu_us_per_turn"]),
            lambda row: with_range(row["wall_seconds"]),
            lambda row: with_range(row["peak_mib"]),
            lambda row: str(row["repeats"]),
        ),
    ]
