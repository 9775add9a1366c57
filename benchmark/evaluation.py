"""Kept maps to rows: everything is scored here, the same way for all methods, without torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.detection import Scan, cross_fitted_thresholds, found
from benchmark.maps import read_volume
from benchmark.postprocessing import CHAINS, Chain, perfect_prediction, remove_small, smooth
from benchmark.results import Row, blank_row, kept_rows
from benchmark.runfolder import RunFolder
from benchmark.study import Cell, Evaluation, Reference
from benchmark.thresholds import PROTOCOLS, Protocol, above, best_dice_threshold, healthy_fpr_threshold, on_shifted
from datasets.case import Case, CaseFiles, Split
from datasets.grid import Cases, Grid, load_case, load_host, masks_of

Voxel = TypeVar("Voxel", bound=np.generic)
ONE_ALARM = "one-alarm"
"""Protocol of lesions whose scan without them is known: one false alarm a scan in the other subjects' such scans."""


@dataclass(frozen=True)
class Scored:
    """One case with its post-processed anomaly map, without its image.

    Attributes:
        scores: `(V,)` the map at the brain's voxels.
        brain_mask: `(X, Y, Z)` with V voxels True.
        lesion_mask: `(X, Y, Z)`; None for a healthy case.
        cut_off: lesion volume outside the grid's box, in voxels of the grid.
    """

    files: CaseFiles
    scores: NDArray[np.float32]
    brain_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_] | None
    spacing: tuple[float, float, float]
    voxel_ml: float
    cut_off: float

    @property
    def lesion(self) -> NDArray[np.bool_]:
        """`(V,)` over the brain's voxels; all False in a healthy case."""
        if self.lesion_mask is None:
            return np.zeros(self.scores.shape, dtype=bool)
        return self.lesion_mask[self.brain_mask]

    @property
    def missed(self) -> float:
        """Lesion voxels that no map can find: outside the grid's box or outside the brain mask."""
        if self.lesion_mask is None:
            return 0
        return self.cut_off + int((self.lesion_mask & ~self.brain_mask).sum())

    def volume(self, values: NDArray[Voxel]) -> NDArray[Voxel]:
        """`(V,)` values put back to their places in `(X, Y, Z)`, zero elsewhere."""
        whole = np.zeros(self.brain_mask.shape, dtype=values.dtype)
        whole[self.brain_mask] = values
        return whole


def healthy_scores(
    run: RunFolder, cell: Cell, files: Sequence[CaseFiles], postprocessing: Sequence[str]
) -> dict[str, list[NDArray[np.float32]]]:
    """For each chain the brain voxels' scores of every healthy validation case among `files`."""
    normal = [one for one in files if one.healthy and one.split == "val"]
    return {name: [one.scores for one in _scored(run, cell, normal, CHAINS[name])] for name in postprocessing}


def evaluate_cell(
    run: RunFolder,
    cell: Cell,
    files: Sequence[CaseFiles],
    normal: Mapping[str, Sequence[NDArray[np.float32]]],
    protocols: Sequence[str],
    frozen: Mapping[tuple[str, str], float] | None = None,
) -> list[Row]:
    """Every row of one cell.

    Under a shift each protocol that could be deployed is given twice: under its own name with the threshold
    of the unshifted cell, and as `NAME@shifted` with one chosen on the shifted validation cases.

    Args:
        files: the cell's mapped cases.
        normal: `healthy_scores` of the same fit under the same shift, for the chains to evaluate.
        protocols: names of threshold protocols.
        frozen: the unshifted cell's threshold for each chain and protocol; None for an unshifted cell.
    """
    rows = [] if cell.shift.is_none else list(kept_rows(run.seen(cell)))
    smoothed: dict[str, list[Scored]] = {name: [] for name in normal}
    for one in files:  # read once for all chains, and where shifts are many once for all of these
        case = load_case(one, cell.fit.grid) if cell.shift.is_none else masks_of(one, cell.fit.grid)
        rows += _case_rows(run, cell, one, case)
        kept = read_volume(run.anomaly_map(cell, one.case_id))
        for name, scored in smoothed.items():
            scored.append(_without_image(one, case, smooth(kept, case.brain_mask, CHAINS[name])))
    for name, scans in normal.items():
        chain, scored = CHAINS[name], smoothed[name]
        rows += _curve_rows(cell, name, scored)
        for protocol in protocols:
            chosen = _threshold(PROTOCOLS[protocol], scored, scans)
            if frozen is None or PROTOCOLS[protocol].sees_test_labels:
                rows += _decision_rows(Evaluation(cell, name, protocol), chain, scored, chosen)
                continue
            rows += _decision_rows(Evaluation(cell, name, protocol), chain, scored, frozen[name, protocol])
            rows += _decision_rows(Evaluation(cell, name, on_shifted(protocol)), chain, scored, chosen)
        rows += _found_rows(Evaluation(cell, name, ONE_ALARM), chain, scored)
    return rows


