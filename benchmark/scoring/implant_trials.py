"""Trials: each implanted lesion or control, found or not at the threshold of one false positive a scan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.storage.rows import Row
from benchmark.study.protocols import ONE_ALARM
from datasets.case import CaseFiles
from datasets.simulation.implants.truth import Truth, truths_of

RULES = ("found", "found_tenth")


@dataclass(frozen=True)
class Trial:
    """One implanted lesion or control after one post-processing; see `datasets.simulation.implants.truth`.

    Attributes:
        threshold: of one false positive a scan in the other subjects' hosts.
        found, found_tenth: 1 if any voxel of it, or a tenth of them, lies above the threshold; 0 if it is too small for
            the grid; NaN outside the grid's box.
        auprc_lift: over the case's brain.
    """

    method: str
    dataset: str
    sequence: str
    shift: str
    severity: float
    seed: int | None
    sampling_seed: int | None
    postprocessing: str
    case_id: str
    subject_id: str
    kind: str
    volume_ml: float
    contrast: float
    texture: str
    place: str
    shape: str
    realised_contrast: float
    threshold: float
    found: float
    found_tenth: float
    auprc_lift: float


def trials_of(rows: Sequence[Row], files: Sequence[CaseFiles]) -> list[Trial]:
    """The trials among a cell's rows; none where no case has a host.

    Raises:
        MissingData, BadFile: the cohort's table of lesions is not there or cannot be used.
    """
    truths = truths_of(files)
    decided = [row for row in rows if row.protocol == ONE_ALARM.name]
    thresholds = {(row.postprocessing, row.subject_id): row.value for row in decided if row.metric == "threshold"}
    values = {
        (row.postprocessing, row.case_id, row.metric): row.value
        for row in rows
        if row.metric in (*RULES, "auprc_lift") and row.case_id in truths
    }
    firsts = [row for row in decided if row.metric == RULES[0] and row.case_id in truths]
    return [_trial(row, truths[row.case_id], thresholds, values) for row in firsts]


def _trial(
    row: Row,
    truth: Truth,
    thresholds: Mapping[tuple[str, str], float],
    values: Mapping[tuple[str, str, str], float],
) -> Trial:
    pipeline = row.postprocessing
    lift, hit, tenth = (
        values.get((pipeline, row.case_id, name), float("nan")) for name in ("auprc_lift", "found", "found_tenth")
    )
    return Trial(
        method=row.method,
        dataset=row.dataset,
        sequence=row.sequence,
        shift=row.shift,
        severity=row.severity,
        seed=row.seed,
        sampling_seed=row.sampling_seed,
        postprocessing=pipeline,
        case_id=row.case_id,
        subject_id=row.subject_id,
        kind=truth.kind,
        volume_ml=truth.volume_ml,
        contrast=truth.contrast,
        texture=truth.texture,
        place=truth.place,
        shape=truth.shape,
        realised_contrast=truth.realised_contrast,
        threshold=thresholds[pipeline, row.subject_id],
        found=hit,
        found_tenth=tenth,
        auprc_lift=lift,
    )
