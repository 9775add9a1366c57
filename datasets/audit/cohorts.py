"""audit: all defects of cohorts in the prepared layout."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path

from datasets.audit.duplicates import Fingerprint, duplicate_findings
from datasets.audit.examine import Candidate, CaseAudit, SampledLesion, examine
from datasets.audit.finding import Finding, by_severity
from datasets.audit.metadata import column_findings, drift_findings
from datasets.audit.splits import table_findings
from datasets.audit.volumes import mixed_grids
from datasets.case import MASKS, CaseFiles
from datasets.cores import usable_cores
from datasets.errors import BadFile
from datasets.grid import Grid
from datasets.io.labels import read_labels
from datasets.io.tables import Table
from datasets.progress import watched
from datasets.spec import REQUIRED_COLUMNS, DatasetSpec, case_files, usable_files
from datasets.words import count_text

Row = Mapping[str, str]
log = logging.getLogger(__name__)
HEALTHY = ("yes", "no")
SIZES = (0.0, 0.1, 1.0, 10.0, inf)  # ml, of lesions in the scan


def audit(
    specs: Sequence[DatasetSpec], root: Path, grid: Grid | None = None, *, limit: int | None = None
) -> list[Finding]:
    """Read the table and every file of each cohort, and compare the scans of all.

    Args:
        grid: of a study, for what it would lose.
        limit: read at most so many healthy cases and cases with lesions of each split; None for all.

    Raises:
        MissingData: a cohort does not exist.
    """
    findings, scans = list[Finding](), list[Fingerprint]()
    for spec in specs:
        candidates = _limited(_cases_of(spec, root, grid, findings), limit)
        log.info("%s: reading %s.", spec.name, count_text(len(candidates), "case"))
        examined = examine_cases(candidates)
        findings += cohort_findings(examined, spec.name)
        scans += [scan for one in examined for scan in one.scans]
    return by_severity([*findings, *duplicate_findings(scans), *same_names(scans)])


def _cases_of(spec: DatasetSpec, root: Path, grid: Grid | None, findings: list[Finding]) -> Iterator[Candidate]:
    """The cases of a cohort; what its table or its names of files tell of them is added to `findings`."""
    if not spec.prepared:
        yield from _own_candidates(spec, root, grid, findings)
        return
    table = _table(spec, root, findings)
    if table is not None:
        findings += cases_csv_findings(table, spec)
        findings += unnamed_files(spec, root, table.rows)
        yield from _candidates(spec, root, table.usable, grid)


def _own_candidates(spec: DatasetSpec, root: Path, grid: Grid | None, findings: list[Finding]) -> Iterator[Candidate]:
    """The cases of a cohort with a layout of its own, such as BIDS."""
    images: dict[str, dict[str, CaseFiles]] = {}
    for sequence in spec.sequences:
        usable, problems = usable_files(spec, root, sequence)
        for one in usable:
            images.setdefault(one.case_id, {})[sequence] = one
        findings += [
            Finding("error", one.code, spec.name, (one.case_id,), one.text.rstrip("."), "a case that can be used",
                    flag="partial")
            for one in problems
        ]  # fmt: skip
    cases = [next(iter(own.values())) for own in images.values()]
    rows = [{"case_id": one.case_id, "subject_id": one.subject_id, "split": one.split} for one in cases]
    findings += table_findings(rows, spec.name)
    yield from (Candidate(spec.name, own, compared=spec.simulate is None, grid=grid) for own in images.values())


def _limited(cases: Iterable[Candidate], limit: int | None) -> list[Candidate]:
    counts = Counter[tuple[str, bool]]()
    kept = []
    for case in cases:
        group = (case.files.split, case.files.healthy)
        counts[group] += 1
        if limit is None or counts[group] <= limit:
            kept.append(case)
    return kept


def examine_cases(candidates: Sequence[Candidate]) -> list[CaseAudit]:
    """Examine cases in threads; a few kilobytes of each are kept."""
    with ThreadPoolExecutor(max_workers=usable_cores()) as readers:
        return list(watched(readers.map(examine, candidates), "auditing", len(candidates)))


def cohort_findings(examined: Sequence[CaseAudit], cohort: str) -> list[Finding]:
    """The findings of each case, and those that need all cases of a cohort."""
    grids = {one.case_id: one.grid for one in examined if one.grid is not None}
    told = (finding for one in examined for finding in one.findings)
    return [*told, *mixed_grids(grids, cohort), *lost_lesions(examined, cohort), *volumes_on_grid(examined, cohort)]


def lost_lesions(examined: Sequence[CaseAudit], cohort: str) -> list[Finding]:
    """Lesions that leave no voxel on a study's grid: they count as missed."""
    whole = [lesion for one in examined for lesion in one.lesions]
    lost = [lesion.scan_ml for lesion in whole if not lesion.grid_ml]
    if not lost:
        return []
    cases = tuple(one.case_id for one in examined if any(not lesion.grid_ml for lesion in one.lesions))
    ml = f"{sum(lost):.3g} of {sum(lesion.scan_ml for lesion in whole):.3g} ml"
    got = f"{len(lost)} of {count_text(len(whole), 'lesion')} ({ml}) too small to leave a voxel on the grid"
    return [Finding("warning", "lost-lesions", cohort, cases, got, "a finer grid, or they count as missed")]


