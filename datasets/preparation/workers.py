"""Cases in several processes: one that fails or is killed costs itself, a full disk or Ctrl-C ends all."""

import errno
import signal
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from datasets.errors import BadValue, UserError
from datasets.preparation.record import CaseRecord, forget, keep
from datasets.preparation.registration import set_threads
from datasets.preparation.steps import Setup, prepare_scan
from datasets.raw import RawCase

SCRATCH = ".scratch-"
FATAL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "the file system is read-only",
}


@dataclass(frozen=True)
class Failure:
    """A case that could not be prepared, and why in one line; `trace` where it is no mistake of the user's."""

    case_id: str
    reason: str
    trace: str = ""


Outcome = CaseRecord | Failure


def prepare_case(raw: RawCase, home: Path, setup: Setup) -> Outcome:
    """Prepare one case and keep it; whatever goes wrong with it is returned.

    Raises:
        BadValue: nothing can be written any more, so that every other case would fail too.
    """
    set_threads(setup.threads)
    scratch = Path(mkdtemp(prefix=SCRATCH, dir=home))
    try:
        unpacked = raw if raw.unpack is None else raw.unpack(scratch / "unpacked")
        return keep(home, scratch / "prepared", raw, setup, prepare_scan(unpacked, setup))
    except UserError as error:
        forget(home, raw.case_id)
        return Failure(raw.case_id, str(error))
    except Exception as error:  # a case costs itself, whatever a library raises over its voxels
        if isinstance(error, OSError) and error.errno in FATAL:
            raise BadValue(f"{home} cannot be written: {FATAL[error.errno]}. What is prepared stays.") from error
        forget(home, raw.case_id)
        return Failure(raw.case_id, f"{type(error).__name__}: {error}", traceback.format_exc())
    finally:
        rmtree(scratch, ignore_errors=True)


def prepare_cases(cases: Sequence[RawCase], home: Path, setup: Setup, *, workers: int) -> Iterator[Outcome]:
    """The outcome of each case as it is there, in whatever order; with one worker in this process."""
    if workers == 1 or len(cases) < 2:
        for raw in cases:
            yield prepare_case(raw, home, setup)
        return
    waiting = list(cases)
    while waiting:
        suspects: list[RawCase] = []
        yield from _pooled(waiting, home, setup, workers, suspects)
        for raw in suspects:  # a process died: each of its time in a process of its own, which dies alone
            died: list[RawCase] = []
            yield from _pooled([raw], home, setup, 1, died)
            for one in died:
                forget(home, one.case_id)
                yield Failure(one.case_id, "its process was killed, perhaps for want of memory: try fewer --workers")


def sweep(home: Path) -> None:
    """Clear away what killed processes have left."""
    for left in home.glob(f"{SCRATCH}*"):
        rmtree(left, ignore_errors=True)


def _pooled(
    waiting: list[RawCase], home: Path, setup: Setup, workers: int, suspects: list[RawCase]
) -> Iterator[Outcome]:
    """Take cases off `waiting`, only as many at once as there are workers, so that a death casts doubt on few.

    Where a process dies, the cases that were under way go to `suspects` and the rest stays in `waiting`.
    """
    workers = min(workers, len(waiting))
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(home, setup))
    running: dict[Future[Outcome], RawCase] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running[pool.submit(_prepare_there, waiting[0])] = waiting[0]
                waiting.pop(0)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                outcome = future.result()
                del running[future]
                yield outcome
    except BrokenProcessPool:
        suspects += running.values()
    except BaseException:  # Ctrl-C, or a disk that is full
        for process in active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_shared: list[tuple[Path, Setup]] = []
"""In a worker: what it is given once, since a template is too large to come with every case."""


def _begin(home: Path, setup: Setup) -> None:
    """Ctrl-C reaches the parent, which ends its workers; SIGTERM is an exit, so that each clears up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _exit)
    _shared.append((home, setup))


def _prepare_there(raw: RawCase) -> Outcome:
    home, setup = _shared[-1]
    return prepare_case(raw, home, setup)


def _exit(*_: object) -> None:
    raise SystemExit(143)
