"""Thresholds at so many false alarms a scan, against a search over every score, and what counts as found."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from implant_runs import GRID, Made
from numpy.typing import NDArray
from scipy import ndimage
from volumes import without_small

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.masks import components
from benchmark.postprocessing.area_opening import area_opening
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.scoring.detection_at_one_fp import SHARES, cross_fitted_thresholds, ladder
from benchmark.storage.maps import read_volume
from benchmark.storage.rows import read_rows
from benchmark.study.protocols import ONE_ALARM
from datasets.case import CaseFiles
from datasets.loading import load_case

SHAPE = (14, 14, 10)
BRAIN = np.pad(np.ones((12, 12, 8), dtype=bool), 1)
TRUTH = GroundTruth(CaseFiles("", Path(), Path(), None, "", "", "val"), BRAIN, None, (2.0, 2.0, 2.0), 0)


@dataclass(frozen=True)
class Scan:
    subject_id: str
    scores: NDArray[np.float32]
    smallest: int = 1


def scan(subject: str, seed: int, smallest: int = 1) -> Scan:
    scores = ndimage.gaussian_filter(np.random.default_rng(seed).random(SHAPE), 1.2) * BRAIN
    return Scan(subject, scores.astype(np.float32), smallest)


def steps_of(scans: list[Scan]) -> NDArray[np.float64]:
    every = np.concatenate([one.scores[BRAIN] for one in scans]).astype(np.float64)
    return ladder(np.quantile(every, 1 - SHARES))


def thresholds(scans: list[Scan]) -> dict[str, float]:
    steps = steps_of(scans)
    opened = [area_opening(one.scores, one.smallest)[BRAIN] for one in scans]
    counts = [[found.components.count for found in TRUTH.predictions(scores, steps.tolist())] for scores in opened]
    return cross_fitted_thresholds([one.subject_id for one in scans], steps, np.array(counts))


def mean_alarms(scans: list[Scan], threshold: float) -> float:
    """Counted one threshold at a time, small components removed from each prediction."""
    predictions = [without_small(one.scores.astype(np.float64) > threshold, one.smallest) for one in scans]
    return float(np.mean([components(one).count for one in predictions]))


@pytest.mark.parametrize("smallest", [1, 7])
def test_a_subjects_threshold_raises_about_one_alarm_in_the_others_and_comes_from_above(smallest: int) -> None:
    scans = [scan(f"s{seed}", seed, smallest) for seed in range(6)]
    steps = steps_of(scans)
    for subject, threshold in thresholds(scans).items():
        others = [one for one in scans if one.subject_id != subject]
        assert mean_alarms(others, threshold) <= 1
        at = steps.tolist().index(threshold)
        assert all(mean_alarms(others, step) <= 1 for step in steps[:at])
        assert mean_alarms(others, steps[at + 1]) > 1


def test_a_scan_takes_no_part_in_its_own_threshold() -> None:
    scans = [scan(f"s{seed}", seed) for seed in range(5)]
    before = thresholds(scans)
    noisy = Scan("s0", scans[0].scores * np.float32(1.0001))
    after = thresholds([noisy, *scans[1:]])
    assert after["s0"] == pytest.approx(before["s0"], rel=0.02)
    assert before["s0"] > 0


def test_merged_alarms_far_down_do_not_count_as_few() -> None:
    """At 0 the whole brain is one component: that is not the threshold of one alarm a scan."""
    scans = [scan(f"s{seed}", seed) for seed in range(4)]
    assert mean_alarms(scans, 0) == 1
    assert all(threshold > 0.5 for threshold in thresholds(scans).values())


def test_maps_of_zeros_have_a_threshold_that_nothing_exceeds() -> None:
    blank = [Scan(name, np.zeros(SHAPE, np.float32)) for name in ("a", "b")]
    assert thresholds(blank) == {"a": 0.0, "b": 0.0}


def test_one_subject_alone_has_no_threshold() -> None:
    with pytest.raises(ValueError, match="scans of 1 subject,"):
        thresholds([scan("s", 0), scan("s", 1)])


def test_found_is_what_the_threshold_of_the_other_subjects_hosts_makes_of_the_map(made_of_implants: Made) -> None:
    rows = read_rows(made_of_implants.run.root / "rows.csv")
    own = rows[(rows["method"] == "difference") & (rows["protocol"] == ONE_ALARM.name)]
    threshold = own[own["metric"] == "threshold"].set_index("subject_id")["value"]
    assert sorted(threshold.index) == [f"head-{index}" for index in range(6)]
    alarms = own[own["metric"] == "alarms"]
    assert sorted(alarms["subject_id"]) == sorted(threshold.index)
    assert alarms["value"].mean() == pytest.approx(1, abs=0.5)  # each threshold was chosen on the other scans

    (cell,) = [
        one
        for one in made_of_implants.study.cells
        if (one.fit.method, one.cohort.dataset) == ("difference", "implant[heads]")
    ]
    pipeline, found = pipeline_named("paper"), own[own["metric"] == "found"].set_index("case_id")
    implanted = [one for one in made_of_implants.study.mapped_cases(cell) if one.host is not None]
    assert sorted(found.index) == sorted(one.case_id for one in implanted)
    for one in implanted:
        case = load_case(one, GRID)
        scores = read_volume(made_of_implants.run.anomaly_map(cell, one.case_id))
        finished = pipeline.finish(pipeline.filter(scores, case.brain_mask, (GRID.spacing,) * 3))
        assert case.lesion_mask is not None
        hit = (finished.scores > threshold[one.subject_id])[case.lesion_mask & case.brain_mask].any()
        assert (found.loc[one.case_id, "value"], found.loc[one.case_id, "subject_id"]) == (hit, one.subject_id)
