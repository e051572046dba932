"""Worker processes that may be killed: what one was doing is done again by its successor."""

from __future__ import annotations

import io
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from funnelnlp.errors import FunnelError

T = TypeVar("T")
R = TypeVar("R")

# One task is worked on and the next waits in the worker, so that it need not wait for this process.
_QUEUED = 2
_ATTEMPTS = 3
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS")
_ONE_THREAD = dict.fromkeys(_THREADS, "1")


class WorkerDiedError(FunnelError):
    """A task that ended its worker process every time."""

    def __init__(self, task: Any) -> None:
        super().__init__(f"a worker process ended {_ATTEMPTS} times at the same task")
        self.task = task


class Pool:
    """Worker processes; a context manager that starts and ends them.

    Parameters
    ----------
    jobs : int
        Number of processes; with 1 all is done in this one.
    """

    def __init__(self, jobs: int) -> None:
        self._workers = [_Worker() for _ in range(jobs)] if jobs > 1 else []

    def __enter__(self) -> Self:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.stop()

    def run(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Apply a function to tasks.

        Parameters
        ----------
        function : callable
            Picklable; must bear being run twice for a task.
        tasks : iterable
            Read lazily: no more than two tasks per process are held at a time.

        Yields
        ------
        object
            What the function returned, in the order in which tasks finish.

        Raises
        ------
        WorkerDiedError
            When a task ends its worker three times. As with errors of the function or of ``tasks``, what the
            workers have begun is finished and yielded first.
        """
        if not self._workers:
            yield from map(function, tasks)
            return
        waiting = iter(tasks)
        failure: Exception | None = None
        more = True
        while True:
            for depth in range(_QUEUED):
                for worker in self._workers:
                    if more and len(worker.queue) == depth:
                        try:
                            worker.give(function, next(waiting))
                        except StopIteration:
                            more = False
                        except Exception as error:
                            failure, more = error, False
            if not any(worker.queue for worker in self._workers):
                break
            wait([worker.queue[0].future for worker in self._workers if worker.queue], return_when=FIRST_COMPLETED)
            for worker in self._workers:
                try:
                    yield from worker.take()
                except Exception as error:
                    failure, more = failure or error, False
        if failure is not None:
            raise failure


@dataclass(frozen=True, slots=True)
class _Given:
    function: Callable[[Any], Any]
    task: Any
    future: Future[Any]


class _Worker:
    """One process that can be replaced, and the tasks it was given, oldest first."""

    def __init__(self) -> None:
        self._process: Any = None
        self._deaths = 0
        self.queue: deque[_Given] = deque()

    def start(self) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        self._process = ProcessPoolExecutor(max_workers=1, initializer=_begin, initargs=(os.getpid(),), env=_ONE_THREAD)
        # A process starts with its first task; this one lets it import while the first part is being read.
        self._process.submit(_nothing)

    def give(self, function: Callable[[Any], Any], task: Any) -> None:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        try:
            future = self._process.submit(_apply, function, _packed(task))
        except BrokenProcessPool:
            self._replace()
            return self.give(function, task)
        self.queue.append(_Given(function, task, future))
        return None

    def take(self) -> Iterator[Any]:
        """Yield the results that are there."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        while self.queue and self.queue[0].future.done():
            first = self.queue[0]
            try:
                result = first.future.result()
            except BrokenProcessPool:
                self._deaths += 1
                gives_up = self._deaths == _ATTEMPTS
                if gives_up:
                    self._deaths = 0
                    self.queue.popleft()
                self._replace()
                if gives_up:
                    raise WorkerDiedError(first.task) from None
            except BaseException:
                self.queue.popleft()
                raise
            else:
                self._deaths = 0
                self.queue.popleft()
                yield result

    def _replace(self) -> None:
        self.stop()
        self.start()
        again, self.queue = self.queue, deque()
        for given in again:
            self.give(given.function, given.task)

    def stop(self) -> None:
        if self._process is not None:
            self._process.shutdown(wait=True, kill_workers=True)


def _nothing() -> None:
    pass


def _packed(task: Any) -> bytes:
    # Without the memory of objects seen before, which rows of different texts do not profit from: half the time.
    data = io.BytesIO()
    pickler = pickle.Pickler(data, protocol=5)
    pickler.fast = True
    pickler.dump(task)
    return data.getvalue()


def _apply(function: Callable[[Any], Any], task: bytes) -> Any:
    return function(pickle.loads(task))  # noqa: S301


def _begin(parent: int) -> None:
    # Ctrl-C reaches every process of a terminal; the one that gave the work decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
