"""Rows of hand-made cases, against numbers worked out apart from the evaluation, and who may see which label."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS, SHAPE, VOLUNTEERS, ellipsoid, write_nifti
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmark.metrics import scored
from benchmark.postprocessing.pipelines import PIPELINES, Pipeline
from benchmark.postprocessing.steps import Step, remove_small
from benchmark.scoring.evaluation import evaluate_cell, evaluate_reference, healthy_scans, lesion_thresholds
from benchmark.scoring.settings import HealthyScans, Settings, Source, settings_named
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_volume, write_volume
from benchmark.storage.rows import Row
from benchmark.study.cells import Cell, Cohort, Evaluation, Fit, Reference
from benchmark.study.protocols import protocol_named
from datasets.case import CaseFiles
from datasets.grid import Grid, load_case
from datasets.spec import DatasetSpec

Volume = NDArray[np.floating]
PROTOCOLS = ("lesion-val", "healthy-fpr-5", "oracle")
BRAIN = ellipsoid((7.5, 7.5, 5.5), (6.5, 6.0, 5.0))
PAIRS = Pipeline("pairs", "pairs", (Step("components", "", remove_small, {"voxels": 2}, "voxels", "prediction"),))
VOXEL_ML = 0.064
# Cuts the highest two slices off the brain's box.
GRID = Grid(shape=(16, 16, 8), spacing=4.0)
INSIDE = np.s_[:, :, 2:10]


def lesion_at(*voxels: tuple[int, int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(np.array(voxels).T)] = True
    return mask


@dataclass(frozen=True)
class Bench:
    """A run folder whose maps and scans a test makes by hand."""

    data: Path
    run: RunFolder
    grid: Grid = GRID

    def cell(self, spec: DatasetSpec) -> Cell:
        healthy = Cohort("volunteers", "t1", "0")
        return Cell(Fit("by-hand", "nowhere:Nothing", {}, healthy, self.grid, 0), Cohort(spec.name, "t1", "1"))

    def add(
        self, spec: DatasetSpec, case_id: str, split: str, scores: Volume, lesion: NDArray[np.bool_] | None = None
    ) -> None:
        """A scan on the whole box, and its map, `scores` of the grid's shape."""
        folder = self.data / spec.name
        image = (100 + np.indices(SHAPE).sum(axis=0)) * BRAIN
        write_nifti(folder / "t1" / f"{case_id}.nii.gz", image.astype(np.float32))
        write_nifti(folder / "brain_mask" / f"{case_id}.nii.gz", BRAIN.astype(np.uint8))
        if lesion is not None:
            write_nifti(folder / "lesion_mask" / f"{case_id}.nii.gz", lesion.astype(np.uint8))
        write_volume(self.run.anomaly_map(self.cell(spec), case_id), scores.astype(np.float32), np.eye(4))
        table = folder / "cases.csv"
        new = not table.exists()
        with table.open("a", newline="") as stream:
            writer = csv.writer(stream)
            if new:
                writer.writerow(("case_id", "subject_id", "split", "sequences"))
            writer.writerow((case_id, f"subject-of-{case_id}", split, "t1"))

    def files(self, spec: DatasetSpec) -> Sequence[CaseFiles]:
        return spec.files(self.data, "t1") if (self.data / spec.name).exists() else []

    def healthy(self, settings: Settings) -> HealthyScans:
        return healthy_scans(self.run, self.cell(VOLUNTEERS), self.files(VOLUNTEERS), settings)

    def settings(
        self, pipeline: str, protocols: Sequence[str] = PROTOCOLS, metrics: Sequence[str] | None = None
    ) -> Settings:
        named = settings_named([pipeline], protocols, scored() if metrics is None else metrics)
        return replace(named, healthy=self.healthy(named))

    def rows(
        self, spec: DatasetSpec = PATIENTS, *, pipeline: str = "none", protocols: Sequence[str] = PROTOCOLS
    ) -> list[Row]:
        settings = self.settings(pipeline, protocols)
        return list(evaluate_cell(self.run, self.cell(spec), self.files(spec), settings))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "data", RunFolder(tmp_path / "run"))


def value(rows: Sequence[Row], metric: str, case_id: str = "", protocol: str = "", split: str | None = None) -> float:
    (found,) = {
        row.value
        for row in rows
        if (row.metric, row.case_id, row.protocol) == (metric, case_id, protocol) and split in (None, row.split)
    }
    return found


def scores(seed: int, *bright: tuple[tuple[int, int, int], float]) -> Volume:
    """Noise below 0.5 on the grid, and chosen voxels of the whole box made brighter."""
    drawn = np.random.default_rng(seed).uniform(0, 0.5, SHAPE)
    for voxel, height in bright:
        drawn[voxel] = height
    return drawn[INSIDE]


A, B, C, D = (7, 7, 5), (7, 7, 6), (8, 7, 5), (8, 8, 6)
CUT = (7, 7, 1)


