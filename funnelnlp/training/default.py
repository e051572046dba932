"""Train the bundled model and write its card: ``python -m funnelnlp.training.default`` (``make model``)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from funnelnlp.model import load
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.training.baselines import most_frequent, naive_predictions
from funnelnlp.training.evaluation import evaluate, evaluate_predictions
from funnelnlp.training.fit import TrainingSettings, out_of_fold, train
from funnelnlp.training.labelled import Ints, conversation_codes, label_numbers
from funnelnlp.transcripts import read_transcripts

_REGISTER_FOLDS = 10


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(result: dict[str, Any]) -> str:
    low, high = result["macro_f1_interval"]
    return f"{result['macro_f1']:.3f} ({low:.3f}–{high:.3f})"


def _cross_validated(frame: pd.DataFrame, groups: Any = None, folds: int | None = None) -> dict[str, str]:
    scores = out_of_fold(frame, groups=groups, folds=folds)
    figures = {}
    start = 0
    for task in BUILTIN_TASKS:
        block = scores[:, start : start + len(task.labels)]
        start += len(task.labels)
        figures[task.name] = _figure(_measure(frame, task, block.argmax(axis=1)))
    return figures


def _measure(frame: pd.DataFrame, task: Task, predicted: Ints) -> dict[str, Any]:
    return evaluate_predictions(label_numbers(frame, task), predicted, conversation_codes(frame), task.label_names)


def card(model: Any, folder: Path, training: pd.DataFrame, heldout: pd.DataFrame) -> str:
    """Return the model card, every figure measured now."""
    result = evaluate(model, heldout)
    by_conversation = _cross_validated(training)
    registers = training["channel"] + " " + training["batch"]
    by_register = _cross_validated(training, groups=registers, folds=_REGISTER_FOLDS)
    lines = [
        "# Model card: the bundled default model",
        "",
        "Labels every turn of a Chinese customer-service conversation with its funnel stage, question type, SPIN type",
        "(agents) and emotion phase (customers). A linear model over words, character n-grams and lexicon classes of the",
        "turn, of both speakers' turns before it, and its place in the conversation. It reads what came before a turn,",
        "never what comes after.",
        "",
        "Made by `make model`, which also writes this page: every figure below was measured in that run.",
        "",
        f"- Trained on `data/train`: {training['conversation_id'].nunique()} conversations, {len(training)} turns, "
        f"{training['batch'].nunique()} writing batches.",
        f"- Measured on `data/heldout`: {heldout['conversation_id'].nunique()} conversations, {len(heldout)} turns of "
        f"{heldout['batch'].nunique()} other batches, labelled by people who did not write them; never trained on.",
        f"- {model.encoder.n_features:,} features, {sum(f.stat().st_size for f in folder.iterdir()) / 1e6:.2f} MB.",
        "",
        "## Macro-F1 with 95 % intervals",
        "",
        "Intervals: percentile bootstrap over conversations. Labels with fewer than 10 turns do not count.",
        "",
        _row(
            [
                "task",
                "held-out",
                "naive pipeline, held-out",
                "most frequent label, held-out",
                "cross-validated by conversation",
                "leaving registers out",
            ]
        ),
        _row(["---"] * 6),
    ]
    for task in BUILTIN_TASKS:
        naive = _measure(heldout, task, naive_predictions(training, heldout, task))
        frequent = _measure(heldout, task, most_frequent(training, len(heldout), task))
        figures = [result[task.name], naive, frequent]
        lines.append(_row([task.name, *map(_figure, figures), by_conversation[task.name], by_register[task.name]]))
    lines += [
        "",
        "The naive pipeline is `jieba.lcut` + `TfidfVectorizer` (words 1–2) + `LogisticRegression`, one per task, on the",
        f"same training turns. A register is a channel within a batch; whole ones are left out, in {_REGISTER_FOLDS} folds.",
        "",
        "## Per label on held-out conversations",
        "",
        _row(["task", "label", "precision", "recall", "F1", "turns", "turns trained on"]),
        _row(["---"] * 7),
    ]
    for task in BUILTIN_TASKS:
        for name, figure in result[task.name]["labels"].items():
            numbers = [f"{figure[key]:.2f}" for key in ("precision", "recall", "f1")]
            trained_on = model.info["labels"][task.name][name]
            lines.append(_row([task.name, name, *numbers, str(figure["turns"]), str(trained_on)]))
    emotion = result["emotion_phase"]
    lines += [
        "",
        f"Emotion phases are ordered: quadratic-weighted kappa {emotion['quadratic_kappa']:.3f}, mean absolute distance "
        f"{emotion['mean_absolute_distance']:.3f} phases.",
        "",
        "## Calibration",
        "",
        "Confidence is the probability after temperature scaling on cross-validated scores. Expected calibration error",
        "on held-out conversations: "
        + ", ".join(f"{task.name} {result[task.name]['expected_calibration_error']:.3f}" for task in BUILTIN_TASKS)
        + ".",
        "",
        "## Limits",
        "",
        "- The corpus is written for this project, not recorded. Logs of your own channel differ; label some",
        "  (`funnelnlp check`, `funnelnlp train`) and measure (`funnelnlp evaluate`) before you rely on the labels.",
        "- Sarcasm and cold anger without any marked word are often taken for 平静.",
        "- It reads Chinese. Text in other languages gets labels that mean nothing.",
        "- Labels describe turns, not people: they are no basis for decisions about single employees or customers",
        "  without somebody reading the conversation.",
        "",
    ]
    return "\n".join(lines)


def main(target: str | None = None) -> None:
    """Train on ``data/train``, save to ``models/default`` (or ``target``) and write the card there."""
    folder = Path(target) if target else bundled("models") / "default"
    training = read_transcripts(bundled("data/train"))
    heldout = read_transcripts(bundled("data/heldout"))
    train(training, settings=TrainingSettings()).save(folder)
    (folder / "README.md").write_text(card(load(folder), folder, training, heldout), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
