"""Text files as Chinese tools write them: whatever encoding, plain or gzipped, opened for reading in a stream."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from funnelnlp.errors import TranscriptError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK = 1 << 20


class TextSource:
    """A text file opened for reading, which knows how far it has come.

    Parameters
    ----------
    path : pathlib.Path
        Gzipped when its name ends in ``.gz``.
    encoding : str or None
        Found out when None: BOM, UTF-8, GB18030 in that order.
    newline : str
        As for `open`.

    Raises
    ------
    TranscriptError
        When the bytes do not fit the encoding, or fit GB18030 only in a way no Chinese text looks. The whole file
        is looked at before anything of it is used.
    """

    def __init__(self, path: Path, encoding: str | None, newline: str) -> None:
        self._path, self._newline = path, newline
        self._size = max(1, path.stat().st_size)
        self.encoding, self.has_nul = _examine(path, encoding)

    @contextmanager
    def open(self) -> Iterator[io.TextIOWrapper]:
        """Open the file behind its byte order mark."""
        with (
            self._path.open("rb") as self._raw,
            io.TextIOWrapper(_plain(self._path, self._raw), encoding=self.encoding, newline=self._newline) as file,
        ):
            skip_mark(file)
            yield file

    @property
    def share(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return 1.0 if self._raw.closed else min(1.0, self._raw.tell() / self._size)


def skip_mark(file: io.TextIOWrapper) -> None:
    """Go to the start of a text, behind a byte order mark that its encoding left in."""
    file.seek(0)
    if file.read(1) != "\ufeff":
        file.seek(0)


def _plain(path: Path, raw: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=raw, mode="rb") if path.suffix.lower() == ".gz" else raw  # type: ignore[return-value]


def _examine(path: Path, encoding: str | None) -> tuple[str, bool]:
    """Return the encoding of a file and whether its text holds a NUL character."""
    if encoding is not None:
        try:
            return encoding, _has_nul(path, encoding)
        except LookupError:
            raise TranscriptError(f"unknown encoding {encoding!r}; try utf-8, gb18030 or big5") from None
        except UnicodeError as error:
            place = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
            raise TranscriptError(
                f"{path}: not {encoding} text{place}; without --encoding, BOM, UTF-8 and GB18030 are tried"
            ) from None
    with path.open("rb") as raw:
        start = _plain(path, raw).read(4)
    for bom, name in _BOMS:
        if start.startswith(bom):
            try:
                return name, _has_nul(path, name)
            except UnicodeError as error:
                reason = getattr(error, "reason", error)
                raise TranscriptError(f"{path}: starts with a {name} mark but is not {name} text ({reason})") from None
    lines = 1
    try:
        nul = False
        for text in _texts(path, "utf-8"):
            lines += text.count("\n")
            nul |= "\0" in text
        return "utf-8", nul
    except UnicodeDecodeError as error:
        broken = error.start
        lines += error.object.count(b"\n")
    nul, foreign, usual = False, 0, 0
    try:
        for text in _texts(path, "gb18030"):
            nul |= "\0" in text
            n_ascii = len(text.encode("ascii", "ignore"))
            foreign += len(text) - n_ascii
            usual += len(text.encode("gb2312", "ignore").decode("gb2312")) - n_ascii
    except UnicodeDecodeError:
        raise TranscriptError(
            f"{path}: neither UTF-8 (fails in line {lines}, byte {broken}) nor GB18030; give its encoding with "
            "--encoding, for example --encoding big5"
        ) from None
    rare = foreign - usual
    if rare > 0.3 * foreign:
        raise TranscriptError(
            f"{path}: not UTF-8, and read as GB18030 {rare} of {foreign} characters are ones that Simplified text "
            "does not use, as with Big5 files. Give the encoding with --encoding (big5, or gb18030 if it is right)"
        )
    return "gb18030", nul


def _has_nul(path: Path, encoding: str) -> bool:
    # All of the text has to be decoded, so no `any` that stops at the first.
    return bool(sum("\0" in text for text in _texts(path, encoding)))


def _texts(path: Path, encoding: str) -> Iterator[str]:
    """Decode a file block by block; errors name the byte of the file."""
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as raw:
        file = _plain(path, raw)
        read = 0
        while True:
            block = file.read(_BLOCK)
            waiting = len(decoder.getstate()[0])
            try:
                yield decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                start = read - waiting + error.start
                raise UnicodeDecodeError(error.encoding, error.object[: error.start], start, start + 1, error.reason) from None
            if not block:
                return
            read += len(block)