def filled(bench: Bench) -> Bench:
    """Two healthy, two validation and two test cases."""
    for index in range(2):
        bench.add(VOLUNTEERS, f"v{index}", "val", scores(index))
    bench.add(PATIENTS, "a", "val", scores(10, (A, 0.9), (B, 0.7), (D, 0.8)), lesion_at(A, B))
    bench.add(PATIENTS, "b", "val", scores(11, (A, 0.95)), lesion_at(A))
    bench.add(PATIENTS, "c", "test", scores(12, (A, 1.0), (B, 0.52), (C, 0.6), (D, 0.65)), lesion_at(A, B, CUT))
    bench.add(PATIENTS, "d", "test", scores(13, (A, 0.75), (B, 0.74), (C, 0.73)), lesion_at(A, B, C))
    return bench


def test_the_validation_threshold_is_the_best_pooled_dice_of_the_validation_lesions(bench: Bench) -> None:
    """From 0.9 up: 2 of 3 lesion voxels and nothing else, Dice 0.8; from 0.7 up: 3 of 3 and one other, 6/7."""
    rows = filled(bench).rows()
    threshold = value(rows, "threshold", protocol="lesion-val")
    below = max(float(one.scores[~one.lesion & (one.scores < 0.7)].max()) for one in scored_by_hand(bench, "ab"))
    assert threshold == pytest.approx((0.7 + below) / 2, abs=2e-5)
    assert 0.59 < threshold < 0.61


def test_decisions_of_a_case_by_hand(bench: Bench) -> None:
    """Above 0.6: A, D and perhaps C in case c, whose lesion is A, B and one voxel outside the box."""
    rows = filled(bench).rows()
    threshold = value(rows, "threshold", protocol="lesion-val")
    predicted = 2 + (threshold < 0.6)
    assert value(rows, "dice", "c", "lesion-val") == pytest.approx(2 * 1 / (predicted + 3))
    assert value(rows, "recall", "c", "lesion-val") == pytest.approx(1 / 3)
    assert value(rows, "precision", "c", "lesion-val") == pytest.approx(1 / predicted)
    assert value(rows, "dice", "d", "lesion-val") == 1


@dataclass(frozen=True)
class ByHand:
    scores: NDArray[np.float32]
    lesion: NDArray[np.bool_]
    whole: NDArray[np.float32]
    truth: NDArray[np.bool_]


def scored_by_hand(bench: Bench, case_ids: str) -> list[ByHand]:
    found = []
    for files in bench.files(PATIENTS):
        if files.case_id in case_ids:
            case = load_case(files, bench.grid)
            kept = read_volume(bench.run.anomaly_map(bench.cell(PATIENTS), files.case_id))
            assert case.lesion_mask is not None
            brain = case.brain_mask
            whole = np.where(brain, kept, 0).ravel()
            found.append(ByHand(kept[brain], case.lesion_mask[brain], whole, case.lesion_mask.ravel()))
    return found


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


def swap_lesion(bench: Bench, case_id: str, lesion: NDArray[np.bool_]) -> None:
    write_nifti(bench.data / "patients" / "lesion_mask" / f"{case_id}.nii.gz", lesion.astype(np.uint8))


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


def test_a_map_of_zeros_has_dice_zero_and_no_precision(bench: Bench) -> None:
    bench.add(VOLUNTEERS, "v0", "val", 0 * scores(0))
    bench.add(PATIENTS, "a", "val", 0 * scores(0), lesion_at(A, B))
    rows = bench.rows(protocols=("lesion-val", "healthy-fpr-5"))
    for protocol in ("lesion-val", "healthy-fpr-5"):
        assert value(rows, "threshold", protocol=protocol) == 0
        assert value(rows, "dice", "a", protocol) == 0
        assert isnan(value(rows, "precision", "a", protocol))
    assert value(rows, "auroc", "a") == 0.5


