"""The rates that thresholds aim at beside those that they get, of cohorts whose rates are known."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from cohort_rows import cohort, row
from scored_runs import SCORING, Made, lines_of

from benchmark.study.protocols import PROTOCOLS
from reports.model.cohort_results import CohortResults
from reports.model.run_results import RunResults, read_results
from reports.sections.healthy_false_positives import realised

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


THRESH = "thresh (simple baseline)"


def test_every_rate_promised_stands_beside_the_mean_over_people_at_home_and_elsewhere(results: RunResults) -> None:
    lines = lines_of(realised(results))
    assert list(lines) == [THRESH]
    assert lines[THRESH] == {
        "Method": THRESH,
        "healthy-fpr-1, promised 0.01, volunteers": "0.0267",
        "healthy-fpr-1, promised 0.01, inpatients": "0.4333",
        "healthy-alarm-10, promised 0.1, volunteers": "0.5000",
    }
    assert over_people((0.01, 0.02, 0.06, 0.03)) == pytest.approx(0.0267, abs=5e-5)
    assert over_people((0.2, 0.3, 0.5, 0.7)) == pytest.approx(0.4333, abs=5e-5)


def test_without_scans_there_is_no_table(results: RunResults) -> None:
    assert not realised(replace(results, healthy={}))


def test_whatever_promises_a_rate_is_among_them(results: RunResults) -> None:
    every = {name: one for name, one in PROTOCOLS.usable().items() if one.rate is not None}
    rates = {name: [one.rate] * len(CASES) for name, one in every.items()}
    asked = replace(
        results,
        scoring=replace(SCORING, protocols=tuple(every)),
        healthy={"volunteers": scans({"thresh": rates})},
    )
    shown = {column.title: cell for column, cell in zip(realised(asked).columns, realised(asked).rows[0], strict=True)}
    for name, one in every.items():
        assert shown[f"{name}, promised {one.rate:g}, volunteers"].value == pytest.approx(one.rate)
