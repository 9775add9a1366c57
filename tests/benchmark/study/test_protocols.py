"""Protocols choose thresholds from what they may look at, by hand-made evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark.metrics.masks import above
from benchmark.metrics.ranking import Ranking
from benchmark.statistics.conformal import scans_needed
from benchmark.study.protocols import PROTOCOLS, USES, Threshold, protocol_named
from datasets.errors import UnknownName


@dataclass(frozen=True)
class Scans:
    """Evidence of healthy scans alone."""

    scans: Sequence[float]

    def rankings(self) -> Iterator[Ranking]:
        return iter(())

    def best_pooled(self) -> float:
        return nan

    def best_mean(self) -> float:
        return nan

    def best_of_each(self) -> Threshold:
        return nan

    def best_of_others(self) -> Threshold:
        return nan

    def transferred(self) -> float:
        return nan


def chosen(name: str, scans: Sequence[NDArray[np.floating]]) -> Threshold:
    """What a protocol chooses from healthy scans whose scores no component is removed from."""
    protocol = protocol_named(name)
    assert protocol.of_scan is not None
    return protocol.choose(Scans([protocol.of_scan(scan, scan) for scan in scans]))


def test_the_healthy_threshold_is_the_mean_of_the_scans_quantiles() -> None:
    """101 scores 0, 0.01, ... 1 have their 95 % quantile at 0.95; half as high ones at 0.475."""
    scan = np.arange(101) / 100
    assert chosen("healthy-fpr-5", [scan, scan / 2]) == pytest.approx((0.95 + 0.475) / 2)
    assert chosen("healthy-fpr-5", [scan]) == pytest.approx(0.95)
    assert isnan(float(chosen("healthy-fpr-5", [])))  # type: ignore[arg-type]


def test_the_healthy_threshold_weighs_scans_alike_whatever_their_size() -> None:
    small, large = np.zeros(10), np.ones(10_000)
    assert chosen("healthy-fpr-5", [small, large]) == 0.5


@pytest.mark.parametrize(
    ("name", "rate"), [("healthy-fpr-5", 0.05), ("healthy-fpr-1", 0.01), ("healthy-fpr-0.1", 0.001)]
)
def test_the_healthy_threshold_lets_that_part_of_a_brain_through(name: str, rate: float) -> None:
    scan = np.random.default_rng(0).random(100_000, dtype=np.float32)
    threshold = chosen(name, [scan])
    assert isinstance(threshold, float)
    assert above(scan, threshold).mean() == pytest.approx(rate, abs=2e-5)


def test_the_alarm_threshold_is_a_conformal_rank() -> None:
    """Of 9 scans at 10 % the 9th smallest of 10 places, of 29 the 27th."""
    choose = PROTOCOLS["healthy-alarm-10"].choose
    assert choose(Scans([*range(9)])) == 8
    assert choose(Scans([*range(29)])) == 26


def test_too_few_scans_promise_nothing() -> None:
    protocol = PROTOCOLS["healthy-alarm-10"]
    assert protocol.fewest_scans == scans_needed(0.1) == 9
    assert isnan(protocol.choose(Scans([1.0] * 8)))  # type: ignore[arg-type]
    assert protocol.choose(Scans([1.0] * 9)) == 1


def test_a_new_scan_has_a_false_positive_no_more_often_than_promised() -> None:
    levels = np.random.default_rng(0).normal(size=(10_000, 25)) ** 2
    choose = PROTOCOLS["healthy-alarm-10"].choose
    exceeded = [new > choose(Scans(known)) for new, *known in levels.tolist()]
    assert 0.06 < np.mean(exceeded) <= 0.1


def test_a_transfer_names_its_cohort_and_other_names_are_refused() -> None:
    assert protocol_named("transfer:lgg").cohort == "lgg"
    assert protocol_named("oracle") is PROTOCOLS["oracle"]
    assert protocol_named("lesion-val@shifted").shifted
    for bad in ("transfer:", "transfer", "lesion-vol"):
        with pytest.raises(UnknownName, match=f"No protocol '{bad}'.*transfer:COHORT"):
            protocol_named(bad)


def test_protocols_carry_their_rate_as_data_and_only_oracles_see_test_labels() -> None:
    known = PROTOCOLS.usable()
    rates = {name: protocol.rate for name, protocol in known.items() if protocol.uses == "healthy-val"}
    fractions = {"healthy-fpr-0.1": 0.001, "healthy-fpr-1": 0.01, "healthy-fpr-5": 0.05}
    assert rates == {**fractions, "healthy-alarm-10": 0.1}
    upper_bounds = [name for name, protocol in known.items() if protocol.sees_test_labels]
    assert upper_bounds == ["oracle", "oracle-case", "oracle-cross"]
    assert all(name == protocol.name and protocol.uses in USES for name, protocol in known.items())


def test_protocols_of_one_rule_differ_in_what_enters_keys() -> None:
    fields = [str(protocol.in_key) for protocol in PROTOCOLS.usable().values()]
    assert len(set(fields)) == len(fields)
