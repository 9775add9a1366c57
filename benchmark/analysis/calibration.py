"""A run's methods calibrated on healthy scans of one site: thresholds, voxel p-maps, and the power that is left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.lines import single_line
from benchmark.metrics.ground_truth import GroundTruth, ground_truth_of
from benchmark.postprocessing.pipelines import Pipeline
from benchmark.statistics.conformal import (
    ScanThreshold,
    VoxelP,
    rate_given_scans,
    scan_threshold,
    scans_needed,
    split_rates,
)
from benchmark.statistics.intervals.mean import EXACT, exact_interval
from benchmark.statistics.panel import Choice
from benchmark.storage.fits import sees_labels
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_map, write_volume
from benchmark.storage.run_record import has_maps
from benchmark.storage.summary_tables import SummaryLine
from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.grid import Grid
from datasets.loading import load_case
from datasets.spec import case_marks, changed_cases, digest

Mask = NDArray[np.bool_]
FEWEST = 20
"""Healthy people that a calibration takes."""


@dataclass(frozen=True)
class Scan:
    """One scan of one fit, after a pipeline; all `(X, Y, Z)`.

    Attributes:
        filtered: before small components go.
        finished: through the whole pipeline.
    """

    truth: GroundTruth
    affine: NDArray[np.float64]
    filtered: NDArray[np.float32]
    finished: NDArray[np.float32]

    @property
    def scores(self) -> NDArray[np.float32]:
        """`(V,)` of the scored voxels, before small components go."""
        return self.filtered[self.truth.scored_mask]

    @property
    def level(self) -> float:
        """The scan has a false positive at a threshold if and only if this level exceeds it."""
        return float(self.finished[self.truth.scored_mask].max(initial=0))


@dataclass(frozen=True)
class Power:
    """What is left of a cohort at the calibrated threshold; shares are of people, one scan each.

    Attributes:
        alarmed: people with any alarm.
        hit: people of whom an alarm touches the lesion.
        dice, recall: means over people with a lesion; NaN in a healthy cohort.
        voxel_recall: mean share of the lesion whose p-value is at most alpha.
    """

    dataset: str
    people: int
    with_lesion: int
    alarmed: int
    hit: int
    dice: float
    recall: float
    voxel_recall: float


@dataclass(frozen=True)
class Calibrated:
    """One fit's threshold and what it leaves.

    Attributes:
        levels: of each healthy scan, see `Scan.level`.
    """

    method: str
    seed: int
    threshold: ScanThreshold
    levels: tuple[float, ...]
    powers: tuple[Power, ...]


def calibrate_run(
    run: RunFolder, study: Study, healthy: str, pipeline: Pipeline, *, alpha: float, p_maps: Path | None = None
) -> Iterator[Calibrated]:
    """Each fit that has maps of the healthy cohort, in the study's order; those that use lesion labels have none.

    Shifted scans are no draws of the site, and stay out.

    Args:
        p_maps: folder for the p-maps of all other cohorts, if they are wanted.

    Raises:
        MissingData: no fit has maps of the cohort.
        BadValue: fewer than 20 people, or too few for alpha.
    """
    fits = [fit for fit in study.fits if not sees_labels(run, fit)]
    cells = {
        fit.key: [cell for cell in study.cells_of(fit) if cell.shift.name == "none" and has_maps(run, cell)]
        for fit in fits
    }
    own = {fit.key: [cell for cell in cells[fit.key] if cell.cohort.dataset == healthy] for fit in fits}
    if not any(own.values()):
        raise MissingData(
            f"No maps of {healthy} are kept in {run.root}. Make them with: python -m benchmark run --datasets {healthy}"
        )
    for fit in fits:
        if own[fit.key]:
            yield _calibrate(run, study, own[fit.key][0], cells[fit.key], pipeline, alpha, p_maps)


def calibration_cases(study: Study, cell: Cell) -> list[CaseFiles]:
    """The healthy scans that a threshold may come from, one a person.

    Of the cohort that the method was fitted on, only the test split: it has seen the others.

    Raises:
        BadValue: fewer than 20 people.
    """
    fitted = cell.cohort in cell.fit.healthy_cohorts
    files = [one for one in study.mapped_cases(cell) if one.healthy and (one.split == "test" or not fitted)]
    people = one_scan_each(files)
    if len(people) < FEWEST:
        unseen = " that it was not fitted or validated on" if fitted else ""
        raise BadValue(
            f"--healthy {cell.cohort.dataset}: got maps of {len(people)} healthy people{unseen}, expected at least "
            f"{FEWEST}."
        )
    return people


def one_scan_each(files: Sequence[CaseFiles]) -> list[CaseFiles]:
    """Everybody's first scan: scans of one person are no independent draws."""
    first: dict[str, CaseFiles] = {}
    for one in sorted(files, key=lambda one: one.case_id):
        first.setdefault(one.subject_id, one)
    return list(first.values())


