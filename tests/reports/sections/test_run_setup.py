"""The badges above all sections, and the facts of what was run."""

from pathlib import Path

from scored_runs import Made, make, section

from benchmark.storage.run_record import kept_cells
from datasets.io.atomic import read_json, write_json


def test_the_opening_says_what_was_run(report: str) -> None:
    assert "> **Single seed**:" in report.split("\n## ")[0]
    facts = section(report, "### What was run")
    for fact in ("thresh (simple baseline), ae\\[size=48\\]", "3 healthy cases to train on, 3 to validate on",
                 "16 x 16 x 12 voxels of 2.5 mm", "abacus", "fp32", "6 of 6 done"):  # fmt: skip
        assert fact in facts
    assert "VALIDATION" not in facts
    assert "Limit" not in facts


def test_the_environment_is_one_line_where_it_is_known(made: Made, report: str) -> None:
    assert "**Environment**" not in report
    write_json(made.run.root / "environment.json", {"python": "3.11.7", "processor": "Abacus_1, 2 rods"})
    assert "\n- **Environment**: processor Abacus\\_1, 2 rods; python 3.11.7\n" in made.report(pictures=[])


def test_fits_and_cells_of_several_environments_are_told_apart(made: Made) -> None:
    first, *others = (made.run.cell(cell) / "cell.json" for cell in kept_cells(made.run))
    for path in (first, *others):
        version = "2.0" if path == first else "2.1"
        write_json(path, read_json(path) | {"environment": {"torch": version, "python": "3.11"}})
    report = made.report(pictures=[])
    assert f"\n- **Mixed torch**: 2.0 in `{first.parent.name}`; 2.1 in `{others[0].parent.name}`" in report
    assert "Mixed python" not in report


def test_several_seeds_carry_no_badge(tmp_path: Path, data: Path, plugin: None) -> None:
    report = make(tmp_path / "run", data, seeds=(0, 1)).report(pictures=[])
    assert "**Single seed**" not in report
    assert "| Dice over seeds" in report


def test_cohorts_without_a_case_are_not_scored_on(validation_report: str) -> None:
    (line,) = (line for line in validation_report.splitlines() if line.startswith("- **Scored on**"))
    assert line == "- **Scored on**: Volunteers (`volunteers`), Patients (`patients`)"
    assert "> **VALIDATION**: the test split is closed" in validation_report
