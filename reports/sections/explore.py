"""Section to explore: the endpoints' tables, and every other choice for whoever can run a script."""

from math import isnan
from typing import Any

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import SCORED
from reports.content.blocks import Block, Explorer, Paragraph
from reports.figures.charts import CONFIG, FOREST_LINES, forest_chart
from reports.model.cohort_results import CohortResults
from reports.model.ranking import ranking_under
from reports.model.run_results import RunResults
from reports.sections.cohort_tables import LEGEND, endpoint_table
from reports.sections.columns import metric_title
from reports.sections.verdict import in_rank_order

DIGITS = 4
OWN_SCORE = "the method's own"


def explore(results: RunResults) -> list[Block]:
    """A table for each cohort at its endpoints; of cohorts with too few patients only where there is no other."""
    names = [name for name in in_rank_order(results) if name in results.testable]
    if not names:
        return []
    content = {
        "cohorts": [_cohort(results, name) for name in names],
        "chart": {"config": CONFIG, **forest_chart([], "")},
        "drawn": FOREST_LINES,
    }
    tables = [endpoint_table(results, name) for name in names]
    return [Explorer(content, [*tables, Paragraph(LEGEND)])]


def _cohort(results: RunResults, name: str) -> dict[str, Any]:
    """Every choice of a cohort with the number of each method, intervals and ranks where they were made."""
    cohort = results.lesion[name]
    methods = [str(method) for method in cohort.ordered if method in cohort.seeds]
    return {
        "name": name,
        "methods": [
            {
                "name": method,
                "label": str(cohort.label(method)),
                "baseline": method in cohort.simple_baselines,
                "labelled": method in cohort.labelled,
                "seeds": cohort.seeds[method],
            }
            for method in methods
        ],
        "choices": [_choice(results, name, cohort, methods, choice) for choice in cohort.choices],
    }


def _choice(
    results: RunResults, name: str, cohort: CohortResults, methods: list[str], choice: tuple[str, str, str]
) -> dict[str, Any]:
    metric, whole, protocol = choice
    score, _, pipeline = whole.rpartition(SCORED)
    numbers = cohort.numbers(metric, whole, protocol)
    ranking = ranking_under(results, name, metric, whole, protocol)
    known = metric in METRICS
    made: dict[str, Any] = {
        "metric": metric_title(metric) if known else metric,
        "unit": METRICS[metric].unit if known else "",
        "higher": METRICS[metric].higher_is_better if known else None,
        "score": score or OWN_SCORE,
        "pipeline": pipeline,
        "protocol": protocol,
        "values": [_rounded(numbers[method].value) for method in methods],
    }
    if max(results.whole.seeds.values()) > 1:
        for end in ("lowest", "highest"):
            made[end] = [_rounded(getattr(numbers[method], f"{end}_seed")) for method in methods]
    if ranking is not None:
        ends = [ranking.interval(method) if method in ranking.methods else (float("nan"),) * 3 for method in methods]
        made["low"], made["high"] = ([_rounded(float(one[place])) for one in ends] for place in (0, 1))
        made["ranks"] = [ranking.rank_text(method) for method in methods]
        made["stamp"] = str(ranking.first["endpoint"])
    return made


def _rounded(value: float) -> float | None:
    return None if isnan(value) else float(f"{value:.{DIGITS}g}")
