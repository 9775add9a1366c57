"""Endpoints of a run: which choice ranks each cohort's methods, and which others are given intervals.

Nothing else decides which post-processing and threshold stand first: reports, leaderboards and the command line read it
from `summary.csv`, where this module has put it (column `order`).
"""

from collections.abc import Iterator
from dataclasses import replace

from benchmark.analysis.compare_methods import Comparable
from benchmark.statistics.panel import Choice
from benchmark.storage.run_record import kept_scoring
from benchmark.study.protocols import protocol_named

RANKING_METRIC = "auprc"
"""What the other endpoints are of: it needs no threshold."""
FAR_FALSE_POSITIVES = "alarm_fraction_far"
SHARE = "alarm_fraction"
HEALTHY = ("alarm", "alarms", "alarm_ml", SHARE)
"""False positives on healthy scans that are given intervals."""


def pipelines(comparable: Comparable) -> list[str]:
    """The pipelines that tables are of, the endpoint's first; of a run without any of them its first."""
    kept = kept_scoring(comparable.run).postprocessing
    return [name for name in comparable.endpoint.pipelines if name in kept] or [kept[0]]


def ranking_choice(comparable: Comparable, dataset: str) -> Choice | None:
    """The primary endpoint, or where a cohort has no number of it the next threshold and pipeline that it has.

    None where no method has a number of the endpoint's metric under a threshold that could be deployed.
    """
    return next(_thresholded(comparable, dataset), None)


def endpoint_choices(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """The choice that ranks first, the same after each other pipeline, and AUPRC after each."""
    yield from _thresholded(comparable, dataset)
    for pipeline in pipelines(comparable):
        choice = Choice(dataset, RANKING_METRIC, pipeline, "", comparable.split)
        if _has_numbers(comparable, choice):
            yield choice


def healthy_choice(comparable: Comparable, dataset: str) -> Choice | None:
    """Healthy scans with any false positive, at a threshold that is taken from healthy scans; None without one."""
    kept = [name for name in kept_scoring(comparable.run).protocols if protocol_named(name).uses == "healthy-val"]
    for protocol in sorted(kept, key=lambda name: name != comparable.endpoint.healthy_protocol):
        choice = Choice(dataset, HEALTHY[0], pipelines(comparable)[0], protocol, comparable.split)
        if _has_numbers(comparable, choice):
            return choice
    return None


def subgroup_choices(comparable: Comparable, dataset: str) -> Iterator[tuple[Choice, str]]:
    """What is given by groups of people, and by doses with an interval; each with the cases that it is of."""
    choice, healthy = ranking_choice(comparable, dataset), healthy_choice(comparable, dataset)
    if choice is not None:
        yield choice, "lesion"
        yield replace(choice, metric=RANKING_METRIC, protocol=""), "lesion"
    if healthy is not None:
        yield replace(healthy, metric=SHARE), "healthy"


def shift_choices(comparable: Comparable, dataset: str) -> Iterator[tuple[Choice, str]]:
    """What is given for each level of a shift."""
    yield from subgroup_choices(comparable, dataset)
    choice, healthy = ranking_choice(comparable, dataset), healthy_choice(comparable, dataset)
    if choice is not None:
        yield replace(choice, metric=FAR_FALSE_POSITIVES), "lesion"
    if healthy is not None:
        yield from ((replace(healthy, metric=metric), "healthy") for metric in HEALTHY if metric != SHARE)


def _thresholded(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """The endpoint's metric after each pipeline, under the first threshold that it has numbers of."""
    kept = [name for name in kept_scoring(comparable.run).protocols if not protocol_named(name).sees_test_labels]
    wanted = [name for name in comparable.endpoint.protocols if name in kept]
    for pipeline in pipelines(comparable):
        for protocol in dict.fromkeys([*wanted, *kept]):
            choice = Choice(dataset, comparable.endpoint.metric, pipeline, protocol, comparable.split)
            if _has_numbers(comparable, choice):
                yield choice
                break


def _has_numbers(comparable: Comparable, choice: Choice) -> bool:
    """Whether any method has a defined number of it."""
    return choice in comparable.grouped.defined