def _calibrate(
    run: RunFolder,
    study: Study,
    own: Cell,
    cells: Sequence[Cell],
    pipeline: Pipeline,
    alpha: float,
    p_maps: Path | None,
) -> Calibrated:
    scans = list(_scans(run, own, calibration_cases(study, own), pipeline))
    levels = [one.level for one in scans]
    found = scan_threshold(levels, alpha)
    p_of = VoxelP([one.scores for one in scans])
    powers = []
    for cell in cells:
        if cell.cohort == own.cohort or cell.cohort in own.fit.healthy_cohorts:
            continue
        split = "test" if "test" in cell.splits else "val"
        people = one_scan_each([one for one in study.mapped_cases(cell) if one.split == split])
        if not people:
            continue
        folder = p_maps / f"{own.fit.name}" / cell.cohort.dataset if p_maps else None
        powers.append(_power(_scans(run, cell, people, pipeline), cell.cohort.dataset, found, p_of, folder))
    return Calibrated(own.fit.method, own.fit.seed, found, tuple(levels), tuple(powers))


def _scans(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], pipeline: Pipeline) -> Iterator[Scan]:
    for one in files:
        truth, affine = _ground_truth(one, cell.fit.grid)
        kept = read_map(run, cell, one.case_id)
        filtered = pipeline.filter(kept, truth.brain_mask, truth.spacing)
        yield Scan(truth, affine, filtered.scores, pipeline.finish(filtered).scores)


@lru_cache(maxsize=512)
def _ground_truth(files: CaseFiles, grid: Grid) -> tuple[GroundTruth, NDArray[np.float64]]:
    """With the grid's affine; kept, since every fit asks for the same scans."""
    case = load_case(files, grid)
    return ground_truth_of(files, case), case.affine


def _power(scans: Iterator[Scan], dataset: str, found: ScanThreshold, p_of: VoxelP, folder: Path | None) -> Power:
    alarmed, hits, overlaps = list[bool](), list[bool](), list[tuple[float, float, float]]()
    for scan in scans:
        truth = scan.truth
        prediction = (scan.finished > found.threshold) & truth.scored_mask
        p = np.ones(truth.brain_mask.shape)
        p[truth.scored_mask] = p_of(scan.scores)
        alarmed.append(bool(prediction.any()))
        if truth.has_lesion:
            lesion = truth.mask
            hits.append(bool((prediction & lesion).any()))
            overlaps.append(
                (
                    metrics.dice(prediction, lesion, missed=truth.off_grid),
                    metrics.recall(prediction, lesion, missed=truth.off_grid),
                    metrics.recall(p <= found.alpha, lesion, missed=truth.off_grid),
                )
            )
        if folder is not None:
            write_volume(folder / f"{truth.files.case_id}.nii.gz", p, scan.affine)
    means = np.mean(overlaps, axis=0) if overlaps else [np.nan] * 3
    return Power(dataset, len(alarmed), len(hits), sum(alarmed), sum(hits), *map(float, means))


def check_folder(study: Study, healthy: str) -> str:
    """The cohort that a name or a prepared folder stands for.

    Raises:
        UnknownName: the study has no such cohort.
        BadFile: the folder holds other scans than the maps were made of.
    """
    name = Path(healthy).resolve().name if Path(healthy).is_dir() else healthy
    cohorts = {cell.cohort.dataset: cell.cohort for cell in study.cells}
    if name not in cohorts:
        raise UnknownName("cohort of this run", name, cohorts)
    if Path(healthy).is_dir():
        found = dataset(name).files(Path(healthy).resolve().parent, cohorts[name].sequence)
        if digest(found) != cohorts[name].digest:
            changes = changed_cases(case_marks(study.files[name]), case_marks(found))
            raise BadFile(
                f"--healthy {healthy}: got scans with digest {digest(found)[:12]}, expected "
                f"{cohorts[name].digest[:12]}, those whose maps the run keeps ({changes}). Map them first: "
                f"python -m benchmark run --datasets {name}"
            )
    return name


