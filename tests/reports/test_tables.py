"""Tables against text written by hand and statistics computed by plain loops."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from math import isnan, nan

import numpy as np
import pandas as pd
import pytest

from benchmark.results import COLUMNS, Row
from reports.tables import (
    Board,
    Column,
    Number,
    alarm_table,
    cut_off_table,
    dice_table,
    escape,
    geometric_mean,
    healthy_cases,
    leaderboard,
    lesion_cases,
    nan_table,
    number,
    patients,
)

BLANK = Row("ae", "lgg", "t1", "none", 0.0, 0, 0, "test", "", "", "", "", "", nan, "key")


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    table = pd.DataFrame([astuple(row) for row in rows], columns=list(COLUMNS))
    return table.astype({"seed": float, "sampling_seed": float})


def row(method: str, case: str, metric: str, value: float, choice: str = "", *, seed: int | None = 0) -> Row:
    """`choice` is "", "chain" or "chain protocol"; a patient's scans are called p1, p1b, ..."""
    chain, _, protocol = choice.partition(" ")
    return replace(
        BLANK, method=method, case_id=case, subject_id=case[:2], metric=metric, value=value, seed=seed,
        postprocessing=chain, protocol=protocol, split="test" if metric != "threshold" else "",
    )  # fmt: skip


def lesion_rows(method: str, dice: Sequence[float], auprc: Sequence[float], *, seed: int | None = 0) -> list[Row]:
    """All that one fit leaves of the patients p0, p1, ..."""
    rows = [row(method, "", "threshold", 0.5, "paper lesion-val", seed=seed)]
    for index, (overlap, area) in enumerate(zip(dice, auprc, strict=True)):
        case = f"p{index}"
        rows += [
            row(method, case, "lesion_ml", 10.0 * (index + 1), seed=seed),
            row(method, case, "lesion_outside_grid_ml", float(index), seed=seed),
            row(method, case, "auprc", area, "paper", seed=seed),
            row(method, case, "auroc", 0.75, "paper", seed=seed),
            row(method, case, "dice", overlap, "paper lesion-val", seed=seed),
            row(method, case, "precision", overlap or nan, "paper lesion-val", seed=seed),
            row(method, case, "recall", overlap, "paper lesion-val", seed=seed),
            row(method, case, "alarm_fraction_far", 0.01, "paper lesion-val", seed=seed),
        ]
    return [*rows, row(method, "", "auprc_pooled", 0.4, "paper", seed=seed)]


def perfect_rows() -> list[Row]:
    metrics = {"dice": 0.9, "precision": 1.0, "recall": 0.8}
    return [
        row("perfect-map", case, name, value, "paper", seed=None)
        for case in ("p0", "p1")
        for name, value in metrics.items()
    ]


def board(rows: Sequence[Row], timing: Sequence[Row] = (), **seeds: int) -> Board:
    return Board(frame(rows), frame(timing), seeds, ["thresh"])


GOLDEN = """
| Method                  | Patients   |         Dice (sd) |     AUPRC |   AUROC |   Precision |    Recall |   False alarms > 10 mm |   AUPRC pooled |   l1 ratio |   s a volume |
|-------------------------|------------|-------------------|-----------|---------|-------------|-----------|------------------------|----------------|------------|--------------|
| x\\_\\[a\\|b\\]             | 2          | **0.400 (0.141)** | **0.600** |   0.750 |       0.400 | **0.400** |                  0.010 |          0.400 |  **2.000** |         4.00 |
| thresh (floor)          | 2          |     0.200 (0.283) |     0.300 |   0.750 | 0.400 [1/2] |     0.200 |                  0.010 |          0.400 |        n/a |     **0.50** |
| ae                      | 2          | **0.400 (0.000)** |     0.200 |   0.750 |       0.400 | **0.400** |                  0.010 |          0.400 |      1.500 |            - |
| gone                    | -          |                 - |         - |       - |           - |         - |                      - |              - |          - |            - |
| *perfect map (ceiling)* | 2          |     0.900 (0.000) |           |         |       1.000 |     0.800 |                        |                |            |              |
""".strip()  # noqa: E501