def volumes_on_grid(examined: Sequence[CaseAudit], cohort: str) -> list[Finding]:
    """How much of the lesions' volume a study's grid keeps, by their size in the scan."""
    whole = [lesion for one in examined for lesion in one.lesions]
    if not whole:
        return []
    sizes = []
    for low, high in pairwise(SIZES):
        group = [one for one in whole if low <= one.scan_ml < high]
        name = f"{low:g} to {high:g} ml" if isfinite(high) else f"over {low:g} ml"
        sizes += [f"{_kept_share(group):.2f} in {len(group)} of {name}"] if group else []
    got = f"{_kept_share(whole):.2f} times the lesions' volume on the grid ({', '.join(sizes)})"
    return [Finding("note", "volume-on-grid", cohort, (), got, "1.00")]


def _kept_share(lesions: Sequence[SampledLesion]) -> float:
    return sum(one.grid_ml for one in lesions) / sum(one.scan_ml for one in lesions)


def cases_csv_findings(table: Table, spec: DatasetSpec) -> list[Finding]:
    """Findings in `cases.csv` that need no image."""
    told = [
        Finding("error", one.code, spec.name, (one.case_id,) if one.case_id else (), f"{one.got} in row {one.row}",
                one.expected, str(table.path), "partial")
        for one in table.problems
    ]  # fmt: skip
    rows = table.usable
    unclear = [row for row in rows if spec.healthy is None and row.get("healthy") not in HEALTHY]
    told += [
        Finding("error", "bad-row", spec.name, (row["case_id"],), f"healthy={row.get('healthy')!r}", "yes or no",
                str(table.path), "partial")
        for row in unclear
    ]  # fmt: skip
    split_rows = [row for row in table.rows if all(row[column] for column in REQUIRED_COLUMNS)]
    return [
        *told,
        *table_findings(split_rows, spec.name),
        *column_findings(rows, spec.sequences, spec.name),
        *drift_findings(rows, spec.name),
    ]


def unnamed_files(spec: DatasetSpec, root: Path, rows: Sequence[Row]) -> list[Finding]:
    """Files in the cohort's folders that no row of its table names."""
    found = []
    for kind in (*spec.sequences, *MASKS):
        folder = spec.folder(root) / kind
        names = {f"{row['case_id']}.nii.gz" for row in rows if kind in MASKS or kind in row["sequences"].split()}
        there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        strangers = tuple(name for name in there if name not in names and not name.startswith("."))
        if strangers:
            got = f"{count_text(len(strangers), 'file')} in {kind}/ that no row of cases.csv names"
            found.append(Finding("warning", "unnamed-file", spec.name, strangers, got, "a row for each"))
    return found


def same_names(scans: Sequence[Fingerprint]) -> list[Finding]:
    """Cases with one name in two cohorts: the same scan, or an ambiguous name."""
    cohorts: dict[str, list[str]] = {}
    for scan in scans:
        if scan.signature is not None:  # simulated cohorts share their cases' names
            cohorts.setdefault(scan.case_id, []).append(scan.cohort)
    shared: dict[str, list[str]] = {}
    for case_id, names in cohorts.items():
        if len(set(names)) > 1:
            shared.setdefault(" and ".join(sorted(set(names))), []).append(case_id)
    return [
        Finding(
            "warning",
            "same-name",
            names,
            tuple(cases),
            f"{count_text(len(cases), 'name')} of cases in both",
            "names apart",
        )
        for names, cases in shared.items()
    ]


def _table(spec: DatasetSpec, root: Path, findings: list[Finding]) -> Table | None:
    path = spec.folder(root) / "cases.csv"
    try:
        return spec.table(spec.folder(root))
    except BadFile as error:
        got = str(error).removeprefix(f"{path}: got ").rstrip(".")
        got, _, expected = got.partition(", expected ")
        findings.append(Finding("error", "bad-table", spec.name, (), got, expected, str(path), "partial"))
        return None


def _candidates(spec: DatasetSpec, root: Path, rows: Sequence[Row], grid: Grid | None) -> Iterator[Candidate]:
    labels = read_labels(spec.folder(root))
    for row in rows:
        if spec.healthy is None and row.get("healthy") not in HEALTHY:
            continue
        names = [name for name in row["sequences"].split() if name in spec.sequences]
        images: dict[str, CaseFiles] = {name: case_files(spec, spec.folder(root), name, row, labels) for name in names}
        if images:
            yield Candidate(spec.name, images, compared=spec.simulate is None, grid=grid)
