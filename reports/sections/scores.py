"""Section of scores: what maps made anew of the reconstructions give beside the methods' own."""

from benchmark.analysis.endpoints import deployable_protocols
from benchmark.metrics import METRICS
from reports.content.blocks import Block, Paragraph
from reports.content.table import Table
from reports.content.text import joined, prose
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import measured, metric_measure

EXPLAINED = (
    "Each score makes its anomaly map of the kept scan and reconstruction, in place of the method's own map (own), and "
    "each has thresholds of its own, from the same scans. n/a: the method's own map is not |image - reconstruction|."
)


def anomaly_scores(results: RunResults) -> list[Block]:
    """A table a lesion cohort and pipeline; [] for a run without scores, or without a cohort that has lesions."""
    if not results.scores or not results.lesion:
        return []
    told = joined([prose("`{}`: {}.", name, what) for name, what in results.scores.items()])
    tables = [score_table(results, name, pipeline) for name in results.lesion for pipeline in results.pipelines]
    return [results.heading("Anomaly scores"), Paragraph(EXPLAINED), Paragraph(told), *tables]


def score_table(results: RunResults, name: str, pipeline: str) -> Table:
    """A line a method; the endpoints' metric at the first threshold that can be deployed, then AUPRC, by score."""
    cohort, protocol = results.lesion[name], next(iter(deployable_protocols(results.scoring, results.endpoint)), "")
    measures = [
        metric_measure(cohort, f"{METRICS[metric].title}, {score or 'own'}", metric, chosen, under, marked=False)
        for metric, under in ((results.endpoint.metric, protocol), ("auprc", ""))
        for score in ("", *results.scores)
        if (chosen := f"{score}:{pipeline}" if score else pipeline) in results.scoring.postprocessing
    ]
    threshold = prose(", threshold `{}`", protocol) if protocol else ""
    caption = prose("{}: post-processing `{}`{}. {}", cohort_title(name), pipeline, threshold, cohort.caution)
    return measured(f"{name}-scores-{pipeline}", caption, cohort.ordered, {"Method": cohort.label}, measures)
