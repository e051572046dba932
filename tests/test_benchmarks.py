"""The benchmark command runs and writes what it promises; its figures are nobody's business here."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from funnelnlp.taxonomy import BUILTIN_TASKS

ROOT = Path(__file__).parent.parent
SECTIONS = ["batch", "single", "growth", "cold", "training"]
SPREAD = {"median", "min", "max"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    out = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--training", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(out.read_text(encoding="utf-8"))


def measured(section: dict) -> dict[str, dict]:
    return {row["name"]: row for row in section["rows"] if "note" not in row}


@pytest.mark.parametrize(
    ("section", "figures"),
    [
        ("batch", ["cpu_us_per_turn"]),
        ("single", ["cpu_us_p50", "cpu_us_p99", "wall_us_p50", "wall_us_p99", "turns_per_second"]),
        ("growth", ["cpu_us_per_turn", "wall_seconds", "peak_mib"]),
        ("cold", ["wall", "cpu", "peak_mib"]),
        ("training", ["cpu_seconds"]),
    ],
)
def test_every_row_has_its_figures_with_spread(section: str, figures: list[str], run) -> None:
    rows = measured(run[1][section])
    assert rows
    for row in rows.values():
        assert row["repeats"] >= 1
        for figure in figures:
            spread = row[figure]
            assert set(spread) == SPREAD
            assert 0 < spread["min"] <= spread["median"] <= spread["max"] < math.inf


@pytest.mark.parametrize("section", ["batch", "single", "cold", "training"])
def test_ratios_are_against_the_naive_jieba_pipelines_of_the_same_run(section: str, run) -> None:
    rows = measured(run[1][section])
    naive = next(row for name, row in rows.items() if name.startswith("naive scikit-learn pipelines, jieba"))
    assert naive["times_faster_than_naive"] == pytest.approx(1)
    figure = next(key for key in ("cpu_us_per_turn", "cpu_us_p50", "cpu", "cpu_seconds") if key in naive)
    for row in rows.values():
        assert row["times_faster_than_naive"] == pytest.approx(naive[figure]["median"] / row[figure]["median"])


def test_training_by_size_says_what_it_took(run) -> None:
    (row,) = run[1]["training"]["sizes"]
    assert row["turns"] == 400
    assert row["wall"] > 0 and row["cpu"] > 0 and row["peak_mib"] > 50
    assert "| 400 turns |" in run[0]


def test_batch_times_and_rates_every_contender_or_says_how_to_install_it(run) -> None:
    batch = run[1]["batch"]
    accuracy = {row["name"]: row for row in batch["accuracy"]}
    assert len(accuracy) == 6
    for row in batch["rows"][:6]:
        if "note" in row:
            assert "pip install -e '.[bench]'" in row["note"]
            assert accuracy[row["name"]]["note"] == row["note"]
        else:
            tasks = accuracy[row["name"]]["tasks"]
            assert list(tasks) == [task.name for task in BUILTIN_TASKS]
            assert all(0 <= figures["macro_f1"] <= 1 and figures["turns"] > 0 for figures in tasks.values())
    ours = accuracy["funnelnlp `Model.label_frame`"]["tasks"]
    assert all(figures["macro_f1"] > 0.5 for figures in ours.values())
    assert measured(batch)["floor: rjieba alone, all turns in one call"]["times_the_floor"] == pytest.approx(1)


def test_threads_share_one_model(run) -> None:
    assert {row["threads"] for row in run[1]["single"]["rows"] if "labels alone" in row["name"]} == {1, 8}


def test_markdown_has_a_table_a_section(run) -> None:
    titles = [line for line in run[0].splitlines() if line.startswith("## ")]
    assert titles == ["## Batch", "## Single turns", "## Growth", "## Cold start", "## Training"]
    heads = [line for line in run[0].splitlines() if line.startswith("| ---")]
    assert len(heads) == len(SECTIONS) + 2  # batch and training have a second one: of accuracy, of sizes
    assert set(run[1]) == {"environment", "settings", *SECTIONS}
