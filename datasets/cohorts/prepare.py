"""prepare: a cohort's download to the prepared layout."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.cohorts.catalog import dataset
from datasets.cores import usable_cores
from datasets.errors import BadValue, Missing, MissingData, need
from datasets.words import count_text

if TYPE_CHECKING:
    from datasets.case import RawCase, Split
    from datasets.preparation.cohort import Summary
    from datasets.spec import DatasetSpec

log = logging.getLogger(__name__)


def prepare(
    name: str,
    raw: str | Path,
    *,
    data: str | Path = "data",
    workers: int = 1,
    stripper: str = "deepbet",
    stripper_command: str | None = None,
    template: str | Path | None = None,
    spacing: float = 1.0,
    limit: int | None = None,
) -> "Summary":
    """Orient, strip, register to SRI24, resample, correct the bias field and crop every scan of a download.

    Cases already prepared with these options are kept; a case that fails is reported, and the others continue.
    Progress is logged by the logger `datasets`.

    Args:
        name: of the cohort, such as "ixi".
        raw: folder of its download, as it was unpacked.
        data: the cohort is written into a folder of its name below it.
        workers: cases prepared at once, each in a process.
        stripper: what finds the brain: deepbet, hd-bet, mask or none.
        stripper_command: an own program instead, such as "prog {image} {mask}".
        template: SRI24 T1, skull-stripped; default: UADBENCH_TEMPLATE, or in atlas/ below `data` or UADBENCH_DATA.
        spacing: voxel edge of the prepared volumes in mm.
        limit: prepare only so many cases, to try.

    Returns:
        `.home`, the prepared cohort, and what became of each case: `.records` and `.failures`.

    Raises:
        MissingData: download, template or stripper is not there; the message says how to get each.
        MissingPackage: SimpleITK is not installed.
        UserError: a name is not known, or the download cannot be used.

    Examples:
        >>> prepare("brats", "nowhere")
        Traceback (most recent call last):
        datasets.errors.MissingData: ...
    """
    from datasets.preparation.cohort import prepare_cohort
    from datasets.preparation.scan import Parameters, Setup
    from datasets.preparation.stripping import Stripper, find_stripper
    from datasets.preparation.template import find_template, load_template

    spec, raw, data = dataset(name), Path(raw), Path(data)
    parameters = Parameters(spacing=spacing)
    missing = Missing()
    cases: Sequence[RawCase] = ()
    with missing:
        need("SimpleITK", "Preparing scans")
    with missing:
        found, splits = _found(spec, raw, data)
        cases = found[:limit]
    with missing:
        tool = find_stripper(stripper, stripper_command) if any(map(_needs_tool, cases)) else Stripper("none")
    with missing:
        path = find_template(None if template is None else Path(template), data)
    missing.tell()
    threads = max(usable_cores() // workers, 1)
    setup = Setup(load_template(path), tool, parameters, threads)
    each = count_text(threads, "thread")
    log.info("%s of %s in %s; %d at once, %s each.", count_text(len(cases), "case"), spec.title, raw, workers, each)
    return prepare_cohort(spec, cases, splits, setup, spec.folder(data), workers=workers)


def _found(spec: "DatasetSpec", raw: Path, data: Path) -> "tuple[Sequence[RawCase], dict[str, Split]]":
    """The cases of a download, and the split of each subject among all of them."""
    from datasets.splits import split_of, subjects_of

    if spec.raw_cases is None:
        raise BadValue(f"{spec.name}: got a cohort without a reader of its download, expected one with raw_cases.")
    if not raw.is_dir():
        raise MissingData(f"--raw: no folder {raw}. {spec.how_to_get}")
    cohort = spec.raw_cases(raw)
    for problem in cohort.problems:
        log.warning("Download: %s", problem)
    if not cohort.cases:
        raise MissingData(f"{raw}: got no case of {spec.title} that can be prepared. {spec.how_to_get}")
    return cohort.cases, split_of(spec, subjects_of(cohort.cases), kept=_kept_splits(spec.folder(data)))


def _kept_splits(home: Path) -> "dict[str, Split]":
    """The splits of an earlier preparation, so that new subjects do not move old ones."""
    from datasets.io.tables import read_rows

    table = home / "cases.csv"
    if not table.is_file():
        return {}
    _, rows = read_rows(table)
    return {row["subject_id"]: row["split"] for row in rows}  # type: ignore[misc]


def _needs_tool(raw: "RawCase") -> bool:
    return raw.brain_mask is None and not raw.stripped
