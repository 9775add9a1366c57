"""From what a user asks for to the Study: every name resolved and every file found before anything runs."""

import logging
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.methods.declared import declared
from benchmark.methods.hyperparameters import Variant, method_names, named_under, parse_variants, resolve_config
from benchmark.methods.registry import BUILT_IN, Method, UnusableMethod, method, methods, usable_plugin_files
from benchmark.study.cells import NO_HEALTHY, Cell, Cohort, Fit, Reference
from benchmark.study.study import Request, Resolved, Study
from datasets.case import AND, COVARIATES, CaseFiles
from datasets.cohorts.catalog import dataset_argument
from datasets.errors import (
    BadCases,
    BadValue,
    CaseProblem,
    Missing,
    MissingCases,
    MissingData,
    UnknownName,
    UserError,
)
from datasets.grid import GRIDS, PUBLISHED, Grid
from datasets.shift_requests import ShiftRequest, case_percentiles, landmarks_of, parse_shifts
from datasets.shifts import Shift
from datasets.shifts.representation import mean_landmarks
from datasets.spec import (
    DatasetSpec,
    covariate_digest,
    digest,
    how_to_prepare,
    lacking,
    parse_sequences,
    sequences_there,
    usable_files,
)
from datasets.splits import learning_split

log = logging.getLogger(__name__)

# The published choice where a study leaves the sequence open: T2 where every cohort has it, else T1.
SEQUENCE_ORDER = ("t2", "t1", "flair", "t1ce")
MOST_SEEDS = 1000  # of one range: more is a typing mistake


def plan(request: Request) -> Study:
    """Resolve a request.

    A method whose package is broken is left out; mistakes that the caller can mend are refused.

    Raises:
        UserError: a name, value or file is not as expected, or no method is left.
    """
    if request.preset not in GRIDS:
        raise UnknownName("preset", request.preset, GRIDS)
    requested = parse_shifts(request.shifts)
    resolved, left_out = _resolved(request)
    specs = _specs(request.datasets)
    healthy = _healthy(request, specs, resolved)
    asked = list({spec.name: spec for spec in (*healthy, *specs)}.values())
    sequence, why = (
        (parse_sequences(request.sequence), "") if request.sequence else _common_sequence(asked, request.data)
    )
    if AND in sequence:
        _check_several(resolved, sequence)
    seeds = _seeds(request)
    try:
        files, skipped = _files(asked, sequence, request)
    except MissingData as error:
        hint = _hint_of_none(request, resolved)
        raise MissingData("\n".join(filter(None, [str(error), why, hint]))) from error
    if why:
        log.info("%s", why)
    for spec in healthy:
        _check_training_cases(spec.name, files[spec.name], seeds[0], request.folds or 0)
    cohorts = {name: Cohort(name, sequence, digest(found)) for name, found in files.items()}
    grid = replace(GRIDS[request.preset], sampling=request.sampling)
    known = [cohorts[spec.name] for spec in healthy] or [Cohort(NO_HEALTHY, sequence, "")]
    fits = [
        replace(fit, covariates=covariate_digest(_files_of(fit, files), _covariates(fit)))
        for part in _parts(request, known)
        for fit in _fits(request, resolved, part, grid, seeds)
    ]
    training = {fit.key: _training_cases(fit, files) for fit in fits}
    shifts = planned_shifts(requested, training, grid, request.data, sequence, match=request.match)
    cells = tuple(
        Cell(
            fit,
            cohort,
            shift,
            precision=request.precision,
            splits=request.splits,
            limit=request.limit,
            covariates=covariate_digest(files[cohort.dataset], _covariates(fit)),
        )
        for fit in fits
        for shift in shifts[fit.key]
        for cohort in dict.fromkeys((*fit.healthy_cohorts, *cohorts.values()))
    )
    references = tuple(
        Reference(cohorts[name], grid, request.splits, request.limit)
        for name, found in files.items()
        if not all(case.healthy for case in found)
    )
    return Study(cells, references, files, left_out, skipped)


