"""Tables against text written by hand."""

from dataclasses import replace

from cohort_rows import board, lesion_rows, perfect_rows, row

from reports.model.cohort_results import Board
from reports.sections.tables import alarm_table, cut_off_table, dice_table, leaderboard, nan_table

GOLDEN = """
| Method         | Patients   |         Dice (sd) |     AUPRC |   AUROC |   Precision |    Recall |   False alarms > 10 mm |   AUPRC pooled |   l1 ratio |   s a volume |
|----------------|------------|-------------------|-----------|---------|-------------|-----------|------------------------|----------------|------------|--------------|
| x\\_\\[a\\|b\\]    | 6          | **0.400 (0.110)** | **0.600** |   0.750 |       0.400 | **0.400** |                  0.010 |          0.400 |  **2.000** |         4.00 |
| thresh (floor) | 6          |     0.200 (0.219) |     0.300 |   0.750 | 0.400 [3/6] |     0.200 |                  0.010 |          0.400 |        n/a |     **0.50** |
| ae             | 6          | **0.400 (0.000)** |     0.200 |   0.750 |       0.400 | **0.400** |                  0.010 |          0.400 |      1.500 |            - |
| gone           | -          |                 - |         - |       - |           - |         - |                      - |              - |          - |            - |
| *perfect map*  | 6          |     0.900 (0.000) |           |         |       1.000 |     0.800 |                        |                |            |              |
""".strip()  # noqa: E501


def five_lines(repeats: int) -> Board:
    """Two patients with everything a board can hold, as often as that."""
    rows = [
        *lesion_rows("thresh", [0.4, 0.0] * repeats, [0.2, 0.4] * repeats),
        *lesion_rows("ae", [0.4, 0.4] * repeats, [0.1, 0.3] * repeats),
        *lesion_rows("x_[a|b]", [0.3, 0.5] * repeats, [0.7, 0.5] * repeats),
        *(row("ae", f"p{index}", "l1_ratio", 1.5) for index in range(2 * repeats)),
        *(row("x_[a|b]", f"p{index}", "l1_ratio", value) for index, value in enumerate((1.0, 4.0) * repeats)),
        *perfect_rows(2 * repeats),
    ]
    timing = [row("thresh", f"p{index}", "seconds", 0.5) for index in range(2 * repeats)]
    timing += [row("x_[a|b]", f"p{index}", "seconds", 4.0) for index in range(2 * repeats)]
    return board(rows, timing, **{"thresh": 1, "ae": 1, "gone": 1, "x_[a|b]": 1})


def test_leaderboard_of_five_lines_is_this_text() -> None:
    assert leaderboard(five_lines(3), "paper", "lesion-val") == GOLDEN


def test_a_leaderboard_of_few_patients_ranks_nothing() -> None:
    few = leaderboard(five_lines(2), "paper", "lesion-val")
    assert "**" not in few
    assert [line.split("|")[1].strip() for line in few.splitlines()[2:5]] == ["thresh (floor)", "ae", "gone"]


def test_what_uses_labels_stands_below_the_methods_and_is_never_the_best() -> None:
    supervision = {"thresh": "none", "ae": "lesion labels"}
    lines = leaderboard(replace(five_lines(3), supervision=supervision), "paper", "lesion-val").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "a\\|b" not in line]
    assert cells[0][:4] == ["Method", "Supervision", "Patients", "Dice (sd)"]
    assert [line[0] for line in cells[2:]] == ["thresh (floor)", "gone", "ae (uses lesion labels)", "*perfect map*"]
    assert [line[1] for line in cells[2:]] == ["none", "-", "lesion labels", ""]
    assert not any("**" in cell for cell in cells[4])
    few = leaderboard(replace(five_lines(2), supervision=supervision), "paper", "lesion-val").splitlines()
    assert [line.split("|")[1].strip() for line in few[-2:]] == ["ae (uses lesion labels)", "*perfect map*"]


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
    assert cells[3] == ["vae (1 of 2 seeds)", "2", "1 of 2", "-", "0.100 (0.000) [2/4]"]


def test_dice_table_gives_the_perfect_map_of_each_chain_whatever_the_protocol() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *perfect_rows()]
    lines = dice_table(board(rows, ae=1), ["paper", "light"], ["lesion-val"], marked=True).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["ae", "0.300", "-"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["*perfect map*", "0.900", ""]


def test_the_best_dice_is_bold_only_where_asked_for_and_over_patients_enough() -> None:
    rows = {
        size: board(
            [*lesion_rows("ae", [0.3] * size, [0.5] * size), *lesion_rows("vae", [0.1] * size, [0.5] * size)],
            ae=1,
            vae=1,
        )
        for size in (5, 6)
    }
    assert "**0.300**" in dice_table(rows[6], ["paper"], ["lesion-val"], marked=True)
    assert "**" not in dice_table(rows[6], ["paper"], ["lesion-val"], marked=False)
    assert "**" not in dice_table(rows[5], ["paper"], ["lesion-val"], marked=True)


def test_alarm_table_counts_scans_and_gives_quartiles() -> None:
    rows = [row("ae", "", "threshold", 0.5, "paper healthy-fpr-1")]
    for index, fraction in enumerate((0.0, 0.1, 0.2, 0.3, 0.4)):
        values = {"alarm": float(fraction > 0), "alarms": index, "alarm_ml": 2 * index, "alarm_fraction": fraction}
        rows += [row("ae", f"p0{index}", name, value, "paper healthy-fpr-1") for name, value in values.items()]
    line = alarm_table(board(rows, ae=1), ["paper"], "healthy-fpr-1").splitlines()[2]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["ae", "paper", "5", "0.80", "2.0", "4.0", "0.2000", "0.1000", "0.3000"]


def test_a_method_without_rows_has_one_line_of_alarms() -> None:
    rows = [
        row("ae", "", "threshold", 0.5, "paper healthy-fpr-1"),
        row("ae", "p0", "alarm", 1.0, "paper healthy-fpr-1"),
    ]
    lines = alarm_table(board(rows, ae=1, gone=1), ["paper", "light"], "healthy-fpr-1").splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == ["ae", "ae", "gone"]
    assert {cell.strip() for cell in lines[2].split("|")[2:-1]} == {"-"}


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
