"""From rows to patients x seeds: scans averaged first, what is missing left missing."""

from dataclasses import astuple, replace
from math import nan

import numpy as np
import pandas as pd
import pytest
from comparisons import CHOICE

from benchmark.statistics.panel import Rows
from benchmark.storage.rows import COLUMNS, Row
from datasets.errors import MissingData

ROW = Row("a", "lgg", "t1", "none", 0.0, 0, 0, "test", "light", "lesion-val", "p1", "p1", "dice", 0.5, "key")


def frame(*rows: Row) -> pd.DataFrame:
    table = pd.DataFrame([astuple(row) for row in rows], columns=list(COLUMNS))
    return table.astype({"seed": float, "sampling_seed": float})


def test_a_patients_scans_are_averaged_before_anything_else() -> None:
    rows = frame(ROW, replace(ROW, case_id="p1b", value=0.7), replace(ROW, case_id="p2", subject_id="p2", value=0.1))
    found = Rows(rows).panels(CHOICE, {"a": (0,)})["a"]
    assert found.patients == ("p1", "p2")
    assert found.values.tolist() == [[pytest.approx(0.6)], [0.1]]
    assert found.scans == 3


def test_a_missing_or_undefined_number_stays_missing_and_is_counted() -> None:
    other = replace(ROW, method="b", case_id="p2", subject_id="p2")
    rows = frame(ROW, replace(ROW, seed=1, value=nan), other)
    found = Rows(rows).panels(CHOICE, {"a": (0, 1, 2), "b": (0,)})
    assert np.isnan(found["a"].values).tolist() == [[False, True, True], [True, True, True]]
    assert found["a"].missing == 5
    assert found["a"].absent_seeds == (1, 2)
    assert found["b"].missing == 1


def test_sampling_seeds_are_averaged_and_kept_apart() -> None:
    found = Rows(frame(ROW, replace(ROW, sampling_seed=1, value=0.7))).panels(CHOICE, {"a": (0,)})["a"]
    assert found.values.tolist() == [[pytest.approx(0.6)]]
    assert found.repeats.tolist() == [[[0.5, 0.7]]]


def test_rows_of_another_choice_or_shift_or_of_the_perfect_map_stay_out() -> None:
    strangers = [
        replace(ROW, value=9.0, **change)
        for change in (
            {"dataset": "msl"}, {"shift": "gamma"}, {"split": "val"}, {"postprocessing": "paper"},
            {"protocol": "oracle"}, {"metric": "recall"}, {"seed": None}, {"case_id": ""},
        )
    ]  # fmt: skip
    assert Rows(frame(ROW, *strangers)).panels(CHOICE, {"a": (0,)})["a"].values.tolist() == [[0.5]]


def test_ratios_are_compared_as_logarithms() -> None:
    ratio = replace(ROW, metric="l1_ratio", postprocessing="", protocol="", value=2.0)
    choice = replace(CHOICE, metric="l1_ratio", postprocessing="", protocol="")
    found = Rows(frame(ratio, replace(ratio, seed=1, value=0.0))).panels(choice, {"a": (0, 1)})["a"]
    assert found.values[0, 0] == pytest.approx(np.log(2))
    assert np.isnan(found.values[0, 1])


def test_what_there_is_none_of_is_told_with_what_there_is() -> None:
    with pytest.raises(MissingData, match=r"Available: light / lesion-val / test\."):
        Rows(frame(ROW)).panels(replace(CHOICE, postprocessing="none"), {"a": (0,)})
    with pytest.raises(MissingData, match=r"Available metrics: dice\."):
        Rows(frame(ROW)).panels(replace(CHOICE, metric="auprc"), {"a": (0,)})