def parse_seeds(text: str) -> list[int]:
    """`"0-2"` or `"0,3,5"` to seeds.

    Raises:
        BadValue: anything else, or a seed given twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        known = first.isdecimal() and (last.isdecimal() or not dash)
        if not known or not 0 <= int(last or first) - int(first) < MOST_SEEDS:
            raise BadValue(f"--seeds: got '{text}', expected numbers and ranges such as 0-2 or 0,3,5.")
        seeds += range(int(first), int(last or first) + 1)
    if len(set(seeds)) < len(seeds):
        raise BadValue(f"--seeds: got '{text}', expected each seed once.")
    return seeds


def _seeds(request: Request) -> list[int]:
    """Training seeds, or one for each fold."""
    if request.folds is None:
        return parse_seeds(request.seeds)
    if request.seeds != "0":
        raise BadValue(f"--folds {request.folds}: got --seeds {request.seeds} too, expected one of them.")
    return list(range(request.folds))


def _resolved(request: Request) -> tuple[list[Resolved], tuple[str, ...]]:
    """Every usable variant with its hyper-parameters, and why others cannot be used."""
    files, left_out = usable_plugin_files(request.plugins)
    known = methods(files)
    known |= _perhaps_broken(set(method_names(request.methods)) - known.keys(), left_out)
    variants = parse_variants(request.methods, known)
    tuned = request.hyperparameters
    usable = list[Resolved]()
    for variant in variants:
        try:
            config = resolve_config(variant, request.preset, tuned.get(variant.method.name, {}))
            _check_covariates(variant.method)
            usable.append((named_under(variant, request.preset), config))
        except UnusableMethod as error:
            left_out.append(str(error))
    _check_tables(tuned, known, request.preset)
    if not usable:
        raise UnusableMethod("\n".join(dict.fromkeys(left_out)))
    return usable, tuple(dict.fromkeys(left_out))


def _check_covariates(method: Method) -> None:
    """Refuse a card that declares what no cohort can tell."""
    unknown = [name for name in declared(method).covariates if name not in COVARIATES]
    if unknown:
        expected = ", ".join(COVARIATES)
        raise UnusableMethod(f"{method}: got covariates {', '.join(unknown)} on its card, expected some of {expected}.")


def _check_several(resolved: Sequence[Resolved], sequence: str) -> None:
    """Refuse methods that take one sequence in a study of several."""
    cards = {variant.name: declared(variant.method).card for variant, _ in resolved}
    takes = {name: card is not None and bool(card.several_sequences) for name, card in cards.items()}
    refused = [name for name, several in takes.items() if not several]
    if refused:
        others = ",".join(name for name, several in takes.items() if several)
        names, first = sequence.replace(AND, ","), sequence.split(AND)[0]
        way = f"Leave them out: --methods '{others}'; or take one sequence" if others else "Take one sequence"
        raise BadValue(
            f"--sequence {names}: got {', '.join(refused)}, expected methods whose card says how they take several "
            f"sequences. {way}: --sequence {first}."
        )


def _perhaps_broken(unknown: Iterable[str], troubles: Sequence[str]) -> dict[str, Method]:
    """Unusable methods for unknown names, where a plugin file that may define them cannot be imported.

    Why it cannot is a line of its own, in `troubles`.
    """
    trouble = "not known; perhaps it is of a file that is left out."
    return {name: Method(name, "", "", trouble=trouble) for name in unknown} if troubles else {}


def _check_tables(tuned: Mapping[str, Mapping[str, Any]], known: Mapping[str, Method], preset: str) -> None:
    """Refuse a mistake in the table of any method, even of one that the request does not name."""
    for name, table in tuned.items():
        with suppress(UnusableMethod):
            resolve_config(Variant(method(name, known), {}), preset, table)


def _files(
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


def _specs(names: str) -> list[DatasetSpec]:
    listed = list(map(dataset_argument, filter(None, (name.strip() for name in names.split(",")))))
    _check_homes(listed)
    specs = {spec.name: spec for spec in listed}
    if not specs:
        raise BadValue(f"--datasets: got '{names}', expected one or more names; see: python -m benchmark list datasets")
    return list(specs.values())


def _healthy(request: Request, specs: Sequence[DatasetSpec], resolved: Sequence[Resolved]) -> list[DatasetSpec]:
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


def _hint_of_none(request: Request, resolved: Sequence[Resolved]) -> str:
    """How the methods that need no training are run without the healthy scans that are missing; "" without any."""
    untrained = _untrained(resolved)
    if not untrained or request.healthy == NO_HEALTHY:
        return ""
    return f"Without healthy scans: {_command(request, untrained, NO_HEALTHY)}"


def _command(request: Request, methods: Sequence[str], healthy: str) -> str:
    """The request's command with these methods and this healthy cohort."""
    words = ["run", "--methods", ",".join(methods), "--datasets", request.datasets]
    words += ["--sequence", request.sequence] if request.sequence else []
    words += ["--healthy", healthy, *(["--preset", request.preset] if request.preset != PUBLISHED else [])]
    return f"python -m benchmark {shlex.join(words)}"


