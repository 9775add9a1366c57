"""The cohorts that a request names, those that it is fitted on, their common sequence and their cases."""

import logging
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.methods.declared import declared
from benchmark.methods.registry import BUILT_IN
from benchmark.study.cells import NO_HEALTHY
from benchmark.study.study import Request, Resolved
from datasets.case import AND, CaseFiles
from datasets.cohorts.catalog import dataset_argument
from datasets.errors import BadCases, BadValue, CaseProblem, Missing, MissingCases, MissingData, UserError
from datasets.grid import PUBLISHED
from datasets.spec import DatasetSpec, how_to_prepare, lacking, sequences_there, usable_files
from datasets.splits import learning_split

log = logging.getLogger(__name__)

# The published choice where a study leaves the sequence open: T2 where every cohort has it, else T1.
SEQUENCE_ORDER = ("t2", "t1", "flair", "t1ce")


def cohorts_asked_for(names: str) -> list[DatasetSpec]:
    """Of a comma-separated list of names and `NAME=FOLDER`, each once.

    Raises:
        BadValue: none is named, or one name stands for two folders.
        UnknownName: a name is not known.
    """
    listed = list(map(dataset_argument, filter(None, (name.strip() for name in names.split(",")))))
    _check_homes(listed)
    specs = {spec.name: spec for spec in listed}
    if not specs:
        raise BadValue(f"--datasets: got '{names}', expected one or more names; see: python -m benchmark list datasets")
    return list(specs.values())


def cohorts_to_fit_on(
    request: Request, specs: Sequence[DatasetSpec], resolved: Sequence[Resolved]
) -> list[DatasetSpec]:
    """The cohorts to fit on; [] with `--healthy none`."""
    proposed = {spec.fitted_on for spec in specs}
    if request.healthy == NO_HEALTHY:
        _check_untrained(request, resolved)
        return []
    if request.healthy is None and len(proposed) > 1:
        raise BadValue(f"--healthy: got nothing, expected one of {', '.join(sorted(proposed))} for these datasets.")
    names = [name.strip() for name in (request.healthy or proposed.pop()).split(",")]
    healthy = list({spec.name: spec for spec in map(dataset_argument, names)}.values())
    if request.leave_one_site_out and len(healthy) < 2:
        raise BadValue(
            f"--leave-one-site-out: got one healthy cohort, {healthy[0].name}, expected two or more sites, each a "
            f"cohort: --healthy {healthy[0].name},ANOTHER"
        )
    _check_homes([*specs, *healthy])
    return healthy


def _check_untrained(request: Request, resolved: Sequence[Resolved]) -> None:
    """Refuse what cannot be done without healthy scans.

    Raises:
        BadValue: a method learns from healthy scans, or an option is about them.
    """
    trained = [variant.name for variant, _ in resolved if declared(variant.method).needs_training]
    if trained:
        others = _untrained(resolved) or [one.name for one in BUILT_IN if not declared(one).needs_training]
        raise BadValue(
            f"--healthy {NO_HEALTHY}: got {', '.join(trained)}, trained on healthy scans, expected methods that need "
            f"no training: {', '.join(others)}. Without the others: {_command(request, others, NO_HEALTHY)}; or name a "
            f"healthy cohort: {_command(request, [request.methods], 'COHORT')}"
        )
    options = {"--folds": request.folds, "--match": request.match, "--training-scans": request.training_scans,
               "--leave-one-site-out": request.leave_one_site_out}  # fmt: skip
    for option, given in options.items():
        if given:
            raise BadValue(f"{option}: got --healthy {NO_HEALTHY}, expected a healthy cohort: it is about its scans.")


def _untrained(resolved: Sequence[Resolved]) -> list[str]:
    return [variant.name for variant, _ in resolved if not declared(variant.method).needs_training]


def hint_of_no_healthy(
    request: Request, resolved: Sequence[Resolved], healthy: Sequence[DatasetSpec], sequence: str
) -> str:
    """What can be done without the healthy cohorts where one is missing, a line each; "" for nothing.

    Fit on a cohort asked for that has healthy people too, or, where the cohorts asked for have the sequence, run the
    methods that need no training.
    """
    if all(_has_healthy(spec, request.data, sequence) for spec in healthy):
        return ""
    named = list(map(str.strip, request.datasets.split(",")))
    own = [name for name in named if _has_healthy(dataset_argument(name), request.data, sequence)]
    lines = [f"{name} has healthy scans: {_command(request, [request.methods], name)}" for name in own[:1]]
    known = all(one in dataset_argument(name).sequences for name in named for one in sequence.split(AND))
    if known and (untrained := _untrained(resolved)):
        lines.append(f"Without healthy scans: {_command(request, untrained, NO_HEALTHY)}")
    return "\n".join(lines)


def _has_healthy(spec: DatasetSpec, data: Path, sequence: str) -> bool:
    """Whether there are healthy people to learn from and to validate on."""
    try:
        files, _ = usable_files(spec, data, sequence)
    except UserError:
        return False
    return {"train", "val"} <= {case.split for case in learning_split(files, seed=0, folds=0) if case.healthy}