def evaluate_reference(reference: Reference, files: Sequence[CaseFiles], postprocessing: Sequence[str]) -> list[Row]:
    """What the truth itself scores after each chain."""
    rows: list[Row] = []
    blank = Row(
        "perfect-map", reference.cohort.dataset, reference.cohort.sequence, "none", 0.0, None, None,
        "", "", "", "", "", "", np.nan, reference.key, " ".join(reference.flags),
    )  # fmt: skip
    for one, case in _cases(files, reference.grid):
        if case.lesion_mask is None:
            continue
        truth = _without_image(one, case, case.lesion_mask.astype(np.float32))
        for name in postprocessing:
            prediction = perfect_prediction(case.lesion_mask, case.brain_mask, CHAINS[name], case.voxel_ml)
            values = _overlap(prediction[case.brain_mask], truth)
            rows += _rows(replace(blank, postprocessing=name), one, values)
    return rows


def _case_rows(run: RunFolder, cell: Cell, one: CaseFiles, case: Case) -> Iterator[Row]:
    """What no chain enters: lesion volumes, and how close the reconstruction is.

    What needs the image as the detector saw it is kept since the mapping where that was shifted: shifting
    it again may need torch, and would take longer than all that is scored here.
    """
    path, values = run.reconstruction(cell, one.case_id), _sizes(case)
    if cell.shift.is_none and path.exists():
        reconstruction = read_volume(path)
        values |= _closeness(case, reconstruction)
        host = load_host(one, cell.fit.grid)
        values |= {} if host is None else _restoration(case, host[0], reconstruction)
    yield from _rows(blank_row(cell), one, values)


def as_seen(blank: Row, files: CaseFiles, case: Case, reconstruction: NDArray[np.float32] | None) -> list[Row]:
    """Of a case under a shift: how far it is from the unshifted one, and how close its reconstruction is to it."""
    closeness = {} if reconstruction is None else _closeness(case, reconstruction)
    return list(_rows(blank, files, {"shift_dose": case.shift_dose} | closeness))


def _sizes(case: Case) -> dict[str, float]:
    if case.lesion_mask is None:
        return {}
    inside = float(case.lesion_mask.sum()) * case.voxel_ml
    outside = case.lesion_outside_grid_ml
    return {"lesion_ml": inside + outside, "lesion_outside_grid_ml": outside}


def _closeness(case: Case, reconstruction: NDArray[np.float32]) -> dict[str, float]:
    image, brain, lesion = case.image[0], case.brain_mask, case.lesion_mask
    values = {"l1": metrics.l1(image, reconstruction, brain)}
    if lesion is not None:
        values["l1_ratio"] = metrics.l1_ratio(image, reconstruction, lesion, brain, case.spacing)
    return values


