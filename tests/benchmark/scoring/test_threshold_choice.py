"""Thresholds of hand-made cases, and which label each protocol may see."""

from collections.abc import Sequence
from math import isnan

import numpy as np
import pytest
from cohorts import PATIENTS, VOLUNTEERS, write_nifti
from hand_made_cases import (
    BRAIN,
    INSIDE,
    PAIRS,
    PROTOCOLS,
    A,
    Bench,
    ByHand,
    C,
    D,
    every_row,
    filled,
    lesion_at,
    scored_by_hand,
    scores,
    value,
)
from numpy.typing import NDArray

from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.scoring.evaluation import lesion_thresholds
from benchmark.scoring.settings import settings_named
from benchmark.storage.maps import read_volume
from benchmark.storage.rows import Row
from benchmark.study.cells import Evaluation
from benchmark.study.protocols import PROTOCOLS as PROTOCOL_REGISTRY
from benchmark.study.protocols import Evidence, Protocol, protocol_named


def swap_lesion(bench: Bench, case_id: str, lesion: NDArray[np.bool_]) -> None:
    write_nifti(
        bench.data / "patients" / "lesion_mask" / f"{case_id}.nii.gz", lesion.astype(np.uint8), bench.grid.spacing
    )


def test_the_validation_threshold_is_the_best_pooled_dice_of_the_validation_lesions(bench: Bench) -> None:
    """From 0.9 up: 2 of 3 lesion voxels and nothing else, Dice 0.8; from 0.7 up: 3 of 3 and one other, 6/7."""
    rows = filled(bench).rows()
    threshold = value(rows, "threshold", protocol="lesion-val")
    below = max(float(one.scores[~one.lesion & (one.scores < 0.7)].max()) for one in scored_by_hand(bench, "ab"))
    assert threshold == pytest.approx((0.7 + below) / 2, abs=2e-5)
    assert 0.59 < threshold < 0.61


def test_test_labels_move_the_oracle_and_nothing_else(bench: Bench) -> None:
    before = filled(bench).rows()
    swap_lesion(bench, "c", lesion_at(D))
    swap_lesion(bench, "d", lesion_at(C))
    after = bench.rows()
    for protocol in ("lesion-val", "healthy-fpr-5"):
        assert value(before, "threshold", protocol=protocol) == value(after, "threshold", protocol=protocol)
        for case_id in "ab":
            assert value(before, "dice", case_id, protocol) == value(after, "dice", case_id, protocol)
    assert value(before, "threshold", protocol="oracle") != value(after, "threshold", protocol="oracle")
    assert value(before, "dice", "d", "lesion-val") != value(after, "dice", "d", "lesion-val")


def test_validation_labels_move_the_validation_threshold_alone(bench: Bench) -> None:
    before = filled(bench).rows()
    swap_lesion(bench, "a", lesion_at(A))
    after = bench.rows()
    assert value(before, "threshold", protocol="lesion-val") != value(after, "threshold", protocol="lesion-val")
    for protocol in ("healthy-fpr-5", "oracle"):
        assert value(before, "threshold", protocol=protocol) == value(after, "threshold", protocol=protocol)


def test_the_oracle_is_the_best_pooled_dice_there_is(bench: Bench) -> None:
    rows = filled(bench).rows()
    pool = scored_by_hand(bench, "cd")
    every, lesion = (np.concatenate([getattr(one, name) for one in pool]) for name in ("scores", "lesion"))
    missed = 1

    def dice(threshold: float) -> float:
        prediction = every > threshold
        return 2 * (prediction & lesion).sum() / (prediction.sum() + lesion.sum() + missed)

    threshold = value(rows, "threshold", protocol="oracle")
    assert dice(threshold) == max(dice(float(one)) for one in np.unique(every)[:-1])


def test_the_healthy_threshold_is_the_mean_of_the_validation_scans_quantiles(bench: Bench) -> None:
    filled(bench)
    bench.add(VOLUNTEERS, "t0", "test", scores(3) * 100)
    brain = BRAIN[INSIDE]
    quantiles = [
        np.quantile(read_volume(bench.run.anomaly_map(bench.cell(VOLUNTEERS), name))[brain], 0.95)
        for name in ("v0", "v1")
    ]
    rows = bench.rows()
    assert value(rows, "threshold", protocol="healthy-fpr-5") == pytest.approx(np.mean(quantiles))