def test_leaderboard_of_five_lines_is_this_text() -> None:
    rows = [
        *lesion_rows("thresh", [0.4, 0.0], [0.2, 0.4]),
        *lesion_rows("ae", [0.4, 0.4], [0.1, 0.3]),
        *lesion_rows("x_[a|b]", [0.3, 0.5], [0.7, 0.5]),
        *(row("ae", f"p{index}", "l1_ratio", 1.5) for index in range(2)),
        *(row("x_[a|b]", f"p{index}", "l1_ratio", value) for index, value in enumerate((1.0, 4.0))),
        *perfect_rows(),
    ]
    timing = [row("thresh", f"p{index}", "seconds", 0.5) for index in range(2)]
    timing += [row("x_[a|b]", f"p{index}", "seconds", 4.0) for index in range(2)]
    seeds = {"thresh": 1, "ae": 1, "gone": 1, "x_[a|b]": 1}
    assert leaderboard(Board(frame(rows), frame(timing), seeds, ["thresh"]), "paper", "lesion-val") == GOLDEN


def test_several_seeds_are_averaged_and_their_range_and_number_shown() -> None:
    rows = [
        *lesion_rows("ae", [0.2, 0.4], [0.5, 0.5], seed=0),
        *lesion_rows("ae", [0.6, 0.8], [0.5, 0.5], seed=1),
        *lesion_rows("vae", [0.1, 0.1], [0.1, 0.1], seed=0),
    ]
    lines = leaderboard(board(rows, ae=2, vae=2), "paper", "lesion-val").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:6]] for line in lines]
    assert cells[0] == ["Method", "Patients", "Seeds", "Dice over seeds", "Dice (sd)"]
    assert cells[2] == ["ae", "2", "2", "0.300 to 0.700", "0.500 (0.141)"]
    assert cells[3] == ["vae", "2", "1 of 2", "-", "0.100 (0.000) [2/4]"]


def test_number_equals_plain_loops_over_seeds_patients_and_scans() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows, means, counted = list[Row](), list[float](), 0
        for fit in range(3):
            of_patients = []
            for patient in range(4):
                values = np.where(rng.random(3) < 0.3, nan, rng.random(3))
                rows += [
                    row("ae", f"p{patient}{scan}", "dice", v, "paper x", seed=fit) for scan, v in enumerate(values)
                ]
                known = values[~np.isnan(values)]
                counted += known.size
                of_patients += [known.mean()] if known.size else []
            means.append(float(np.mean(of_patients)))
        got = number(frame(rows), "dice", "paper", "x", seeds=3)
        assert got.value == pytest.approx(np.mean(means), abs=1e-12)
        assert got.seeds == pytest.approx(means, abs=1e-12)
        assert (got.defined, got.wanted) == (counted, 36)


def test_a_metric_without_rows_is_missing_unless_its_threshold_is_undefined() -> None:
    rows = frame([row("ae", "", "threshold", nan, "paper lesion-val"), row("ae", "p0", "auprc", 0.5, "paper")])
    column = Column(
        "", {"undefined": number(rows, "dice", "paper", "lesion-val"), "missing": number(rows, "auroc", "paper")}
    )
    assert column.text("undefined") == "n/a"
    assert column.text("missing") == "-"


def test_a_case_without_row_counts_as_wanted() -> None:
    rows = frame([row("ae", "p0", "auprc", 0.5, "paper"), row("ae", "p1", "lesion_ml", 3.0)])
    assert Column("", {"ae": number(rows, "auprc", "paper")}).text("ae") == "0.500 [1/2]"


def one(value: float, defined: int = 2, wanted: int = 2) -> Number:
    return Number(value, 0.0, (value,), defined, wanted)


def test_ties_at_the_printed_precision_are_all_bold() -> None:
    column = Column("", {"a": one(0.30001), "b": one(0.29999), "c": one(0.2)}, True)
    assert [column.text(line) for line in "abc"] == ["**0.300**", "**0.300**", "0.200"]


def test_nothing_is_bold_where_all_are_equal_or_nothing_is_better() -> None:
    assert Column("", {"a": one(0.3), "b": one(0.3)}, True).text("a") == "0.300"
    assert Column("", {"a": one(0.3), "b": one(0.2)}, None).text("a") == "0.300"


def test_neither_the_ceiling_nor_an_incomplete_number_takes_the_bold_one() -> None:
    column = Column("", {"a": one(0.9, defined=1), "b": one(0.2), "c": one(0.1), "perfect-map": one(1.0)}, True)
    assert [column.text(line) for line in ("a", "b", "perfect-map")] == ["0.900 [1/2]", "**0.200**", "1.000"]


