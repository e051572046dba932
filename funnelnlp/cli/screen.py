"""What the commands show on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from funnelnlp.model import Explanation, Model
from funnelnlp.taxonomy import Task

if TYPE_CHECKING:
    from funnelnlp.batch import Scored

_COLOURS = {"不满": "yellow", "愤怒": "red", "对抗": "bold red", "解决": "green"}
_GROUPINGS = ("channel", "industry", "batch")
_MANY = 12


def _console() -> Console:
    console = Console(highlight=False)
    # Piped output has no width of its own; rich would cut lines at 80 columns.
    return console if console.is_terminal else Console(highlight=False, width=140)


def _title(task: Task) -> str:
    return task.title or task.name


@contextmanager
def scoring_progress(*, hidden: bool) -> Iterator[tuple[Callable[[str, int, int], None], Callable[[str], None]]]:
    """Show how far scoring is, on the terminal only; gives a function for that and one that says something meanwhile."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} turns"),
        _Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal, transient=True) as bar:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage)
            bar.update(tasks[stage], completed=done, total=total)

        yield progress, lambda message: console.print(message, markup=False, soft_wrap=True)


class _Rate(ProgressColumn):
    def render(self, task: Any) -> Text:
        return Text(f"{task.speed:,.0f} turns/s" if task.speed else "")


