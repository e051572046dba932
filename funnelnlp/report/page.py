"""Puts the page together: template, style, scripts and data in one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funnelnlp.errors import FunnelError
from funnelnlp.report.payload import payload
from funnelnlp.report.privacy import masked
from funnelnlp.transcripts.files import atomically

if TYPE_CHECKING:
    from funnelnlp.conversations import Analysis
    from funnelnlp.model import Model

LANGUAGES = ("zh", "en", "both")
_SCRIPTS = ("dom.js", "words.js", "data.js", "charts.js", "overview.js", "list.js", "reader.js", "page.js")


def write_report(
    analysis: Analysis,
    path: str | Path,
    *,
    model: Model | None = None,
    title: str = "",
    language: str = "both",
    show_personal_data: bool = False,
) -> None:
    """Write the report of a log: one HTML page that works offline, whole or not at all.

    Parameters
    ----------
    analysis : Analysis
        From `funnelnlp.conversations.analyse`.
    path : str or pathlib.Path
        An .html file.
    model : Model, optional
        The model used; with it the page compares the log with what the model was trained on.
    title : str, optional
        Shown at the top; a general title when empty.
    language : {"both", "zh", "en"}, default "both"
        ``"both"`` can be switched in the page.
    show_personal_data : bool, default False
        Write order numbers, phone numbers and the like as they are instead of their kind. Names and addresses in
        running text are never recognised.

    Raises
    ------
    FunnelError
        For an unknown language, another file type or a place that cannot be written to.

    Examples
    --------
    >>> import funnelnlp, tempfile, pathlib
    >>> from funnelnlp.conversations import analyse
    >>> model = funnelnlp.load()
    >>> frame = funnelnlp.read_transcripts(funnelnlp.bundled("data/samples") / "chats.csv")
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> write_report(analyse(model, frame), target, model=model)
    >>> target.read_text(encoding="utf-8")[:15]
    '<!doctype html>'
    """
    path = Path(path)
    check_target(path)
    if language not in LANGUAGES:
        raise FunnelError(f"language must be one of {', '.join(LANGUAGES)}; got {language!r}")
    shown = analysis if show_personal_data else masked(analysis)
    data = payload(shown, title=title, language=language, is_masked=not show_personal_data, model=model)
    page = render(data).encode("utf-8", "replace")
    atomically(path, lambda target: target.write_bytes(page))


def check_target(path: Path) -> None:
    """Refuse a file that cannot become the report, before any work is done."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise FunnelError(f"{path}: the report is an .html file")
    if not path.parent.is_dir():
        raise FunnelError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise FunnelError(f"{path} is a folder; name a file")


def render(data: dict[str, Any]) -> str:
    """Return the page with this data in it."""
    room = files("funnelnlp.report")
    script = "\n".join(room.joinpath("static", name).read_text(encoding="utf-8") for name in _SCRIPTS)
    parts = {
        "style": room.joinpath("static", "page.css").read_text(encoding="utf-8"),
        "charts": room.joinpath("vendor", "echarts.min.js").read_text(encoding="utf-8"),
        "script": f'"use strict";\n(() => {{\n{script}\n}})();',
        # Inside a script element only "<" can end the data early.
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "title": html.escape(data["meta"]["title"] or "funnelnlp"),
    }
    scripts = " ".join(f"'{_digest(parts[name])}'" for name in ("charts", "script"))
    # No source but what stands in the page: nothing is fetched, and no script runs that was not written here.
    parts["policy"] = (
        f"default-src 'none'; script-src {scripts}; style-src '{_digest(parts['style'])}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    template = room.joinpath("static", "template.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
