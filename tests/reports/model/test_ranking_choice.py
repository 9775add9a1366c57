"""Which pipeline and threshold stand first."""

from dataclasses import replace

import pandas as pd
import pytest
from cohort_rows import cohort, lesion_rows
from scored_runs import Made

from benchmark.storage.run_record import Scoring
from reports.model.ranking import Ranking, domain, headlines, healthy_protocol
from reports.model.run_results import read_results


def test_the_threshold_that_sees_no_lesion_stands_first_with_and_without_validation_lesions(
    finished: Made, plugin: None
) -> None:
    results = read_results(finished.run)
    for name in ("patients", "inpatients"):
        first = headlines(results, results.lesion[name])[0]
        assert first.protocol == "healthy-fpr-1"
        assert "is undefined here" not in str(first.why)


def test_without_a_deployable_threshold_there_is_none(finished: Made, plugin: None) -> None:
    results = replace(read_results(finished.run), scoring=Scoring(("none",), ("oracle",)))
    first = headlines(results, results.lesion["patients"])
    assert [(one.pipeline, one.protocol) for one in first] == [("none", "")]
    assert healthy_protocol(results) == ""


def test_healthy_scans_are_looked_at_under_one_per_cent_first(finished: Made, plugin: None) -> None:
    results = read_results(finished.run)
    many = replace(results, scoring=Scoring(("none",), ("healthy-fpr-5", "healthy-fpr-1")))
    assert healthy_protocol(many) == "healthy-fpr-1"
    assert (
        healthy_protocol(replace(results, scoring=Scoring(("none",), ("lesion-val", "healthy-fpr-5"))))
        == "healthy-fpr-5"
    )


def test_in_domain_is_the_cohort_fitted_on(finished: Made, plugin: None) -> None:
    results = read_results(finished.run)
    assert domain(results, "volunteers") == "in-domain"
    assert domain(results, "inpatients") == "out-of-domain"


@pytest.mark.parametrize(("metric", "first"), [("dice", ["a", "c", "b"]), ("hd95", ["b", "c", "a"])])
def test_the_better_mean_leads_in_every_table(metric: str, first: list[str]) -> None:
    lines = pd.DataFrame({"method": ["a", "b", "c"], "rank_low": [3.0, 1.0, 1.0], "rank_high": [3.0, 2.0, 2.0],
                          "mean": [0.9, 0.4, 0.5], "metric": metric, "question": "this training procedure", "order": 1,
                          "kind": "mean", "shift": "none", "unranked": ""})  # fmt: skip
    ranking = Ranking(lines, lines[:0], "this training procedure")
    assert list(ranking.ranks) == first
    assert ranking.leader == first[0]
    board = cohort(lesion_rows("a", [0.1] * 6, [0.1] * 6), a=1, b=1, c=1)
    assert replace(board, lines=lines).ordered == [*first, "perfect-map"]
