"""Worker processes that may be killed: what one was doing is done again by its successor."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

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


def run(function: Callable[[T], R], tasks: Iterable[T], jobs: int) -> Iterator[R]:
    """Apply a function to tasks in several processes.

    Parameters
    ----------
    function : callable
        Picklable; must bear being run twice for a task.
    tasks : iterable
        Read lazily: no more than two tasks per process are held at a time.
    jobs : int
        Number of processes; with 1 all is done in this one.

    Yields
    ------
    object
        What the function returned, in the order in which tasks finish.

    Raises
    ------
    WorkerDiedError
        When a task ends its worker three times. As with errors of the function or of ``tasks``, what the other
        workers have begun is finished and yielded first.
    """
    if jobs == 1:
        yield from map(function, tasks)
        return
    workers = [_Worker(function) for _ in range(jobs)]
    waiting = iter(tasks)
    failure: BaseException | None = None
    more = True
    try:
        while True:
            for depth in range(_QUEUED):
                for worker in workers:
                    if more and len(worker.queue) == depth:
                        try:
                            worker.give(next(waiting))
                        except StopIteration:
                            more = False
                        except Exception as error:
                            failure, more = error, False
            if not any(worker.queue for worker in workers):
                break
            wait([worker.queue[0][1] for worker in workers if worker.queue], return_when=FIRST_COMPLETED)
            for worker in workers:
                try:
                    yield from worker.take()
                except Exception as error:
                    failure, more = failure or error, False
        if failure is not None:
            raise failure
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """One process that can be replaced, and the tasks it was given, oldest first."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._deaths = 0
        self.queue: deque[tuple[Any, Future[Any]]] = deque()
        self._start()

    def _start(self) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        self._process = ProcessPoolExecutor(max_workers=1, initializer=_begin, initargs=(os.getpid(),), env=_ONE_THREAD)

    def give(self, task: Any) -> None:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        try:
            future = self._process.submit(self._function, task)
        except BrokenProcessPool:
            self._replace()
            future = self._process.submit(self._function, task)
        self.queue.append((task, future))

    def take(self) -> Iterator[Any]:
        """Yield the results that are there."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        while self.queue and self.queue[0][1].done():
            task, future = self.queue[0]
            try:
                result = future.result()
            except BrokenProcessPool:
                self._deaths += 1
                if self._deaths == _ATTEMPTS:
                    self.queue.popleft()
                self._replace()
                if self._deaths == _ATTEMPTS:
                    self._deaths = 0
                    raise WorkerDiedError(task) from None
            except BaseException:
                self.queue.popleft()
                raise
            else:
                self._deaths = 0
                self.queue.popleft()
                yield result

    def _replace(self) -> None:
        self.stop()
        self._start()
        again, self.queue = self.queue, deque()
        for task, _ in again:
            self.give(task)

    def stop(self) -> None:
        self._process.shutdown(wait=True, kill_workers=True)


def _begin(parent: int) -> None:
    # Ctrl-C reaches every process of a terminal; the one that gave the work decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