def _check_homes(specs: Iterable[DatasetSpec]) -> None:
    homes: dict[str, Path | None] = {}
    for spec in specs:
        if homes.setdefault(spec.name, spec.home) != spec.home:
            raise BadValue(
                f"dataset '{spec.name}': got {homes[spec.name]} and {spec.home}, expected one folder for each name."
            )


def _common_sequence(specs: Sequence[DatasetSpec], data: Path) -> tuple[str, str]:
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


@dataclass(frozen=True)
class _Part:
    """Healthy cohorts that are fitted on together; `name` ends the names of the methods."""

    name: str
    cohorts: Sequence[Cohort]


def _parts(request: Request, healthy: Sequence[Cohort]) -> list[_Part]:
    """All of them, or all but each in turn."""
    if not request.leave_one_site_out:
        return [_Part("", healthy)]
    return [_Part(f"-without-{out.dataset}", [one for one in healthy if one != out]) for out in healthy]


def _fits(
    request: Request, resolved: Sequence[Resolved], healthy: _Part, grid: Grid, seeds: Sequence[int]
) -> list[Fit]:
    fits = list[Fit]()
    for variant, config in resolved:
        own = declared(variant.method)
        devices = request.devices if own.several_devices else 1
        scans = request.training_scans if own.needs_training else None
        fits += [
            Fit(
                variant.name + (f"-{scans}-scans" if scans else "") + healthy.name,
                variant.method.target,
                config,
                healthy.cohorts[0],
                grid,
                seed,
                variant.method.origin or "",
                folds=request.folds or 0,
                devices=devices,
                revision=own.revision,
                also_healthy=tuple(healthy.cohorts[1:]),
                training_scans=scans,
            )
            for seed in seeds
        ]
    return fits


def _covariates(fit: Fit) -> tuple[str, ...]:
    return declared(Method(fit.method, fit.target, "", fit.origin or None)).covariates


def _files_of(fit: Fit, files: Mapping[str, Sequence[CaseFiles]]) -> list[CaseFiles]:
    """The cases of the cohorts that it is fitted on."""
    return [one for cohort in fit.healthy_cohorts for one in files[cohort.dataset]]


def _check_training_cases(name: str, files: Sequence[CaseFiles], seed: int, folds: int) -> None:
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


def _training_cases(fit: Fit, files: Mapping[str, Sequence[CaseFiles]]) -> list[CaseFiles]:
    """The cases that a fit learns from.

    Raises:
        BadValue: there are fewer than it shall be trained on.
    """
    study = Study((), (), files)
    if fit.training_scans is not None:
        there = len(study.training_cases(replace(fit, training_scans=None), "train"))
        if there < fit.training_scans:
            raise BadValue(f"--training-scans: got {fit.training_scans}, expected at most {there}, as many training "
                           f"scans as {fit.fitted_on} has under seed {fit.seed}.")  # fmt: skip
    return study.training_cases(fit, "train")


def planned_shifts(
    requested: Sequence[ShiftRequest],
    training: Mapping[str, Sequence[CaseFiles]],
    grid: Grid,
    data: Path,
    sequence: str,
    *,
    match: bool,
) -> dict[str, list[Shift]]:
    """By the key of a fit the shifts: none first, then the requested ones; with `match` all again, matched.

    Scans are read only where landmarks are needed: those of the cohorts that a shift transfers to, and the training
    cases.

    Args:
        training: each fit's training cases, onto whose mean percentiles histograms are matched.

    Raises:
        UserError: a cohort is not there, or a scan of it cannot be used.
    """
    cohorts = dict.fromkeys(one.cohort for one in requested if one.cohort)
    landmarks = {cohort: landmarks_of(cohort, data, sequence, grid) for cohort in cohorts}
    matched: dict[str, tuple[float, ...]] = {}
    if match:
        cases = {one.brain_mask: one for group in training.values() for one in group}
        known = case_percentiles(list(cases.values()), grid)
        matched = {key: mean_landmarks([known[one.brain_mask] for one in group]) for key, group in training.items()}
    return {key: _arms(requested, landmarks, matched.get(key, ())) for key in training}


def _arms(
    requested: Sequence[ShiftRequest], landmarks: Mapping[str, tuple[float, ...]], matched: tuple[float, ...]
) -> list[Shift]:
    arms = [(), matched] if matched else [()]
    none = [Shift(matched=arm) for arm in arms]
    return none + [one.shift(landmarks.get(one.cohort, ()), arm) for arm in arms for one in requested]
