"""kept_maps: each case's anomaly map as it is kept, and the maps that scores make of its kept reconstruction."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.metrics.ground_truth import ground_truth_of
from benchmark.postprocessing.scores import ReconstructedScan, is_residual
from benchmark.scoring.processed_maps import OWN, Maps
from benchmark.scoring.ranking_pass import Mapped
from benchmark.scoring.settings import Settings
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_volume
from benchmark.study.cells import Cell
from datasets.case import Case, CaseFiles
from datasets.loading import load_case, masks_of


def kept_maps(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], settings: Settings) -> Iterator[Mapped]:
    """With the case where its image is needed, for the reconstruction to be compared with.

    Raises:
        BadFile: a map is not there or damaged; or a reconstruction, where a score needs it.
    """
    for one in files:
        compared = cell.shift.is_none and run.reconstruction(cell, one.case_id).exists()
        case = load_case(one, cell.fit.grid) if compared else None
        truth = ground_truth_of(one, masks_of(one, cell.fit.grid) if case is None else case)
        maps: Maps = {OWN: read_volume(run.anomaly_map(cell, one.case_id))}
        if settings.scores:
            scan = replace(_scan(run, cell, one, case), healthy=settings.residuals, magnitude=maps[OWN])
            maps = {**maps, **{score.name: score(scan) for score in settings.scores}}
        yield case, truth, maps


def maps_are_residuals(run: RunFolder, cell: Cell, files: CaseFiles) -> bool:
    """Whether the map of a case is |image - reconstruction|, so that scores can be made in its place.

    Methods without a reconstruction have no residual; others smooth theirs, or map something else.
    """
    if not run.reconstruction(cell, files.case_id).is_file():
        return False
    return is_residual(read_volume(run.anomaly_map(cell, files.case_id)), _scan(run, cell, files))


def _scan(run: RunFolder, cell: Cell, files: CaseFiles, case: Case | None = None) -> ReconstructedScan:
    """A case under the cell's shift, with its kept reconstruction; `case` where that is at hand."""
    if case is None:
        case = load_case(files, cell.fit.grid, cell.shift)
    return ReconstructedScan(case.image[0], read_volume(run.reconstruction(cell, files.case_id)), case.brain_mask)
