"""Which choice decides, against lists of all choices in the order in which they should."""

from collections.abc import Collection
from itertools import product
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import (
    HEALTHY,
    RANKING_METRIC,
    SHARE,
    deployable_protocols,
    endpoint_choices,
    healthy_choice,
    healthy_protocols,
    pipelines,
    ranking_choice,
    shift_choices,
    subgroup_choices,
    why_unranked,
)
from benchmark.statistics.panel import Choice
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.run_record import Scoring
from benchmark.study.cells import PERFECT_MAP
from benchmark.study.protocols import PROTOCOLS

ENDPOINT = read_endpoint()
PROTOCOLS_OF_RUN = ("oracle", "healthy-alarm-10", "lesion-val-mean", "lesion-val", "healthy-fpr-1", "healthy-fpr-5")
SCORING = Scoring(("none", "paper", "light"), PROTOCOLS_OF_RUN)


def choice(metric: str, pipeline: str, protocol: str) -> Choice:
    return Choice("lgg", metric, pipeline, protocol, "test")


DICE = [
    choice("dice", pipeline, protocol) for pipeline, protocol in product(("none", "paper", "light"), PROTOCOLS_OF_RUN)
]
AREAS = [choice("auprc", pipeline, "") for pipeline in ("none", "paper", "light")]
ALARMS = [choice(metric, "light", protocol) for metric, protocol in product(HEALTHY, PROTOCOLS_OF_RUN)]
FAR = [choice("alarm_fraction_far", pipeline, "healthy-fpr-1") for pipeline in ("paper", "light")]


def comparable(defined: Collection[Choice], scoring: Scoring = SCORING, perfect: float | None = None) -> Comparable:
    """A run in which methods have numbers of these choices alone, and the perfect map this mean."""
    fixed = [choice("dice", "light", protocol) for protocol in ENDPOINT.protocols]
    reference = choice("dice", "light", "")
    panel = SimpleNamespace(mean=SimpleNamespace(value=perfect))
    made = SimpleNamespace(
        endpoint=ENDPOINT,
        scoring=scoring,
        split="test",
        endpoints=lambda _: [one for one in fixed if one in defined],
        grouped=SimpleNamespace(defined=set(defined)),
        reference=SimpleNamespace(
            defined=set() if perfect is None else {reference}, panels=lambda *_: {PERFECT_MAP: panel}
        ),
    )
    return cast(Comparable, made)


def test_tables_are_of_the_endpoints_pipelines_in_their_order_or_of_the_first_that_there_is() -> None:
    assert pipelines(SCORING, ENDPOINT) == ["light", "paper"]
    assert pipelines(Scoring(("paper", "none"), ()), ENDPOINT) == ["paper"]
    assert pipelines(Scoring(("none",), ()), ENDPOINT) == ["none"]


def test_thresholds_that_see_no_test_label_decide_the_endpoints_first() -> None:
    found = deployable_protocols(SCORING, ENDPOINT)
    assert found[:2] == list(ENDPOINT.protocols)
    assert sorted(found) == sorted(name for name in PROTOCOLS_OF_RUN if not PROTOCOLS[name].sees_test_labels)
    assert found[2:] == [name for name in PROTOCOLS_OF_RUN if name in found[2:]]


def test_healthy_scans_are_looked_at_under_healthy_thresholds_the_endpoints_first() -> None:
    found = healthy_protocols(SCORING, ENDPOINT)
    assert found == ["healthy-fpr-1", "healthy-alarm-10", "healthy-fpr-5"]
    assert healthy_protocols(Scoring(("light",), ("lesion-val", "oracle")), ENDPOINT) == []


def best_first() -> list[Choice]:
    """Every choice that may rank a cohort, in the order in which it should."""
    thresholds = ["healthy-fpr-1", "lesion-val", "healthy-alarm-10", "lesion-val-mean", "healthy-fpr-5"]
    dice = [choice("dice", pipeline, protocol) for pipeline, protocol in product(("light", "paper"), thresholds)]
    return [*dice, choice("auprc", "light", ""), choice("auprc", "paper", "")]


def test_a_cohort_is_ranked_by_the_first_choice_that_it_has_numbers_of() -> None:
    rng = np.random.default_rng(0)
    for share in (0.05, 0.2, 0.6):
        for _ in range(60):
            defined = [one for one in (*DICE, *AREAS) if rng.random() < share]
            wanted = next((one for one in best_first() if one in defined), None)
            assert ranking_choice(comparable(defined), "lgg") == wanted


def test_every_choice_with_an_interval_is_given_once_and_has_numbers() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        defined = [one for one in (*DICE, *AREAS, *ALARMS) if rng.random() < 0.4]
        known = comparable(defined)
        found = list(endpoint_choices(known, "lgg"))
        assert len(found) == len(set(found))
        assert set(found) <= set(defined)
        assert {one for one in found if one.metric == RANKING_METRIC} == {*AREAS[1:]} & {*defined}
        both = [one for one in found if (one.metric, one.postprocessing) == ("dice", "light")]
        assert (
            len(both) == 2
            if {*known.endpoints("lgg")} == {choice("dice", "light", p) for p in ENDPOINT.protocols}
            else len(both) <= 1
        )


@pytest.mark.parametrize(("perfect", "ranked"), [(None, True), (0.5, True), (0.499, False), (0.0, False), (0.9, True)])
def test_a_cohort_whose_perfect_map_does_badly_is_not_ranked(perfect: float | None, ranked: bool) -> None:
    said = why_unranked(comparable(DICE, perfect=perfect), "lgg")
    assert (said == "") is ranked
    assert ranked or f"a perfect map has a mean Dice of {perfect:.2f} after light, below 0.5" in said


def test_a_cohort_without_numbers_is_not_ranked_for_no_reason() -> None:
    assert why_unranked(comparable([], perfect=0.1), "lgg") == ""


def test_healthy_scans_are_looked_at_under_the_first_threshold_with_numbers() -> None:
    for hidden in range(4):
        order = ["healthy-fpr-1", "healthy-alarm-10", "healthy-fpr-5"]
        defined = [one for one in ALARMS if one.protocol not in order[:hidden]]
        found = healthy_choice(comparable(defined), "lgg")
        assert found == (None if hidden == 3 else choice("alarm", "light", order[hidden]))


def test_groups_of_people_are_shown_under_what_ranks_and_under_the_area_and_healthy_ones_by_share() -> None:
    first, area, share = choice("dice", "light", "healthy-fpr-1"), AREAS[2], choice(SHARE, "light", "healthy-fpr-1")
    assert list(subgroup_choices(comparable([*DICE, *AREAS, *ALARMS]), "lgg")) == [
        (first, "lesion"), (area, "lesion"), (share, "healthy"),
    ]  # fmt: skip
    assert list(subgroup_choices(comparable(AREAS), "lgg")) == [(area, "lesion")]
    assert list(subgroup_choices(comparable(ALARMS), "lgg")) == [(share, "healthy")]
    assert list(subgroup_choices(comparable([]), "lgg")) == []


def test_a_shift_is_shown_by_the_same_with_all_that_is_said_of_false_positives_once() -> None:
    known = comparable([*DICE, *AREAS, *ALARMS])
    found = list(shift_choices(known, "lgg"))
    assert found[:3] == list(subgroup_choices(known, "lgg"))
    assert found[3] == (FAR[1], "lesion")
    assert sorted(one.metric for one, cases in found if cases == "healthy") == sorted(HEALTHY)
    assert len(found) == len(set(found))
    assert list(shift_choices(comparable(AREAS), "lgg")) == [(AREAS[2], "lesion")]