def test_without_validation_lesions_the_threshold_is_nan_and_nothing_is_decided(bench: Bench) -> None:
    bench.add(VOLUNTEERS, "v0", "val", scores(0))
    bench.add(PATIENTS, "c", "test", scores(12, (A, 1.0)), lesion_at(A))
    rows = bench.rows()
    assert isnan(value(rows, "threshold", protocol="lesion-val"))
    assert [row.metric for row in rows if row.protocol == "lesion-val"] == ["threshold"]
    assert value(rows, "dice", "c", "oracle") == 1


def test_without_test_lesions_there_is_no_oracle(bench: Bench) -> None:
    bench.add(VOLUNTEERS, "v0", "val", scores(0))
    bench.add(PATIENTS, "a", "val", scores(12, (A, 1.0)), lesion_at(A))
    rows = bench.rows()
    assert isnan(value(rows, "threshold", protocol="oracle"))
    assert value(rows, "dice", "a", "lesion-val") == 1


def test_components_are_removed_after_the_threshold_was_chosen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lesion of case b is one voxel, which a pipeline without single voxels takes away."""
    monkeypatch.setitem(PIPELINES.built_in, "pairs", PAIRS)
    filled(bench)
    plain, pairs = bench.rows(pipeline="none"), bench.rows(pipeline="pairs")
    for protocol in PROTOCOLS:
        assert value(plain, "threshold", protocol=protocol) == value(pairs, "threshold", protocol=protocol)
    found = [value(rows, "dice", "b", "lesion-val") for rows in (plain, pairs)]
    assert found == [1, 0]
    assert value(pairs, "dice", "d", "lesion-val") == 1


def test_a_smoothing_chain_changes_the_threshold_too(bench: Bench) -> None:
    filled(bench)
    plain, smoothed = bench.rows(pipeline="none"), bench.rows(pipeline="paper")
    assert value(smoothed, "threshold", protocol="oracle") < value(plain, "threshold", protocol="oracle")


def test_healthy_scans_are_validation_cases_alone(bench: Bench) -> None:
    filled(bench)
    bench.add(VOLUNTEERS, "t0", "test", scores(3))
    assert len(bench.settings("none").healthy["none"]["healthy-fpr-5"]) == 2


def own_thresholds(rows: Sequence[Row], protocol: str) -> dict[str, float]:
    return {row.case_id: row.value for row in rows if (row.metric, row.protocol) == ("threshold", protocol)}


def dice_above(one: ByHand, level: float, missed: int = 0) -> float:
    predicted = one.scores > level
    return float(2 * (predicted & one.lesion).sum() / (predicted.sum() + one.lesion.sum() + missed))


def test_each_case_has_its_own_best_threshold_under_its_oracle_and_none_does_better(bench: Bench) -> None:
    rows = every_row(filled(bench))
    assert own_thresholds(rows, "oracle-case").keys() == {"c", "d"}
    for case_id in "cd":
        (one,) = scored_by_hand(bench, case_id)
        best = max(dice_above(one, level, missed=int(case_id == "c")) for level in np.unique(one.scores)[:-1])
        assert value(rows, "dice", case_id, "oracle-case") == pytest.approx(best)
        assert value(rows, "oracle_dice", case_id) == pytest.approx(best)


def test_a_cross_fitted_threshold_is_that_of_the_other_patients(bench: Bench) -> None:
    """With two test patients each is decided under the other's best threshold."""
    rows = every_row(filled(bench))
    own, crossed = (own_thresholds(rows, protocol) for protocol in ("oracle-case", "oracle-cross"))
    assert crossed == {"c": own["d"], "d": own["c"]}


def test_regret_is_what_the_cross_fitted_oracle_gains(bench: Bench) -> None:
    rows = every_row(filled(bench))
    for case_id in "cd":
        gained = value(rows, "dice", case_id, "oracle-cross") - value(rows, "dice", case_id, "lesion-val")
        assert value(rows, "regret", case_id, "lesion-val") == gained
    regrets = [row for row in rows if row.metric == "regret"]
    assert not [row for row in regrets if row.protocol.startswith("oracle") or row.case_id in "ab"]


def test_a_single_patient_has_no_cross_fitted_threshold(bench: Bench) -> None:
    bench.add(VOLUNTEERS, "v0", "val", scores(0))
    bench.add(PATIENTS, "c", "test", scores(12, (A, 1.0)), lesion_at(A))
    rows = every_row(bench)
    assert isnan(value(rows, "threshold", protocol="oracle-cross"))
    assert not [row for row in rows if row.metric == "regret"]


