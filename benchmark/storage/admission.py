"""admit: audit the data of a study before anything is computed; errors refuse it, or flag its rows if allowed."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.storage.folder import RunFolder
from benchmark.storage.run_tables import read_run_record
from benchmark.study.planning import plan
from benchmark.study.study import Request, Study
from datasets.audit.finding import Finding, errors_of
from datasets.case import AND, CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, UserError
from datasets.io.atomic import write_json
from datasets.words import count_text

log = logging.getLogger(__name__)

AUDITS = "audit.json"
VERSION = 2  # of the audit: raised when it finds more, so that data admitted before are audited again


@dataclass(frozen=True)
class Admission:
    """A study that may be run.

    Attributes:
        study: its cells carry a flag for each kind of error that was allowed.
        key: of the audited cases and the version of the audit.
        findings: about these cases.
        datasets: whose cases these are.
    """

    study: Study
    key: str
    findings: tuple[Finding, ...]
    datasets: tuple[str, ...]


def admit(
    request: Request,
    study: Study,
    root: Path,
    *,
    allow_leak: bool = False,
    skip_bad: bool = False,
    read: bool = True,
) -> Admission:
    """Audit the cases that a study reads; findings stored in the run at `root` are used again.

    Args:
        request, study: the request, and its `plan`.
        read: whether scans are opened; otherwise only the tables of the cohorts are audited.

    Raises:
        BadFile: cases cannot be used, or leak from one split into another, and no option allows it; one line each.
        UserError: as `plan`.
    """
    key = _key(study)
    findings = _kept(RunFolder(root), key)
    if findings is None and read:
        needed = needed_cases(study)
        log.info("Auditing %s.", count_text(sum(map(len, needed.values())), "case"))
        findings = _audited(study, needed)
        _tell_warnings(findings)
    elif findings is None:
        findings = _of_tables(study)
    bad, leaks = ([one for one in errors_of(findings) if one.flag == flag] for flag in ("partial", "leak"))
    _refuse(bad, leaks, allow_leak=allow_leak, skip_bad=skip_bad)
    if bad:
        named = frozenset((one.cohort, case) for one in bad for case in one.cases)
        study = plan(replace(request, skip_bad=True, without=request.without | named))
        leaks = [one for one in leaks if not named >= {(one.cohort, case) for case in one.cases}]
    for name, cases in study.skipped.items():
        log.info("Left out of %s: %s (--skip-bad).", name, ", ".join(filter(None, cases)) or "a row without case_id")
    flags = tuple(word for word, found in (("leak", leaks), ("partial", study.skipped)) if found)
    return Admission(_flagged(study, flags), key, tuple(findings), tuple(study.files))


def keep(run: RunFolder, admission: Admission) -> None:
    """Store the findings in `audit.json`, so that the same cases are not audited again."""
    kept = _audits(run)
    if admission.key not in kept:
        found = [asdict(one) for one in admission.findings]
        write_json(run.root / AUDITS, {**kept, admission.key: {"datasets": admission.datasets, "findings": found}})


def findings_of(run: RunFolder, datasets: Iterable[str]) -> list[Finding]:
    """What the audits of a run found among `datasets`, each once."""
    there = set(datasets)
    audits = [audit for audit in _audits(run).values() if set(audit["datasets"]) <= there]
    found = [_finding(one) for audit in audits for one in audit["findings"]]
    return list(dict.fromkeys(found))


def needed_cases(study: Study) -> dict[str, list[CaseFiles]]:
    """The cases that any cell of a study reads, by data set, each once."""
    needed = {one.image for fit in study.fits for split in ("train", "val") for one in study.training_cases(fit, split)}
    read = ((cell.fit.seed, cell.fit.healthy_cohorts, cell.cohort, cell.splits, cell.limit) for cell in study.cells)
    for cell in dict(zip(read, study.cells, strict=True)).values():
        needed |= {one.image for one in study.mapped_cases(cell)}
    # With the split of `cases.csv`, even if a seed draws another.
    return {name: [one for one in files if one.image in needed] for name, files in study.files.items()}


def _key(study: Study) -> str:
    """Digest of the cases that are read and of the grid they are resampled to."""
    cohorts = {cell.cohort.dataset: cell.cohort.digest for cell in study.cells}
    cases = {name: [one.case_id for one in files] for name, files in needed_cases(study).items()}
    whole = json.dumps([VERSION, asdict(study.cells[0].fit.grid), cohorts, cases], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _audited(study: Study, needed: Mapping[str, Sequence[CaseFiles]]) -> list[Finding]:
    from datasets.audit.cohorts import cohort_findings, examine_cases, same_names
    from datasets.audit.duplicates import duplicate_findings
    from datasets.audit.examine import Candidate
    from datasets.audit.finding import by_severity

    grid, findings, scans = study.cells[0].fit.grid, list[Finding](), []
    sequences = study.cells[0].cohort.sequence.split(AND)
    for name, files in needed.items():
        compared = _is_real(name)
        images = (dict(zip(sequences, one.channels, strict=True)) for one in files)
        examined = examine_cases([Candidate(name, one, compared, grid) for one in images])
        findings += cohort_findings(examined, name)
        scans += [scan for one in examined for scan in one.scans]
    return by_severity([*_of_tables(study), *findings, *duplicate_findings(scans), *same_names(scans)])


def _tell_warnings(findings: Sequence[Finding]) -> None:
    """Log what does not refuse a study and may still make its numbers wrong."""
    from datasets.audit.report import kinds_text

    for line in kinds_text([one for one in findings if one.severity == "warning"]):
        log.info("%s", line)


def _of_tables(study: Study) -> list[Finding]:
    """Findings that need the tables of the cohorts alone."""
    from datasets.audit.splits import table_findings

    return [
        finding
        for name, files in study.files.items()
        for finding in table_findings(
            [{"case_id": one.case_id, "subject_id": one.subject_id, "split": one.split} for one in files], name
        )
    ]


def _is_real(name: str) -> bool:
    """False for simulated brains: they share one anatomy, so being alike is no sign of a duplicate."""
    try:
        return dataset(name).simulate is None
    except UserError:
        return True


def _refuse(bad: Sequence[Finding], leaks: Sequence[Finding], *, allow_leak: bool, skip_bad: bool) -> None:
    lines = [] if skip_bad else [str(one) for one in bad]
    lines += [] if allow_leak else [str(one) for one in leaks]
    if not lines:
        return
    options = ["--skip-bad leaves the named cases out"] if bad and not skip_bad else []
    options += ["--allow-leak continues in spite of the leaks"] if leaks and not allow_leak else []
    raise BadFile("\n".join(lines) + f" ({'; '.join(options)}; every row is then marked.)")


def _flagged(study: Study, flags: tuple[str, ...]) -> Study:
    return replace(
        study,
        cells=tuple(replace(cell, flags=flags) for cell in study.cells),
        references=tuple(replace(reference, flags=flags) for reference in study.references),
    )


def _kept(run: RunFolder, key: str) -> list[Finding] | None:
    kept = _audits(run)
    return [_finding(one) for one in kept[key]["findings"]] if key in kept else None


def _audits(run: RunFolder) -> Mapping[str, Any]:
    """By key the audits that a run keeps."""
    return read_run_record(run, AUDITS)


def _finding(stored: Mapping[str, Any]) -> Finding:
    return Finding(**{**stored, "cases": tuple(stored["cases"])})
