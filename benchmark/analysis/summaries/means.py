"""Means without an interval: every metric, pipeline and threshold, by lesion size too, and pooled metrics."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import nan

from benchmark.analysis.compare_methods import REFERENCE_SEEDS, Comparable
from benchmark.analysis.summaries.lines import line
from benchmark.metrics.lesionwise import STRATA
from benchmark.postprocessing.pipelines import unscored
from benchmark.statistics.panel import Choice, Rows
from benchmark.storage.summary_tables import SummaryLine
from benchmark.study.cells import NOT_AVAILABLE
from benchmark.study.protocols import protocol_named

QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}
SKEWED = ("alarm_fraction",)
"""Metrics whose quartiles are given too."""
UNSEEN = ("lesion_outside_grid_ml", "lesion_lost_ml")
"""Metrics of which the most is told, and the share of the patients who have any."""
RECONSTRUCTION = ("l1", "l1_ratio")
"""Metrics that are undefined, not missing, for a method that reconstructs nothing."""
Seeds = Mapping[str, Sequence[int]]


def mean_lines(comparable: Comparable, known: Collection[SummaryLine]) -> Iterator[SummaryLine]:
    """Of unshifted scans, under every choice that is not among the `known` lines."""
    told = {(*_place(one), one.method) for one in known}
    lines = list[SummaryLine]()
    for dataset in comparable.seeds:
        lines += _of_dataset(comparable, comparable.grouped, dataset, comparable.all_seeds(dataset))
        lines += _of_dataset(comparable, comparable.reference, dataset, REFERENCE_SEEDS)
    yield from (one for one in lines if one.kind != "mean" or (*_place(one), one.method) not in told)
    yield from _undefined(comparable, lines)


def stratum_lines(comparable: Comparable, choices: Iterable[Choice]) -> Iterator[SummaryLine]:
    """Means over the patients whose scans hold so much lesion, under each of the choices."""
    for choice in choices:
        volumes, seeds = comparable.lesion_ml(choice.dataset), comparable.all_seeds(choice.dataset)
        for stratum, (low, high) in STRATA.items():
            cases = volumes.index[(volumes >= low) & (volumes < high)]
            if comparable.grouped.of(choice, cases).empty:
                continue
            for panel in comparable.grouped.panels(choice, seeds, cases).values():
                if not panel.is_empty:
                    yield replace(line(comparable, choice, panel, "lesion"), stratum=stratum)


def _of_dataset(comparable: Comparable, rows: Rows, dataset: str, seeds: Seeds) -> Iterator[SummaryLine]:
    for choice in rows.choices:
        if (choice.dataset, choice.shift, choice.split) == (dataset, "none", comparable.split):
            yield from _of_cases(comparable, rows, choice, seeds)
    for choice in rows.cohort_choices:
        if (choice.dataset, choice.shift) == (dataset, "none") and choice.split in ("", comparable.split):
            placed = replace(choice, split=comparable.split)
            named = rows.methods_of_cohort(choice)
            for method, panel in rows.cohort_panels(choice, seeds).items():
                if method in named:
                    yield replace(line(comparable, placed, panel, ""), kind="cohort", scans=0)


def _of_cases(comparable: Comparable, rows: Rows, choice: Choice, seeds: Seeds) -> Iterator[SummaryLine]:
    """Of the cases with lesion and of the healthy ones, where a cohort has both."""
    own, with_lesion = rows.case_ids(choice), comparable.lesion_cases[choice.dataset]
    for cases, part in (("lesion", own & with_lesion), ("healthy", own - with_lesion)):
        if not part:
            continue
        named = rows.methods(choice, part)
        found = rows.panels(choice, seeds, part)
        for method, panel in found.items():
            if method not in named:
                continue
            one = line(comparable, choice, panel, cases)
            yield one
            told = {kind: panel.quantile(level) for kind, level in QUARTILES.items() if choice.metric in SKEWED}
            if choice.metric in UNSEEN:
                told = {"maximum": panel.quantile(1.0), "share": panel.share_above_0}
            for kind, value in told.items():
                yield replace(one, kind=kind, mean=value, sd=nan, lowest_seed=nan, highest_seed=nan)


def _undefined(comparable: Comparable, lines: Sequence[SummaryLine]) -> Iterator[SummaryLine]:
    """Lines without a number, of methods that have no threshold, no score or no reconstruction: no row can say so."""
    told = {(one.dataset, one.cases, one.method, one.metric, one.postprocessing, one.protocol) for one in lines}
    of_cases = [one for one in lines if one.cases and one.kind == "mean"]
    blank = {(one.dataset, one.cases, one.method): one for one in of_cases}
    thresholded = {cases: {one.metric for one in of_cases if one.cases == cases and one.protocol} or {first}
                   for cases, first in (("lesion", "dice"), ("healthy", "alarm"))}  # fmt: skip
    rescored = [one for one in of_cases if unscored(one.postprocessing) != one.postprocessing]
    without = [one for one in lines if one.metric == "threshold" and not one.n]
    for (dataset, cases, method), example in blank.items():
        pairs = [
            (one.postprocessing, one.protocol) for one in without if (one.dataset, one.method) == (dataset, method)
        ]
        missing = [(metric, *pair) for pair in pairs for metric in sorted(thresholded[cases])]
        missing += [(metric, "", "") for metric in RECONSTRUCTION if any(one.metric == metric for one in of_cases)]
        of_others = [one for one in rescored if (one.dataset, one.cases) == (dataset, cases)]
        if method not in {one.method for one in of_others}:
            missing += dict.fromkeys((one.metric, one.postprocessing, one.protocol) for one in of_others)
        for metric, pipeline, protocol in missing:
            if (dataset, cases, method, metric, pipeline, protocol) not in told:
                yield replace(
                    example, metric=metric, postprocessing=pipeline, protocol=protocol, endpoint="exploratory", order=0,
                    n=0, left_out=example.n + example.left_out, mean=nan, sd=nan, lowest_seed=nan, highest_seed=nan,
                    unavailable=_why_unavailable(comparable, method, protocol),
                )  # fmt: skip


def _why_unavailable(comparable: Comparable, method: str, protocol: str) -> str:
    of_healthy = protocol != "" and protocol_named(protocol).needs_healthy
    return NOT_AVAILABLE if of_healthy and not comparable.healthy[method] else ""


def _place(one: SummaryLine) -> tuple[str, ...]:
    return (one.dataset, one.cases, one.metric, one.postprocessing, one.protocol)
