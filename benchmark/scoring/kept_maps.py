"""kept_maps: each case's anomaly map as it is kept, and the maps that scores make of its kept reconstruction."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.metrics.ground_truth import ground_truth_of
from benchmark.postprocessing.scores import ReconstructedScan, is_residual
from benchmark.scoring.processed_maps import OWN, Maps
from benchmark.scoring.ranking_pass import Mapped
from benchmark.scoring.settings import Settings
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_map, read_reconstruction
from benchmark.storage.run_record import has_volume
from benchmark.study.cells import Cell
from datasets.case import Case, CaseFiles
from datasets.errors import BadFile
from datasets.loading import load_case, masks_of


def kept_maps(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], settings: Settings) -> Iterator[Mapped]:
    """With the case where its image is needed, for the reconstruction to be compared with.

    Raises:
        BadFile: a map is not there or damaged; or a reconstruction, where a score needs it.
    """
    for one in files:
        compared = cell.shift.is_none and has_volume(run, cell, run.reconstruction(cell, one.case_id))
        case = load_case(one, cell.fit.grid) if compared else None
        truth = ground_truth_of(one, masks_of(one, cell.fit.grid) if case is None else case)
        maps: Maps = {OWN: read_map(run, cell, one.case_id)}
        if settings.scores:
            scan = replace(_scan(run, cell, one, case), healthy=settings.residuals, magnitude=maps[OWN])
            maps = {**maps, **{score.name: score(scan) for score in settings.scores}}
        yield case, truth, maps


def maps_are_residuals(run: RunFolder, cell: Cell, files: CaseFiles) -> bool:
    """Whether the map of a case is |image - reconstruction|, so that scores can be made in its place.

    Methods without a reconstruction have no residual; others smooth theirs, or map something else.
    """
    if not has_volume(run, cell, run.reconstruction(cell, files.case_id)):
        return False
    return is_residual(read_map(run, cell, files.case_id), _scan(run, cell, files))


def _scan(run: RunFolder, cell: Cell, files: CaseFiles, case: Case | None = None) -> ReconstructedScan:
    """A case under the cell's shift, with its kept reconstruction; `case` where that is at hand."""
    if case is None:
        case = load_case(files, cell.fit.grid, cell.shift)
    reconstruction = read_reconstruction(run, cell, files.case_id)
    if reconstruction is None:
        raise BadFile(f"{run.reconstruction(cell, files.case_id)}: got no reconstruction, expected one for a score.")
    return ReconstructedScan(case.image[0], reconstruction, case.brain_mask)