ALPHA = 0.05  # of the intervals of counted people
SPLITS = 1000


def guarantee_text(one: Calibrated, healthy: str, pipeline: str) -> str:
    """What holds for every method alike."""
    found = one.threshold
    low, high = rate_given_scans(found)
    return (
        f"Calibrated on {found.scans} healthy people of {healthy}, pipeline {pipeline}: a new healthy scan like these "
        f"raises any alarm with probability at most {found.guaranteed:.3f} (asked: {found.alpha:g}), whatever the "
        f"method. That is over the draw of these {found.scans}; of one calibration the true rate lies between "
        f"{low:.3f} and {high:.3f} in 95 of 100 cases. It holds for scans of this site and protocol, and for no other."
    )


def power_table(found: Sequence[Calibrated]) -> str:
    """A line a fit and other cohort: how many people are alarmed and hit at the threshold, and how much of a lesion."""
    from tabulate import tabulate

    body = [
        [f"{one.method}, seed {one.seed}", f"{one.threshold.threshold:.4g}", *_power_cells(power)]
        for one in found
        for power in one.powers or (None,)
    ]
    headers = ["Fit", "Threshold", "Cohort", "Any alarm", "Lesion touched", "Dice", "Recall", "Voxel p <= alpha"]
    return tabulate(body, headers, tablefmt="simple", disable_numparse=True, maxcolwidths=[26, *[None] * 7])


def split_text(found: Sequence[Calibrated], healthy: str, alpha: float) -> str:
    """The same tried out: half of the healthy people calibrate, the other half are counted."""
    half = found[0].threshold.scans // 2
    if not half:
        return f"{healthy} is too few to be split in two."
    if half < scans_needed(alpha):
        tried = 1 / (half + 1)
        said = f"Half of {healthy} ({half}) is too few for {alpha:g}; tried at {tried:.4f} instead. "
    else:
        tried, said = alpha, ""
    rates = [
        f"{one.method} seed {one.seed} {split_rates(one.levels, tried, splits=SPLITS).mean():.3f}" for one in found
    ]
    return (
        f"{said}{healthy} split in two at random {SPLITS} times, one half calibrating, the other counted: mean "
        f"alarm rate (at most {tried:.4f} is promised): {', '.join(rates)}."
    )


def calibration_lines(run: Comparable, one: Calibrated, healthy: str, pipeline: str) -> Iterator[SummaryLine]:
    """A fit's threshold with what it promises, and what is left of every other cohort; shares are of people."""
    found, protocol = one.threshold, f"conformal-{one.threshold.alpha:g}:{healthy}"

    def line(dataset: str, metric: str, value: float, n: int, cases: str, **more: Any) -> SummaryLine:
        choice = Choice(dataset, metric, pipeline, protocol, run.split)
        told = {"kind": "calibration", "group": f"seed {one.seed}", "n": n, **more}
        return single_line(run, choice, one.method, value, cases, **told)

    yield line(healthy, "threshold", found.threshold, found.scans, "healthy")
    yield line(healthy, "alarm", found.guaranteed, found.scans, "healthy", interval="promised")
    for power in one.powers:
        cases = "lesion" if power.with_lesion else "healthy"
        counts = [("alarm", power.alarmed, power.people)]
        counts += [("hit", power.hit, power.with_lesion)] if power.with_lesion else []
        for metric, count, n in counts:
            low, high = exact_interval(count, n, alpha=ALPHA)
            told = {"low": low, "high": high, "level": 1 - ALPHA, "interval": EXACT}
            yield line(power.dataset, metric, count / n, n, cases, **told)
        for metric in ("dice", "recall", "voxel_recall") if power.with_lesion else ():
            yield line(power.dataset, metric, getattr(power, metric), power.with_lesion, cases)


def _power_cells(power: Power | None) -> list[str]:
    if power is None:
        return ["-"] * 6
    lesions = ["healthy", "-", "-", "-"]
    if power.with_lesion:
        shares = (power.dice, power.recall, power.voxel_recall)
        lesions = [_share(power.hit, power.with_lesion), *(f"{share:.3f}" for share in shares)]
    return [power.dataset, _share(power.alarmed, power.people), *lesions]


def _share(found: int, of: int) -> str:
    low, high = exact_interval(found, of, alpha=ALPHA)
    return f"{found}/{of} ({100 * low:.0f}-{100 * high:.0f} %)"