def show_turns(rows: pd.DataFrame, tasks: Sequence[Task]) -> None:
    """Show labelled turns, a blank line between conversations."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for task in tasks:
        table.add_column(escape(_title(task)), no_wrap=True)
    table.add_column("内容", overflow="fold")
    last: Any = None
    for position, row in enumerate(rows.to_dict("records")):
        if position and row.get("conversation_id") != last:
            table.add_row()
        last = row.get("conversation_id")
        speaker = {"customer": "客户", "agent": "客服"}.get(str(row.get("role")), "")
        cells = [Text(row[task.name], _COLOURS.get(row[task.name], "")) for task in tasks]
        table.add_row(speaker, *cells, Text(row["text"].replace("\n", " ")))
    _console().print(table)


def show_summary(result: Scored, tasks: Sequence[Task]) -> None:
    """Show how often each label occurs, and where customers got angry."""
    console = _console()
    console.print(
        f"\n[bold]{result.turns} turns{f' of {result.conversations} conversations' if result.conversations else ''}[/bold]"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    for task in tasks:
        counts = result.labels.get(task.name, {})
        total = max(1, sum(counts.values()))
        parts = [f"{name} {counts.get(name, 0)} ({100 * counts.get(name, 0) / total:.0f} %)" for name in task.label_names]
        table.add_row(escape(_title(task)), escape("   ".join(parts)))
    console.print(table)
    if result.angry:
        shown = ", ".join(result.angry_names) + (" …" if result.angry > len(result.angry_names) else "")
        console.print(f"愤怒/对抗 in {result.angry} conversations: {escape(shown)}")


def show_counts(frame: pd.DataFrame, tasks: Sequence[Task]) -> None:
    """Show the size of labelled data: per label, and per channel, industry and batch where it has them."""
    from funnelnlp.training.guards import distinct_n
    from funnelnlp.training.labelled import column_of, vote_shares

    console = _console()
    conversations = f" of {frame['conversation_id'].nunique()} conversations" if "conversation_id" in frame else ""
    console.print(f"[bold]{len(frame)} turns{conversations}[/bold]")
    table = Table(box=None, pad_edge=False, show_header=False)
    for task in tasks:
        if column := column_of(frame, task):
            counts = vote_shares(frame[column].tolist(), task)[0].sum(axis=0)
            shown = [f"{name} {round(count)}" for name, count in zip(task.label_names, counts.tolist(), strict=True)]
            table.add_row(escape(task.name), escape("   ".join(shown)))
    for column in _GROUPINGS:
        if column in frame:
            counts = frame[column].value_counts()
            parts = [f"{name} {count}" for name, count in counts.head(_MANY).items()]
            rest = f"   … {len(counts)} in all" if len(counts) > _MANY else ""
            table.add_row(column, escape("   ".join(parts) + rest))
    if "channel" in frame:
        for channel, rows in frame.groupby("channel"):
            figures = "   ".join(f"distinct-{n} {distinct_n(rows['text'].tolist(), n):.3f}" for n in (2, 3, 4))
            table.add_row(escape(f"variety of {channel}"), f"{figures}   {rows['text'].str.len().mean():.0f} characters a turn")
    console.print(table)


def show_evaluation(result: dict[str, Any], by: Sequence[str] = ()) -> None:
    """Show the figures of each task, of each of its labels, and of the slices asked for."""
    console = _console()
    for task, figures in result.items():
        low, high = figures["macro_f1_interval"]
        console.print(
            f"[bold]{escape(task)}[/bold]  macro-F1 {figures['macro_f1']:.3f} (95 % interval {low:.3f}–{high:.3f})  "
            f"accuracy {figures['accuracy']:.3f}  kappa {figures['kappa']:.3f}  "
            f"ECE {figures['expected_calibration_error']:.3f}  {figures['turns']} turns"
            + (f", {figures['tied']} with tied votes left out" if figures["tied"] else "")
        )
        table = Table(box=None, pad_edge=False)
        for heading in ("", "precision", "recall", "F1", "turns"):
            table.add_column(heading, justify="left" if not heading else "right")
        table.add_column("  truth ↓ predicted →")
        for (name, figure), row in zip(figures["labels"].items(), figures["confusion"], strict=True):
            counted = "" if name in figures["macro_f1_labels"] else " (not counted)"
            table.add_row(
                escape(name + counted),
                *(f"{figure[key]:.3f}" for key in ("precision", "recall", "f1")),
                str(figure["turns"]),
                "  " + " ".join(f"{count:>6}" for count in row),
            )
        console.print(table)
        if "quadratic_kappa" in figures:
            console.print(
                f"quadratic-weighted kappa {figures['quadratic_kappa']:.3f}, "
                f"mean absolute distance {figures['mean_absolute_distance']:.3f}"
            )
        if figures.get("alert", {}).get("turns"):
            _show_alert(console, figures["alert"])
        if by:
            _show_slices(console, {key: figures["slices"][key] for key in by})
        if "comparison" in figures:
            _show_comparison(console, figures["comparison"])
        console.print()


def _with_interval(figure: float, limits: Sequence[float]) -> str:
    return f"{figure:.3f} ({limits[0]:.3f}–{limits[1]:.3f})"


def _show_alert(console: Console, alert: dict[str, Any]) -> None:
    found = "not reached by any threshold"
    if alert["threshold"] is not None:
        recall = _with_interval(alert["recall_at_95_precision"], alert["recall_at_95_precision_interval"])
        found = f"{recall} at probability ≥ {alert['threshold']:.3f}"
    console.print(
        f"alert {escape('/'.join(alert['labels']))}, {alert['turns']} turns: average precision "
        f"{_with_interval(alert['average_precision'], alert['average_precision_interval'])}, recall at 95 % precision {found}"
    )


def _show_slices(console: Console, slices: dict[str, dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("by", "", "macro-F1", "labels", "accuracy", "turns"):
        table.add_column(heading, justify="left" if heading in ("by", "") else "right")
    for key, values in slices.items():
        for value, figures in values.items():
            numbers = (f"{figures['macro_f1']:.3f}", str(len(figures["macro_f1_labels"])), f"{figures['accuracy']:.3f}")
            table.add_row(escape(key), escape(value), *numbers, str(figures["turns"]))
        if not values:
            table.add_row(escape(key), "no value with enough labelled turns")
    console.print(table)


def _show_comparison(console: Console, figures: dict[str, Any]) -> None:
    console.print(
        f"macro-F1 {figures['first']:.3f}, the other model {figures['second']:.3f}: difference "
        f"{figures['difference']:+.3f} (95 % interval {figures['difference_interval'][0]:+.3f} to "
        f"{figures['difference_interval'][1]:+.3f}), better in {figures['first_better']:.1%} of resamples\n"
        f"both right {figures['both_right']}, only this one {figures['only_first_right']}, "
        f"only the other {figures['only_second_right']}, both wrong {figures['both_wrong']}"
    )


def show_agreement(result: dict[str, Any]) -> None:
    """Show how far two label sets agree."""
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "turns", "conversations", "equal", "kappa", "quadratic kappa", "macro-F1"):
        table.add_column(heading, justify="left" if heading == "task" else "right")
    for task, figures in result.items():
        shown = [figures["accuracy"], figures["kappa"], figures.get("quadratic_kappa"), figures["macro_f1"]]
        numbers = ["" if number is None else f"{number:.3f}" for number in shown]
        table.add_row(escape(task), str(figures["turns"]), str(figures["conversations"]), *numbers)
    _console().print(table)


def show_explanation(explanation: Explanation, top: int) -> None:
    """Show the largest contributions and the sum of the rest."""
    console = _console()
    console.print(
        f"{escape(explanation.task)} = [bold]{escape(explanation.label)}[/bold]  confidence {explanation.confidence:.3f}  "
        f"score {explanation.score:.3f}"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("contribution", justify="right")
    table.add_column("feature")
    table.add_column("where")
    for part in explanation.contributions[:top]:
        table.add_row(f"{part.contribution:+.3f}", Text(part.feature), part.where)
    rest = explanation.contributions[top:]
    if rest:
        table.add_row(f"{sum(part.contribution for part in rest):+.3f}", f"{len(rest)} more", "")
    console.print(table)


def show_info(model: Model, folder: Path) -> None:
    """Show tasks, training facts and size of a model."""
    console = _console()
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    console.print(f"[bold]{escape(str(folder))}[/bold]  {size / 1e6:.2f} MB, {model.encoder.n_features} features")
    table = Table(box=None, pad_edge=False)
    for heading in ("task", "role", "labels (turns trained on)"):
        table.add_column(heading)
    counts = model.info.get("labels", {})
    for task in model.tasks:
        known = counts.get(task.name, {})
        labels = "  ".join(f"{n} ({known[n]})" if n in known else n for n in task.label_names)
        table.add_row(escape(task.name), task.role or "everybody", escape(labels))
    console.print(table)
    for key, value in model.info.items():
        if key != "labels":
            console.print(escape(f"{key}: {value}"))
