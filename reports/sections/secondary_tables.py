"""Tables beside the leaderboards: lesions and surfaces instead of voxels, and how close reconstructions come."""

from dataclasses import replace

from benchmark.metrics import METRICS
from reports.model.cohort_results import Board
from reports.model.numbers import select_chain
from reports.sections.columns import Column, markdown_table
from reports.sections.tables import metric_column, ranked

NEVER_RANKED = ", never ranked"


def lesion_table(board: Board, chain: str, protocol: str) -> str:
    """Lesions and surfaces instead of voxels; "" where none of it is computed."""
    wanted = ("lesion_recall", "lesion_precision", "lesion_f1", "false_alarms", "hd95", "surface_dice", "regret")
    there = set(select_chain(board.rows, chain)["metric"])
    known = [name for name in wanted if name in there]
    columns = [metric_column(board, _titled(name), name, chain, protocol) for name in known]
    whole = [name for name in ("froc", "froc_at_1", "oracle_dice") if name in there]
    columns += [metric_column(board, _titled(name), name, chain) for name in whole]
    columns = [replace(one, higher_is_better=None) if one.title.endswith(NEVER_RANKED) else one for one in columns]
    return markdown_table(ranked(board, chain), {"Method": board.label}, columns) if columns else ""


def _titled(name: str) -> str:
    """With its unit; what has seen the test labels says so."""
    unit = METRICS[name].unit
    return METRICS[name].title + (f" ({unit})" if unit else "") + (NEVER_RANKED if name == "oracle_dice" else "")


def closeness_table(board: Board) -> str:
    """How close reconstructions are to healthy images, a column a metric; "" where nothing reconstructs."""
    wanted = ("l1", "ssim", "psnr", "wasserstein_1", "histogram_js", "histogram_kl", "histogram_entropy_difference")
    there = set(board.rows["metric"])
    columns = [
        Column(_titled(name), board.numbers(name), METRICS[name].higher_is_better if board.testable else None)
        for name in wanted
        if name in there
    ]
    methods = [method for method in board.seeds if "l1" in set(board.of(method)["metric"])]
    return markdown_table(methods, {"Method": board.label}, columns) if methods else ""
