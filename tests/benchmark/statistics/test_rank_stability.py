"""Agreement of rankings against SciPy, wins by hand, and what one axis does."""

import numpy as np
import pytest
from scipy import stats

from benchmark.metrics import METRICS
from benchmark.statistics.rank_stability import Universe, by_axis, describe, kendall, read_choices
from benchmark.study.chains import STANDARD_CHAINS
from benchmark.study.protocols import PROTOCOLS


def test_tau_is_that_of_scipy_ties_included() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (12, 6)).astype(float)
    found = kendall(scores)
    for first in range(12):
        for second in range(12):
            assert found[first, second] == pytest.approx(stats.kendalltau(scores[first], scores[second]).statistic)


def test_a_universe_that_ranks_nothing_agrees_with_none() -> None:
    assert np.isnan(kendall(np.array([[1.0, 1, 1], [1, 2, 3]]))[0]).all()


def test_wins_are_shared_among_those_who_lead_together() -> None:
    universes = [Universe("lgg", "dice", "light", protocol, "scaled", None) for protocol in ("a", "b", "c")]
    found = describe(universes, ["x", "y"], np.array([[1.0, 0], [0, 1], [1, 1]]))
    assert found.wins == {"x": 0.5, "y": 0.5}
    assert found.agreement == -1  # the third ranks nothing


def test_an_axis_is_looked_at_alone() -> None:
    reference = Universe("lgg", "dice", "light", "lesion-val", "scaled", None)
    other_chain = Universe("lgg", "dice", "none", "lesion-val", "scaled", None)
    other_both = Universe("lgg", "auprc", "none", "", "scaled", None)
    found = describe([reference, other_chain, other_both], ["x", "y"], np.array([[1.0, 0], [0, 1], [1, 0]]))
    axes = by_axis(found, reference)
    assert axes["postprocessing"].tolist() == [-1]
    assert axes["metric"].size == axes["seed"].size == 0


def test_the_fixed_list_names_what_there_is() -> None:
    found = read_choices()
    assert found.postprocessing == STANDARD_CHAINS
    assert {"dice", "lesion_f1", "auprc"} <= set(found.metrics) <= set(METRICS)
    assert set(found.protocols) == {name for name, one in PROTOCOLS.items() if not one.sees_test_labels}
