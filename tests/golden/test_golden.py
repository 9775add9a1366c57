"""Every number of small studies is what it was when their values were committed."""

from pathlib import Path

import pytest
from golden_tables import TABLES, VALUES, Table, differences, read_lines, write_lines
from public_names import Names
from small_study import ROOT, STUDIES, Checkout


@pytest.mark.timeout(900)  # alone on a core each takes about a minute
@pytest.mark.parametrize("study", STUDIES)
def test_every_number_of_a_small_study_is_what_it_was(study: str, tmp_path: Path) -> None:
    run = STUDIES[study](Checkout(), tmp_path)
    found = {table.name: list(_changes(study, table, run)) for table in TABLES[study]}
    told = [f"{study}/{name}.csv: {line}" for name, lines in found.items() for line in lines[:10]]
    assert not told, "\n".join(told)


def _changes(study: str, table: Table, run: Path) -> list[str]:
    committed = read_lines(VALUES / study / f"{table.name}.csv", Names({}))
    return list(differences(committed, table.committed(run, Names.of(ROOT)), table.tolerance))


def test_a_difference_in_the_last_digit_is_told(tmp_path: Path) -> None:
    lines = [{"method": "thresh", "metric": "dice", "value": "0.30000000000000004", "low": "0.1"}]
    changed = [{**lines[0], "value": "0.3"}]
    assert list(differences(lines, changed)) == [
        "line 2, value: got '0.3', expected '0.30000000000000004'; thresh dice 0.30000000000000004 0.1"
    ]
    assert not list(differences(lines, [{**lines[0], "low": "0.10000000000000002"}]))
    assert list(differences(lines, [{**lines[0], "low": "0.1001"}]))
    assert list(differences(lines, [])) == ["got 0 lines, expected 1"]


def test_a_long_table_is_held_by_its_margins(tmp_path: Path) -> None:
    line = {"dataset": "msl", "metric": "dice", "value": "0.5"}
    table = Table("rows", "rows.csv", (("dataset",), ("metric",)))
    recorded = []
    for number, value in enumerate(("0.5", "0.25")):
        write_lines(tmp_path / str(number) / "rows.csv", [line, {**line, "metric": "recall", "value": value}])
        recorded.append(table.committed(tmp_path / str(number), Names({})))
    changed = [old["group"] for old, new in zip(*recorded, strict=True) if old != new]
    assert changed == ["msl", "recall"]


def test_a_name_that_has_changed_is_read_as_the_recorded_one(tmp_path: Path) -> None:
    names = Names({
        "column": {"postprocessing": "pipeline"}, "metric": {"alarm": "any_false_positive"},
        "table": {"rows.csv": "tables/rows.csv"}, "option": {"--postprocessing": "--pipeline"},
    })  # fmt: skip
    write_lines(tmp_path / "tables/rows.csv", [{"pipeline": "light", "metric": "any_false_positive", "value": "1.0"}])
    (line,) = Table("rows", "rows.csv").committed(tmp_path, names)
    assert line == {"postprocessing": "light", "metric": "alarm", "value": "1.0"}
    command = ("benchmark", "evaluate", "run", "--postprocessing", "light", "--metrics", "alarm,dice")
    assert names.command(command)[3:] == ["--pipeline", "light", "--metrics", "any_false_positive,dice"]
