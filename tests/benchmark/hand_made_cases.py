"""Cases whose maps and scans a test makes by hand, and their rows."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cohorts import PATIENTS, SHAPE, VOLUNTEERS, ellipsoid, write_nifti
from numpy.typing import NDArray

from benchmark.metrics import scored
from benchmark.postprocessing.pipelines import Pipeline
from benchmark.postprocessing.steps import components_step
from benchmark.scoring.evaluation import evaluate_cell, healthy_scans
from benchmark.scoring.settings import HealthyScans, Settings, Source, settings_named
from benchmark.storage.checksums import write_checksums
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_volume, write_volume
from benchmark.storage.rows import Row
from benchmark.storage.run_record import MAPPED
from benchmark.study.cells import Cell, Cohort, Fit
from datasets.case import CaseFiles
from datasets.grid import Grid
from datasets.loading import load_case
from datasets.spec import DatasetSpec

Volume = NDArray[np.floating]


PROTOCOLS = ("lesion-val", "healthy-fpr-5", "oracle")


BRAIN = ellipsoid((7.5, 7.5, 5.5), (6.5, 6.0, 5.0))


SPACING = 4.0
VOXEL_ML = 0.064


PAIRS = Pipeline("pairs", "pairs", (components_step(2 * VOXEL_ML),))


# Cuts the highest two slices off the brain's box.
GRID = Grid(shape=(16, 16, 8), spacing=SPACING)


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
        self,
        spec: DatasetSpec,
        case_id: str,
        split: str,
        scores: Volume,
        lesion: NDArray[np.bool_] | None = None,
        ignored: NDArray[np.bool_] | None = None,
    ) -> None:
        """A scan on the whole box, and its map, `scores` of the grid's shape."""
        folder = self.data / spec.name
        image = (100 + np.indices(SHAPE).sum(axis=0)) * BRAIN
        write_nifti(folder / "t1" / f"{case_id}.nii.gz", image.astype(np.float32), SPACING)
        write_nifti(folder / "brain_mask" / f"{case_id}.nii.gz", BRAIN.astype(np.uint8), SPACING)
        if lesion is not None:
            write_nifti(folder / "lesion_mask" / f"{case_id}.nii.gz", lesion.astype(np.uint8), SPACING)
        if ignored is not None:
            write_nifti(folder / "ignore_mask" / f"{case_id}.nii.gz", ignored.astype(np.uint8), SPACING)
        write_volume(self.run.anomaly_map(self.cell(spec), case_id), scores.astype(np.float32), np.eye(4))
        write_checksums(self.run.cell(self.cell(spec)), MAPPED)
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
        return healthy_scans(self.run, [(self.cell(VOLUNTEERS), self.files(VOLUNTEERS))], settings)

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


EVERY = ("lesion-val-mean", "healthy-alarm-10", "transfer:inpatients", "oracle", "oracle-case", "oracle-cross")


def every_row(bench: Bench, pipeline: str = "none", **elsewhere: float) -> list[Row]:
    sources = {name: Source("2", {pipeline: threshold}) for name, threshold in elsewhere.items()}
    settings = replace(bench.settings(pipeline, ("lesion-val", *EVERY)), sources=sources)
    return list(evaluate_cell(bench.run, bench.cell(PATIENTS), bench.files(PATIENTS), settings))
