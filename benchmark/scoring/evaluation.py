"""Kept maps to rows: everything is scored here, the same way for all methods, without torch.

Maps go through `ProcessedMaps` on disk: the ranking pass post-processes and ranks, the thresholds follow, the decision
pass applies them. Rows are yielded as they are made, so that memory does not grow with the cohort.
"""

from collections.abc import Iterable, Iterator, Sequence

from benchmark.metrics.ground_truth import ground_truth_of
from benchmark.metrics.metric import Decision, compute
from benchmark.scoring.decision_pass import DecisionPass
from benchmark.scoring.detection_at_one_fp import one_alarm_rows
from benchmark.scoring.kept_maps import kept_maps
from benchmark.scoring.lesion_tables import lesion_size_lines
from benchmark.scoring.pooled_search import rank_pool
from benchmark.scoring.processed_maps import map_for, process, processed_maps
from benchmark.scoring.ranking_pass import Mapped, RankingPass
from benchmark.scoring.settings import HealthyScans, Settings
from benchmark.scoring.threshold_choice import choose_thresholds
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import Row, evaluation_row, reference_row, rows_of, stamped, write_lines
from benchmark.study.cells import Cell, Evaluation, Reference
from datasets.case import CaseFiles
from datasets.loading import masks_of
from datasets.progress import watched


def healthy_scans(
    run: RunFolder, cells: Iterable[tuple[Cell, Sequence[CaseFiles]]], settings: Settings
) -> HealthyScans:
    """What the protocols take from the healthy validation cases of cells, each with the cases that it has mapped.

    Raises:
        ValueError: a scan without brain voxels.
    """
    protocols = {one.name: one.of_scan for one in settings.protocols if one.of_scan is not None}
    found: dict[str, dict[str, list[float]]] = {
        pipeline.name: {name: [] for name in protocols} for pipeline in settings.pipelines
    }
    scans = (
        scan
        for cell, files in (cells if protocols else ())
        for scan in kept_maps(run, cell, [one for one in files if one.healthy and one.split == "val"], settings)
    )
    for _, truth, maps in scans:
        if not truth.lesion.size:
            raise ValueError(f"{truth.files.case_id}: got a scan without brain voxels to score, expected at least one.")
        for pipeline in settings.pipelines:
            processed = process(map_for(pipeline, maps), truth, pipeline)
            for name, of_scan in protocols.items():
                found[pipeline.name][name].append(float(of_scan(processed.filtered, processed.finished)))
    return found


def lesion_thresholds(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], settings: Settings) -> dict[str, float]:
    """By pipeline the threshold of a cell's lesion validation cases among `files`; NaN without any."""
    with processed_maps(run.cell(cell), settings.pipelines) as maps:
        cases = [one for one in files if one.split == "val" and not one.healthy]
        for _, truth, of_case in kept_maps(run, cell, cases, settings):
            for _ in maps.add(truth, of_case):
                pass
        everyone = range(len(maps.cases))
        return {one.name: rank_pool(maps.pool(everyone, one.name)).threshold for one in settings.pipelines}


def evaluate_cell(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], settings: Settings) -> Iterator[Row]:
    """Every row of one cell; its curves and its lesion recall by size are left in the cell's folder.

    Args:
        files: the cell's mapped cases.
    """
    maps = watched(kept_maps(run, cell, files, settings), "  scoring maps", len(files))
    yield from evaluate_maps(run, cell, maps, settings)


def evaluate_maps(run: RunFolder, cell: Cell, maps: Iterable[Mapped], settings: Settings) -> Iterator[Row]:
    """The same for maps from anywhere; they are taken one at a time."""
    with processed_maps(run.cell(cell), settings.pipelines) as processed:
        ranking = RankingPass(run, cell, processed, settings)
        yield from stamped(ranking.case_rows(maps))
        yield from stamped(ranking.pooled_rows())
        decisions = DecisionPass(ranking, choose_thresholds(ranking))
        yield from stamped(decisions.threshold_rows())
        yield from stamped(decisions.decision_rows())
        for pipeline in settings.pipelines:
            yield from stamped(one_alarm_rows(ranking, pipeline))
    folder = run.cell(cell)
    write_lines(folder / "pr.csv", ranking.curve_lines())
    write_lines(folder / "lesions.csv", ranking.lesion_lines())
    write_lines(folder / "strata.csv", lesion_size_lines(ranking.lesions, decisions.thresholds))


def evaluate_reference(reference: Reference, files: Sequence[CaseFiles], settings: Settings) -> Iterator[Row]:
    """What the ground truth itself scores after each pipeline, and what the grid cuts off and loses of it."""
    facts, metrics = settings.metrics_of("ground truth"), settings.metrics_of("prediction")
    for one in (one for one in files if not one.healthy):
        truth = ground_truth_of(one, masks_of(one, reference.grid))
        yield from stamped(rows_of(reference_row(reference), one, compute(facts, truth, truth.kinds)))
        for pipeline in settings.pipelines:
            left = pipeline.perfect(truth.mask, truth.brain_mask, truth.spacing)
            decision = Decision(truth, truth.prediction(left[truth.scored_mask]))
            values = compute(metrics, decision, truth.kinds)
            yield from stamped(rows_of(evaluation_row(Evaluation(reference, pipeline)), one, values))
