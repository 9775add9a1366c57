"""The report's section of scores: what maps made anew of the reconstructions give beside the methods' own."""

from dataclasses import replace

from benchmark.analysis.endpoints import deployable_protocols
from benchmark.metrics import METRICS
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import markdown_table, metric_column

WHY = (
    "Each score makes its anomaly map of the kept scan and reconstruction, in place of the method's own map (`own`), "
    "and each has thresholds of its own, from the same scans. All is exploratory. `n/a`: the method's own map is not "
    "|image - reconstruction|."
)


def anomaly_scores(results: RunResults) -> str:
    """Markdown; "" for a run without scores, or without a cohort that has lesions."""
    scored = results.scores
    if not scored or not results.lesion:
        return ""
    told = "; ".join(f"`{name}`: {what}" for name, what in scored.items())
    protocol = next(iter(deployable_protocols(results.scoring, results.endpoint)), "")
    parts = [results.heading("Anomaly scores"), WHY, f"{told}."]
    for name, cohort in results.lesion.items():
        parts += [results.heading(cohort_title(name), 3), *cohort.caution_lines]
        for pipeline in results.pipelines:
            columns = [
                metric_column(cohort, f"{METRICS[metric].title}, {score or 'own'}", metric, chosen, under)
                for metric, under in ((results.endpoint.metric, protocol), ("auprc", ""))
                for score in ("", *scored)
                if (chosen := f"{score}:{pipeline}" if score else pipeline) in results.scoring.postprocessing
            ]
            threshold = f", threshold `{protocol}`" if protocol else ""
            table = markdown_table(
                cohort.ordered, {"Method": cohort.label}, [replace(one, higher_is_better=None) for one in columns]
            )
            parts += [f"Post-processing `{pipeline}`{threshold}.", table]
    return "\n\n".join(parts)