def test_the_lowest_is_bold_where_lower_is_better() -> None:
    column = Column("", {"a": one(0.3), "b": one(0.2)}, False)
    assert [column.text(line) for line in "ab"] == ["0.300", "**0.200**"]


def test_dice_table_gives_the_ceiling_of_each_chain_whatever_the_protocol() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *perfect_rows()]
    lines = dice_table(board(rows, ae=1), ["paper", "light"], ["lesion-val"], ranked=True).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["ae", "0.300", "-"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["*perfect map (ceiling)*", "0.900", ""]


def test_an_unranked_dice_table_has_nothing_bold() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *lesion_rows("vae", [0.1, 0.1], [0.5, 0.5])]
    ranked, unranked = (
        dice_table(board(rows, ae=1, vae=1), ["paper"], ["lesion-val"], ranked=way) for way in (True, False)
    )
    assert "**0.300**" in ranked
    assert "**" not in unranked


def test_alarm_table_counts_scans_and_gives_quartiles() -> None:
    rows = [row("ae", "", "threshold", 0.5, "paper healthy-fpr-1")]
    for index, fraction in enumerate((0.0, 0.1, 0.2, 0.3, 0.4)):
        values = {"alarm": float(fraction > 0), "alarms": index, "alarm_ml": 2 * index, "alarm_fraction": fraction}
        rows += [row("ae", f"p0{index}", name, value, "paper healthy-fpr-1") for name, value in values.items()]
    line = alarm_table(board(rows, ae=1), ["paper"], "healthy-fpr-1").splitlines()[2]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["ae", "paper", "5", "0.80", "2.0", "4.0", "0.2000", "0.1000", "0.3000"]


def test_cut_off_table_counts_a_case_once_however_many_methods_there_are() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *lesion_rows("vae", [0.1, 0.1], [0.5, 0.5])]
    line = cut_off_table({"lgg": board(rows, ae=1, vae=1), "msl": board([], ae=1)}).splitlines()
    assert [cell.strip() for cell in line[2].split("|")[1:-1]] == ["lgg", "2", "15.00", "0.50", "1.00", "1 of 2"]
    assert [cell.strip() for cell in line[3].split("|")[1:-1]] == ["msl", *["-"] * 5]


def test_nan_table_lists_what_is_undefined_and_nothing_else() -> None:
    lines = nan_table({"lgg": board(lesion_rows("ae", [0.0, 0.4], [0.5, 0.5]), ae=1)}).splitlines()
    assert len(lines) == 3
    assert "precision" in lines[2]
    assert "1 of 2" in lines[2]
    assert nan_table({"lgg": board(lesion_rows("ae", [0.3, 0.4], [0.5, 0.5]), ae=1)}) == ""


def test_cases_with_and_without_lesion_are_told_apart() -> None:
    healthy = [row("ae", "h0", "alarm", 1.0, "paper healthy-fpr-1"), row("ae", "h0", "l1", 0.1)]
    both = frame([*lesion_rows("ae", [0.2], [0.5]), *healthy])
    assert {*lesion_cases(both)["case_id"]} == {"p0", ""}
    assert {*healthy_cases(both)["case_id"]} == {"h0", ""}


def test_patients_names_the_scans_where_they_are_more() -> None:
    assert patients(frame([row("ae", case, "dice", 0.1) for case in ("p0", "p1", "p1b")])) == "2 (3 scans)"
    assert patients(frame([])) == "-"


def test_geometric_mean_of_a_ratio_and_its_inverse_is_one_and_zero_stays_zero() -> None:
    assert geometric_mean(pd.Series([0.25, 4.0])) == pytest.approx(1.0)
    assert geometric_mean(pd.Series([0.0, 4.0])) == 0.0


def test_one_patient_has_no_spread() -> None:
    got = number(frame(lesion_rows("ae", [0.2], [0.5])), "dice", "paper", "lesion-val")
    assert isnan(got.sd)
    assert "0.200 (n/a)" in leaderboard(board(lesion_rows("ae", [0.2], [0.5]), ae=1), "paper", "lesion-val")


@pytest.mark.parametrize("sign", list("|[]_*`<>#\\"))
def test_escape_takes_every_sign_that_markdown_reads(sign: str) -> None:
    assert escape(f"a{sign}b") == f"a\\{sign}b"
