"""FirstPass: what no threshold enters, case by case and then of all together; it fills a cell's shelf."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.metrics.ground_truth import Anatomy
from benchmark.metrics.ranking import ap_of, auroc_of, best_dice_of, lift
from benchmark.scoring.measures.froc import Lesions
from benchmark.scoring.pooled_search import Pooled, pooled
from benchmark.scoring.processed_maps import Processed, Shelf
from benchmark.scoring.settings import Choices
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_volume
from benchmark.storage.rows import Row, blank_row, kept_rows, rows_of
from benchmark.study.cells import Cell
from datasets.case import Case, CaseFiles, Split
from datasets.grid import load_host

Mapped = tuple[Case | None, Anatomy, NDArray[np.float32]]
"""A case, if its reconstruction is kept to compare it with, its masks, and its anomaly map `(X, Y, Z)`."""
SPLITS: tuple[Split, ...] = ("val", "test")


@dataclass
class FirstPass:
    """One cell on its shelf, and what is known of it after its maps have gone by once.

    Attributes:
        own: for each chain, each case's threshold of its own best Dice.
        lesions: for each chain and split, the lesions and from where on they are found.
        known: for each chain and split with lesions, what its voxels together say.
    """

    run: RunFolder
    cell: Cell
    shelf: Shelf
    choices: Choices
    own: dict[str, dict[str, float]] = field(default_factory=dict)
    lesions: dict[tuple[str, str], Lesions] = field(default_factory=dict)
    known: dict[tuple[str, Split], Pooled] = field(default_factory=dict)

    def case_rows(self, maps: Iterable[Mapped]) -> Iterator[Row]:
        """What needs the image as the detector saw it is kept since the mapping where that was shifted."""
        blank = blank_row(self.cell)
        for case, anatomy, kept in maps:
            values = sizes(anatomy) | self.choices.wanted({} if case is None else self._closeness(case, anatomy))
            yield from rows_of(blank, anatomy.files, values)
            for chain, processed in self.shelf.add(anatomy, kept):
                if anatomy.lesion_mask is not None:
                    values = self.choices.wanted(self._ranked(chain, anatomy, processed))
                    yield from rows_of(replace(blank, postprocessing=chain), anatomy.files, values)
        if not self.cell.shift.is_none:
            yield from (row for row in kept_rows(self.run.seen(self.cell)) if self.choices.wants(row.metric))

    def _closeness(self, case: Case, anatomy: Anatomy) -> dict[str, float]:
        reconstruction = read_volume(self.run.reconstruction(self.cell, case.case_id))
        host = load_host(anatomy.files, self.cell.fit.grid)
        close = closeness(case, reconstruction, self.choices.metrics)
        return close | ({} if host is None else restoration(case, host[0], reconstruction))

    def _ranked(self, chain: str, anatomy: Anatomy, processed: Processed) -> dict[str, float]:
        ranking = processed.smoothed
        beyond = anatomy.brain_mask.size - processed.scores.size - anatomy.outside_brain
        box = ranking.padded(anatomy.outside_brain, beyond, missed=anatomy.cut_off)
        best, threshold = best_dice_of(processed.opened)
        self.own.setdefault(chain, {})[anatomy.files.case_id] = threshold
        self.lesions.setdefault((chain, anatomy.files.split), Lesions()).add(anatomy, processed.scores)
        ap = ap_of(ranking)
        return {
            "auprc": ap,
            "auprc_lift": lift(ap, ranking.prevalence),
            "auprc_box": ap_of(box),
            "auroc": auroc_of(ranking),
            "oracle_dice": best,
        }

    def pooled_rows(self) -> Iterator[Row]:
        """It ranks every split's voxels together, for thresholds and curves too."""
        for chain in self.choices.healthy:
            for split in SPLITS:
                cases = self.lesion_cases(split)
                if cases:
                    known = pooled(self.shelf.pool(cases, chain), self.groups(cases) if split == "test" else ())
                    self.known[chain, split] = known
                    blank = replace(blank_row(self.cell), postprocessing=chain, split=split)
                    for name, value in self.choices.wanted({"auprc_pooled": known.average_precision}).items():
                        yield replace(blank, metric=name, value=value)

    def curve_lines(self) -> Iterator[dict[str, object]]:
        """Precision against recall, of every chain and split."""
        for (chain, split), known in self.known.items():
            cases = len(self.lesion_cases(split))
            for point in known.curve:
                yield {"postprocessing": chain, "split": split, **point._asdict(), "cases": cases}

    def lesion_lines(self) -> Iterator[dict[str, object]]:
        """Every lesion, and from where on each chain finds it."""
        for (chain, split), lesions in self.lesions.items():
            yield from ({"postprocessing": chain, "split": split, **line} for line in lesions.lines())

    def lesion_cases(self, split: Split) -> list[int]:
        """Their numbers on the shelf."""
        return self.shelf.numbers(lambda kept: kept.files.split == split and not kept.files.healthy)

    def groups(self, cases: Sequence[int]) -> list[NDArray[np.bool_]]:
        """`(cases,)` each, the cases of every group of patients; none where no threshold needs them."""
        return self.choices.groups([self.shelf.cases[number].files.subject_id for number in cases])