def _command(request: Request, methods: Sequence[str], healthy: str) -> str:
    """The request's command with these methods and this healthy cohort."""
    words = ["run", "--methods", ",".join(methods), "--datasets", request.datasets]
    words += ["--sequence", request.sequence] if request.sequence else []
    words += ["--healthy", healthy, *(["--preset", request.preset] if request.preset != PUBLISHED else [])]
    words += ["--data", str(request.data)]
    return f"python -m benchmark {shlex.join(words)}"


def _check_homes(specs: Iterable[DatasetSpec]) -> None:
    homes: dict[str, Path | None] = {}
    for spec in specs:
        if homes.setdefault(spec.name, spec.home) != spec.home:
            raise BadValue(
                f"dataset '{spec.name}': got {homes[spec.name]} and {spec.home}, expected one folder for each name."
            )


def common_sequence(specs: Sequence[DatasetSpec], data: Path) -> tuple[str, str]:
    """The first sequence that all cohorts have where they lie, and why it is not the first that they could have."""
    there = {spec.name: sequences_there(spec, data) for spec in specs}
    found, possible = (
        [name for name in SEQUENCE_ORDER if all(name in of for of in group)]
        for group in (there.values(), [spec.sequences for spec in specs])
    )
    if not found:
        every = "; ".join(f"{name}: {', '.join(of) or 'none'}" for name, of in there.items())
        raise BadValue(f"--datasets: got cohorts without a common sequence ({every}), expected one for all.")
    if found[0] == possible[0]:
        return found[0], ""
    lacking = [spec for spec in specs if possible[0] not in there[spec.name]]
    told = (
        f"{spec.title} at {spec.folder(data)} has no {possible[0]}. {how_to_prepare(spec, data)}" for spec in lacking
    )
    return found[0], "\n".join([*told, f"Without {possible[0]} this is a study of {found[0]}."])


def cases_of(
    specs: Sequence[DatasetSpec], sequence: str, request: Request
) -> tuple[dict[str, Sequence[CaseFiles]], dict[str, tuple[str, ...]]]:
    """Each cohort's cases, and those left out; missing simulated cohorts are made first.

    Raises:
        MissingData, BadFile: all that is missing or wrong in any of the cohorts, a line each.
    """
    if request.simulate:
        for spec in specs:
            _simulate_if_missing(spec, request.data)
    files = dict[str, Sequence[CaseFiles]]()
    skipped = dict[str, tuple[str, ...]]()
    missing = Missing()
    for spec in specs:
        with missing:
            usable, problems = _usable(spec, sequence, request)
            unwanted = {case for of, case in request.without if of == spec.name}
            files[spec.name] = [one for one in usable if one.case_id not in unwanted]
            skipped[spec.name] = tuple(sorted(unwanted | {one.case_id for one in problems}))
            _tell_lacking(spec, sequence, request.data, skipped[spec.name])
    if any(isinstance(one, BadCases | MissingCases) for one in missing.errors):
        missing.errors.append(MissingData("--skip-bad leaves the named cases out; every row is then marked."))
    if missing.errors and not any(spec.folder(request.data).exists() for spec in specs):
        missing.errors.append(MissingData("Without any download, use the simulated cohort: --datasets phantom."))
    missing.tell()
    return files, {name: cases for name, cases in skipped.items() if cases}


def _tell_lacking(spec: DatasetSpec, sequence: str, data: Path, skipped: Sequence[str]) -> None:
    """Name the cases that lack a sequence of the study's."""
    for name, cases in lacking(spec, data, sequence).items() if AND in sequence else ():
        left = [one for one in cases if one not in skipped]
        if left:
            log.info("Left out of %s, having no %s: %s.", spec.name, name, ", ".join(left))


def _usable(spec: DatasetSpec, sequence: str, request: Request) -> tuple[Sequence[CaseFiles], Sequence[CaseProblem]]:
    """All cases, or with `skip_bad` those that can be used, and why the others cannot."""
    if request.skip_bad:
        return usable_files(spec, request.data, sequence)
    return spec.files(request.data, sequence), ()


def _simulate_if_missing(spec: DatasetSpec, data: Path) -> None:
    """Make a simulated cohort that does not exist yet."""
    if spec.simulate is None or spec.folder(data).exists():
        return
    try:
        data.mkdir(parents=True, exist_ok=True)
        spec.simulate(data)
    except UserError:
        raise
    except OSError as error:
        raise MissingData(
            f"{spec.title} cannot be simulated into {data}: {error.strerror}. {spec.how_to_get}"
        ) from error


def check_learning_cases(name: str, files: Sequence[CaseFiles], seed: int, folds: int) -> None:
    """Refuse a cohort that nothing can be fitted on; say it where its test cases are dealt anew.

    Raises:
        BadValue: it has no healthy case to train or to validate on.
    """
    split_cases = learning_split(files, seed=seed, folds=folds)
    for split in ("train", "val"):
        if not any(case.split == split and case.healthy for case in split_cases):
            raise BadValue(f"--healthy {name}: got no healthy {split} case, expected some to fit a method on.")
    if all(case.split == "test" for case in files if case.healthy):
        log.info("%s has healthy cases for testing alone: where a method is fitted on it, the rule of docs/splits.md "
                 "deals its people to training, validation and test.", name)  # fmt: skip
