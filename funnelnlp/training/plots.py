"""Confusion and reliability as pictures. Needs matplotlib, the ``plots`` extra."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from funnelnlp.errors import FunnelError, TranscriptError
from funnelnlp.taxonomy import Task
from funnelnlp.transcripts.files import atomically

_UNSAFE = re.compile(r"[^\w-]")

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties


def draw_plots(result: Mapping[str, Any], tasks: Sequence[Task], folder: str | Path) -> list[Path]:
    """Draw the confusion matrix and the reliability of every task.

    Parameters
    ----------
    result : mapping
        As `measure` returns it.
    tasks : sequence of Task
        The tasks of the result.
    folder : str or pathlib.Path
        Is made where it does not exist.

    Returns
    -------
    list of pathlib.Path
        ``confusion_<task>.png`` and ``reliability_<task>.png`` per task. Labels are written in an installed font
        that has all their characters; where there is none, by their English alias or their number.

    Raises
    ------
    FunnelError
        When matplotlib is not installed.
    TranscriptError
        When the folder cannot be written to.
    """
    check_plotting()
    from matplotlib.figure import Figure

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TranscriptError(f"{folder}: cannot be made ({error.strerror or error})") from None
    written = []
    for task in tasks:
        figures = result[task.name]
        font = font_for("".join((string.printable.strip(), task.name, *task.label_names)))
        title = task.name if font or task.name.isascii() else "task"
        kinds: dict[str, Callable[[Figure, Mapping[str, Any]], str]] = {
            "confusion": partial(_confusion, names=label_texts(task, font), font=font),
            "reliability": _reliability,
        }
        for kind, draw in kinds.items():
            side = max(4.6, 0.8 * len(task.labels))
            picture = Figure(figsize=(side + 0.6, side), dpi=150, layout="constrained")
            heading = f"{title}, {figures['turns']} turns: {draw(picture, figures)}"
            picture.suptitle(heading, fontproperties=font, fontsize=11, parse_math=False)
            path = folder / f"{kind}_{_UNSAFE.sub('_', task.name)}.png"
            atomically(path, partial(picture.savefig, format="png"))
            written.append(path)
    return written


def check_plotting() -> None:
    """Raise FunnelError when matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise FunnelError("plots need matplotlib: pip install 'funnelnlp[plots]'") from None


def label_texts(task: Task, font: FontProperties | None) -> list[str]:
    """Return what stands for the labels in a picture: their names if a font has them, else alias or number."""
    if font is not None or "".join(task.label_names).isascii():
        return list(task.label_names)
    aliases = [label.alias if label.alias.isascii() else "" for label in task.labels]
    return [alias or f"label {number}" for number, alias in enumerate(aliases, start=1)]


def font_for(text: str) -> FontProperties | None:
    """Return the first installed upright font that has every character, the plainest weight first."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    # Last Resort has every character, drawn as a box.
    upright = [font for font in fontManager.ttflist if font.style == "normal" and not font.name.startswith("Last Resort")]
    upright.sort(key=lambda font: font.weight not in (400, "normal", "regular"))
    for path in (findfont(FontProperties()), *(font.fname for font in upright)):
        try:
            face = get_font(path)
        except (OSError, RuntimeError):
            continue
        if all(face.get_char_index(ord(character)) for character in text):
            return FontProperties(fname=path)
    return None


def _confusion(picture: Figure, figures: Mapping[str, Any], names: Sequence[str], font: FontProperties | None) -> str:
    """Draw the matrix, coloured by the share of the true label, and return what the title says of it."""
    axes = picture.subplots()
    counts = np.array(figures["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, f"{count}\n{shares[row, column]:.0%}", ha="center", va="center", color=colour, fontsize=9)
    places = range(len(names))
    axes.set_xticks(places, names, fontproperties=font, parse_math=False)
    axes.set_yticks(places, names, fontproperties=font, parse_math=False)
    if max(map(len, names)) > 8:
        for text in axes.get_xticklabels():
            text.set(rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlabel("predicted")
    axes.set_ylabel("truth")
    picture.colorbar(image, ax=axes, label="share of the true label")
    return f"macro-F1 {figures['macro_f1']:.3f}"


def _reliability(picture: Figure, figures: Mapping[str, Any]) -> str:
    """Draw accuracy over confidence, and how many turns are that confident; return what the title says of it."""
    above, below = picture.subplots(2, sharex=True, height_ratios=[3, 1])
    bins = figures["reliability"]
    filled = [b for b in bins if b["turns"]]
    above.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="as confident as right")
    above.plot([b["confidence"] for b in filled], [b["accuracy"] for b in filled], marker="o", label="measured")
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share of right labels")
    above.legend(loc="upper left", frameon=False, fontsize=9)
    below.bar([b["from"] for b in bins], [b["turns"] for b in bins], width=0.1, align="edge", edgecolor="white")
    below.set(xlabel="confidence", ylabel="turns")
    return f"ECE {figures['expected_calibration_error']:.3f}"
