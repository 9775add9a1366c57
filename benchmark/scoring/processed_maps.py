"""Shelf: a cohort's post-processed maps in files, so that memory does not grow with the cohort."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import Anatomy, KeptAnatomy, keep_anatomy
from benchmark.metrics.ranking import Ranking, rank
from benchmark.scoring.pooled_voxels import Pool, keep
from benchmark.scoring.postprocessing.area_opening import area_opening
from benchmark.scoring.postprocessing.chains import smooth
from benchmark.study.chains import CHAINS, Chain

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Processed:
    """What one chain makes of one map; V voxels in the brain.

    Attributes:
        plain, smoothed: `(V,)` scores before components, that curves and pooled thresholds are of, and their ranking.
        scores, opened: `(V,)` through the whole chain, where above a threshold is the prediction, and their ranking.
    """

    plain: Scores
    smoothed: Ranking
    scores: Scores
    opened: Ranking


def process(anomaly_map: Scores, anatomy: Anatomy, chain: Chain) -> Processed:
    """Send a map `(X, Y, Z)` through a chain, for all thresholds at once."""
    smoothed = smooth(anomaly_map, anatomy.brain_mask, chain)
    smallest = chain.smallest(anatomy.voxel_ml)
    plain = smoothed[anatomy.brain_mask].astype(np.float32)
    ranking = rank(plain, anatomy.lesion, missed=anatomy.missed)
    if smallest <= 1:
        return Processed(plain, ranking, plain, ranking)
    scores = area_opening(smoothed, smallest)[anatomy.brain_mask]
    return Processed(plain, ranking, scores, rank(scores, anatomy.lesion, missed=anatomy.missed))


@contextmanager
def opened_shelf(root: Path, postprocessing: Collection[str]) -> Iterator["Shelf"]:
    """An empty shelf below a folder of the run's, since a system's own place for such files may be its memory."""
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root, prefix=".scoring-") as folder:
        yield Shelf(Path(folder), {name: CHAINS[name] for name in postprocessing})


@dataclass
class Shelf:
    """Cases that have been processed by some chains; see `process`.

    Attributes:
        folder: an empty one of this shelf's own.
        cases: what is on it, in the order in which it was put there.
        totals: lesion voxels of each, missed ones included.
    """

    folder: Path
    chains: Mapping[str, Chain]
    cases: list[KeptAnatomy] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)

    def add(self, anatomy: Anatomy, anomaly_map: Scores) -> Iterator[tuple[str, Processed]]:
        """Put a case on the shelf, chain by chain, and say what each made of it."""
        number = len(self.cases)
        self.cases.append(keep_anatomy(anatomy, self._path(number, "", "anatomy")))
        self.totals.append(anatomy.positives)
        for name, chain in self.chains.items():
            processed = process(anomaly_map, anatomy, chain)
            processed.scores.tofile(self._path(number, name, "scores"))
            keep(processed.smoothed, self._path(number, name, "smoothed"))
            if anatomy.lesion_mask is not None:
                keep(processed.opened, self._path(number, name, "opened"))
            yield name, processed

    def scores(self, number: int, chain: str) -> Scores:
        """`(V,)` of a case, through the whole chain."""
        return np.fromfile(self._path(number, chain, "scores"), dtype=np.float32)

    def numbers(self, wanted: Callable[[KeptAnatomy], bool]) -> list[int]:
        """Which of the cases are wanted."""
        return [number for number, case in enumerate(self.cases) if wanted(case)]

    def pool(self, numbers: list[int], chain: str, *, whole_chain: bool = False) -> Pool:
        """Some cases' voxels together: before components, or, of lesion cases, through the whole chain."""
        kind = "opened" if whole_chain else "smoothed"
        files = [self._path(number, chain, kind) for number in numbers]
        return Pool(files, np.array([self.totals[number] for number in numbers], dtype=np.float64))

    def _path(self, number: int, chain: str, kind: str) -> Path:
        return self.folder / f"{number}-{chain}-{kind}"
