"""Train the bundled model and write its card: ``python -m funnelnlp.training.default`` (``make model``)."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from funnelnlp.model import Model, load
from funnelnlp.model.frames import conversation_codes
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS, Task
from funnelnlp.training.ablation import ablation
from funnelnlp.training.baselines import most_frequent, naive_predictions
from funnelnlp.training.evaluation import cross_validate, evaluate, evaluate_predictions
from funnelnlp.training.fit import TrainingSettings, learning_curve, train
from funnelnlp.training.labelled import Ints, label_numbers
from funnelnlp.transcripts import read_transcripts
from funnelnlp.transcripts.files import atomically

_REGISTER_FOLDS = 10
_RECIPE = TrainingSettings(other_strengths=())
_FIRST_BATCHES = ("s1", "s2", "s3", "s4", "s5")


def _registers(frame: pd.DataFrame) -> pd.Series:
    return frame["channel"] + " " + frame["batch"]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _figure(result: dict[str, Any]) -> str:
    low, high = result["macro_f1_interval"]
    return f"{result['macro_f1']:.3f} ({low:.3f}–{high:.3f})"


def _cross_validated(frame: pd.DataFrame, leave_out: str = "", folds: int | None = None) -> dict[str, str]:
    results = cross_validate(frame, leave_out=leave_out, folds=folds, settings=_RECIPE)
    return {name: _figure(result) for name, result in results.items()}


def _measure(frame: pd.DataFrame, task: Task, predicted: Ints) -> dict[str, Any]:
    return evaluate_predictions(label_numbers(frame, task), predicted, conversation_codes(frame), task.label_names)


def _real(path: Path | None) -> pd.DataFrame | None:
    return None if path is None else read_transcripts(path)


def _before_and_after(model: Model, training: pd.DataFrame, heldout: pd.DataFrame, real: pd.DataFrame | None) -> list[str]:
    """Return the section on what the corpus brought over its first five batches."""
    start = training[training["batch"].isin(_FIRST_BATCHES)]
    first = train(start, settings=replace(_RECIPE, folds=0))
    sets = {"held-out": heldout, **({} if real is None else {"real conversations": real})}
    results = {(name, m): evaluate(m, frame) for name, frame in sets.items() for m in (first, model)}
    validated = [_cross_validated(start), _cross_validated(training)]
    columns = ["cross-validated by conversation", *sets]
    lines = [
        "## What the corpus brought",
        "",
        f"The same recipe on the first five batches ({start['conversation_id'].nunique()} conversations, {len(start)} turns) "
        "and on all of them:",
        "",
        _row(["task", *(f"{column}, {when}" for column in columns for when in ("before", "after"))]),
        _row(["---"] * (1 + 2 * len(columns))),
    ]
    for task in BUILTIN_TASKS:
        cells = [figures[task.name] for figures in validated]
        cells += [_figure(results[name, m][task.name]) for name in sets for m in (first, model)]
        lines.append(_row([task.name, *cells]))
    if real is not None:
        size = f"{real['conversation_id'].nunique()} conversations, {len(real)} turns"
        lines += [
            "",
            f"The real ones ({size}: public help-desk threads, mall chats, operator calls) are not distributed with the",
            "project. Nothing is trained on them and no setting chosen by them; their errors were read to see what the corpus",
            "lacked.",
        ]
    return [*lines, ""]


def _more_data(curve: pd.DataFrame) -> list[str]:
    """Return the section on what more conversations would buy."""
    half, whole = curve.iloc[-2], curve.iloc[-1]
    gains = ", ".join(f"{task.name} {whole[task.name] - half[task.name]:+.3f}" for task in BUILTIN_TASKS)
    lines = [
        "## What more data would buy",
        "",
        "Macro-F1 on registers left out, before transitions, by the number of training conversations",
        "(`models/learning_curve.csv`, plotted in `notebooks/learning_curve.ipynb`):",
        "",
        _row(["conversations", *(task.name for task in BUILTIN_TASKS)]),
        _row(["---"] * (1 + len(BUILTIN_TASKS))),
    ]
    for _, line in curve.iterrows():
        lines.append(_row([f"{line['conversations']:.0f}", *(f"{line[task.name]:.3f}" for task in BUILTIN_TASKS)]))
    return [
        *lines,
        "",
        f"The last doubling brought {gains}.",
        "The next doubling will bring less; a few hundred labelled turns of your own channel are worth more than that.",
        "",
    ]


def _ablation(table: pd.DataFrame) -> list[str]:
    """Return the section on what each part of the recipe is worth."""
    whole = table.iloc[0]
    lines = [
        "## What each part is worth",
        "",
        "Macro-F1 on registers left out (5 folds), and the difference to the whole recipe.",
        "",
        _row(["variant", *(task.name for task in BUILTIN_TASKS)]),
        _row(["---"] * (1 + len(BUILTIN_TASKS))),
    ]
    for place, line in table.iterrows():
        shown = [f"{line[t.name]:.3f}" + (f" ({line[t.name] - whole[t.name]:+.3f})" if place else "") for t in BUILTIN_TASKS]
        lines.append(_row([str(line["variant"]), *shown]))
    return [*lines, ""]


def _alerts(alert: dict[str, Any]) -> list[str]:
    """Return what the card says on finding the turns worth an alert."""
    figures = {
        "Average precision": (alert["average_precision"], alert["average_precision_interval"]),
        "recall at 95 % precision": (alert["recall_at_95_precision"], alert["recall_at_95_precision_interval"]),
    }
    shown = [f"{name} {'not reached' if i is None else f'{f:.3f} ({i[0]:.3f}–{i[1]:.3f})'}" for name, (f, i) in figures.items()]
    return [f"Alerts ({'/'.join(alert['labels'])}, {alert['turns']} turns) by their probability:", ", ".join(shown) + "."]


def card(
    model: Model,
    folder: Path,
    training: pd.DataFrame,
    heldout: pd.DataFrame,
    real: pd.DataFrame | None,
    curve: pd.DataFrame,
    parts: pd.DataFrame,
) -> str:
    """Return the model card, every figure measured now."""
    result = evaluate(model, heldout)
    by_conversation = _cross_validated(training)
    by_register = _cross_validated(training, "channel,batch", _REGISTER_FOLDS)
    lines = [
        "# Model card: the bundled default model",
        "",
        "Labels every turn of a Chinese customer-service conversation with its funnel stage, question type, SPIN type",
        "(agents) and emotion phase (customers). A linear model over words, character n-grams and lexicon classes of the",
        "turn, of both speakers' turns before it, and its place in the conversation; funnel stages are shifted by learnt",
        "transitions from the stages before. It reads what came before a turn, never what comes after.",
        "",
        "Made by `make model`, which also writes this page: every figure below was measured in that run.",
        "",
        f"- Trained on `data/train`: {training['conversation_id'].nunique()} conversations, {len(training)} turns, "
        f"{training['batch'].nunique()} writing batches.",
        f"- Measured on `data/heldout`: {heldout['conversation_id'].nunique()} conversations, {len(heldout)} turns of "
        f"{heldout['batch'].nunique()} other batches, labelled by annotators who did not write them; never trained on.",
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
        *_alerts(emotion["alert"]),
        "",
        "## Calibration",
        "",
        "Confidence is the probability after temperature scaling on cross-validated scores. Expected calibration error",
        "on held-out conversations: "
        + ", ".join(f"{task.name} {result[task.name]['expected_calibration_error']:.3f}" for task in BUILTIN_TASKS)
        + ".",
        "",
        *_before_and_after(model, training, heldout, real),
        *_more_data(curve),
        *_ablation(parts),
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


def main() -> None:
    """Train on ``data/train``, save to ``models/default`` and write the card and the learning curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=bundled("models") / "default", help="model folder to write")
    parser.add_argument("--real", type=Path, help="labelled conversations to measure on besides the held-out ones")
    options = parser.parse_args()
    training = read_transcripts(bundled("data/train"))
    heldout = read_transcripts(bundled("data/heldout"))
    train(training, groups=_registers(training), settings=_RECIPE).save(options.to)
    curve = learning_curve(training, groups=_registers(training))
    atomically(options.to.parent / "learning_curve.csv", lambda target: curve.to_csv(target, index=False, float_format="%.4f"))
    text = card(load(options.to), options.to, training, heldout, _real(options.real), curve, ablation(training))
    atomically(options.to / "README.md", lambda target: target.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
