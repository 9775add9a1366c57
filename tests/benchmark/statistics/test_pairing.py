"""Two methods are compared over the scans of which both have a number, and over nothing else."""

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest
from comparisons import CHOICE, ENDPOINT, panel, patients
from test_panel import ROW, frame

from benchmark.statistics.pairing import Pair, aligned, difference, over_common_scans, pair
from benchmark.statistics.pairwise.paired_difference import compare_all
from benchmark.statistics.panel import Panel, Rows


def two_scans_each(n: int, *, lost: bool) -> pd.DataFrame:
    """Equal methods; each patient's second scan is harder by 0.4, and `b` has no number of it where it is `lost`."""
    rng, rows = np.random.default_rng(0), []
    for index in range(n):
        level, name = rng.uniform(0.5, 0.9), f"p{index:02d}"
        for scan, harder in (("first", 0.0), ("second", 0.4)):
            for method in ("a", "b"):
                value = level - harder + rng.normal(0, 0.01)
                value = nan if lost and (method, scan) == ("b", "second") else value
                rows.append(replace(ROW, method=method, subject_id=name, case_id=f"{name} {scan}", value=value))
    return frame(*rows)


def panels(rows: pd.DataFrame) -> dict[str, Panel]:
    return Rows(rows).panels(CHOICE, {"a": (0,), "b": (0,)})


def test_an_undefined_scan_of_one_method_does_not_make_equal_methods_differ() -> None:
    lost = panels(two_scans_each(20, lost=True))
    assert lost["b"].mean.value - lost["a"].mean.value > 0.15  # each over its own scans
    (found,) = compare_all(lost, CHOICE, "this trained model", ENDPOINT)
    assert found.n == 20
    assert abs(found.effect.mean) < 0.01
    assert found.p > 0.05


def test_what_a_pair_is_of_is_the_mean_over_the_common_scans() -> None:
    lost, whole = panels(two_scans_each(6, lost=True)), panels(two_scans_each(6, lost=False))
    found = pair(lost["a"], lost["b"])
    assert whole["a"].single is not None
    firsts = [place for place, case in enumerate(whole["a"].single.cases) if case.endswith("first")]
    assert found.a[:, 0] == pytest.approx(whole["a"].single.values[firsts, 0, 0])
    assert pair(whole["a"], whole["b"]).a[:, 0] == pytest.approx(whole["a"].values[:, 0])


def test_a_scan_is_left_out_under_the_seed_alone_under_which_it_is_undefined() -> None:
    rows = [
        replace(ROW, method=method, seed=seed, case_id=case, value=value)
        for method in ("a", "b")
        for seed in (0, 1)
        for case, value in (("x", 0.2), ("y", 0.6))
    ]
    rows[-1] = replace(rows[-1], value=nan)
    found = Rows(frame(*rows)).panels(CHOICE, {"a": (0, 1), "b": (0, 1)})
    assert pair(found["a"], found["b"]).a.tolist() == [[pytest.approx(0.4), pytest.approx(0.2)]]
    assert pair(found["a"], found["b"]).differences == pytest.approx(0)


def test_a_logarithm_is_of_the_mean_over_the_common_scans() -> None:
    ratio = replace(ROW, metric="l1_ratio", postprocessing="", protocol="")
    rows = frame(*(
        replace(ratio, method=method, case_id=case, value=value)
        for method, case, value in (("a", "x", 2.0), ("a", "y", 4.0), ("b", "x", 1.0), ("b", "y", nan))
    ))  # fmt: skip
    choice = replace(CHOICE, metric="l1_ratio", postprocessing="", protocol="")
    found = Rows(rows).panels(choice, {"a": (0,), "b": (0,)})
    assert difference(found["a"], found["b"]).values.tolist() == [[pytest.approx(np.log(2))]]


def test_a_part_of_a_panel_has_the_scans_of_its_patients() -> None:
    whole = panels(two_scans_each(4, lost=False))["a"]
    part = whole.of(np.array([False, True, False, True]))
    assert part.single is not None
    assert {case.split()[0] for case in part.single.cases} == {"p01", "p03"}
    again = part.averaged_over(part.single)
    assert again.values == pytest.approx(part.values)
    assert aligned([part, whole])[1].patients == ("p01", "p03")


def test_panels_without_single_scans_are_paired_by_patient() -> None:
    a, b = panel("a", patients(6, 1)), panel("b", patients(6, 1))
    assert over_common_scans([a, b]) == [a, b]


@pytest.mark.parametrize("level", [0.0, 1e-7, 0.5, 40.0])
def test_what_rounding_leaves_is_no_difference_and_the_least_beyond_it_is_one(level: float) -> None:
    steps = np.array([[0.0], [1e-14], [-1e-14], [1e-9], [-1e-9]]) * max(level, 1)
    found = Pair("a", "b", level + steps, np.full((5, 1), level), np.ones(5, dtype=bool), (0,), ()).differences
    assert (found[:3] == 0).all()
    assert found[3:] == pytest.approx(steps[3:], rel=1e-4)
