"""Every number of small studies is what it was when their values were committed."""

from pathlib import Path

import pytest
from entry_revisions import Change, Entry, blamed, change_of, revisions_of
from golden_tables import TABLES, VALUES, Table, differences, read_lines, write_lines
from public_names import Names
from small_study import ROOT, STUDIES, Checkout
from step_values import recorded_step_values, step_values, unrevised_steps


@pytest.mark.timeout(900)  # alone on a core each takes about a minute
@pytest.mark.parametrize("study", STUDIES)
def test_every_number_of_a_small_study_is_what_it_was(study: str, tmp_path: Path) -> None:
    run = STUDIES[study](Checkout(), tmp_path)
    found = {table.name: list(_changes(study, table, run)) for table in TABLES[study]}
    changed = [f"{study}/{name}.csv: {line}" for name, lines in found.items() for line in lines[:10]]
    assert not changed, "\n".join([*change_of(study, run, Names.of(ROOT)).lines(), *changed])


def _changes(study: str, table: Table, run: Path) -> list[str]:
    committed = read_lines(VALUES / study / f"{table.name}.csv", Names({}))
    return list(differences(committed, table.committed(run, Names.of(ROOT)), table.tolerance))


def test_every_step_of_post_processing_makes_what_it_did() -> None:
    recorded, now = recorded_step_values(), step_values()
    assert now == recorded, "\n".join(unrevised_steps(recorded, now))


def test_a_step_with_other_values_under_its_revision_is_named() -> None:
    step = {"pipeline": "light", "step": "median", "revision": "1", "digest": "a"}
    told = "step 'median' of light: got other values under revision 1, expected a higher revision or the same values"
    assert list(unrevised_steps([step], [{**step, "digest": "b"}])) == [told]
    assert not list(unrevised_steps([step], [{**step, "digest": "b", "revision": "2"}]))
    assert not list(unrevised_steps([step], [step]))


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


ENTRIES = [
    ("method", "stepped"), ("method", "thresh"), ("metric", "dice"), ("metric", "recall"), ("protocol", "oracle"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "entries"),
    [
        (("thresh 0 dice", "stepped 0 dice", "msl test light oracle"), [("metric", "dice")]),
        (("thresh 0 dice", "thresh 0 recall", "msl test light oracle"), [("method", "thresh")]),
        (("thresh 0 dice",), [("method", "thresh"), ("metric", "dice")]),
        (("msl test light oracle",), [("protocol", "oracle")]),
        ((), []),
    ],
)
def test_changed_values_name_the_entry_that_they_share(changed: tuple[str, ...], entries: list[Entry]) -> None:
    groups = ("thresh 0 dice", "thresh 0 recall", "stepped 0 dice", "stepped 0 recall", "msl test light oracle")
    before = [{"group": group, "digest": "1"} for group in groups]
    now = [{"group": group, "digest": "2" if group in changed else "1"} for group in groups]
    assert blamed(Table("rows", "rows.csv"), before, now, ENTRIES) == entries


def test_values_may_not_change_under_the_revision_that_they_were_recorded_under() -> None:
    recorded = dict.fromkeys(ENTRIES, "1")
    same = Change([("metric", "dice")], recorded, recorded)
    assert not same.is_raised
    assert list(same.lines()) == [
        "metric 'dice': got other values under revision 1, expected a higher revision or the same values"
    ]
    raised = Change([("metric", "dice")], recorded, {**recorded, ("metric", "dice"): "2"})
    assert raised.is_raised
    assert list(raised.lines()) == ["metric 'dice': recorded under revision 1, got 2; record its values anew"]
    assert not Change([("metric", "recall")], recorded, raised.now).is_raised


def test_the_entries_of_a_run_are_those_of_its_rows(tmp_path: Path) -> None:
    line = {"method": "stepped", "postprocessing": "", "protocol": "", "metric": "l1", "revision": "3.0.0.2"}
    write_lines(tmp_path / "rows.csv", [line, line])
    assert revisions_of(tmp_path, Names({})) == [
        {"kind": "method", "name": "stepped", "revision": "3"}, {"kind": "metric", "name": "l1", "revision": "2"},
    ]  # fmt: skip


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
