"""ProcessedMaps: a cohort's post-processed maps and masks in files, so that memory does not grow with the cohort."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.metric import RankedMap
from benchmark.metrics.ranking import rank
from benchmark.postprocessing.pipelines import Pipeline
from benchmark.scoring.pooled_voxels import VoxelPool, keep
from datasets.case import CaseFiles

Scores = NDArray[np.float32]
Maps = Mapping[str, Scores]
"""A case's anomaly maps `(X, Y, Z)` by the name of the score that made them; the method's own under `OWN`."""
OWN = ""


@dataclass(frozen=True)
class ProcessedMap:
    """What one pipeline makes of one map; V voxels are scored.

    Attributes:
        filtered: `(V,)` scores before small components go, that curves and pooled thresholds are of.
        finished: `(V,)` through the whole pipeline: what lies above a threshold is the prediction.
        ranked: both, ranked.
    """

    filtered: Scores
    finished: Scores
    ranked: RankedMap


def process(anomaly_map: Scores, truth: GroundTruth, pipeline: Pipeline) -> ProcessedMap:
    """Send a map `(X, Y, Z)` through a pipeline, for all thresholds at once."""
    filtered = pipeline.filter(anomaly_map, truth.brain_mask, truth.spacing)
    finished = pipeline.finish(filtered)
    plain = filtered.scores[truth.scored_mask].astype(np.float32)
    ranking = rank(plain, truth.lesion, missed=truth.missed)
    if finished is filtered:
        return ProcessedMap(plain, plain, RankedMap(truth, ranking, ranking))
    scores = finished.scores[truth.scored_mask].astype(np.float32, copy=False)
    return ProcessedMap(plain, scores, RankedMap(truth, ranking, rank(scores, truth.lesion, missed=truth.missed)))


def map_for(pipeline: Pipeline, maps: Maps) -> Scores:
    """The map that a pipeline begins with."""
    return maps[OWN if pipeline.score is None else pipeline.score.name]


@contextmanager
def processed_maps(root: Path, pipelines: Sequence[Pipeline]) -> Iterator["ProcessedMaps"]:
    """An empty collection in a folder of the run: the system's folder for temporary files may be kept in memory."""
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root, prefix=".scoring-") as folder:
        yield ProcessedMaps(Path(folder), pipelines)


@dataclass(frozen=True)
class KeptMasks:
    """A GroundTruth whose masks lie in a file, one bit a voxel."""

    files: CaseFiles
    path: Path
    shape: tuple[int, ...]
    spacing: tuple[float, float, float]
    cut_off: float
    lost_ml: tuple[float, ...]

    def read(self) -> GroundTruth:
        bits = np.fromfile(self.path, np.uint8).reshape(3, -1)
        masks = np.unpackbits(bits, axis=1, count=int(np.prod(self.shape))).view(bool)
        brain, lesion, ignored = masks.reshape(3, *self.shape)
        lesion_mask = None if self.files.healthy else lesion
        return GroundTruth(self.files, brain, lesion_mask, self.spacing, self.cut_off, ignored, self.lost_ml)


@dataclass
class ProcessedMaps:
    """Cases that have been processed by some pipelines; see `process`.

    Attributes:
        folder: an empty one of this collection's own.
        cases: in the order in which they were added.
        totals: lesion voxels of each, missed ones included.
    """

    folder: Path
    pipelines: Sequence[Pipeline]
    cases: list[KeptMasks] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)

    def add(self, truth: GroundTruth, maps: Maps) -> Iterator[tuple[str, ProcessedMap]]:
        """Add a case; yields each pipeline's name and result."""
        number = len(self.cases)
        self.cases.append(_keep_masks(truth, self._path(number, "", "masks")))
        self.totals.append(truth.positives)
        for pipeline in self.pipelines:
            processed = process(map_for(pipeline, maps), truth, pipeline)
            processed.finished.tofile(self._path(number, pipeline.name, "scores"))
            keep(processed.ranked.filtered, self._path(number, pipeline.name, "filtered"))
            if truth.lesion_mask is not None:
                keep(processed.ranked.finished, self._path(number, pipeline.name, "finished"))
            yield pipeline.name, processed

    def scores(self, number: int, pipeline: str) -> Scores:
        """`(V,)` of a case, through the whole pipeline."""
        return np.fromfile(self._path(number, pipeline, "scores"), dtype=np.float32)

    def numbers(self, holds: Callable[[CaseFiles], bool]) -> list[int]:
        """The cases for which this holds."""
        return [number for number, case in enumerate(self.cases) if holds(case.files)]

    def pool(self, numbers: Sequence[int], pipeline: str, *, whole: bool = False) -> VoxelPool:
        """Pool the voxels of some cases: before small components are removed, or (`whole`) after the whole pipeline."""
        kind = "finished" if whole else "filtered"
        files = [self._path(number, pipeline, kind) for number in numbers]
        return VoxelPool(files, np.array([self.totals[number] for number in numbers], dtype=np.float64))

    def _path(self, number: int, pipeline: str, kind: str) -> Path:
        return self.folder / f"{number}-{pipeline}-{kind}"


def _keep_masks(truth: GroundTruth, path: Path) -> KeptMasks:
    np.packbits([mask.ravel() for mask in (truth.brain_mask, truth.mask, truth.ignored)], axis=1).tofile(path)
    return KeptMasks(truth.files, path, truth.brain_mask.shape, truth.spacing, truth.cut_off, truth.lost_ml)
