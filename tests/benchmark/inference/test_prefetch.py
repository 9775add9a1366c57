"""Reading ahead and writing behind: in order, bounded, and no error is lost."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest

from benchmark.inference.prefetch import WriteBehind, read_ahead


class Slow(Sequence[int]):
    """Items that take the longer the earlier they come."""

    def __init__(self, length: int) -> None:
        self.length, self.asked = length, 0

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Any:
        self.asked += 1
        time.sleep(0.002 * (self.length - index))
        return index


@pytest.mark.parametrize("workers", [1, 4])
def test_items_come_in_order_however_long_they_take(workers: int) -> None:
    assert list(read_ahead(Slow(9), 5, workers=workers)) == list(range(9))


def test_no_more_than_the_depth_is_asked_for() -> None:
    items = Slow(100)
    stream = read_ahead(items, 3)
    next(stream)
    stream.close()
    assert items.asked <= 5


def test_all_is_done_by_the_end_and_little_waits() -> None:
    done: list[int] = []
    lock, running, most = threading.Lock(), [0], [0]

    def work(index: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.002)
        with lock:
            running[0] -= 1
            done.append(index)

    with WriteBehind(workers=2, depth=3) as behind:
        for index in range(20):
            behind.do(lambda index=index: work(index))
            assert index - len(done) <= 3 + 2
    assert sorted(done) == list(range(20))
    assert most[0] <= 2


def test_what_fails_is_raised_by_a_later_call_or_at_the_end() -> None:
    done: list[int] = []

    def full() -> None:
        raise OSError(28, "No space left on device")

    def go_on(calls: int) -> None:
        with WriteBehind(workers=1, depth=1) as behind:
            behind.do(full)
            for index in range(calls):
                behind.do(lambda: None)
                done.append(index)

    for calls in (0, 3):
        with pytest.raises(OSError, match="No space"):
            go_on(calls)
    assert len(done) < 3


def test_the_callers_own_error_goes_first() -> None:
    def broken() -> None:
        raise OSError("of the thread")

    def fail() -> None:
        with WriteBehind() as behind:
            behind.do(broken)
            raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        fail()