def test_components_are_removed_after_the_threshold_was_chosen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lesion of case b is one voxel, which a chain without single voxels takes away."""
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
    plain, light = bench.rows(pipeline="none"), bench.rows(pipeline="light")
    assert value(light, "threshold", protocol="oracle") < value(plain, "threshold", protocol="oracle")


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


def test_healthy_scans_are_validation_cases_alone(bench: Bench) -> None:
    filled(bench)
    bench.add(VOLUNTEERS, "t0", "test", scores(3))
    assert len(bench.settings("none").healthy["none"]["healthy-fpr-5"]) == 2


EVERY = ("lesion-val-mean", "healthy-alarm-10", "transfer:inpatients", "oracle", "oracle-case", "oracle-cross")


def every_row(bench: Bench, pipeline: str = "none", **elsewhere: float) -> list[Row]:
    sources = {name: Source("2", {pipeline: threshold}) for name, threshold in elsewhere.items()}
    settings = replace(bench.settings(pipeline, ("lesion-val", *EVERY)), sources=sources)
    return list(evaluate_cell(bench.run, bench.cell(PATIENTS), bench.files(PATIENTS), settings))


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
        bench.run, bench.cell(PATIENTS), bench.files(PATIENTS), settings_named(("none", "light"), (), ())
    )
    assert found["none"] == value(rows, "threshold", protocol="lesion-val")
    assert found["light"] != found["none"]


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


def test_lesions_and_surfaces_of_a_case_by_hand(bench: Bench) -> None:
    """Case d has its three lesion voxels highest: a perfect prediction."""
    rows = every_row(filled(bench))
    perfect = {"lesion_recall": 1, "lesion_precision": 1, "lesion_f1": 1, "surface_dice": 1}
    wanted = {**perfect, "false_alarms": 0, "hd95": 0}
    assert {name: value(rows, name, "d", "lesion-val") for name in wanted} == wanted


def test_false_alarms_against_lesions_found_are_left_as_a_curve_beside_the_rows(bench: Bench) -> None:
    rows = every_row(filled(bench))
    with (bench.run.cell(bench.cell(PATIENTS)) / "froc.csv").open(newline="") as stream:
        points = [row for row in csv.DictReader(stream) if (row["split"], row["stratum"]) == ("test", "all")]
    thresholds = [float(point["threshold"]) for point in points]
    assert thresholds == sorted(thresholds, reverse=True)
    assert float(points[-1]["lesion_recall"]) == 1
    assert {point["scans"] for point in points} == {"2"}
    assert 0 < value(rows, "froc", split="test") <= 1


def test_metrics_that_are_not_wanted_make_no_rows(bench: Bench) -> None:
    settings = filled(bench).settings("none", metrics=("precision", "auroc"))
    rows = evaluate_cell(bench.run, bench.cell(PATIENTS), bench.files(PATIENTS), settings)
    assert {row.metric for row in rows} == {"precision", "auroc", "threshold", "lesion_ml", "lesion_outside_grid_ml"}


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


def kept_table(bench: Bench, name: str) -> list[dict[str, str]]:
    with (bench.run.cell(bench.cell(PATIENTS)) / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_precision_against_recall_is_left_beside_the_rows_and_ends_where_no_more_can_be_found(bench: Bench) -> None:
    """One of the six test voxels lies outside the box."""
    every_row(filled(bench))
    curve = [line for line in kept_table(bench, "pr.csv") if line["split"] == "test"]
    assert float(curve[-1]["recall"]) == pytest.approx(5 / 6)
    assert float(curve[0]["precision"]) == 1
    assert {line["cases"] for line in curve} == {"2"}


def test_a_single_lesion_is_found_where_the_threshold_is_below_its_level(bench: Bench) -> None:
    """Its level is its highest score, as for all lesions of up to ten voxels."""
    every_row(filled(bench))
    lesions = {line["case_id"]: line for line in kept_table(bench, "lesions.csv") if line["split"] == "val"}
    assert float(lesions["b"]["level"]) == pytest.approx(0.95, abs=1e-4)
    assert float(lesions["a"]["volume_ml"]) == pytest.approx(2 * VOXEL_ML)


def test_numbers_by_size_of_the_lesion_are_means_over_the_patients_of_that_size(bench: Bench) -> None:
    """A voxel is 0.064 ml: case b lies below 0.1 ml, all others above."""
    rows = every_row(filled(bench))
    lines = kept_table(bench, "strata.csv")

    def found(stratum: str, metric: str, of: str, split: str = "val") -> dict[str, str]:
        wanted = {"stratum": stratum, "metric": metric, "of": of, "split": split, "protocol": "lesion-val"}
        (line,) = [line for line in lines if wanted.items() <= line.items()]
        return line

    whole = [value(rows, "dice", case_id, "lesion-val") for case_id in "ab"]
    assert float(found("<0.1 ml", "dice", "case")["mean"]) == whole[1]
    assert float(found("0.1-1 ml", "dice", "case")["mean"]) == whole[0]
    assert float(found("all", "dice", "case")["mean"]) == pytest.approx(np.mean(whole))
    assert found("all", "dice", "case")["patients"] == "2"
    assert found("0.1-1 ml", "lesion_recall", "lesion", "test")["cases"] == "2"
    assert found("1-10 ml", "lesion_recall", "lesion", "test")["mean"] == "nan"


def test_a_cohort_without_lesions_leaves_no_curves(bench: Bench) -> None:
    filled(bench)
    bench.rows(VOLUNTEERS)
    assert not list(bench.run.cell(bench.cell(VOLUNTEERS)).glob("*.csv"))


def test_the_perfect_map_says_what_the_box_cuts_off(bench: Bench) -> None:
    filled(bench)
    reference = Reference(Cohort("patients", "t1", "1"), bench.grid, ("val", "test"), None)
    rows = list(evaluate_reference(reference, bench.files(PATIENTS), settings_named(("none",), (), scored())))
    cut = {row.case_id: row.value for row in rows if row.metric == "lesion_outside_grid_ml"}
    assert cut == {"a": 0, "b": 0, "c": pytest.approx(VOXEL_ML), "d": 0}
