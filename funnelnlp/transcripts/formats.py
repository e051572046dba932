"""Which formats there are, told by the extension."""

from __future__ import annotations

from pathlib import Path

from funnelnlp.errors import TranscriptError

FORMATS = (".csv", ".jsonl", ".parquet", ".xlsx", ".csv.gz", ".jsonl.gz")


def format_of(path: Path) -> str:
    """Return the extension that says the format, without the ``.gz`` of gzipped files.

    Raises
    ------
    TranscriptError
        For an unknown file type.

    Examples
    --------
    >>> format_of(Path("Chats.CSV.gz"))
    '.csv'
    """
    for extension in FORMATS:
        if path.name.lower().endswith(extension):
            return extension.removesuffix(".gz")
    raise TranscriptError(f"{path}: unknown file type {path.suffix or '(none)'!r}; accepted: {', '.join(FORMATS)}")
