"""The rates that thresholds aim at beside those that they get, of cohorts whose rates are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from cohort_rows import cohort, row
from scored_runs import SCORING, Made, cells_of

from benchmark.study.protocols import PROTOCOLS
from reports.formats.terminal import STUCK, _realised_lines
from reports.markup.markdown import MISSING
from reports.model.cohort_results import CohortResults
from reports.model.run_results import RunResults, read_results
from reports.sections.healthy_false_positives import realised, realised_rates

AIMED = ("healthy-fpr-1", "healthy-alarm-10")
pytestmark = pytest.mark.usefixtures("plugin")

METHODS = ("thresh", "ae[size=48]")
CASES = ("p0", "p1", "p1b", "p2")
Rates = Mapping[str, Sequence[float]]


def scans(rates: Mapping[str, Rates]) -> CohortResults:
    """By method and protocol the number of each of CASES, of which two are scans of one person."""
    rows = [
        row(method, case, "alarm" if "alarm" in protocol else "alarm_fraction", value, f"paper {protocol}")
        for method, of_protocol in rates.items()
        for protocol, values in of_protocol.items()
        for case, value in zip(CASES, values, strict=True)
    ]
    return cohort(rows, cases="healthy", **dict.fromkeys(METHODS, 1))


def over_people(values: Sequence[float]) -> float:
    first, one, other, last = values
    return float(np.mean([first, np.mean([one, other]), last]))


@pytest.fixture
def results(finished: Made) -> RunResults:
    """Of a run on two sites; only `thresh` has numbers, under both thresholds at home and under one elsewhere."""
    home = {"thresh": {"healthy-fpr-1": (0.01, 0.02, 0.06, 0.03), "healthy-alarm-10": (0, 1, 0, 1)}}
    away = {"thresh": {"healthy-fpr-1": (0.2, 0.3, 0.5, 0.7)}}
    found = read_results(finished.run)
    return replace(
        found,
        scoring=replace(SCORING, protocols=("lesion-val", *AIMED, "oracle")),
        healthy={"inpatients": scans(away), "volunteers": scans(home)},
    )


def test_every_rate_aimed_at_stands_beside_the_mean_over_people_at_home_and_elsewhere(results: RunResults) -> None:
    assert list(realised(results)) == [
        ("healthy-fpr-1", 0.01, "thresh", ["0.0267", "0.433"]),
        ("healthy-alarm-10", 0.1, "thresh", ["0.5", MISSING]),
    ]
    assert over_people((0.01, 0.02, 0.06, 0.03)) == pytest.approx(0.0267, abs=5e-5)
    assert over_people((0.2, 0.3, 0.5, 0.7)) == pytest.approx(0.433, abs=5e-4)


def test_the_table_of_the_report_puts_the_training_site_first(results: RunResults) -> None:
    table = realised_rates(results)
    headers = cells_of(table, "Threshold")
    assert [header.rpartition(", ")[2] for header in headers[3:]] == ["in-domain", "out-of-domain"]
    assert "`volunteers`" in headers[3]
    assert cells_of(table, "`healthy-fpr-1`")[1:] == ["0.01", "thresh (simple baseline)", "0.0267", "0.433"]
    assert "`lesion-val`" not in table


def test_the_terminal_says_the_same(results: RunResults) -> None:
    said = next(_realised_lines(results)).replace(STUCK, " ")
    assert said == (
        "Realised rate of healthy-fpr-1, nominal 0.01, on healthy scans of volunteers (in-domain) / "
        "inpatients (out-of-domain): thresh 0.0267 / 0.433."
    )


def test_without_scans_there_is_no_table(results: RunResults) -> None:
    assert realised_rates(replace(results, healthy={})) == ""


def test_whatever_aims_at_a_rate_is_among_them(results: RunResults) -> None:
    every = {name: one for name, one in PROTOCOLS.usable().items() if one.rate is not None}
    rates = {name: [one.rate] * len(CASES) for name, one in every.items()}
    asked = replace(
        results,
        scoring=replace(SCORING, protocols=tuple(every)),
        healthy={"volunteers": scans({"thresh": rates})},
    )
    found = {protocol: (aimed, shares) for protocol, aimed, _, shares in realised(asked)}
    assert found == {name: (one.rate, [f"{one.rate:.3g}"]) for name, one in every.items()}
