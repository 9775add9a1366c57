"""Section of reconstruction: how close reconstructions of healthy scans are to the scans."""

from benchmark.metrics import METRICS
from reports.model.cohort_results import CohortResults
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Column, markdown_table, metric_title


def reconstructions(results: RunResults) -> str:
    tables = {name: closeness_table(cohort) for name, cohort in results.healthy.items()}
    parts = [
        part
        for name, table in tables.items()
        if table
        for part in (results.heading(cohort_title(name), 3), *results.healthy[name].caution_lines, table)
    ]
    told = "Over the brain, intensities in [0, 1]. Close is no merit by itself: a copy of the input has an l1 of 0."
    return "\n\n".join([results.heading("Reconstruction of healthy scans"), told, *parts]) if parts else ""


def closeness_table(cohort: CohortResults) -> str:
    """How close reconstructions are to healthy images, a column a metric; "" where nothing reconstructs."""
    wanted = ("l1", "ssim", "psnr", "wasserstein_1", "histogram_js", "histogram_kl", "histogram_entropy_difference")
    columns = [
        Column(metric_title(name), cohort.numbers(name), METRICS[name].higher_is_better if cohort.rankable else None)
        for name in wanted
        if name in cohort.metrics
    ]
    known = cohort.numbers("l1")
    methods = [method for method in cohort.seeds if known[method].defined]
    return markdown_table(methods, {"Method": cohort.label}, columns) if methods else ""
