"""Progress: a line a case, with the time that the rest is likely to take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass
class Progress:
    """Counts what is finished of `total`.

    Attributes:
        say: told a line for each case.
        clock: seconds from some beginning.
    """

    total: int
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def finished(self, what: str) -> None:
        """One more is finished; `what` is its name and how it went."""
        self.done += 1
        self.say(f"[{self.done}/{self.total}] {what}{self._left()}")

    def _left(self) -> str:
        left = self.total - self.done
        if left == 0:
            return ""
        seconds = (self.clock() - self.begun) / self.done * left
        return f" ({timedelta(seconds=round(seconds))} left)"
