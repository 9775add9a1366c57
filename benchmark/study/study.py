"""Request, what a user asks for, and Study, the grid of cells that it resolves to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.methods.hyperparameters import Variant
from benchmark.study.cells import Cell, Cohort, Fit, Precision, Reference
from datasets.case import CaseFiles, Split
from datasets.grid import PUBLISHED, Grid, Sampling
from datasets.shifts import Shift
from datasets.splits import learning_split, nested_subset

Resolved = tuple[Variant, Mapping[str, Any]]


@dataclass(frozen=True)
class Request:
    """What a user asks for, names still unresolved; see `python -m benchmark run --help`.

    Attributes:
        hyperparameters: by method the fields of its Config to change.
        healthy: cohorts to fit on, comma-separated; `none` for methods that need no training; None for the default of
            the data sets.
        leave_one_site_out: fit once without each of the healthy cohorts, instead of on all of them.
        training_scans: as in `Fit`.
        simulate: whether simulated cohorts that are missing below `data` are made.
        plugins: files whose detectors are used as methods.
        folds: number of folds of the healthy subjects to fit on, in place of seeds; None for seeds.
        skip_bad: leave out cases whose rows or files cannot be used, and list them in the study.
        without: further cases to leave out, each a dataset and a case_id.
        shifts: under which every cohort is mapped too; see `datasets.shift_requests`.
        match: whether everything is mapped a second time with histograms matched to the training cases.
        devices: that one fit trains on, of methods that can use several.
    """

    methods: str
    datasets: str
    data: Path
    healthy: str | None = None
    sequence: str | None = None
    preset: str = PUBLISHED
    sampling: Sampling = "average"
    seeds: str = "0"
    precision: Precision = "fp32"
    splits: tuple[Split, ...] = ("val", "test")
    limit: int | None = None
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    simulate: bool = True
    plugins: tuple[Path, ...] = ()
    folds: int | None = None
    skip_bad: bool = False
    without: frozenset[tuple[str, str]] = frozenset()
    shifts: str = ""
    match: bool = False
    devices: int = 1
    leave_one_site_out: bool = False
    training_scans: int | None = None


@dataclass(frozen=True)
class Study:
    """A grid of cells and the files they read.

    Attributes:
        cells: unshifted ones before shifted ones, and under each shift a fit's cells on its own healthy cohorts
            before its others, since thresholds depend on them.
        references: one for each dataset that holds lesions.
        files: every case of each dataset, in its own split.
        left_out: why a requested method is not among the cells, a line each.
        skipped: by dataset the cases that are left out.
    """

    cells: tuple[Cell, ...]
    references: tuple[Reference, ...]
    files: Mapping[str, Sequence[CaseFiles]]
    left_out: tuple[str, ...] = ()
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def fits(self) -> list[Fit]:
        return list({cell.fit.key: cell.fit for cell in self.cells}.values())

    @property
    def grid(self) -> Grid:
        """That all cells share."""
        return self.cells[0].fit.grid

    def cells_of(self, fit: Fit) -> list[Cell]:
        return [cell for cell in self.cells if cell.fit == fit]

    def healthy_cells(self, fit: Fit, shift: Shift = Shift()) -> list[Cell]:
        """The cells with the fit's maps of healthy validation cases under a shift."""
        return [cell for cell in self.cells_of(fit) if cell.cohort in fit.healthy_cohorts and cell.shift == shift]

    def training_cases(self, fit: Fit, split: Split) -> list[CaseFiles]:
        """The healthy cases of a split; to train on, no more than the fit says."""
        found = [case for cohort in fit.healthy_cohorts for case in self._split_for(fit, cohort)
                 if case.split == split and case.healthy]  # fmt: skip
        if split != "train" or fit.training_scans is None:
            return found
        return nested_subset(found, fit.training_scans)

    def mapped_cases(self, what: Cell | Reference) -> list[CaseFiles]:
        """The cases whose maps a cell keeps, in the splits that its fit's seed draws."""
        files = self._split_for(what.fit, what.cohort) if isinstance(what, Cell) else self.files[what.cohort.dataset]
        limit = len(files) if what.limit is None else what.limit
        groups = [[case for case in files if case.split == split and case.healthy == healthy][:limit]
                  for split in what.splits for healthy in (True, False)]  # fmt: skip
        return [case for group in groups for case in group]

    def _split_for(self, fit: Fit, cohort: Cohort) -> list[CaseFiles]:
        files = self.files[cohort.dataset]
        return learning_split(files, seed=fit.seed, folds=fit.folds) if cohort in fit.healthy_cohorts else list(files)
