"""Cases prepared in several processes: one that fails stops no other; a full disk or Ctrl-C stops all."""

import errno
import logging
import signal
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from datasets.case import RawCase
from datasets.errors import BadValue, UserError
from datasets.preparation.case_record import CaseRecord, discard_record, store_case
from datasets.preparation.registration import set_threads
from datasets.preparation.scan import Setup, prepare_scan

log = logging.getLogger(__name__)

SCRATCH = ".scratch-"
FATAL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "the file system is read-only",
}


@dataclass(frozen=True)
class Failure:
    """A case that could not be prepared: the reason in one line, and a traceback unless it is the user's mistake."""

    case_id: str
    reason: str
    trace: str = ""


Outcome = CaseRecord | Failure


def prepare_case(raw: RawCase, home: Path, setup: Setup) -> Outcome:
    """Prepare one case and store it; a failure is returned, not raised.

    Raises:
        BadValue: nothing can be written any more, so every other case would fail too.
    """
    set_threads(setup.threads)
    scratch = Path(mkdtemp(prefix=SCRATCH, dir=home))
    try:
        unpacked = raw if raw.unpack is None else raw.unpack(scratch / "unpacked")
        return store_case(home, scratch / "prepared", raw, setup, prepare_scan(unpacked, setup))
    except UserError as error:
        discard_record(home, raw.case_id)
        return Failure(raw.case_id, str(error))
    except Exception as error:  # whatever a library raises for this case's voxels
        if isinstance(error, OSError) and error.errno in FATAL:
            raise BadValue(f"{home} cannot be written: {FATAL[error.errno]}. What is prepared stays.") from error
        discard_record(home, raw.case_id)
        return Failure(raw.case_id, f"{type(error).__name__}: {error}", traceback.format_exc())
    finally:
        rmtree(scratch, ignore_errors=True)


def prepare_cases(cases: Sequence[RawCase], home: Path, setup: Setup, *, workers: int) -> Iterator[Outcome]:
    """Yield outcomes as cases finish, in any order; one worker runs in this process."""
    if workers > 1 and len(cases) > 1:
        yield from _in_processes(cases, home, setup, workers)
    else:
        for raw in cases:
            yield prepare_case(raw, home, setup)


def remove_scratch(home: Path) -> None:
    """Remove scratch folders left by killed processes."""
    for left in home.glob(f"{SCRATCH}*"):
        rmtree(left, ignore_errors=True)


def _in_processes(cases: Sequence[RawCase], home: Path, setup: Setup, workers: int) -> Iterator[Outcome]:
    """Each case in its own process, at most `workers` at once; starting one takes a second of the many a case takes."""
    context, waiting = get_context("spawn"), list(cases)
    running: dict[Connection, tuple[RawCase, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(waiting[0], home, setup, there), daemon=True)
                process.start()
                there.close()
                running[here] = (waiting.pop(0), process)
            ready = wait(list(running))
            for here in [one for one in running if one in ready]:
                raw, process = running[here]
                outcome = _received(here, raw, home)
                if isinstance(outcome, str):
                    log.info("%s", outcome)
                    continue
                process.join()
                del running[here]
                yield outcome
    finally:
        for _, process in running.values():  # after Ctrl-C, or on a full disk
            process.terminate()
            process.join()


def _work(raw: RawCase, home: Path, setup: Setup, there: Connection) -> None:
    """Run in a worker. Ctrl-C is left to the parent; by a handler, since tools would inherit an ignored signal."""
    signal.signal(signal.SIGINT, lambda *_: None)
    progress = logging.getLogger("datasets")
    progress.addHandler(_Sender(there))
    progress.setLevel(logging.INFO)
    try:
        there.send(prepare_case(raw, home, setup))
    except BadValue as error:
        there.send(error)


class _Sender(logging.Handler):
    """Sends what a worker logs of its progress to the parent, as text."""

    def __init__(self, there: Connection) -> None:
        super().__init__()
        self.there = there

    def emit(self, record: logging.LogRecord) -> None:
        self.there.send(record.getMessage())


def _received(here: Connection, raw: RawCase, home: Path) -> Outcome | str:
    """The outcome of a case, or a line of its progress."""
    try:
        outcome: Outcome | str | BadValue = here.recv()
    except EOFError:
        discard_record(home, raw.case_id)
        return Failure(raw.case_id, "its process was killed, perhaps for lack of memory: try fewer --workers")
    if isinstance(outcome, BadValue):
        raise outcome
    return outcome
