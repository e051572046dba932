"""Label files of any size: read, label and write part by part, in several processes, going on after a stop."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

import funnelnlp
from funnelnlp.batch import scattered as scatter
from funnelnlp.batch.cutting import Part, cut
from funnelnlp.batch.labelling import NAMES_KEPT, Labeller, Order, rejection
from funnelnlp.batch.parts import Facts, ParquetBegun, Parts, folder_of, open_folder, remove_folder
from funnelnlp.batch.scorer import TurnScorer
from funnelnlp.batch.workers import Pool, WorkerDiedError
from funnelnlp.errors import DamagedError, FunnelError, TranscriptError
from funnelnlp.resources import bundled
from funnelnlp.transcripts.chunk import Chunk
from funnelnlp.transcripts.files import CHUNK_ROWS, read_chunks, shortened, transcript_files, unusable
from funnelnlp.transcripts.formats import FORMATS, format_of
from funnelnlp.transcripts.frame import rejected_rows, tidy_columns
from funnelnlp.transcripts.output import Output

Progress = Callable[[str, int, int], object]


@dataclass(frozen=True, slots=True)
class Scored:
    """What became of a file.

    Attributes
    ----------
    turns, rejected : int
        Labelled turns; rows left out.
    conversations : int or None
        None when the input has no conversation ids.
    labels : dict
        Task → label → number of turns.
    angry : int
        Conversations in which the customer got angry.
    angry_names : list of str
        The first of them.
    head : pandas.DataFrame
        The first labelled turns: conversation_id, role, text, labels.
    """

    turns: int
    rejected: int
    conversations: int | None
    labels: dict[str, dict[str, int]]
    angry: int
    angry_names: list[str]
    head: pd.DataFrame = field(repr=False)


def rejected_beside(path: Path) -> Path:
    """Return the usual place of the rows left out of an output (or of an input that has no output)."""
    name = next((path.name[: -len(kind)] for kind in reversed(FORMATS) if path.name.lower().endswith(kind)), path.name)
    return path.with_name(f"{name}.rejected.csv")


def score_files(
    source: str | Path,
    output: str | Path,
    *,
    model: str | Path | None = None,
    min_confidence: float = 0.0,
    columns: Mapping[str, str] | None = None,
    encoding: str | None = None,
    on_error: str = "fail",
    rejected_to: str | Path | None = None,
    column_names: str = "en",
    records: bool = False,
    scattered: bool = False,
    jobs: int = 1,
    chunk_rows: int = CHUNK_ROWS,
    show: int = 0,
    progress: Progress | None = None,
) -> Scored:
    """Label every turn of a file or of a folder of files and write them to another file.

    Memory does not grow with the size of the input (.xlsx excepted). Finished parts are kept in a folder beside
    the output, ``.OUTPUT.parts``, until the output is whole: the same call goes on after an interruption from there,
    and gives the same bytes as an undisturbed one. The number of processes does not change the output.

    Parameters
    ----------
    source : str or pathlib.Path
        .csv, .jsonl, .parquet, .xlsx, .csv.gz, .jsonl.gz, or a folder of them.
    output : str or pathlib.Path
        Replaced when all is done; its extension chooses the format.
    model : str or pathlib.Path, optional
        Model folder; the bundled model when not given.
    min_confidence : float, default 0
        Below this calibrated probability a label is left empty.
    columns, encoding
        As for `read_transcripts`.
    on_error : {"fail", "skip"}, default "fail"
        Whether a bad row stops all, or is left out, counted and reported.
    rejected_to : str or pathlib.Path, optional
        CSV file for rows left out; ``OUTPUT.rejected.csv`` (without the extension of the output) when not given.
    column_names, records
        As for `write_transcripts`.
    scattered : bool, default False
        Whether the turns of a conversation may lie apart in a file that is larger than one chunk. They are gathered on
        disk, and the rows keep their order. Takes a second reading.
    jobs : int, default 1
        Number of worker processes. One that is killed is replaced, and does its part again. With 1 there is none.
    chunk_rows : int, default 20000
        Rows that are read and labelled at once; conversations are never cut.
    show : int, default 0
        Number of labelled turns to return.
    progress : callable, optional
        Called with what is being done, rows done, and (estimated) rows in all.

    Returns
    -------
    Scored

    Warns
    -----
    UserWarning
        For rows left out, and when parts of an earlier run do not fit any more.

    Raises
    ------
    TranscriptError
        When the input cannot be used or the output not be written. The message says what is finished and how to go on.
    KeyboardInterrupt
        With a message that says how many parts are finished.

    Examples
    --------
    >>> import tempfile
    >>> from funnelnlp.resources import bundled
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = score_files(bundled("data/samples") / "chats.csv", Path(folder) / "labelled.parquet")
    >>> sum(result.labels["funnel_stage"].values()) == result.turns
    True
    """
    out = Output(Path(output), column_names, records)
    rejected_path = Path(rejected_to) if rejected_to is not None else rejected_beside(out.path)
    if on_error not in ("fail", "skip"):
        raise TranscriptError(f"on_error must be 'fail' or 'skip', got {on_error!r}")
    if jobs < 1 or chunk_rows < 1:
        raise TranscriptError(f"jobs and chunk_rows must be 1 or more, got {jobs} and {chunk_rows}")
    if records and scattered:
        raise TranscriptError("records need the turns of a conversation in one place: write rows, or sort the file first")
    check_outputs(Path(source), out.path, *([rejected_path] if on_error == "skip" else []))
    files = transcript_files(Path(source))
    scorer = TurnScorer(model, min_confidence=min_confidence)
    tasks = scorer.model.tasks
    style = {
        "names": column_names,
        "records": records,
        "on-error": on_error,
        "scattered": scattered,
        "min-confidence": min_confidence,
    }
    job = {
        "input": [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files],
        "options": {**style, "columns": dict(columns or {}), "encoding": encoding, "chunk_rows": chunk_rows},
        "model": _model_digest(model),
        "tasks": [task.name for task in tasks],
        "version of funnelnlp": funnelnlp.__version__,
    }
    try:
        folder, lock = open_folder(out.path, job)
    except OSError as error:
        raise TranscriptError(f"{out.path}: cannot be written ({error.strerror or error})") from None
    pool = Pool(jobs)
    work = _Work(
        chunks=lambda: read_chunks(source, columns=columns, encoding=encoding, rows=chunk_rows),
        labeller=Labeller(Parts(folder), out, scorer),
        fail=on_error == "fail",
        pool=pool,
        rows=chunk_rows,
        show=show,
        progress=progress or (lambda stage, done, total: None),
    )
    keep = True
    try:
        with pool:
            summaries, parts = work.label_scattered() if scattered else work.label()
        work.assemble(parts, rejected_path)
        keep = False
    except (KeyboardInterrupt, DamagedError, WorkerDiedError, OSError) as error:
        raise _stopped(error, out.path, *work.finished()) from None
    except FunnelError:
        keep = False  # the same command would end the same
        raise
    except UnicodeEncodeError as error:
        keep = False
        raise TranscriptError(f"{out.path}: a text holds a character that no file can hold ({error.reason})") from None
    finally:
        work.close()
        if keep and work.finished()[0]:
            lock.close()
        else:
            remove_folder(folder, lock)
    n_rejected = sum(facts["rejected"] for facts in parts)
    if n_rejected:
        _warn_left_out(parts, n_rejected, rejected_path)
    return _scored(summaries, parts, n_rejected, show)


def _stopped(error: BaseException, output: Path, n_parts: int, n_rows: int) -> BaseException:
    """Return the error that says what is finished and how to go on."""
    kept = f"{n_parts} parts with {n_rows} rows are finished and kept in {folder_of(output)}"
    kept, again = (kept, "goes on from there") if n_parts else ("nothing is finished yet", "starts afresh")
    if isinstance(error, KeyboardInterrupt):
        return KeyboardInterrupt(f"stopped: {kept}; the same command {again}")
    if isinstance(error, DamagedError):
        return DamagedError(
            f"{error}\n{kept}. When the file is whole again, run the same command: it {again} if the file has the size and date "
            "that it has now, and starts afresh if not"
        )
    if isinstance(error, WorkerDiedError):
        task = error.task
        place = task.part.place if isinstance(task, Order) else f"the conversations of bucket {task.number}"
        return TranscriptError(f"{place}: {error} (out of memory?)\n{kept}; the same command {again}")
    reason = getattr(error, "strerror", None) or error
    return TranscriptError(
        f"{output}: cannot be written ({reason})\n{kept}. Make room if the disk is full, then run the same command: it {again}"
    )


def check_outputs(source: Path, *outputs: Path) -> None:
    """Refuse outputs that cannot be written, or that would replace the input or each other, before any work is done.

    Raises
    ------
    TranscriptError
        Says which and why.
    """
    read = source.resolve()
    for place, output in enumerate(outputs):
        format_of(output)
        path = output.resolve()
        if path == read or read in path.parents:
            raise TranscriptError(f"{output}: this would replace the input or lie in it; choose another name or folder")
        if path in (other.resolve() for other in outputs[:place]):
            raise TranscriptError(f"{output}: two outputs have this name; choose another one with --rejected")
        if not path.parent.is_dir():
            raise TranscriptError(f"{output}: there is no folder {path.parent}; make it first")
        if path.is_dir():
            raise TranscriptError(f"{output} is a folder; name a file")


def _model_digest(model: str | Path | None) -> str:
    # The head of a model holds checksums of all its parts.
    folder = bundled("models/default") if model is None else Path(model)
    return hashlib.sha256((folder / "model.json").read_bytes()).hexdigest()


def _warn_left_out(parts: list[Facts], n_rejected: int, place: Path) -> None:
    lines = [line for facts in parts for line in facts["complaints"]]
    message = f"{n_rejected} rows left out:\n{shortened(lines, n_rejected)}\nThey are in {place}"
    warnings.warn(message, UserWarning, stacklevel=3)


def _scored(summaries: list[Facts], parts: list[Facts], n_rejected: int, show: int) -> Scored:
    labels: dict[str, dict[str, int]] = {}
    for facts in summaries:
        for task, counts in facts["labels"].items():
            total = labels.setdefault(task, {})
            for name, count in counts.items():
                total[name] = total.get(name, 0) + count
    counted = [facts["conversations"] for facts in summaries if facts["conversations"] is not None]
    return Scored(
        turns=sum(facts["rows"] for facts in parts),
        rejected=n_rejected,
        conversations=sum(counted) if counted else None,
        labels=labels,
        angry=sum(facts["angry"] for facts in summaries),
        angry_names=[name for facts in summaries for name in facts["angry_names"]][:NAMES_KEPT],
        head=pd.DataFrame([row for facts in parts for row in facts["head"]][:show]),
    )


@dataclass(slots=True)
class _Work:
    """One job: what the stages share."""

    chunks: Callable[[], Iterator[Chunk]]
    labeller: Labeller
    fail: bool
    pool: Pool
    rows: int
    show: int
    progress: Progress
    _columns: list[str] = field(default_factory=list)
    _refusing: bool = False
    _begun: ParquetBegun | None = None

    @property
    def parts(self) -> Parts:
        return self.labeller.parts

    @property
    def buckets(self) -> Parts:
        return Parts(self.parts.folder, "bucket")

    def finished(self) -> tuple[int, int]:
        """Return the number of finished parts and of rows in them."""
        kept = self.parts.all_facts() or self.buckets.all_facts()
        return len(kept), sum(facts["input_rows"] for facts in kept)

    # --- conversations in one piece ---------------------------------------------------------------------------------

    def label(self) -> tuple[list[Facts], list[Facts]]:
        """Label all parts; returns their facts, twice, in their order."""

        def one() -> list[Facts]:
            return self._pass(((part, None) for part in cut(self.chunks(), self.rows)), self.labeller, "labelling")

        parts = self._passes(one)
        return parts, parts

    def _passes(self, one: Callable[[], list[Facts]]) -> list[Facts]:
        """Repeat for parts that were written before a column of a later one was known."""
        while True:
            facts = one()
            self._refuse(facts)
            if all(part["columns"] == self._columns for part in facts):
                return facts

    def _pass(
        self, parts: Iterable[tuple[Part, NDArray[Any] | None]], function: Callable[[Order], Facts], stage: str
    ) -> list[Facts]:
        """Do what is not done yet of parts, each with the labels that it has already; returns the facts of all in order."""
        facts: list[Facts] = []
        rows = [0, 0]  # done, in all
        self.close()
        self._begun = ParquetBegun(self.parts) if self.labeller.output.format == ".parquet" else None

        def done(part: Facts) -> None:
            facts.append(part)
            self._refusing |= self.fail and part["rejected"] > 0
            if self._begun is not None and not self._refusing:
                self._begun.add(part["number"])
            rows[0] += part["rows"] + part["rejected"]
            self.progress(stage, rows[0], max(rows))

        def orders() -> Iterator[Order]:
            for part, labels in parts:
                names = [chunk.names.get(name, name) for chunk in part.chunks for name in chunk.frame.columns]
                self._columns = tidy_columns(dict.fromkeys([*self._columns, *names]))
                rows[1] = round((part.first + part.rows) / max(part.share, 1e-9))
                show = self.show if part.first < self.show else 0
                before = self.parts.facts(part.number)
                if before is not None and set(self._columns) <= set(before["columns"]) and before["show"] >= show:
                    self._columns = before["columns"]
                    done(before)
                else:
                    yield Order(part, self._columns, show, self._refusing, labels)

        for part in self.pool.run(function, orders()):
            done(part)
        return sorted(facts, key=lambda part: int(part["number"]))

    def _refuse(self, facts: list[Facts]) -> None:
        n_bad, n_good = sum(part["rejected"] for part in facts), sum(part["rows"] for part in facts)
        lines = [line for part in facts for line in part["complaints"]]
        if n_bad and self.fail:
            raise unusable(lines, n_bad, n_bad + n_good)
        if not n_good:
            raise TranscriptError(f"no usable row in the input:\n{shortened(lines, n_bad)}")

    # --- conversations that lie apart -------------------------------------------------------------------------------

    def label_scattered(self) -> tuple[list[Facts], list[Facts]]:
        """Label buckets of conversations, then write the rows; returns the facts of the buckets and of the parts."""
        sizes, broken = scatter.gather(self.chunks(), self.parts.folder, partial(self.progress, "gathering"))
        summaries: list[Facts] = []
        total = int(sizes.sum())

        def done(bucket: Facts) -> None:
            summaries.append(bucket)
            self.progress("labelling", sum(facts["input_rows"] for facts in summaries), total)

        def unfinished() -> Iterator[scatter.Bucket]:
            for number, members in enumerate(scatter.groups(sizes, self.rows)):
                before = self.buckets.facts(number)
                if before is not None:
                    done(before)
                else:
                    yield scatter.Bucket(number, members)

        for bucket in self.pool.run(scatter.BucketLabeller(self.buckets, self.labeller.scorer), unfinished()):
            done(bucket)
        summaries.sort(key=lambda bucket: int(bucket["number"]))
        lines = rejection(pd.concat([rejected_rows(chunk, {}) for chunk in broken])) if broken else {}
        self._refuse([*summaries, *([{"rows": 0, **lines}] if lines else [])])
        return summaries, self._passes(self._write_scattered)

    def _write_scattered(self) -> list[Facts]:
        files = [self.buckets.file(number, "labels") for number in range(self.buckets.count())]
        with closing(scatter.LabelSource(files, self.labeller.scorer.model)) as source:
            parts = cut(self.chunks(), self.rows, anywhere=True)
            labelled = ((part, source.before(part.first + part.rows)) for part in parts)
            return self._pass(labelled, scatter.BlockWriter(self.labeller), "writing")

    # --- the end ----------------------------------------------------------------------------------------------------

    def assemble(self, parts: list[Facts], rejected_path: Path) -> None:
        """Make the outputs of finished parts."""
        bad = [part for part in parts if part["rejected"]]
        if bad:
            columns = list(dict.fromkeys(name for part in bad for name in part["rejected_columns"]))
            self.parts.assemble_rejected([part["number"] for part in bad], columns, rejected_path)
        numbers = [part["number"] for part in parts]
        self.parts.assemble(numbers, self.labeller.output, parts[0]["labelled_columns"], self._begun)

    def close(self) -> None:
        """Remove what is begun."""
        if self._begun is not None:
            self._begun.drop()
