"""Section of reconstruction: how close reconstructions of healthy scans are to the scans."""

from benchmark.metrics import METRICS
from reports.model.cohort_results import Board
from reports.model.run_results import Findings, cohort_title
from reports.sections.columns import Column, markdown_table, metric_title


def reconstructions(findings: Findings) -> str:
    tables = {name: closeness_table(board) for name, board in findings.healthy.items()}
    parts = [
        part
        for name, table in tables.items()
        if table
        for part in (findings.heading(cohort_title(name), 3), *findings.healthy[name].caution_lines, table)
    ]
    told = "Over the brain, intensities in [0, 1]. Close is no merit by itself: a copy of the input has an l1 of 0."
    return "\n\n".join([findings.heading("Reconstruction of healthy scans"), told, *parts]) if parts else ""


def closeness_table(board: Board) -> str:
    """How close reconstructions are to healthy images, a column a metric; "" where nothing reconstructs."""
    wanted = ("l1", "ssim", "psnr", "wasserstein_1", "histogram_js", "histogram_kl", "histogram_entropy_difference")
    there = set(board.rows["metric"])
    columns = [
        Column(metric_title(name), board.numbers(name), METRICS[name].higher_is_better if board.testable else None)
        for name in wanted
        if name in there
    ]
    methods = [method for method in board.seeds if "l1" in set(board.of(method)["metric"])]
    return markdown_table(methods, {"Method": board.label}, columns) if methods else ""