def _restoration(case: Case, host: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> dict[str, float]:
    """How close a reconstruction comes to the scan without the lesion, in the lesion and outside."""
    brain = case.brain_mask
    lesion = brain if case.lesion_mask is None else brain & case.lesion_mask
    return {
        "restoration_l1": metrics.l1(host, reconstruction, lesion),
        "restoration_l1_outside": metrics.l1(host, reconstruction, brain & ~lesion),
        "lesion_l1": metrics.l1(host, case.image[0], lesion),
    }


def _found_rows(evaluation: Evaluation, chain: Chain, scored: Sequence[Scored]) -> Iterator[Row]:
    """Which implanted lesions are found at one false alarm a scan in the hosts of the other subjects.

    A subject's threshold is a row, and so are the alarms that it raises in the subject's own host.
    """
    implanted = [one for one in scored if one.files.host is not None]
    hosts = [one for one in scored if one.lesion_mask is None]
    if not implanted or len({one.files.subject_id for one in hosts}) < 2:
        return
    scans = [
        Scan(one.files.subject_id, one.volume(one.scores), one.brain_mask, chain.smallest(one.voxel_ml))
        for one in hosts
    ]
    thresholds = cross_fitted_thresholds(scans)
    blank = replace(
        blank_row(evaluation.cell),
        postprocessing=evaluation.postprocessing,
        protocol=evaluation.protocol,
        key=evaluation.key,
    )
    for subject_id, threshold in thresholds.items():
        yield replace(blank, split="test", subject_id=subject_id, metric="threshold", value=threshold)
    for one in (*hosts, *implanted):
        if one.files.subject_id in thresholds:
            prediction = _prediction(one, thresholds[one.files.subject_id], chain)
            yield from _rows(blank, one.files, _found(prediction, one))


def _found(prediction: NDArray[np.bool_], one: Scored) -> dict[str, float]:
    if one.lesion_mask is None:
        return {"alarms": float(metrics.alarms(prediction))}
    inside = prediction[one.brain_mask]
    return {"found": found(inside, one.lesion), "found_tenth": found(inside, one.lesion, share=0.1)}


def _prediction(one: Scored, threshold: float, chain: Chain) -> NDArray[np.bool_]:
    return remove_small(one.volume(above(one.scores, threshold)), chain, one.voxel_ml)


def _curve_rows(cell: Cell, chain: str, scored: Sequence[Scored]) -> Iterator[Row]:
    """Metrics of the map itself, before any threshold."""
    blank = replace(blank_row(cell), postprocessing=chain)
    for one in scored:
        if one.lesion_mask is None:
            continue
        ap = metrics.average_precision(one.scores, one.lesion, missed=one.missed)
        whole, truth = one.volume(one.scores).ravel(), one.lesion_mask.ravel()
        box = metrics.average_precision(whole, truth, missed=one.cut_off)
        values = {
            "auprc": ap,
            "auprc_lift": metrics.lift(ap, _prevalence(one)),
            "auprc_box": box,
            "auroc": metrics.auroc(one.scores, one.lesion, missed=one.missed),
        }
        yield from _rows(blank, one.files, values)
    for split, group in _lesion_groups(scored):
        pooled = metrics.average_precision(*_pooled(group), missed=_all_missed(group))
        yield replace(blank, split=split, metric="auprc_pooled", value=pooled)


def _threshold(protocol: Protocol, scored: Sequence[Scored], normal: Sequence[NDArray[np.float32]]) -> float:
    """NaN where the cohort has nothing that the protocol may look at."""
    if protocol.rate is not None:
        return healthy_fpr_threshold(normal, protocol.rate) if normal else np.nan
    seen: Split = "test" if protocol.sees_test_labels else "val"
    group = dict(_lesion_groups(scored)).get(seen)
    return best_dice_threshold(*_pooled(group), missed=_all_missed(group)) if group else np.nan


def _decision_rows(evaluation: Evaluation, chain: Chain, scored: Sequence[Scored], threshold: float) -> Iterator[Row]:
    """Metrics of the prediction: after the threshold and after small components went."""
    blank = replace(
        blank_row(evaluation.cell),
        postprocessing=evaluation.postprocessing,
        protocol=evaluation.protocol,
        key=evaluation.key,
    )
    yield replace(blank, metric="threshold", value=threshold)
    if np.isnan(threshold):
        return
    for one in scored:
        prediction = _prediction(one, threshold, chain)
        values = _alarms(prediction, one)
        if one.lesion_mask is not None:
            values |= _overlap(prediction[one.brain_mask], one)
        yield from _rows(blank, one.files, values)


def _overlap(prediction: NDArray[np.bool_], one: Scored) -> dict[str, float]:
    functions: Mapping[str, Callable[..., float]] = {
        "dice": metrics.dice,
        "precision": metrics.precision,
        "recall": metrics.recall,
    }
    return {name: function(prediction, one.lesion, missed=one.missed) for name, function in functions.items()}


def _alarms(prediction: NDArray[np.bool_], one: Scored) -> dict[str, float]:
    if one.lesion_mask is not None and (one.lesion.any() or one.missed):
        far = metrics.far_from_lesion(one.lesion_mask, one.brain_mask, one.spacing)
        return {"alarm_fraction_far": metrics.alarm_fraction(prediction, far)}
    count = metrics.alarms(prediction)
    return {
        "alarm": float(count > 0),
        "alarms": float(count),
        "alarm_ml": float(prediction.sum()) * one.voxel_ml,
        "alarm_fraction": metrics.alarm_fraction(prediction, one.brain_mask),
    }


def _scored(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], chain: Chain) -> Iterator[Scored]:
    for one in files:
        case, kept = masks_of(one, cell.fit.grid), read_volume(run.anomaly_map(cell, one.case_id))
        yield _without_image(one, case, smooth(kept, case.brain_mask, chain))


def _without_image(files: CaseFiles, case: Case, anomaly_map: NDArray[np.float32]) -> Scored:
    cut_off = case.lesion_outside_grid_ml / case.voxel_ml
    scores = anomaly_map[case.brain_mask].astype(np.float32)
    return Scored(files, scores, case.brain_mask, case.lesion_mask, case.spacing, case.voxel_ml, cut_off)


def _cases(files: Sequence[CaseFiles], grid: Grid) -> Iterator[tuple[CaseFiles, Case]]:
    return zip(files, Cases(files, grid), strict=True)


def _lesion_groups(scored: Sequence[Scored]) -> Iterator[tuple[Split, list[Scored]]]:
    for split in ("val", "test"):
        group = [one for one in scored if one.files.split == split and one.lesion_mask is not None]
        if group:
            yield split, group


def _pooled(group: Sequence[Scored]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return np.concatenate([one.scores for one in group]), np.concatenate([one.lesion for one in group])


def _all_missed(group: Sequence[Scored]) -> float:
    return sum(one.missed for one in group)


def _prevalence(one: Scored) -> float:
    return (float(one.lesion.sum()) + one.missed) / (one.lesion.size + one.missed)


def _rows(blank: Row, files: CaseFiles, values: Mapping[str, float]) -> Iterator[Row]:
    for metric, value in values.items():
        yield replace(
            blank,
            split=files.split,
            case_id=files.case_id,
            subject_id=files.subject_id,
            metric=metric,
            value=float(value),
        )
