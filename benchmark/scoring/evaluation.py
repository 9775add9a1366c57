"""Kept maps to rows: everything is scored here, the same way for all methods, without torch.

Maps go through a `Shelf` on disk: a first pass post-processes and ranks, the thresholds follow, a second pass
decides. Rows are yielded as they are made, so that memory does not grow with the cohort.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from benchmark import metrics
from benchmark.metrics.ground_truth import anatomy_of, decided
from benchmark.scoring.decision_pass import SecondPass
from benchmark.scoring.detection_at_one_fp import one_alarm_rows
from benchmark.scoring.healthy_scans import HealthyScan, look_at
from benchmark.scoring.pooled_search import pooled
from benchmark.scoring.postprocessing.chains import perfect_prediction
from benchmark.scoring.processed_maps import opened_shelf, process
from benchmark.scoring.ranking_pass import FirstPass, Mapped, sizes
from benchmark.scoring.settings import Choices
from benchmark.scoring.size_strata import Strata, lesion_lines
from benchmark.scoring.threshold_choice import choose
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_volume
from benchmark.storage.rows import Row, rows_of, write_lines
from benchmark.study.cells import Cell, Reference
from benchmark.study.chains import CHAINS
from datasets.case import CaseFiles
from datasets.grid import load_case, masks_of


def healthy_scans(
    run: RunFolder, cell: Cell, files: Sequence[CaseFiles], postprocessing: Sequence[str]
) -> dict[str, list[HealthyScan]]:
    """For each chain what thresholds take from the healthy validation cases among `files`."""
    found: dict[str, list[HealthyScan]] = {name: [] for name in postprocessing}
    for _, anatomy, kept in _maps(run, cell, [one for one in files if one.healthy and one.split == "val"]):
        for name, scans in found.items():
            processed = process(kept, anatomy, CHAINS[name])
            scans.append(look_at(processed.plain, processed.scores))
    return found


def lesion_thresholds(
    run: RunFolder, cell: Cell, files: Sequence[CaseFiles], postprocessing: Sequence[str]
) -> dict[str, float]:
    """For each chain the `lesion-val` threshold of a cell; NaN without lesion validation cases among `files`."""
    with opened_shelf(run.cell(cell), postprocessing) as shelf:
        for _, anatomy, kept in _maps(run, cell, [one for one in files if one.split == "val" and not one.healthy]):
            for _ in shelf.add(anatomy, kept):
                pass
        everyone = shelf.numbers(lambda _: True)
        return {name: pooled(shelf.pool(everyone, name)).threshold for name in postprocessing}


def evaluate_cell(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], choices: Choices) -> Iterator[Row]:
    """Every row of one cell; its curves and its numbers by size of the lesion are left in the cell's folder.

    Args:
        files: the cell's mapped cases.
    """
    yield from evaluate_maps(run, cell, _maps(run, cell, files), choices)


def evaluate_maps(run: RunFolder, cell: Cell, maps: Iterable[Mapped], choices: Choices) -> Iterator[Row]:
    """The same for maps from anywhere; they are taken one at a time."""
    strata = Strata()
    with opened_shelf(run.cell(cell), choices.healthy) as shelf:
        first = FirstPass(run, cell, shelf, choices)
        yield from strata.counted(first.case_rows(maps))
        yield from first.pooled_rows()
        second = SecondPass(first, choose(first))
        yield from second.threshold_rows()
        yield from strata.counted(second.decision_rows())
        for name in choices.healthy:
            yield from strata.counted(one_alarm_rows(first, name))
    folder = run.cell(cell)
    write_lines(folder / "pr.csv", first.curve_lines())
    write_lines(folder / "lesions.csv", first.lesion_lines())
    write_lines(folder / "strata.csv", chain(strata.lines(), lesion_lines(first.lesions, second.thresholds)))


def evaluate_reference(
    reference: Reference,
    files: Sequence[CaseFiles],
    postprocessing: Sequence[str],
    wanted: Collection[str] = metrics.SCORED,
) -> Iterator[Row]:
    """What the truth itself scores after each chain, and what the grid's box cuts off of it."""
    blank = Row(
        "perfect-map", reference.cohort.dataset, reference.cohort.sequence, "none", 0.0, None, None,
        "", "", "", "", "", "", np.nan, reference.key, " ".join(reference.flags),
    )  # fmt: skip
    for one in (one for one in files if not one.healthy):
        anatomy = anatomy_of(one, masks_of(one, reference.grid))
        yield from rows_of(blank, one, sizes(anatomy))
        for name in postprocessing:
            left = perfect_prediction(anatomy.truth, anatomy.brain_mask, CHAINS[name], anatomy.voxel_ml)
            values = decided(anatomy.prediction(left[anatomy.brain_mask]), anatomy, wanted)
            yield from rows_of(replace(blank, postprocessing=name), one, values)


def _maps(run: RunFolder, cell: Cell, files: Sequence[CaseFiles]) -> Iterator[Mapped]:
    """With the case where its image is needed, for the reconstruction to be compared with."""
    for one in files:
        compared = cell.shift.is_none and run.reconstruction(cell, one.case_id).exists()
        case = load_case(one, cell.fit.grid) if compared else None
        anatomy = anatomy_of(one, masks_of(one, cell.fit.grid) if case is None else case)
        yield case, anatomy, read_volume(run.anomaly_map(cell, one.case_id))
