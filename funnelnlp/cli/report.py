"""The ``funnelnlp report`` command."""

from __future__ import annotations

from pathlib import Path

import click

import funnelnlp
from funnelnlp.cli.main import _model_option, _reading
from funnelnlp.errors import TranscriptError


@click.command()
@click.argument("source", metavar="IN")
@click.option("-o", "--output", metavar="OUT.html", required=True, help="The page to write.")
@_model_option
@click.option("--rules", "rules_path", metavar="FILE", help="Your quality rules (.toml): they add to, change or switch off ours.")
@click.option("--title", default="", help="Title of the report.")
@click.option(
    "--lang",
    "language",
    type=click.Choice(["both", "zh", "en"]),
    default="both",
    show_default=True,
    help="Language of the page; both can be switched in it.",
)
@click.option("--show-personal-data", is_flag=True, help="Do not mask order numbers, phone numbers, e-mails and the like.")
@click.option("--tables", "tables_folder", metavar="DIR", help="Write summaries, hits, turns and all counts there, too.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "parquet", "xlsx", "jsonl"]),
    default="csv",
    show_default=True,
    help="Format of the tables.",
)
@_reading
def report(
    source: str,
    output: str,
    model_path: str | None,
    rules_path: str | None,
    title: str,
    language: str,
    show_personal_data: bool,
    tables_folder: str | None,
    file_format: str,
    columns: dict[str, str],
    encoding: str | None,
) -> None:
    r"""Write a report of the chat log IN: one HTML page that works offline.

    It shows what happened in the log as a whole, which conversations to look at first, and every conversation
    with its labels and the hits of the quality rules.

    \b
    Examples:
      funnelnlp report chats.xlsx -o report.html
      funnelnlp report chats.csv -o report.html --rules our-rules.toml --tables tables --format xlsx
    """
    from funnelnlp.conversations import analyse, read_rules
    from funnelnlp.report import write_report, write_tables
    from funnelnlp.report.page import check_target

    target = Path(output)
    check_target(target)
    if Path(source).resolve() in (target.resolve(), *target.resolve().parents):
        raise TranscriptError(f"{output}: this would replace the input or lie in it; choose another name or folder")
    rules = read_rules(rules_path)
    model = funnelnlp.load(model_path)
    frame = funnelnlp.read_transcripts(source, columns=columns, encoding=encoding)
    analysis = analyse(model, frame, rules)
    write_report(analysis, target, model=model, title=title, language=language, show_personal_data=show_personal_data)
    if tables_folder:
        paths = write_tables(analysis, tables_folder, file_format=file_format, model=model, show_personal_data=show_personal_data)
        click.echo(f"{len(paths)} tables written to {tables_folder}")
    click.echo(f"{len(analysis.summaries)} conversations, {len(analysis.hits)} rule hits: {target.resolve().as_uri()}")
