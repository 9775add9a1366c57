"""Lines of `summary.csv`: a panel under a choice, with its mean and, where one is made, its interval."""

from math import exp, nan
from typing import Any

from benchmark.analysis.compare_methods import Comparable
from benchmark.statistics.intervals.mean import Interval, Of, interval, limits
from benchmark.statistics.panel import Choice, Panel, Question
from benchmark.storage.summary_tables import NO_INTERVAL, SummaryLine


def line(
    comparable: Comparable,
    choice: Choice,
    panel: Panel,
    cases: str,
    *,
    question: Question | None = None,
    of: Of = "mean",
    found: Interval | None = None,
) -> SummaryLine:
    """One method's mean under a choice.

    Args:
        cases: "lesion", "healthy" or "".
        question: what an interval is made for; None for none.
        of: whether the panel holds numbers of a method ("mean") or differences ("difference").
        found: an interval that was made otherwise.
    """
    mean = panel.mean
    if question is not None and found is None:
        within = limits(choice.metric, of)
        found = interval(panel.complete, question, of, alpha=comparable.endpoint.alpha, within=within)
    ends = (nan, nan) if found is None else (found.low, found.high)
    low, high = map(exp, ends) if panel.logged else ends
    return SummaryLine(
        **_place(comparable, choice, cases, panel.method),
        shift=choice.shift, severity=choice.severity, question=question or "", method=panel.method,
        endpoint=comparable.endpoint.rank_of(choice), n=mean.n, left_out=mean.left_out, scans=panel.scans,
        seeds=len(mean.by_seed), planned=len(panel.seeds), mean=mean.value, sd=mean.sd,
        lowest_seed=min(mean.by_seed, default=nan), highest_seed=max(mean.by_seed, default=nan),
        low=low, high=high, level=1 - comparable.endpoint.alpha, interval=_interval_text(found),
        coverage=nan if found is None else found.coverage,
    )  # fmt: skip


def single_line(
    comparable: Comparable, choice: Choice, method: str, mean: float, cases: str = "lesion", **more: Any
) -> SummaryLine:
    """A number that is no mean of a panel; `more` are further fields of the line."""
    told = {"n": 0, "seeds": 1, "planned": more.get("seeds", 1), **more}
    return SummaryLine(**_place(comparable, choice, cases, method), method=method, mean=mean, **told)


def _place(comparable: Comparable, choice: Choice, cases: str, method: str) -> dict[str, Any]:
    """The fields that say what a line is of, whatever its number."""
    facts = comparable.facts[choice.dataset]
    return {
        "dataset": choice.dataset, "sequence": facts.sequence, "healthy": comparable.fitted_on(method),
        "grid": facts.grid, "split": choice.split, "cases": cases, "metric": choice.metric,
        "postprocessing": choice.postprocessing, "protocol": choice.protocol,
    }  # fmt: skip


def _interval_text(found: Interval | None) -> str:
    if found is None:
        return NO_INTERVAL
    return f"{NO_INTERVAL}: {found.why_none}" if found.why_none else found.method
