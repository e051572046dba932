"""The ``funnelnlp`` command."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import funnelnlp
from funnelnlp.errors import FunnelError, LabelError, TaxonomyError, TranscriptError
from funnelnlp.taxonomy import BUILTIN_TASKS, canonical_role, load_tasks


class _Commands(click.Group):
    """Turns the library's errors into a message and exit code 1; no traceback for what a user can mend."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FunnelError as error:
            raise click.ClickException(str(error)) from None
        except MemoryError:
            raise click.ClickException("out of memory; split the input into smaller files") from None


def _columns(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for value in values:
        name, sign, source = value.partition("=")
        if not sign or not name or not source:
            raise click.BadParameter(f"{value!r}: expected NAME=COLUMN, for example text=内容")
        columns[name.strip()] = source.strip()
    return columns


Command = Callable[..., Any]


def _reading(command: Command) -> Command:
    for option in (
        click.option(
            "--column",
            "columns",
            multiple=True,
            callback=_columns,
            metavar="NAME=COLUMN",
            help="Which column of the file is conversation_id, turn_index, role or text, e.g. --column text=内容. Repeatable.",
        ),
        click.option("--encoding", help="Encoding of .csv and .jsonl; tried when not given: BOM, UTF-8, GB18030."),
    ):
        command = option(command)
    return command


@contextmanager
def _naming_rows(data: str, columns: dict[str, str], encoding: str | None) -> Iterator[None]:
    """Let wrong labels be found in the file: they are noticed in a frame, which knows no rows of files."""
    from funnelnlp.transcripts.files import place_in_file

    try:
        yield
    except LabelError as error:
        where = place_in_file(data, error.position, columns=columns, encoding=encoding)
        raise TaxonomyError(f"{where}: {error.problem}") from None


_model_option = click.option("--model", "model_path", metavar="DIR", help="Model folder; the bundled model when not given.")
_confidence_option = click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Leave a label empty below this probability; its confidence is kept.",
)
_tasks_option = click.option(
    "--tasks", "tasks_path", metavar="FILE", help="Your own label set: a JSON list of {name, labels, role}."
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(funnelnlp.__version__, prog_name="funnelnlp")
def main() -> None:
    r"""Label every turn of Chinese customer-service conversations.

    \b
    funnelnlp score chats.csv -o labelled.csv     label a chat log
    funnelnlp label "怎么还没发货？" --role 客户    label one turn
    funnelnlp check labelled.csv                  look for mistakes in labelled data
    funnelnlp train labelled.csv -o my-model      train on your own labels
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and (stream.encoding or "").lower() not in ("utf-8", "utf8"):
            stream.reconfigure(encoding="utf-8")


@main.command()
@click.argument("source", metavar="IN")
@click.option("-o", "--output", metavar="OUT", help="File to write; its extension chooses the format.")
@_model_option
@_confidence_option
@_reading
@click.option("--on-error", type=click.Choice(["fail", "skip"]), default="fail", show_default=True, help="What a bad row does.")
@click.option("--rejected", metavar="FILE", help="With --on-error skip: where rows left out go [default: OUT.rejected.csv].")
@click.option("--names", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the column names.")
@click.option("--records", is_flag=True, help="Write one conversation a line (.jsonl).")
@click.option("--show", type=click.IntRange(min=0), metavar="N", help="Show the first N labelled turns on screen.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Number of processes.")
@click.option("--scattered", is_flag=True, help="Turns of a conversation may lie apart, also in a large file.")
@click.option("--quiet", is_flag=True, help="No summary and no progress.")
def score(
    source: str,
    output: str | None,
    model_path: str | None,
    min_confidence: float,
    columns: dict[str, str],
    encoding: str | None,
    on_error: str,
    rejected: str | None,
    names: str,
    records: bool,
    show: int | None,
    jobs: int,
    scattered: bool,
    quiet: bool,
) -> None:
    r"""Label every turn of the chat log IN (.csv .jsonl .parquet .xlsx .csv.gz .jsonl.gz, or a folder of them).

    Files of any size. A run that was stopped goes on where it was when the same command is given again.

    \b
    Examples:
      funnelnlp score chats.xlsx -o labelled.xlsx --names zh
      funnelnlp score chats.csv -o labelled.parquet --column text=聊天记录 --encoding big5
      funnelnlp score year.csv.gz -o labelled.parquet --jobs 4
      funnelnlp score chats.jsonl --show 20
    """
    from funnelnlp.batch.files import rejected_beside, score_files
    from funnelnlp.cli.screen import scoring_progress, show_summary, show_turns

    with (
        tempfile.TemporaryDirectory(prefix="funnelnlp-") as nowhere,
        warnings.catch_warnings(),
        scoring_progress(hidden=quiet) as (progress, say),
    ):
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda message, *_: say(str(message))
        try:
            result = score_files(
                source,
                output or Path(nowhere) / f"labelled{'.jsonl' if records else '.csv'}",
                model=model_path,
                min_confidence=min_confidence,
                columns=columns,
                encoding=encoding,
                on_error=on_error,
                rejected_to=rejected or rejected_beside(Path(output or source)),
                column_names=names,
                records=records,
                scattered=scattered,
                jobs=jobs,
                show=(20 if output is None else 0) if show is None else show,
                progress=progress,
            )
        except KeyboardInterrupt as stop:
            say(str(stop) or "stopped")
            raise click.exceptions.Exit(130) from None
    tasks = funnelnlp.load(model_path).tasks
    if len(result.head):
        show_turns(result.head, tasks)
    if not quiet:
        show_summary(result, tasks)
        if output is not None:
            click.echo(f"{result.turns} labelled turns written to {output}")


def _turn_of(line: str) -> tuple[str | None, str]:
    """Split ``客户：怎么退款`` into role and text; a line without a known role in front is all text."""
    for mark in ("\t", "：", ":"):
        front, sign, rest = line.partition(mark)
        if sign and canonical_role(front):
            return canonical_role(front), rest.strip()
    return None, line.strip()


def _conversations(lines: Iterator[str]) -> Iterator[list[tuple[str | None, str]]]:
    turns: list[tuple[str | None, str]] = []
    for line in lines:
        if line.strip():
            turns.append(_turn_of(line.rstrip("\n")))
        elif turns:
            yield turns
            turns = []
    if turns:
        yield turns


@main.command()
@click.argument("text", required=False)
@click.option("--role", help="Who says TEXT: customer/客户 or agent/客服.")
@_model_option
@_confidence_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a turn, with confidences.")
def label(text: str | None, role: str | None, model_path: str | None, min_confidence: float, as_json: bool) -> None:
    r"""Label TEXT, or the conversations on standard input.

    On standard input a line is a turn, its role may stand in front (客户：…), and an empty line starts the
    next conversation.

    \b
    Examples:
      funnelnlp label "请问您的订单号是多少？" --role agent
      printf '客服：您好，请问有什么可以帮您\n客户：我要退款！！\n' | funnelnlp label --json
    """
    model = funnelnlp.load(model_path, min_confidence=min_confidence)
    if text is not None:
        conversations: Iterator[list[tuple[str | None, str]]] = iter([[(role, text)]])
    else:
        if role is not None:
            raise click.UsageError("--role goes with TEXT; on standard input write it in front of the line (客户：…)")
        conversations = _conversations(iter(sys.stdin))
    for number, turns in enumerate(conversations):
        if number and not as_json:
            click.echo()
        for (who, words), labels in zip(turns, model.label(turns), strict=True):
            if as_json:
                click.echo(json.dumps({"role": canonical_role(who), "text": words, **labels}, ensure_ascii=False))
            else:
                shown = [f"{task.name}={labels[task.name]}" for task in model.tasks if labels[task.name]]
                click.echo("\t".join([*shown, words]))


@main.command()
@click.argument("data", metavar="DATA")
@click.option("-o", "--output", "output", required=True, metavar="MODELDIR", help="Model folder to write.")
@_tasks_option
@click.option("--lexicons", "lexicon_folder", metavar="DIR", help="Your lexicons (*.txt) instead of the bundled ones.")
@click.option("--user-dict", metavar="FILE", help="Extra words for the tokeniser, in jieba's format.")
@click.option(
    "--c",
    "strength",
    type=click.FloatRange(min=0, min_open=True),
    help="Inverse strength of the L2 penalty; chosen per task by cross-validation when not given.",
)
@click.option("--balance", type=click.FloatRange(0, 1), help="Class weights: 0 as frequent as they are, 1 all equal.")
@click.option("--jobs", type=int, default=-1, show_default=True, help="Processes for cross-validation; -1 for all cores.")
@_reading
def train(
    data: str,
    output: str,
    tasks_path: str | None,
    lexicon_folder: str | None,
    user_dict: str | None,
    strength: float | None,
    balance: float | None,
    jobs: int,
    columns: dict[str, str],
    encoding: str | None,
) -> None:
    r"""Train a model on labelled turns: DATA is a file or a folder with one column per task.

    \b
    Examples:
      funnelnlp train labelled.xlsx -o my-model
      funnelnlp train tickets.csv --tasks tasks.json -o urgent-model
    where tasks.json holds [{"name": "urgent", "labels": ["no", "yes"], "role": "customer"}]

    A turn that several people labelled may keep all their votes: 不满|不满|愤怒 or 不满:2|愤怒:1 in a cell, in .jsonl and
    .parquet also a list or {"不满": 2, "愤怒": 1}.
    """
    from dataclasses import replace

    from funnelnlp.model.persistence import check_target
    from funnelnlp.text import read_lexicons, read_user_dictionary
    from funnelnlp.training import TrainingSettings

    if jobs == 0:
        raise click.UsageError("--jobs is a number of processes, or -1 for all cores; not 0")
    check_target(Path(output))
    tasks = load_tasks(tasks_path) if tasks_path else BUILTIN_TASKS
    settings = TrainingSettings()
    if user_dict:
        settings = replace(settings, encoder=replace(settings.encoder, user_words=read_user_dictionary(user_dict)))
    if strength is not None:
        settings = replace(settings, C=strength, other_strengths=())
    if balance is not None:
        settings = replace(settings, balance=balance)
    lexicons = read_lexicons(lexicon_folder) if lexicon_folder else None
    frame = funnelnlp.read_transcripts(data, columns=columns, encoding=encoding)
    with _naming_rows(data, columns, encoding):
        model = funnelnlp.train(frame, tasks, settings=settings, lexicons=lexicons, n_jobs=jobs)
    model.save(output)
    counts = ", ".join(task.name for task in tasks)
    click.echo(f"{output}: {counts}; learnt from {len(frame)} turns of {model.info['conversations']} conversations")


@main.command()
@click.argument("data", metavar="DATA")
@_model_option
@click.option("--compare", "other_path", metavar="MODELDIR", help="A second model to compare with on the same turns.")
@click.option("--cross-validate", is_flag=True, help="Measure the training recipe on DATA itself; no model is used.")
@_tasks_option
@click.option("--leave-out", metavar="COLUMN[,COLUMN]", help="With --cross-validate: leave out whole groups, e.g. channel,batch.")
@click.option("--jobs", type=int, default=-1, show_default=True, help="Processes for --cross-validate; -1 for all cores.")
@click.option("--by", multiple=True, metavar="COLUMN", help="Show figures per channel, batch, role, turn_length … Repeatable.")
@click.option("--json", "json_path", metavar="OUT", help="Write all figures to a JSON file.")
@click.option("--errors", "errors_path", metavar="OUT", help="Write the 200 most confident mistakes to a .csv (or .xlsx …) file.")
@click.option("--plots", "plots_folder", metavar="DIR", help="Draw confusion and reliability of every task as .png files.")
@click.option("--min-support", type=click.IntRange(min=1), default=10, show_default=True, help="Turns a label needs to count.")
@_reading
def evaluate(
    data: str,
    model_path: str | None,
    other_path: str | None,
    cross_validate: bool,
    tasks_path: str | None,
    leave_out: str | None,
    jobs: int,
    by: tuple[str, ...],
    json_path: str | None,
    errors_path: str | None,
    plots_folder: str | None,
    min_support: int,
    columns: dict[str, str],
    encoding: str | None,
) -> None:
    r"""Measure a model on labelled turns: macro-F1 with intervals, per label, confusion, calibration, alerts.

    \b
    Examples:
      funnelnlp evaluate labelled.csv --model my-model --json figures.json
      funnelnlp evaluate labelled.csv --by channel --errors mistakes.csv --plots pictures
      funnelnlp evaluate labelled.csv --model my-model --compare my-old-model
      funnelnlp evaluate labelled.csv --cross-validate --leave-out channel,batch
    """
    from funnelnlp.batch.files import check_outputs
    from funnelnlp.cli.screen import show_evaluation
    from funnelnlp.training import compare_predictions, cross_predict, draw_plots, measure, mistakes, predict
    from funnelnlp.training.plots import check_plotting
    from funnelnlp.training.slices import values_of
    from funnelnlp.transcripts import write_transcripts
    from funnelnlp.transcripts.files import atomically

    if cross_validate and (model_path or other_path):
        raise click.UsageError("--cross-validate trains on DATA itself; --model and --compare do not go with it")
    if not cross_validate and (tasks_path or leave_out):
        raise click.UsageError("--tasks and --leave-out go with --cross-validate; a model knows its tasks")
    if jobs == 0:
        raise click.UsageError("--jobs is a number of processes, or -1 for all cores; not 0")
    if json_path and Path(json_path).suffix.lower() != ".json":
        raise TranscriptError(f"{json_path}: the figures are written as .json")
    if errors_path:
        check_outputs(Path(data), Path(errors_path))
    if plots_folder:
        check_plotting()
    frame = funnelnlp.read_transcripts(data, columns=columns, encoding=encoding)
    for key in by:
        values_of(frame, key)  # a wrong column is told before the work, not after it
    with _naming_rows(data, columns, encoding):
        if cross_validate:
            tasks = load_tasks(tasks_path) if tasks_path else BUILTIN_TASKS
            predictions = cross_predict(frame, tasks, leave_out=leave_out or "", n_jobs=jobs)
        else:
            predictions = predict(funnelnlp.load(model_path), frame)
    result = measure(predictions, min_support=min_support, by=by)
    if other_path:
        other = predict(funnelnlp.load(other_path), frame)
        for task, figures in compare_predictions(predictions, other, min_support=min_support).items():
            result[task]["comparison"] = figures
    if json_path:
        text = json.dumps(result, ensure_ascii=False, indent=1) + "\n"
        atomically(Path(json_path), lambda target: target.write_text(text, encoding="utf-8"))
    if errors_path:
        write_transcripts(mistakes(predictions), errors_path)
    if plots_folder:
        draw_plots(result, predictions.tasks, plots_folder)
    show_evaluation(result, [*by, *([leave_out] if leave_out else [])])


@main.command()
@click.argument("first")
@click.argument("second")
@_tasks_option
def agreement(first: str, second: str, tasks_path: str | None) -> None:
    r"""Say how far two people labelled the same turns alike: share of equal labels and Cohen's kappa per task.

    Turns are matched by conversation_id and turn_index.

    \b
    Example:
      funnelnlp agreement labelled-by-li.xlsx labelled-by-wang.xlsx
    """
    from funnelnlp.cli.screen import show_agreement
    from funnelnlp.training import agreement as measure

    tasks = load_tasks(tasks_path) if tasks_path else BUILTIN_TASKS
    show_agreement(measure(funnelnlp.read_transcripts(first), funnelnlp.read_transcripts(second), tasks))


@main.command()
@click.argument("text")
@click.option("--task", required=True, help="Which task to explain, e.g. emotion_phase.")
@click.option("--role", help="Who says TEXT: customer/客户 or agent/客服.")
@click.option("--label", "label_", help="Explain this label instead of the one given.")
@click.option(
    "--before", multiple=True, metavar="TURN", help="An earlier turn, e.g. --before 客服：请稍等. Repeatable, in order."
)
@click.option("--top", type=click.IntRange(min=1), default=12, show_default=True, help="How many contributions to show.")
@_model_option
def explain(
    text: str, task: str, role: str | None, label_: str | None, before: tuple[str, ...], top: int, model_path: str | None
) -> None:
    r"""Say which words and circumstances made the score of a label, exactly.

    \b
    Example:
      funnelnlp explain "都三天了还没发货！！" --role 客户 --task emotion_phase --before 客服：请您耐心等待
    """
    from funnelnlp.cli.screen import show_explanation

    turns = [*map(_turn_of, before), (role, text)]
    show_explanation(funnelnlp.load(model_path).explain(turns, -1, task, label_), top)


@main.command()
@_model_option
def info(model_path: str | None) -> None:
    """Show what a model labels, what it was trained on and how large it is."""
    from funnelnlp.cli.screen import show_info
    from funnelnlp.resources import bundled

    show_info(funnelnlp.load(model_path), Path(model_path) if model_path else bundled("models/default"))


@main.command()
@click.argument("data", metavar="DATA")
@_tasks_option
@_reading
def check(data: str, tasks_path: str | None, columns: dict[str, str], encoding: str | None) -> None:
    r"""Look for mistakes in labelled data: unknown labels, empty cells, conflicts, broken conversations.

    Exit code 1 when something would keep the data from being used.

    \b
    Example:
      funnelnlp check labelled.xlsx --column text=内容
    """
    from funnelnlp.cli.screen import show_counts
    from funnelnlp.training import check as check_data
    from funnelnlp.transcripts import load_transcripts
    from funnelnlp.transcripts.files import describe_rejected

    tasks = load_tasks(tasks_path) if tasks_path else BUILTIN_TASKS
    result = load_transcripts(data, columns=columns, encoding=encoding)
    findings = check_data(result.frame, tasks) if len(result.frame) else []
    if len(result.frame):
        show_counts(result.frame, tasks)
    for finding in findings:
        click.echo(f"{finding.level}: {finding.message}")
    errors = sum(finding.level == "error" for finding in findings) + len(result.rejected)
    if len(result.rejected):
        click.echo(f"error: {len(result.rejected)} rows cannot be used:\n{describe_rejected(result.rejected)}")
    if errors:
        raise click.exceptions.Exit(1)
    click.echo("nothing wrong" if not findings else f"usable, {len(findings)} warnings")
