"""Rows of hand-made cases, against numbers worked out apart from the evaluation."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from cohorts import PATIENTS, SHAPE, VOLUNTEERS
from hand_made_cases import (
    BRAIN,
    INSIDE,
    VOXEL_ML,
    A,
    B,
    Bench,
    every_row,
    filled,
    lesion_at,
    scored_by_hand,
    scores,
    value,
)
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmark.metrics import scored
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.scoring.evaluation import evaluate_cell, evaluate_reference
from benchmark.scoring.kept_maps import maps_are_residuals
from benchmark.scoring.settings import settings_named
from benchmark.storage.checksums import write_checksums
from benchmark.storage.maps import read_volume, write_volume
from benchmark.storage.run_record import MAPPED
from benchmark.study.cells import Cohort, Evaluation, Reference
from benchmark.study.protocols import protocol_named
from datasets.loading import load_case


def test_decisions_of_a_case_by_hand(bench: Bench) -> None:
    """Above 0.6: A, D and perhaps C in case c, whose lesion is A, B and one voxel outside the box."""
    rows = filled(bench).rows()
    threshold = value(rows, "threshold", protocol="lesion-val")
    predicted = 2 + (threshold < 0.6)
    assert value(rows, "dice", "c", "lesion-val") == pytest.approx(2 * 1 / (predicted + 3))
    assert value(rows, "recall", "c", "lesion-val") == pytest.approx(1 / 3)
    assert value(rows, "precision", "c", "lesion-val") == pytest.approx(1 / predicted)
    assert value(rows, "dice", "d", "lesion-val") == 1


def test_curves_agree_with_scikit_learn_where_nothing_is_cut_off(bench: Bench) -> None:
    rows = filled(bench).rows()
    (d,) = scored_by_hand(bench, "d")
    assert value(rows, "auprc", "d") == pytest.approx(average_precision_score(d.lesion, d.scores))
    assert value(rows, "auroc", "d") == pytest.approx(roc_auc_score(d.lesion, d.scores))
    assert value(rows, "auprc_box", "d") == pytest.approx(average_precision_score(d.truth, d.whole))
    prevalence = d.lesion.mean()
    assert value(rows, "auprc_lift", "d") == pytest.approx((value(rows, "auprc", "d") - prevalence) / (1 - prevalence))


def test_pooled_curves_are_of_all_voxels_of_a_split(bench: Bench) -> None:
    rows = filled(bench).rows()
    pool = scored_by_hand(bench, "ab")
    lesion = np.concatenate([one.lesion for one in pool])
    wanted = average_precision_score(lesion, np.concatenate([one.scores for one in pool]))
    assert value(rows, "auprc_pooled", split="val") == pytest.approx(wanted)
    assert {row.split for row in rows if row.metric == "auprc_pooled"} == {"val", "test"}


def test_lesion_outside_the_box_is_missed_by_every_curve(bench: Bench) -> None:
    """One voxel of three can never be found: recall ends at 2/3."""
    rows = filled(bench).rows()
    (c,) = scored_by_hand(bench, "c")
    assert c.lesion.sum() == 2
    assert value(rows, "auprc", "c") == pytest.approx(average_precision_score(c.lesion, c.scores) * 2 / 3)
    assert value(rows, "auprc_box", "c") == pytest.approx(average_precision_score(c.truth, c.whole) * 2 / 3)
    prevalence = 3 / (c.lesion.size + 1)
    assert value(rows, "auprc_lift", "c") == pytest.approx((value(rows, "auprc", "c") - prevalence) / (1 - prevalence))
    lowest = np.concatenate([c.scores, [-1]])
    assert value(rows, "auroc", "c") == pytest.approx(roc_auc_score([*c.lesion, True], lowest))


def test_volumes_of_the_lesion_are_in_ml(bench: Bench) -> None:
    rows = filled(bench).rows()
    assert value(rows, "lesion_outside_grid_ml", "c") == pytest.approx(VOXEL_ML)
    assert value(rows, "lesion_ml", "c") == pytest.approx(3 * VOXEL_ML)
    assert value(rows, "lesion_outside_grid_ml", "d") == 0


def test_lesion_outside_the_brain_mask_is_missed_too(bench: Bench) -> None:
    outside = (0, 0, 5)
    assert not BRAIN[outside]
    filled(bench)
    bench.add(PATIENTS, "e", "test", scores(14, (A, 1.0), (outside, 1.0)), lesion_at(A, outside))
    rows = bench.rows()
    assert value(rows, "recall", "e", "oracle") == 0.5
    assert value(rows, "recall", "e", "lesion-val") == 0.5


def test_healthy_cases_have_alarms_and_no_dice(bench: Bench) -> None:
    filled(bench)
    bench.add(VOLUNTEERS, "t0", "test", 0 * scores(3))
    bench.add(VOLUNTEERS, "t1", "test", 0 * scores(3) + lesion_at(A, B, (3, 7, 5))[INSIDE])
    rows = bench.rows(VOLUNTEERS, protocols=("healthy-fpr-5",))
    found = {name: value(rows, name, "t1", "healthy-fpr-5") for name in ("alarm", "alarms", "alarm_ml")}
    assert found == {"alarm": 1, "alarms": 2, "alarm_ml": pytest.approx(3 * VOXEL_ML)}
    assert value(rows, "alarm_fraction", "t1", "healthy-fpr-5") == pytest.approx(3 / BRAIN[INSIDE].sum())
    assert value(rows, "alarm", "t0", "healthy-fpr-5") == 0
    assert not {"dice", "auprc", "lesion_ml", "recall"} & {row.metric for row in rows}


def test_ignored_voxels_of_healthy_scans_raise_no_alarm_and_no_threshold(bench: Bench) -> None:
    """The brightest voxels of every healthy scan are to be ignored."""
    ignored, protocols = lesion_at(A, B), ("healthy-fpr-5", "healthy-alarm-10")
    for index, split in enumerate(("val", "val", "test", "test")):
        bench.add(VOLUNTEERS, f"v{index}", split, scores(index, (A, 9.0), (B, 9.0)), None, ignored)
    maps = [read_volume(bench.run.anomaly_map(bench.cell(VOLUNTEERS), f"v{index}")) for index in range(4)]
    counted = (BRAIN & ~ignored)[INSIDE]
    found = bench.healthy(bench.settings("none", protocols))["none"]
    for protocol in protocols:
        of_scan = protocol_named(protocol).of_scan
        assert of_scan is not None
        assert found[protocol] == pytest.approx([of_scan(one[counted], one[counted]) for one in maps[:2]])
        assert max(found[protocol]) < 0.5
    rows = bench.rows(VOLUNTEERS, protocols=("healthy-fpr-5",))
    for case_id, one in (("v2", maps[2]), ("v3", maps[3])):
        predicted = (one[counted] > np.mean(found["healthy-fpr-5"])).sum()
        assert value(rows, "alarm_ml", case_id, "healthy-fpr-5") == pytest.approx(predicted * VOXEL_ML)
        assert value(rows, "alarm_fraction", case_id, "healthy-fpr-5") == pytest.approx(predicted / counted.sum())


def test_a_map_of_zeros_has_dice_zero_and_no_precision(bench: Bench) -> None:
    bench.add(VOLUNTEERS, "v0", "val", 0 * scores(0))
    bench.add(PATIENTS, "a", "val", 0 * scores(0), lesion_at(A, B))
    rows = bench.rows(protocols=("lesion-val", "healthy-fpr-5"))
    for protocol in ("lesion-val", "healthy-fpr-5"):
        assert value(rows, "threshold", protocol=protocol) == 0
        assert value(rows, "dice", "a", protocol) == 0
        assert isnan(value(rows, "precision", "a", protocol))
    assert value(rows, "auroc", "a") == 0.5


def test_alarms_far_from_the_lesion_leave_a_collar_of_10_mm_out(bench: Bench) -> None:
    """At 4 mm a voxel two steps away is 8 mm from the lesion, three steps 12 mm."""
    near, far = (7, 9, 5), (7, 10, 5)
    bench.add(VOLUNTEERS, "v0", "val", 0 * scores(0))
    bench.add(PATIENTS, "a", "val", 0 * scores(0) + lesion_at(A, near, far)[INSIDE], lesion_at(A))
    rows = bench.rows(protocols=("healthy-fpr-5",))
    steps = np.indices(SHAPE) - np.array(A).reshape(3, 1, 1, 1)
    rest = (BRAIN & (((4.0 * steps) ** 2).sum(axis=0) > 10**2))[INSIDE]
    assert value(rows, "alarm_fraction_far", "a", "healthy-fpr-5") == pytest.approx(1 / rest.sum())


def test_closeness_is_of_kept_reconstructions_only(bench: Bench) -> None:
    filled(bench)
    assert not {"l1", "l1_ratio"} & {row.metric for row in bench.rows()}
    for files in bench.files(PATIENTS):
        case = load_case(files, bench.grid)
        assert case.lesion_mask is not None
        reconstruction = case.image[0] + 0.1 + 0.1 * case.lesion_mask
        path = bench.run.reconstruction(bench.cell(PATIENTS), files.case_id)
        write_volume(path, reconstruction.astype(np.float32), case.affine)
    write_checksums(bench.run.cell(bench.cell(PATIENTS)), MAPPED)
    rows = bench.rows()
    brain = int(BRAIN[INSIDE].sum())
    assert value(rows, "l1", "d") == pytest.approx(0.1 * (brain + 3) / brain, rel=1e-3)
    assert value(rows, "l1_ratio", "d") == pytest.approx(2, rel=1e-3)


def test_rows_carry_their_case_and_the_key_of_what_made_them(bench: Bench) -> None:
    rows, cell = filled(bench).rows(), bench.cell(PATIENTS)
    decided = [row for row in rows if row.protocol == "oracle"]
    assert {row.key for row in decided} == {Evaluation(cell, PIPELINES["none"], protocol_named("oracle")).key}
    ranked = [row for row in rows if row.postprocessing and not row.protocol]
    assert {row.key for row in ranked} == {Evaluation(cell, PIPELINES["none"]).key}
    assert {row.key for row in rows if not row.postprocessing} == {cell.key}
    assert {row.subject_id for row in rows if row.case_id == "a"} == {"subject-of-a"}
    assert {(row.method, row.dataset, row.sequence, row.seed) for row in rows} == {("by-hand", "patients", "t1", 0)}
    assert len({replace(row, value=0) for row in rows}) == len(rows)


def test_the_perfect_map_pays_for_what_the_chain_removes_and_the_box_cuts_off(bench: Bench) -> None:
    filled(bench)
    block = lesion_at(*[(x, y, z) for x in (6, 7, 8) for y in (6, 7, 8) for z in (3, 4, 5, 6)])
    bench.add(PATIENTS, "e", "test", scores(15), block)
    reference = Reference(Cohort("patients", "t1", "1"), bench.grid, ("val", "test"), None)
    rows = list(evaluate_reference(reference, bench.files(PATIENTS), settings_named(("none", "paper"), (), scored())))
    whole = {row.case_id: row.value for row in rows if (row.metric, row.postprocessing) == ("dice", "none")}
    assert whole == {"a": 1, "b": 1, "c": pytest.approx(2 * 2 / (2 + 3)), "d": 1, "e": 1}
    paper = {row.case_id: row.value for row in rows if (row.metric, row.postprocessing) == ("dice", "paper")}
    assert paper == dict.fromkeys("abcd", 0) | {"e": paper["e"]}
    assert paper["e"] < 1
    assert {(row.method, row.protocol, row.seed) for row in rows} == {("perfect-map", "", None)}
    keys = {row.postprocessing: row.key for row in rows}
    assert keys == {"": reference.key} | {
        name: Evaluation(reference, PIPELINES[name]).key for name in ("none", "paper")
    }


def test_lesions_and_surfaces_of_a_case_by_hand(bench: Bench) -> None:
    """Case d has its three lesion voxels highest: a perfect prediction."""
    rows = every_row(filled(bench))
    perfect = {"lesion_recall": 1, "lesion_precision": 1, "lesion_f1": 1, "surface_dice": 1,
               "lesion_recall_bounded": 1, "lesion_f1_bounded": 1}  # fmt: skip
    wanted = {**perfect, "false_alarms": 0, "hd95": 0}
    assert {name: value(rows, name, "d", "lesion-val") for name in wanted} == wanted


def test_metrics_that_are_not_wanted_make_no_rows(bench: Bench) -> None:
    settings = filled(bench).settings("none", metrics=("precision", "auroc"))
    rows = evaluate_cell(bench.run, bench.cell(PATIENTS), bench.files(PATIENTS), settings)
    facts = {"threshold", "lesion_ml", "lesion_outside_grid_ml", "lesion_lost_ml"}
    assert {row.metric for row in rows} == {"precision", "auroc", *facts}


def test_maps_of_zeros_go_through_every_pipeline(bench: Bench) -> None:
    bench.add(VOLUNTEERS, "v0", "val", 0 * scores(0))
    for case_id, split in (("a", "val"), ("c", "test"), ("d", "test")):
        bench.add(PATIENTS, case_id, split, 0 * scores(0), lesion_at(A, B))
    for pipeline in PIPELINES:
        rows = every_row(bench, pipeline)
        assert value(rows, "dice", "c", "oracle-case") == 0
        assert value(rows, "hd95", "c", "lesion-val") > 30
        assert value(rows, "froc", split="test") == 0


def test_nothing_is_left_of_the_files_between_two_passes(bench: Bench) -> None:
    every_row(filled(bench))
    assert not list(bench.run.root.glob(".scoring*"))


def test_the_perfect_map_says_what_the_box_cuts_off(bench: Bench) -> None:
    filled(bench)
    reference = Reference(Cohort("patients", "t1", "1"), bench.grid, ("val", "test"), None)
    rows = list(evaluate_reference(reference, bench.files(PATIENTS), settings_named(("none",), (), scored())))
    cut = {row.case_id: row.value for row in rows if row.metric == "lesion_outside_grid_ml"}
    assert cut == {"a": 0, "b": 0, "c": pytest.approx(VOXEL_ML), "d": 0}


def test_scores_are_made_where_a_map_is_the_difference_to_a_kept_reconstruction(bench: Bench) -> None:
    """Without one, or where it is of something else, there is nothing to make them of."""
    cell, one = filled(bench).cell(PATIENTS), bench.files(PATIENTS)[0]
    assert not maps_are_residuals(bench.run, cell, one)
    case, scores = load_case(one, bench.grid), read_volume(bench.run.anomaly_map(cell, one.case_id))
    for reconstruction, residual in ((case.image[0] - scores, True), (case.image[0] * 0, False)):
        write_volume(bench.run.reconstruction(cell, one.case_id), reconstruction, np.eye(4))
        write_checksums(bench.run.cell(cell), MAPPED)
        assert maps_are_residuals(bench.run, cell, one) == residual
