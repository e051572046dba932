"""The folder of work beside an output: finished parts, which survive the process, and how they become the output."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from funnelnlp.errors import TranscriptError
from funnelnlp.transcripts import csv, jsonl, parquet, xlsx
from funnelnlp.transcripts.output import Output

Facts = dict[str, Any]


def settle(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file in the work folder, then give it its name: whole or not at all, power cuts included."""
    temporary = path.with_name(f"{uuid.uuid4().hex}.tmp")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@dataclass(frozen=True, slots=True)
class Parts:
    """Finished parts of one kind: data, rejected rows, and facts about them, written last.

    Parameters
    ----------
    folder : pathlib.Path
    kind : str
    """

    folder: Path
    kind: str = "part"

    def file(self, number: int, what: str) -> Path:
        """Return the place of something of a part."""
        return self.folder / f"{self.kind}-{number:06d}.{what}"

    def finish(self, number: int, facts: Facts) -> None:
        """Say that all files of a part are there."""
        text = json.dumps(facts, ensure_ascii=False, default=str)
        settle(self.file(number, "json"), lambda path: path.write_text(text, encoding="utf-8"))

    def facts(self, number: int) -> Facts | None:
        """Return what is known of a finished part, None for one that is not."""
        try:
            facts: Facts = json.loads(self.file(number, "json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return facts

    def count(self) -> int:
        """Return how many are finished."""
        return sum(1 for _ in self.folder.glob(f"{self.kind}-*.json"))

    def all_facts(self) -> list[Facts]:
        """Return what is known of all finished parts."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob(f"{self.kind}-*.json"))]

    # --- rows ---------------------------------------------------------------------------------------------------

    def write(self, number: int, output: Output, labelled: pd.DataFrame, rejected: pd.DataFrame) -> None:
        """Write the rows of a part in the format of the output, so that the output is one part after the other."""
        if len(rejected):
            settle(self.file(number, "rejected"), lambda path: path.write_bytes(jsonl.lines(rejected)))
        if output.is_text:
            settle(self.file(number, "data"), lambda path: path.write_bytes(output.body(labelled)))
        else:
            table = _arrow(output.named(labelled), output.format)
            settle(self.file(number, "data"), lambda path: _write_arrow(table, path))

    def assemble(self, numbers: Sequence[int], output: Output, columns: Sequence[str], begun: ParquetBegun | None = None) -> None:
        """Make the output of finished parts, of which some or all may be joined already."""
        files = [self.file(number, "data") for number in numbers]

        def write(path: Path) -> None:
            if output.is_text:
                with path.open("wb") as whole:
                    whole.write(output.head(columns))
                    for file in files:
                        _append(file, whole)
            elif output.format == ".parquet":
                if begun is None or not begun.finish(len(files), path):
                    _join_parquet(files, path)
            else:
                tables = [parquet.to_pandas(_read_arrow(file)) for file in files]
                xlsx.write(pd.concat(tables, ignore_index=True), path)

        settle(self.folder / "whole", write)
        os.replace(self.folder / "whole", output.path)

    def assemble_rejected(self, numbers: Sequence[int], columns: Sequence[str], target: Path) -> None:
        """Make one CSV file of the rejected rows of finished parts."""

        def write(path: Path) -> None:
            with path.open("wb") as whole:
                whole.write(csv.header(columns))
                for number in numbers:
                    with self.file(number, "rejected").open(encoding="utf-8", newline="\n") as lines:
                        rows = pd.DataFrame([json.loads(line) for line in lines], columns=list(columns), dtype=object)
                    whole.write(csv.lines(rows))

        settle(self.folder / "rejected", write)
        os.replace(self.folder / "rejected", target)


class ParquetBegun:
    """A Parquet file that takes finished parts, in their order, while others are still being labelled.

    Encoding is what takes long, and must not begin when all the workers are done. It is given up where the parts differ
    in their columns, which shows late: `Parts.assemble` then joins them from the start.

    Parameters
    ----------
    parts : Parts
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._path = parts.folder / f"{uuid.uuid4().hex}.tmp"
        self._waiting: set[int] = set()
        self._next = 0
        self._writer: Any = None
        self._usable = True

    def add(self, number: int) -> None:
        """Take a finished part, or remember it until those before it are there."""
        import pyarrow
        from pyarrow import parquet as pq

        self._waiting.add(number)
        while self._usable and self._next in self._waiting:
            table = _read_arrow(self._parts.file(self._next, "data"))
            try:
                self._writer = self._writer or pq.ParquetWriter(self._path, table.schema)
                self._usable = table.schema.equals(self._writer.schema)
                if self._usable:
                    self._writer.write_table(table)
                    # What encoding took would else be kept beside what labelling takes.
                    pyarrow.default_memory_pool().release_unused()
            except pyarrow.ArrowException:  # the usual way of joining finds the words for it
                self._usable = False
            self._next += 1

    def finish(self, n_parts: int, path: Path) -> bool:
        """Give the file its name if it holds so many parts, and all of them; return whether it does."""
        whole = self._usable and self._next == n_parts
        if whole:
            self._writer.close()
            os.replace(self._path, path)
        return whole

    def drop(self) -> None:
        """Remove what is there."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # of a full disk, which is why it is dropped
                self._writer.close()
        self._path.unlink(missing_ok=True)


def _append(file: Path, whole: BinaryIO) -> None:
    with file.open("rb") as part:
        shutil.copyfileobj(part, whole, 1 << 20)


def _arrow(frame: pd.DataFrame, suffix: str) -> Any:
    try:
        return parquet.to_arrow(frame)
    except TranscriptError:
        if suffix != ".xlsx":
            raise
        # A sheet can hold a column of several types, which its parts cannot.
        mixed = {str(name): frame[name].astype(str) for name in frame.select_dtypes(object)}
        return parquet.to_arrow(frame.assign(**mixed))


def _write_arrow(table: Any, path: Path) -> None:
    from pyarrow import ipc

    with ipc.new_file(str(path), table.schema, options=ipc.IpcWriteOptions(compression="lz4")) as file:
        file.write_table(table)


def _read_arrow(path: Path) -> Any:
    import pyarrow
    from pyarrow import ipc

    with pyarrow.OSFile(str(path)) as file, ipc.open_file(file) as table:
        return table.read_all()


def _join_parquet(files: Sequence[Path], path: Path) -> None:
    import pyarrow
    from pyarrow import ipc
    from pyarrow import parquet as pq

    def schema(file: Path) -> Any:
        with pyarrow.OSFile(str(file)) as source, ipc.open_file(source) as table:
            return table.schema

    try:
        whole = pyarrow.unify_schemas([schema(file) for file in files], promote_options="permissive")
        with pq.ParquetWriter(path, whole) as writer:
            for file in files:
                writer.write_table(_read_arrow(file).cast(whole))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError) as error:
        raise parquet.mixed_types(error) from None


# --- the folder -----------------------------------------------------------------------------------------------------


def folder_of(output: Path) -> Path:
    """Return the place of the folder of work of an output."""
    return output.with_name(f".{output.name}.parts")


def open_folder(output: Path, job: Facts) -> tuple[Path, BinaryIO]:
    """Make the folder of work of an output, or go on with the one there when it is of the same job.

    Parameters
    ----------
    output : pathlib.Path
    job : dict
        All that the parts depend on, JSON-ready.

    Returns
    -------
    folder : pathlib.Path
    lock : file
        Keeps others out until it is closed.

    Warns
    -----
    UserWarning
        When finished parts of another job are dropped; says what differs.

    Raises
    ------
    TranscriptError
        When another process works there.
    """
    folder = folder_of(output)
    folder.mkdir(exist_ok=True)
    lock = _lock(folder, output)
    try:
        before = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if before == job:
        for leftover in folder.glob("*.tmp"):
            leftover.unlink()
        return folder, lock
    if before is not None:
        changed = [str(key) for key in job if before.get(key) != job[key]]
        warnings.warn(
            f"finished parts of an earlier run in {folder} are dropped, because these differ now: {', '.join(changed)}",
            UserWarning,
            stacklevel=3,
        )
    for file in folder.iterdir():
        if file.name != "lock":
            file.unlink()
    settle(folder / "job.json", lambda path: path.write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8"))
    return folder, lock


def _lock(folder: Path, output: Path) -> BinaryIO:
    # Held by the process and not by the file: a killed process leaves no lock behind.
    lock = (folder / "lock").open("wb")
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise TranscriptError(f"{output}: another process is writing it; wait for it or choose another name") from None
    return lock


def remove_folder(folder: Path, lock: BinaryIO) -> None:
    """Remove the folder of work with all parts."""
    lock.close()
    shutil.rmtree(folder, ignore_errors=True)
