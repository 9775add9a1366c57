"""Reading ahead of a computation and writing behind it, in threads, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

Item = TypeVar("Item")


def read_ahead(items: Sequence[Item], depth: int, *, workers: int = 1) -> Iterator[Item]:
    """The items in order, while threads fetch up to `depth` of the next ones.

    What fetching an item raises is raised in that item's place.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="ahead") as pool:
        waiting: deque[Future[Item]] = deque()
        try:
            for index in range(len(items)):
                waiting.append(pool.submit(items.__getitem__, index))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class WriteBehind:
    """Runs work later in threads; at most `depth` pieces wait, then the caller does.

    What one of them raises is raised by the next call, or at the end; nothing is run after it.
    """

    def __init__(self, *, workers: int = 2, depth: int = 16) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="behind")
        self._waiting: deque[Future[object]] = deque()
        self._depth = depth

    def do(self, work: Callable[[], object]) -> None:
        """Queue a piece of work; raises what an earlier one raised."""
        while self._waiting and (self._waiting[0].done() or len(self._waiting) >= self._depth):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(work))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for all; an error of the caller takes precedence over one of the work."""
        try:
            if error is None:
                while self._waiting:
                    self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