def test_a_transferred_threshold_is_the_other_cohorts_and_its_key_holds_that_cohorts_digest(bench: Bench) -> None:
    rows = every_row(filled(bench), inpatients=0.5)
    assert value(rows, "threshold", protocol="transfer:inpatients") == 0.5
    (one,) = scored_by_hand(bench, "d")
    assert value(rows, "dice", "d", "transfer:inpatients") == pytest.approx(dice_above(one, 0.5))
    keys = {row.key for row in rows if row.protocol == "transfer:inpatients"}
    transfer = protocol_named("transfer:inpatients")
    assert keys == {Evaluation(bench.cell(PATIENTS), PIPELINES["none"], transfer, "2").key}
    assert isnan(value(every_row(bench), "threshold", protocol="transfer:inpatients"))


def test_the_threshold_that_is_handed_on_is_the_cohorts_own(bench: Bench) -> None:
    rows = filled(bench).rows()
    found = lesion_thresholds(
        bench.run, bench.cell(PATIENTS), bench.files(PATIENTS), settings_named(("none", "paper"), (), ())
    )
    assert found["none"] == value(rows, "threshold", protocol="lesion-val")
    assert found["paper"] != found["none"]


def test_ten_percent_of_healthy_scans_may_raise_an_alarm_and_too_few_scans_promise_nothing(bench: Bench) -> None:
    bench.add(PATIENTS, "a", "val", scores(10, (A, 1.0)), lesion_at(A))
    for number in range(8):
        bench.add(VOLUNTEERS, f"v{number}", "val", scores(number, (A, 1 + number / 10)))
    assert isnan(value(every_row(bench), "threshold", protocol="healthy-alarm-10"))
    bench.add(VOLUNTEERS, "v8", "val", scores(8, (A, 1.8)))
    assert value(every_row(bench), "threshold", protocol="healthy-alarm-10") == pytest.approx(1.8, abs=1e-4)


def test_an_alarm_is_one_that_the_whole_chain_leaves(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single high voxel is none where single voxels are removed; two are, from the lower one's score on."""
    monkeypatch.setitem(PIPELINES.built_in, "pairs", PAIRS)
    one, two = lesion_at(A)[INSIDE], lesion_at((7, 7, 6))[INSIDE]
    bench.add(VOLUNTEERS, "v0", "val", 0.9 * one)
    bench.add(VOLUNTEERS, "v1", "val", 0.9 * one + 0.5 * two)
    asked = {name: bench.settings(name, ("healthy-alarm-10",)).healthy for name in ("none", "pairs")}
    levels = {name: healthy[name]["healthy-alarm-10"] for name, healthy in asked.items()}
    assert levels["none"] == pytest.approx([0.9, 0.9], abs=1e-4)
    assert levels["pairs"] == pytest.approx([0, 0.5], abs=1e-4)


def test_the_best_mean_dice_is_found_among_all_thresholds(bench: Bench) -> None:
    rows = every_row(filled(bench))
    pool = scored_by_hand(bench, "ab")
    every = np.unique(np.concatenate([one.scores for one in pool]))[:-1].tolist()
    best = max(float(np.mean([dice_above(one, level) for one in pool])) for level in every)
    threshold = value(rows, "threshold", protocol="lesion-val-mean")
    assert np.mean([dice_above(one, threshold) for one in pool]) == pytest.approx(best)


def test_a_protocol_sees_the_cases_that_it_uses_and_no_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lesion voxels that evidence shows: three of validation cases, six of test cases, none beside healthy scans."""

    def lesion_voxels(evidence: Evidence) -> float:
        return sum(ranking.total for ranking in evidence.rankings())

    filled(bench)
    for uses, total in (("lesion-val", 3), ("lesion-test", 6), ("healthy-val", 0)):
        of_scan = (lambda filtered, finished: 0.0) if uses == "healthy-val" else None
        counting = Protocol("counting", "", uses, "", lesion_voxels, "counting", of_scan)  # type: ignore[arg-type]
        monkeypatch.setitem(PROTOCOL_REGISTRY.built_in, "counting", counting)
        assert value(bench.rows(protocols=("counting",)), "threshold", protocol="counting") == total