def sizes(anatomy: Anatomy) -> dict[str, float]:
    """How large the lesion is, in ml, and how much of it no map can find; nothing of a healthy case."""
    if anatomy.lesion_mask is None:
        return {}
    inside, outside = float(anatomy.truth.sum()) * anatomy.voxel_ml, anatomy.cut_off * anatomy.voxel_ml
    return {"lesion_ml": inside + outside, "lesion_outside_grid_ml": outside}


def closeness(
    case: Case, reconstruction: NDArray[np.float32], wanted: Collection[str] = metrics.SCORED
) -> dict[str, float]:
    """Every wanted metric of a reconstruction `(X, Y, Z)`.

    Histograms are of healthy voxels: the brain without the lesion.
    """
    image, brain, lesion = case.image[0], case.brain_mask, case.lesion_mask
    healthy = brain if lesion is None else brain & ~lesion
    pair = image, reconstruction
    values = {
        "l1": lambda: metrics.l1(*pair, brain),
        "ssim": lambda: metrics.ssim(*pair, brain),
        "psnr": lambda: metrics.psnr(*pair, brain),
        "wasserstein_1": lambda: metrics.wasserstein_1(*pair, healthy),
        "histogram_js": lambda: metrics.histogram_js(*pair, healthy),
        "histogram_kl": lambda: metrics.histogram_kl(*pair, healthy),
        "histogram_entropy_difference": lambda: metrics.histogram_entropy_difference(*pair, healthy),
    }
    if lesion is not None:
        values["l1_ratio"] = lambda: metrics.l1_ratio(*pair, lesion, brain, case.spacing)
    return {name: value() for name, value in values.items() if name in wanted}


def restoration(case: Case, host: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> dict[str, float]:
    """How close a reconstruction comes to the scan without the lesion, `(X, Y, Z)`, in the lesion and outside."""
    brain = case.brain_mask
    lesion = brain if case.lesion_mask is None else brain & case.lesion_mask
    return {
        "restoration_l1": metrics.l1(host, reconstruction, lesion),
        "restoration_l1_outside": metrics.l1(host, reconstruction, brain & ~lesion),
        "lesion_l1": metrics.l1(host, case.image[0], lesion),
    }


def as_seen(blank: Row, files: CaseFiles, case: Case, reconstruction: NDArray[np.float32] | None) -> list[Row]:
    """Of a case under a shift: how far it is from the unshifted one, and how close its reconstruction is to it."""
    close = {} if reconstruction is None else closeness(case, reconstruction)
    return list(rows_of(blank, files, {"shift_dose": case.shift_dose} | close))
