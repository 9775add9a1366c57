"""DecidedMap: a kept anomaly map after the post-processing of a cohort's ranking, and what its threshold decides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import ground_truth_of
from benchmark.metrics.overlap import dice_of
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.storage.fits import sees_labels
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_map, read_reconstructions
from benchmark.storage.run_record import has_maps, has_volume, thresholds_of
from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import Case, CaseFiles
from datasets.loading import load_case
from reports.model.example_cases import named_cases, shown_pipeline
from reports.model.ranking import ranking_of
from reports.model.run_results import RunResults

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
MOST_METHODS = 12
BRIGHTEST = 99.5  # percentile of the brain's scores that is drawn brightest where there is no threshold


@dataclass(frozen=True)
class ShownCase:
    """A scan to be shown, with what scoring counts of it.

    Attributes:
        role: best, median, worst or most disagreed; "" for none.
        scored: `(X, Y, Z)` the voxels that any number is over: the brain without what is ignored.
        ignored: `(X, Y, Z)`.
        positives: lesion voxels, those too that the grid does not show.
    """

    files: CaseFiles
    case: Case
    role: str
    scored: Mask
    ignored: Mask
    positives: float

    @property
    def lesion(self) -> Mask:
        """`(X, Y, Z)`; all False in a healthy case."""
        mask = self.case.lesion_mask
        return np.zeros_like(self.scored) if mask is None else mask

    def dice(self, prediction: Mask) -> float:
        """Of a prediction within the scored voxels; NaN without lesion."""
        true = int(np.count_nonzero(prediction & self.lesion))
        return dice_of(true, int(np.count_nonzero(prediction)), self.positives)


@dataclass(frozen=True)
class DecidedMap:
    """A method's map of one case.

    Attributes:
        scores: `(X, Y, Z)` of the scored voxels, 0 elsewhere, with small components removed: they exceed a threshold
            where the prediction at it does.
        threshold: that decides; NaN where none does.
        reconstructions: `(X, Y, Z)` of each sequence within the brain; None for one that is not kept.
    """

    scores: Volume
    threshold: float
    reconstructions: Sequence[Volume | None]

    @property
    def prediction(self) -> Mask:
        """What is above the threshold; nothing without one."""
        return self.scores.astype(np.float64) > self.threshold

    @property
    def has_threshold(self) -> bool:
        return bool(np.isfinite(self.threshold)) and self.threshold > 0

    @property
    def highest(self) -> float:
        """The score that is drawn brightest: twice the threshold; without a positive one `BRIGHTEST`."""
        if self.has_threshold:
            return 2 * self.threshold
        found = self.scores[self.scores > 0]
        return float(np.percentile(found, BRIGHTEST)) if found.size else 1.0


def deciding_choice(results: RunResults, cohort: str) -> tuple[str, str]:
    """Post-processing and threshold that a cohort's scans are looked at under; no threshold: ""."""
    ranking = ranking_of(results, cohort)
    if ranking is not None:
        return str(ranking.first["postprocessing"]), str(ranking.first["protocol"])
    return results.summary.healthy_choice(cohort) or (shown_pipeline(results, cohort), "")


def shown_cells(results: RunResults, study: Study, cohort: str) -> list[Cell]:
    """For each method the unshifted cell with maps of its lowest seed, in the order of all tables.

    The best `MOST_METHODS`, where there are more.
    """
    kept = [
        cell
        for cell in study.cells
        if cell.cohort.dataset == cohort and cell.shift.name == "none" and has_maps(results.run, cell)
    ]
    by_seed = sorted(kept, key=lambda cell: (cell.fit.seed, cell.sampling_seed), reverse=True)
    lowest = {cell.fit.method: cell for cell in by_seed}
    known = results.lesion.get(cohort) or results.healthy.get(cohort) or results.whole
    ordered = [lowest[str(method)] for method in known.ordered if method in lowest]
    return ordered[:MOST_METHODS]


def shown_cases(results: RunResults, study: Study, cohort: str, cell: Cell) -> list[ShownCase]:
    """The named cases of a cohort; without scores to name any by, some of each size of lesion.

    Raises:
        BadFile: a scan is torn.
    """
    files = [one for one in study.mapped_cases(cell) if one.split == results.split]
    by_id, named = {one.case_id: one for one in files}, named_cases(results, cohort)
    chosen = [by_id[case_id] for case_id in named if case_id in by_id] or choose_cases(
        files, lesion_ml(results, cohort)
    )
    return [_shown(one, load_case(one, cell.fit.grid), named.get(one.case_id, "")) for one in chosen]


def _shown(files: CaseFiles, case: Case, role: str) -> ShownCase:
    truth = ground_truth_of(files, case)
    return ShownCase(files, case, role, truth.scored_mask, truth.ignored & truth.brain_mask, truth.positives)


def lesion_ml(results: RunResults, cohort: str) -> dict[str, float]:
    """Lesion volume by case."""
    rows = results.whole.rows
    own = rows[(rows["dataset"] == cohort) & (rows["metric"] == "lesion_ml")]
    return dict(zip(own["case_id"], own["value"], strict=True))


def choose_cases(files: Sequence[CaseFiles], lesion_ml: dict[str, float]) -> list[CaseFiles]:
    """The largest, the median and the smallest lesion; without lesions the first, middle and last case."""
    lesions = [one for one in files if not one.healthy]
    ordered = sorted(lesions, key=lambda one: -lesion_ml.get(one.case_id, 0.0)) or list(files)
    places = sorted({0, len(ordered) // 2, len(ordered) - 1} if ordered else ())
    return [ordered[place] for place in places]


def decided_map(results: RunResults, cell: Cell, shown: ShownCase, choice: tuple[str, str]) -> DecidedMap | None:
    """A cell's map of a case through the post-processing of `choice`; None where it is not kept.

    Raises:
        BadFile: it is torn.
    """
    run, case = results.run, shown.case
    if not has_volume(run, cell, run.anomaly_map(cell, case.case_id)):
        return None
    pipeline = pipeline_named(choice[0])
    filtered = pipeline.filter(read_map(run, cell, case.case_id), case.brain_mask, case.spacing)
    scores = np.where(shown.scored, pipeline.finish(filtered).scores, 0).astype(np.float32)
    return DecidedMap(scores, thresholds_of(run, cell).get(choice, float("nan")), _reconstructions(run, cell, case))


def _reconstructions(run: RunFolder, cell: Cell, case: Case) -> list[Volume | None]:
    if not has_volume(run, cell, run.reconstruction(cell, case.case_id)):
        return [None] * len(case.image)
    kept = read_reconstructions(run, cell, case.case_id)
    return list(np.where(case.brain_mask, kept, 0).astype(np.float32))


def method_title(results: RunResults, cell: Cell) -> str:
    return f"{cell.fit.method} (uses labels)" if sees_labels(results.run, cell.fit) else cell.fit.method
