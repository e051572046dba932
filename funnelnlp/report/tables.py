"""The figures of a report as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from funnelnlp.conversations import analytics
from funnelnlp.errors import FunnelError
from funnelnlp.report.privacy import masked
from funnelnlp.transcripts import write_transcripts

if TYPE_CHECKING:
    import pandas as pd

    from funnelnlp.conversations import Analysis
    from funnelnlp.model import Model

TABLE_FORMATS = ("csv", "parquet", "xlsx", "jsonl")


def write_tables(
    analysis: Analysis,
    folder: str | Path,
    *,
    file_format: str = "csv",
    model: Model | None = None,
    show_personal_data: bool = False,
) -> list[Path]:
    """Write summaries, hits, labelled turns and every count of the report, one file each.

    Parameters
    ----------
    analysis : Analysis
    folder : str or pathlib.Path
        Made when missing.
    file_format : {"csv", "parquet", "xlsx", "jsonl"}, default "csv"
    model : Model, optional
        Adds the comparison with what the model was trained on.
    show_personal_data : bool, default False
        As for `write_report`; without it columns of the log that this library does not know are left out.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    FunnelError
        For an unknown format or a place that cannot be written to.

    Examples
    --------
    >>> import funnelnlp, tempfile
    >>> from funnelnlp.conversations import analyse
    >>> frame = funnelnlp.read_transcripts(funnelnlp.bundled("data/samples") / "chats.csv")
    >>> paths = write_tables(analyse(funnelnlp.load(), frame), tempfile.mkdtemp(), file_format="parquet")
    >>> paths[0].name, paths[-1].name
    ('summaries.parquet', 'hits_by_day.parquet')
    """
    if file_format not in TABLE_FORMATS:
        raise FunnelError(f"tables can be written as {', '.join(TABLE_FORMATS)}; not as {file_format!r}")
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FunnelError(f"{folder}: cannot be made ({error.strerror or error})") from None
    shown = analysis if show_personal_data else masked(analysis)
    tables: dict[str, pd.DataFrame] = {
        "summaries": shown.summaries,
        "hits": shown.hits,
        "turns": shown.turns,
        "worklist": analytics.worklist(shown, len(shown.summaries)),
        "funnel": analytics.funnel(shown),
        "emotion_flow": analytics.emotion_flow(shown),
        "questions": analytics.question_mix(shown),
    }
    if model is not None:
        tables["drift"] = analytics.drift(model, shown)
    for by in ("rule", *analytics.groups_of(shown)):
        tables[f"hits_by_{by}"] = analytics.rule_hits(shown, by)
    paths = []
    for name, table in tables.items():
        paths.append(folder / f"{name}.{file_format}")
        write_transcripts(table, paths[-1])
    return paths
