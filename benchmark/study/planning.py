"""From what a user asks for to the Study: every name resolved and every file found before anything runs."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.methods.declared import declared
from benchmark.methods.hyperparameters import Variant, method_names, named_under, parse_variants, resolve_config
from benchmark.methods.registry import Method, UnusableMethod, method, methods, usable_plugin_files
from benchmark.study.cells import NO_HEALTHY, Cell, Cohort, Fit, Reference
from benchmark.study.requested_cohorts import (
    cases_of,
    check_learning_cases,
    cohorts_asked_for,
    cohorts_to_fit_on,
    common_sequence,
    hint_of_no_healthy,
)
from benchmark.study.study import Request, Resolved, Study
from datasets.case import AND, COVARIATES, CaseFiles
from datasets.errors import (
    BadValue,
    MissingData,
    UnknownName,
)
from datasets.grid import GRIDS, Grid
from datasets.shift_requests import ShiftRequest, case_percentiles, landmarks_of, parse_shifts
from datasets.shifts import Shift
from datasets.shifts.representation import mean_landmarks
from datasets.spec import (
    covariate_digest,
    digest,
    parse_sequences,
)

log = logging.getLogger(__name__)

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
    specs = cohorts_asked_for(request.datasets)
    healthy = cohorts_to_fit_on(request, specs, resolved)
    asked = list({spec.name: spec for spec in (*healthy, *specs)}.values())
    sequence, why = (
        (parse_sequences(request.sequence), "") if request.sequence else common_sequence(asked, request.data)
    )
    if AND in sequence:
        _check_several(resolved, sequence)
    seeds = _seeds(request)
    try:
        files, skipped = cases_of(asked, sequence, request)
    except MissingData as error:
        hint = hint_of_no_healthy(request, resolved, healthy, sequence)
        raise MissingData("\n".join(filter(None, [str(error), why, hint]))) from error
    if why:
        log.info("%s", why)
    for spec in healthy:
        check_learning_cases(spec.name, files[spec.name], seeds[0], request.folds or 0)
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
