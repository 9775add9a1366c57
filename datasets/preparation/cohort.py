"""prepare_cohort: a download to the prepared layout; prepared cases are kept, and a failing case stops no other."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from platform import platform, python_version
from tempfile import TemporaryFile

from datasets.case import RawCase, Split
from datasets.errors import BadValue
from datasets.io.atomic import refuse_read_only, write_text
from datasets.io.tables import write_table
from datasets.preparation.case_record import CaseRecord, find_record
from datasets.preparation.contact_sheet import write_contact_sheets
from datasets.preparation.lesions import WARN_ML, WARN_PERCENT
from datasets.preparation.scan import PIPELINE, Setup
from datasets.preparation.workers import Failure, Outcome, prepare_cases, remove_scratch
from datasets.spec import DatasetSpec

log = logging.getLogger(__name__)
COLUMNS = ("case_id", "subject_id", "split", "sequences", "site", "age", "sex", "licence")
PACKAGES = ("uadbench", "numpy", "scipy", "nibabel", "SimpleITK")
IMAGE_MB, MASK_MB = 3.5, 0.15
"""Of one prepared volume of 1 mm, for an early warning that the disk is too small."""


@dataclass(frozen=True)
class Summary:
    """Outcome of a preparation."""

    home: Path
    records: tuple[CaseRecord, ...]
    failures: tuple[Failure, ...]
    new: int
    sheets: tuple[Path, ...]


def prepare_cohort(
    spec: DatasetSpec,
    cases: Sequence[RawCase],
    splits: Mapping[str, Split],
    setup: Setup,
    home: Path,
    *,
    workers: int,
) -> Summary:
    """Prepare the cases not yet prepared with these parameters, and write the cohort's table, record and pictures.

    `cases.csv` is removed first and written last: a cohort that has it is complete, except for failed cases.

    Args:
        splits: by subject.

    Raises:
        BadValue: two cases share a name, or `home` cannot be written.
    """
    _check_names(cases)
    _check_writable(home)
    remove_scratch(home)
    kept = {raw.case_id: record for raw in cases if (record := find_record(home, raw, setup))}
    todo = [raw for raw in cases if raw.case_id not in kept]
    if kept:
        log.info("%d of %d cases are prepared already.", len(kept), len(cases))
    if todo:
        (home / "cases.csv").unlink(missing_ok=True)
        _warn_of_space(home, todo, setup)
    try:
        done = _prepare_all(todo, home, setup, workers)
    finally:
        remove_scratch(home)
    records = kept | {one.case_id: one for one in done if isinstance(one, CaseRecord)}
    failures = tuple(one for one in done if isinstance(one, Failure))
    ordered = [records[raw.case_id] for raw in cases if raw.case_id in records]
    write_text(home / "prepare.json", json.dumps(_account(spec, setup, ordered, failures), indent=1) + "\n")
    sheets: Sequence[Path] = ()
    if ordered:
        sheets = write_contact_sheets(home, [one.case_id for one in ordered], setup.template)
        prepared = [raw for raw in cases if raw.case_id in records]
        write_table(home / "cases.csv", *_table(spec, prepared, records, splits))
    return Summary(home, tuple(ordered), failures, len(done) - len(failures), tuple(sheets))


@dataclass
class Progress:
    """Counts finished cases out of `total`.

    Attributes:
        clock: seconds since an arbitrary start.
    """

    total: int
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    begun: float = field(init=False)

    def __post_init__(self) -> None:
        self.begun = self.clock()

    def count(self, what: str) -> str:
        """Count one more; returns a line with `what`, its name and outcome, and the remaining time."""
        self.done += 1
        return f"[{self.done}/{self.total}] {what}{self._left()}"

    def _left(self) -> str:
        left = self.total - self.done
        if left == 0:
            return ""
        seconds = (self.clock() - self.begun) / self.done * left
        return f" ({timedelta(seconds=round(seconds))} left)"


def _prepare_all(todo: Sequence[RawCase], home: Path, setup: Setup, workers: int) -> list[Outcome]:
    progress, done = Progress(len(todo)), []
    for outcome in prepare_cases(todo, home, setup, workers=workers):
        log.info("%s", progress.count(_outcome_line(outcome)))
        for warning in outcome.warnings if isinstance(outcome, CaseRecord) else ():
            log.warning("  warning, %s: %s", outcome.case_id, warning)
        done.append(outcome)
    return done


def _outcome_line(outcome: Outcome) -> str:
    if isinstance(outcome, Failure):
        return f"{outcome.case_id} FAILED: {outcome.reason}"
    lesion = outcome.lesion
    volume = "" if lesion is None else (
        f", lesion {lesion.before:.2f} -> {lesion.after:.2f} ml ({lesion.resampling_percent:+.1f} % beyond scaling)"
        + (f", {lesion.ignored:.2f} ml to be ignored" if lesion.ignored else "")
    )  # fmt: skip
    return f"{outcome.case_id} in {sum(outcome.seconds.values()):.0f} s{volume}"


def _check_names(cases: Iterable[RawCase]) -> None:
    """Refuse names that differ only in case, which some file systems do not distinguish."""
    seen: dict[str, str] = {}
    for raw in cases:
        other = seen.setdefault(raw.case_id.casefold(), raw.case_id)
        if other != raw.case_id or "/" in raw.case_id:
            raise BadValue(f"Case '{raw.case_id}': got a name like '{other}', expected names that can be files'.")
    if len(seen) < len(list(cases)):
        raise BadValue("Cases: got one name twice, expected every case once.")


def _check_writable(home: Path) -> None:
    try:
        refuse_read_only(home)
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise BadValue(f"--data: {home} cannot be written: {error.strerror}.") from error


def _warn_of_space(home: Path, todo: Sequence[RawCase], setup: Setup) -> None:
    volumes = sum(len(raw.images) * IMAGE_MB + MASK_MB * (2 if raw.lesion_mask else 1) for raw in todo)
    expected, free = volumes / setup.parameters.spacing**3, shutil.disk_usage(home).free / 1e6
    if free < expected:
        log.warning(
            "  warning: %s has %s MB left, and %d cases take about %s MB.",
            home, f"{free:,.0f}", len(todo), f"{expected:,.0f}",
        )  # fmt: skip


def _table(
    spec: DatasetSpec, cases: Iterable[RawCase], records: Mapping[str, CaseRecord], splits: Mapping[str, Split]
) -> tuple[Sequence[str], Iterable[Mapping[str, object]]]:
    """Columns and lines of `cases.csv`."""
    columns = (*COLUMNS, "healthy") if spec.healthy is None else COLUMNS
    lines = (
        {
            "case_id": raw.case_id,
            "subject_id": raw.subject_id,
            "split": splits[raw.subject_id],
            "sequences": " ".join(records[raw.case_id].sequences),
            "site": raw.site,
            "age": "" if raw.age is None else f"{raw.age:g}",
            "sex": raw.sex,
            "licence": raw.licence,
            "healthy": "yes" if raw.lesion_mask is None else "no",
        }
        for raw in cases
    )
    return columns, lines


def _account(
    spec: DatasetSpec, setup: Setup, records: Sequence[CaseRecord], failures: Sequence[Failure]
) -> dict[str, object]:
    """`prepare.json`: versions, parameters, and the outcome of each case with the hashes of its files."""
    return {
        "dataset": spec.name,
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "pipeline": PIPELINE,
        "versions": {name: version(name) for name in PACKAGES} | {"python": python_version(), "platform": platform()},
        "parameters": asdict(setup.parameters),
        "template": {"path": str(setup.template.path), "sha256": setup.template.sha256},
        "stripper": asdict(setup.stripper),
        "lesion_volume_limits": {"percent": WARN_PERCENT, "ml": WARN_ML},
        "cases": {one.case_id: {**asdict(one), **_changes(one)} for one in records},
        "failures": {one.case_id: {"reason": one.reason, "trace": one.trace} for one in failures},
    }


def _changes(record: CaseRecord) -> dict[str, object]:
    if record.lesion is None:
        return {}
    return {
        "lesion_change_percent": round(record.lesion.change_percent, 2),
        "lesion_resampling_percent": round(record.lesion.resampling_percent, 2),
    }
