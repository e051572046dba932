"""Measure this library and what it replaces in one run: tables as Markdown, figures as JSON."""

# ruff: noqa: E402
from __future__ import annotations

import os

# NumPy reads these when it is imported. On one thread, CPU time is work and not waiting for other threads.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "RAYON_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))

import argparse
import json
import platform
import sys
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import funnelnlp
from funnelnlp.transcripts.files import atomically
from tests.benchmarks import batch, cold, growth, single, training
from tests.benchmarks.corpus import Corpus
from tests.benchmarks.settings import QUICK, Settings

SECTIONS = {"batch": batch, "single": single, "growth": growth, "cold": cold, "training": training}
PACKAGES = ("numpy", "pandas", "scikit-learn", "jieba", "rjieba", "snownlp", "spacy", "fasttext-numpy2")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def main() -> None:
    """Measure what is asked for; show and keep every section as soon as it is done."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="these sections and no others")
    parser.add_argument("--training", action="store_true", help="training time too")
    parser.add_argument("--full", action="store_true", help="training time and a file of ten million turns too")
    parser.add_argument("--quick", action="store_true", help="a few turns, to see that it runs; the figures say nothing")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all figures to this file")
    options = parser.parse_args()
    settings = QUICK if options.quick else Settings()
    if options.full:
        settings = replace(settings, sizes=(*settings.sizes, 10_000_000))
    usual = [name for name in SECTIONS if name != "training" or options.training or options.full]
    corpus = Corpus(settings)
    results = {
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "funnelnlp": funnelnlp.__version__,
            "packages": {package: _version(package) for package in PACKAGES},
        },
        "settings": asdict(settings),
    }
    where = results["environment"]
    found = ", ".join(f"{name} {number}" for name, number in where["packages"].items() if number)
    print(f"funnelnlp {where['funnelnlp']}, Python {where['python']}, {where['cores']} cores, one thread each; {found}\n")
    for name in options.only or usual:
        print(f"measuring: {name} …", file=sys.stderr)
        results[name] = SECTIONS[name].measure(corpus, settings)
        print("\n".join(SECTIONS[name].show(results[name])), flush=True)
        if options.json:
            text = json.dumps(results, ensure_ascii=False, indent=1) + "\n"
            atomically(options.json, lambda target, text=text: target.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
