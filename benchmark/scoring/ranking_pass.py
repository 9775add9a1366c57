"""RankingPass: threshold-free metrics, per case and pooled over the cohort; it keeps the processed maps on disk."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.metric import compare_reconstruction, compute
from benchmark.metrics.registry import METRICS, scored
from benchmark.scoring.lesion_tables import Lesions
from benchmark.scoring.pooled_search import RankedPool, rank_pool
from benchmark.scoring.processed_maps import Maps, ProcessedMap, ProcessedMaps
from benchmark.scoring.settings import Settings
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_reconstructions
from benchmark.storage.rows import Row, blank_row, evaluation_row, kept_rows, rows_of, stamped
from benchmark.storage.run_record import table_of
from benchmark.study.cells import Cell, Evaluation
from datasets.case import Case, CaseFiles, Split
from datasets.errors import BadFile
from datasets.loading import load_host

Mapped = tuple[Case | None, GroundTruth, Maps]
"""A case, if its reconstruction is kept to compare it with, its ground truth, and its anomaly maps."""
SPLITS: tuple[Split, ...] = ("val", "test")


@dataclass
class RankingPass:
    """One cell's processed maps, and what is known of them after its maps have gone by once.

    Attributes:
        best: for each pipeline, each case's threshold of its own best Dice.
        lesions: for each pipeline and split, the lesions and the level at which each is found.
        ranked: for each pipeline and split with lesions, its voxels ranked together.
    """

    run: RunFolder
    cell: Cell
    maps: ProcessedMaps
    settings: Settings
    best: dict[str, dict[str, float]] = field(default_factory=dict)
    lesions: dict[tuple[str, str], Lesions] = field(default_factory=dict)
    ranked: dict[tuple[str, Split], RankedPool] = field(default_factory=dict)

    def case_rows(self, maps: Iterable[Mapped]) -> Iterator[Row]:
        """Rows of single cases. What compares with a shifted image was kept when it was mapped: see `rows_of_image`."""
        blank, blanks = blank_row(self.cell), self.blanks()
        facts, compared = self.settings.metrics_of("ground truth"), self.settings.metrics_of("reconstruction")
        metrics = self.settings.metrics_of("ranking")
        for case, truth, of_case in maps:
            yield from rows_of(blank, truth.files, compute(facts, truth, truth.kinds))
            if case is not None and compared:
                host = load_host(truth.files, self.cell.fit.grid)
                kept = read_reconstructions(self.run, self.cell, case.case_id)
                yield from rows_of(blank, truth.files, compare_reconstruction(compared, case, kept, host))
            for pipeline, processed in self.maps.add(truth, of_case):
                if truth.lesion_mask is not None:
                    self._keep(pipeline, truth, processed)
                values = compute(metrics, processed.ranked, truth.kinds)
                yield from rows_of(blanks[pipeline], truth.files, values)
        if not self.cell.shift.is_none:
            yield from self._seen_rows()

    def _seen_rows(self) -> Iterator[Row]:
        """Rows that were made when a shifted image was mapped.

        Raises:
            BadFile: they are damaged, or a metric has another revision by now, so that the cell has to be mapped anew.
        """
        path = table_of(self.run, self.cell, self.run.seen(self.cell).name)
        for row in kept_rows(path) if path is not None else ():
            if self.settings.wants(row.metric):
                (now,) = stamped([row])
                if row.revision != now.revision:
                    raise BadFile(
                        f"{path}: got {row.metric} of revision {row.revision}, expected {now.revision}; it needs the "
                        "image as it was mapped: map the cell anew with run --rerun failed"
                    )
                yield row

    def pooled_rows(self) -> Iterator[Row]:
        """Rows of whole cohorts; every split's voxels are ranked together, for thresholds and curves too."""
        blanks = self.blanks()
        for pipeline, blank in blanks.items():
            for split in SPLITS:
                cases = self.lesion_cases(split)
                if cases:
                    left_out = self.groups(cases) if split == "test" else ()
                    ranked = rank_pool(self.maps.pool(cases, pipeline), left_out)
                    self.ranked[pipeline, split] = ranked
                    for name, value in compute(self.settings.metrics_of("pool"), ranked, ("all",)).items():
                        yield replace(blank, split=split, metric=name, value=value)

    def curve_lines(self) -> Iterator[dict[str, object]]:
        """Precision against recall, of every pipeline and split."""
        for (pipeline, split), ranked in self.ranked.items():
            cases = len(self.lesion_cases(split))
            for point in ranked.curve:
                yield {"postprocessing": pipeline, "split": split, **point._asdict(), "cases": cases}

    def lesion_lines(self) -> Iterator[dict[str, object]]:
        """Every lesion, and the level at which each pipeline finds it."""
        for (pipeline, split), lesions in self.lesions.items():
            yield from ({"postprocessing": pipeline, "split": split, **line} for line in lesions.lines())

    def lesion_cases(self, split: Split) -> list[int]:
        """Their numbers among the processed maps."""
        return self.maps.numbers(lambda files: files.split == split and not files.healthy)

    def groups(self, cases: Sequence[int]) -> list[NDArray[np.bool_]]:
        """`(cases,)` each, the cases of every group of patients; none where no threshold needs them."""
        return self.settings.groups([self.maps.cases[number].files.subject_id for number in cases])

    def blanks(self) -> dict[str, Row]:
        """By pipeline the row of what no threshold enters."""
        pipelines = self.settings.pipelines
        return {pipeline.name: evaluation_row(Evaluation(self.cell, pipeline)) for pipeline in pipelines}

    def _keep(self, pipeline: str, truth: GroundTruth, processed: ProcessedMap) -> None:
        """Keep what thresholds and curves need of a lesion case."""
        self.best.setdefault(pipeline, {})[truth.files.case_id] = processed.ranked.best[1]
        self.lesions.setdefault((pipeline, truth.files.split), Lesions()).add(truth, processed.finished)


def rows_of_image(blank: Row, files: CaseFiles, case: Case, reconstruction: NDArray[np.float32] | None) -> list[Row]:
    """Rows of a case under a shift, as the detector sees it: the dose of the shift, and of its reconstruction."""
    values = {"shift_dose": case.shift_dose}
    if reconstruction is not None:
        metrics = [METRICS[name] for name in scored() if METRICS[name].takes == "reconstruction"]
        values |= compare_reconstruction(metrics, case, reconstruction)
    return list(rows_of(blank, files, values))
