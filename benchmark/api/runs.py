"""load_run: the rows, summaries, comparisons, maps and scans of a run folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.storage.folder import RunFolder, open_run
from datasets.errors import BadValue, MissingData, check_name

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.storage.summary_tables import SummaryLine
    from benchmark.study.cells import Cell
    from benchmark.study.study import Study
    from datasets.case import Case, CaseFiles


def load_run(path: str | Path, *, data: str | Path | None = None) -> "Run":
    """Open a run folder, the `--out` of `run`.

    Args:
        data: where the prepared cohorts are now; default: where they were when the run was made.

    Raises:
        MissingData: there is no run at `path`.
        BadFile: another version of uadbench wrote it in another format.

    Examples:
        >>> load_run("first").methods
        ['thresh', 'zscore', 'lowrank']
    """
    return Run(open_run(Path(path)), None if data is None else Path(data))


@dataclass(frozen=True)
class Run:
    """A run folder. Tables are read when they are first asked for, and kept.

    Attributes:
        folder: paths of the run's files.
        data: where the prepared cohorts are; None for where they were when the run was made.

    Examples:
        >>> run = load_run("first")
        >>> best = run.number("zscore", "phantom-glioma")
        >>> 0 < best.mean < 1
        True
        >>> set(run.rows.query("metric == 'dice'")["method"]) >= {"thresh", "zscore", "lowrank"}
        True
        >>> case_id = run.cases("phantom-glioma")[0]
        >>> run.anomaly_map("zscore", "phantom-glioma", case_id).shape
        (48, 48, 25)
        >>> bool(run.case("phantom-glioma", case_id).lesion_mask.any())
        True
    """

    folder: RunFolder
    data: Path | None = None

    @property
    def path(self) -> Path:
        return self.folder.root

    @cached_property
    def rows(self) -> "pd.DataFrame":
        """One number of one case a line; the columns are those of `benchmark.storage.rows.Row`, text is categorical.

        Raises:
            MissingData: nothing has been scored yet.
        """
        from benchmark.analysis.compare_methods import Comparable
        from benchmark.statistics.primary_endpoint import read_endpoint

        return Comparable(self.folder, read_endpoint()).rows

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """One number of one method a line, with its interval and ranks: `summary.csv`.

        The columns are those of `benchmark.storage.summary_tables.SummaryLine`.

        Raises:
            MissingData: nothing has been scored yet.
        """
        from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path

        self._summarise()
        return read_lines(summary_path(self.path), SummaryLine)

    @cached_property
    def comparisons(self) -> "pd.DataFrame":
        """One pair of methods a line, with difference, interval and corrected p: `comparisons.csv`.

        The columns are those of `benchmark.storage.summary_tables.ComparisonLine`.

        Raises:
            MissingData: nothing has been scored yet.
        """
        from benchmark.storage.summary_tables import ComparisonLine, comparisons_path, read_lines

        self._summarise()
        return read_lines(comparisons_path(self.path), ComparisonLine)

    @cached_property
    def cells(self) -> "tuple[Cell, ...]":
        """What was mapped: one trained method on one cohort under one shift each."""
        from benchmark.storage.run_record import kept_cells

        return tuple(kept_cells(self.folder))

    @property
    def methods(self) -> list[str]:
        """Their names, in the order of the study."""
        return list(dict.fromkeys(cell.fit.method for cell in self.cells))

    @property
    def cohorts(self) -> list[str]:
        """Their names, in the order of the study."""
        return list(dict.fromkeys(cell.cohort.dataset for cell in self.cells))

    @property
    def failed(self) -> "list[Cell]":
        """Cells whose last try failed; the `cell.json` of each says why."""
        from benchmark.storage.run_record import has_failed

        return [cell for cell in self.cells if has_failed(self.folder, cell)]

    def number(self, method: str, cohort: str) -> "SummaryLine":
        """The number by which the report ranks a method on a cohort, under the first endpoint that the cohort has.

        Returns:
            the line of `summary`: `.mean` over patients, `.low` and `.high` of its interval, `.rank_low`, `.n`, ...

        Raises:
            UnknownName: no method or cohort of the run is called so.
            MissingData: the method has no such number, or nothing has been scored yet.
        """
        from benchmark.storage.summary_tables import SummaryLine

        check_name("method of this run called", method, self.methods)
        check_name("cohort of this run called", cohort, self.cohorts)
        table = self.summary
        found = table[
            (table["dataset"] == cohort)
            & (table["method"] == method)
            & (table["order"] >= 1)
            & (table["kind"] == "mean")
            & (table["group"] == "")
            & (table["shift"] == "none")
        ].sort_values("order", kind="stable")
        if found.empty:
            raise MissingData(
                f"{self.path}: {method} has no number on {cohort} that methods are ranked by; all that there are: "
                ".summary"
            )
        (line,) = found.head(1).to_dict("records")
        return SummaryLine(**{str(name): value for name, value in line.items()})

    def cases(self, cohort: str) -> list[str]:
        """Ids of the cases of a cohort that have maps."""
        cell = self._cell(None, cohort, None, "none")
        return [one.case_id for one in self._study.mapped_cases(cell)]

    def case(self, cohort: str, case_id: str, *, shift: str = "none") -> "Case":
        """A scan with its masks on the grid of the study.

        Args:
            shift: as it is written for `run --shifts`, such as "gamma=0.5"; the image is then what the methods saw.

        Raises:
            UnknownName: the run has no such cohort, case or shift.
            MissingData: the cohort is not where it was; see `data`.
        """
        from datasets.loading import load_case

        cell = self._cell(None, cohort, None, shift)
        return load_case(self._files(cell, case_id), cell.fit.grid, cell.shift)

    def anomaly_map(
        self, method: str, cohort: str, case_id: str, *, seed: int | None = None, shift: str = "none"
    ) -> NDArray[np.float32]:
        """The kept map of a case, `(X, Y, Z)`, 0 outside the brain, before any post-processing.

        Args:
            seed: of the training; default: the lowest that the run has.

        Raises:
            UnknownName: the run has no such method, cohort, case, seed or shift.
            BadFile: the map is missing or damaged.
        """
        from benchmark.storage.maps import read_map

        cell = self._cell(method, cohort, seed, shift)
        return read_map(self.folder, cell, self._files(cell, case_id).case_id)

    def reconstruction(
        self, method: str, cohort: str, case_id: str, *, seed: int | None = None, shift: str = "none"
    ) -> NDArray[np.float32] | None:
        """The kept healthy counterpart of a case, `(X, Y, Z)`; None for a method that makes none.

        Raises:
            UnknownName: the run has no such method, cohort, case, seed or shift.
            BadFile: the file is damaged.
        """
        from benchmark.storage.maps import read_reconstruction

        cell = self._cell(method, cohort, seed, shift)
        return read_reconstruction(self.folder, cell, self._files(cell, case_id).case_id)

    def threshold(
        self, method: str, cohort: str, *, postprocessing: str, protocol: str, seed: int | None = None
    ) -> float:
        """The threshold on the post-processed map under a protocol; NaN where it is undefined.

        Raises:
            UnknownName: the run has no such method, cohort, seed, or choice of post-processing and protocol.
        """
        from benchmark.storage.run_record import thresholds_of

        cell = self._cell(method, cohort, seed, "none")
        known = {f"{pipeline}, {name}": value for (pipeline, name), value in thresholds_of(self.folder, cell).items()}
        wanted = f"{postprocessing}, {protocol}"
        check_name("post-processing and protocol of this cell called", wanted, known)
        return known[wanted]

    @cached_property
    def _study(self) -> "Study":
        from benchmark.storage.run_record import reopen

        return reopen(self.folder, self.data)

    def _summarise(self) -> None:
        from benchmark.analysis.summaries.make import summarise

        summarise(self.folder, self.data)

    def _cell(self, method: str | None, cohort: str, seed: int | None, shift: str) -> "Cell":
        """The first cell of these names; None stands for any."""
        cells = list(self.cells)
        if method is not None:
            check_name("method of this run called", method, self.methods)
            cells = [cell for cell in cells if cell.fit.method == method]
        check_name("cohort of this run called", cohort, self.cohorts)
        cells = [cell for cell in cells if cell.cohort.dataset == cohort]
        check_name("shift of this run called", shift, dict.fromkeys(cell.shift.text for cell in cells))
        cells = [cell for cell in cells if cell.shift.text == shift]
        seeds = sorted({cell.fit.seed for cell in cells})
        if seed is not None and seed not in seeds:
            raise BadValue(f"seed: got {seed}, expected one of {', '.join(map(str, seeds))}.")
        wanted = seeds[0] if seed is None else seed
        return next(cell for cell in cells if cell.fit.seed == wanted)

    def _files(self, cell: "Cell", case_id: str) -> "CaseFiles":
        known = {one.case_id: one for one in self._study.mapped_cases(cell)}
        check_name(f"case of {cell.cohort.dataset} called", case_id, known)
        return known[case_id]
