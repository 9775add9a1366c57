"""Section of reconstruction: how close reconstructions of healthy scans are to the scans."""

from reports.content.blocks import Block
from reports.content.table import Table
from reports.content.text import prose
from reports.model.cohort_results import CohortResults
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import measured, metric_measure, metric_title

WANTED = ("l1", "ssim", "psnr", "wasserstein_1", "histogram_js", "histogram_kl", "histogram_entropy_difference")
TOLD = "Over the brain, intensities in [0, 1]. Close is no merit by itself: a copy of the input has an l1 of 0."


def reconstructions(results: RunResults) -> list[Block]:
    tables = [closeness_table(name, cohort) for name, cohort in results.healthy.items()]
    there = [table for table in tables if table]
    return [results.heading("Reconstruction of healthy scans"), *there] if there else []


def closeness_table(name: str, cohort: CohortResults) -> Table:
    """How close reconstructions are to healthy images, a column a metric; no row where nothing reconstructs."""
    measures = [metric_measure(cohort, metric_title(one), one) for one in WANTED if one in cohort.metrics]
    known = cohort.numbers("l1")
    methods = [method for method in cohort.seeds if known[method].defined]
    caption = prose("{}. {} {}", cohort_title(name), TOLD, cohort.caution)
    return measured(f"{name}-reconstruction", caption, methods, {"Method": cohort.label}, measures)
