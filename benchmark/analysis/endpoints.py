"""Endpoints of a run: which choice ranks each cohort's methods, and which others are given intervals.

Nothing else decides which post-processing and threshold stand first: reports, leaderboards and the command line read it
from `summary.csv`, where this module has put it (column `order`).
"""

from collections.abc import Iterator
from dataclasses import replace

from benchmark.analysis.compare_methods import REFERENCE_SEEDS, Comparable
from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.statistics.panel import Choice
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.storage.run_record import Scoring
from benchmark.study.cells import PERFECT_MAP
from benchmark.study.protocols import protocol_named

RANKING_METRIC = "auprc"
"""What the other endpoints are of: it needs no threshold."""
FAR_FALSE_POSITIVES = "alarm_fraction_far"
SHARE = "alarm_fraction"
HEALTHY = ("alarm", "alarms", "alarm_ml", SHARE)
"""False positives on healthy scans that are given intervals."""


def pipelines(scoring: Scoring, endpoint: Endpoint) -> list[str]:
    """The pipelines that tables are of: the endpoint's, then those of plugins; of a run without any its first.

    What comes after a score is exploratory, and has means alone.
    """
    kept = scoring.postprocessing
    known = [name for name in endpoint.pipelines if name in kept]
    own = {name: pipeline_named(name) for name in kept}
    return [*known, *(name for name, one in own.items() if one.origin and one.score is None)] or [kept[0]]


def deployable_protocols(scoring: Scoring, endpoint: Endpoint) -> list[str]:
    """The run's thresholds that have seen no test label, in the order in which they decide."""
    kept = [name for name in scoring.protocols if not protocol_named(name).sees_test_labels]
    return list(dict.fromkeys([*(name for name in endpoint.protocols if name in kept), *kept]))


def healthy_protocols(scoring: Scoring, endpoint: Endpoint) -> list[str]:
    """The run's thresholds that are taken from healthy scans, in the order in which healthy scans are looked at."""
    kept = [name for name in scoring.protocols if protocol_named(name).needs_healthy]
    return sorted(kept, key=lambda name: name != endpoint.healthy_protocol)


def ranking_choice(comparable: Comparable, dataset: str) -> Choice | None:
    """The first of the endpoints that a cohort has numbers of, which its methods are ranked by; None without any.

    It is the release's first endpoint, or the second, or the same metric under the next threshold and pipeline, or
    AUPRC where no threshold could be deployed.
    """
    return next(endpoint_choices(comparable, dataset), None)


def endpoint_choices(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """What is given intervals and ranks, the choice that ranks first at the head.

    The release's endpoints, then their metric after each further pipeline, AUPRC after each, and metrics of plugins.
    """
    fixed = comparable.endpoints(dataset)
    yield from fixed
    known = {choice.postprocessing for choice in fixed}
    further = _thresholded(comparable, dataset, comparable.endpoint.metric)
    yield from (choice for choice in further if choice.postprocessing not in known)
    for pipeline in pipelines(comparable.scoring, comparable.endpoint):
        choice = Choice(dataset, RANKING_METRIC, pipeline, "", comparable.split)
        if _has_numbers(comparable, choice):
            yield choice
    for metric in (METRICS[name] for name in comparable.scoring.metrics):
        if metric.origin and metric.per == "case":
            yield from _thresholded(comparable, dataset, metric.name)


def why_unranked(comparable: Comparable, dataset: str) -> str:
    """Why a cohort's methods are shown without ranks: a perfect map would not do well; "" where they are ranked."""
    first, endpoint = ranking_choice(comparable, dataset), comparable.endpoint
    if first is None:
        return ""
    perfect = Choice(dataset, endpoint.metric, first.postprocessing, "", comparable.split)
    if perfect not in comparable.reference.defined:
        return ""
    mean = comparable.reference.panels(perfect, REFERENCE_SEEDS)[PERFECT_MAP].mean.value
    if not mean < endpoint.lowest_perfect_map:
        return ""
    return (
        f"on this grid a perfect map has a mean {METRICS[endpoint.metric].title} of {mean:.2f} after "
        f"{first.postprocessing}, below {endpoint.lowest_perfect_map:g}"
    )


def healthy_choice(comparable: Comparable, dataset: str) -> Choice | None:
    """Healthy scans with any false positive, at a threshold that is taken from healthy scans; None without one."""
    scoring, endpoint = comparable.scoring, comparable.endpoint
    for protocol in healthy_protocols(scoring, endpoint):
        choice = Choice(dataset, HEALTHY[0], pipelines(scoring, endpoint)[0], protocol, comparable.split)
        if _has_numbers(comparable, choice):
            return choice
    return None


def subgroup_choices(comparable: Comparable, dataset: str) -> Iterator[tuple[Choice, str]]:
    """What is given by groups of people, and by doses with an interval; each with the cases that it is of."""
    choice, healthy = ranking_choice(comparable, dataset), healthy_choice(comparable, dataset)
    if choice is not None:
        yield choice, "lesion"
        if choice.metric != RANKING_METRIC:
            yield replace(choice, metric=RANKING_METRIC, protocol=""), "lesion"
    if healthy is not None:
        yield replace(healthy, metric=SHARE), "healthy"


def shift_choices(comparable: Comparable, dataset: str) -> Iterator[tuple[Choice, str]]:
    """What is given for each level of a shift."""
    yield from subgroup_choices(comparable, dataset)
    choice, healthy = ranking_choice(comparable, dataset), healthy_choice(comparable, dataset)
    if choice is not None and choice.protocol:
        yield replace(choice, metric=FAR_FALSE_POSITIVES), "lesion"
    if healthy is not None:
        yield from ((replace(healthy, metric=metric), "healthy") for metric in HEALTHY if metric != SHARE)


def _thresholded(comparable: Comparable, dataset: str, metric: str) -> Iterator[Choice]:
    """A metric after each pipeline, under the first threshold that it has numbers of, or without any."""
    scoring, endpoint = comparable.scoring, comparable.endpoint
    for pipeline in pipelines(scoring, endpoint):
        for protocol in (*deployable_protocols(scoring, endpoint), ""):
            choice = Choice(dataset, metric, pipeline, protocol, comparable.split)
            if _has_numbers(comparable, choice):
                yield choice
                break


def _has_numbers(comparable: Comparable, choice: Choice) -> bool:
    """Whether any method has a defined number of it."""
    return choice in comparable.grouped.defined
