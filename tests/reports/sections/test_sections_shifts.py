"""The report's section Under shift: tables by hand, and the section of a small run."""

from dataclasses import asdict, replace
from math import nan
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from scored_runs import Made, lines_of, make, tables

from benchmark.storage.summary_tables import SummaryLine
from datasets.shifts import Shift
from reports.formats.terminal import terminal_text
from reports.model.run_results import read_results
from reports.model.shift_responses import ShiftResponse
from reports.sections.shifts import curves, detail_table, panels_of, summary_table, under_shift, worst_shifts

FLAT = tuple(index / 12 for index in range(13))
SHIFTS = (Shift("gamma", 0.5), Shift("gamma", 2.0), Shift("noise", 0.1))


def line(method: str, metric: str, mean: float, shift: str, severity: float, kind: str = "mean") -> SummaryLine:
    """Of two patients."""
    protocol = "" if metric == "auprc" else "lesion-val"
    metric, _, tuned = metric.partition("@")
    return SummaryLine(
        dataset="lgg", sequence="t1", healthy="ixi", grid="", split="test", cases="lesion", metric=metric,
        postprocessing="light", protocol=f"lesion-val@{tuned}" if tuned else protocol, shift=shift, severity=severity,
        dose=nan if shift.startswith("none") else 0.1, kind=kind, method=method, n=2, seeds=1, planned=1, mean=mean,
    )  # fmt: skip


def lines_under(shift: str, severity: float, method: str, **means: float) -> list[SummaryLine]:
    """Means of metrics, and under a shift their changes: those whose names begin with `change_`."""
    found = []
    for name, mean in means.items():
        metric, kind = name.removeprefix("change_"), "change" if name.startswith("change_") else "mean"
        found.append(line(method, metric.replace("tuned", "dice@shifted"), mean, shift, severity, kind))
    return found


def response(*, matched: bool = False) -> ShiftResponse:
    lines = [
        *lines_under("none", 0.0, "ae", dice=0.375, auprc=0.25, alarm_fraction_far=0.125),
        *lines_under("none", 0.0, "thresh", dice=0.5, auprc=0.25, alarm_fraction_far=0.125),
        *lines_under("gamma", 0.5, "ae", dice=0.125, change_dice=-0.25, tuned=0.375, change_tuned=0.0, auprc=0.125,
                     change_auprc=-0.125, alarm_fraction_far=0.125),
        *lines_under("gamma", 0.5, "thresh", dice=0.5, change_dice=0.0, tuned=0.5, change_tuned=0.0, auprc=0.25,
                     change_auprc=0.0, alarm_fraction_far=0.125),
        *lines_under("gamma", 2.0, "ae", dice=0.25, change_dice=-0.125, tuned=0.25, change_tuned=-0.125, auprc=0.2,
                     change_auprc=-0.05, alarm_fraction_far=0.125),
    ]  # fmt: skip
    shifts: tuple[Shift, ...] = SHIFTS
    if matched:
        lines += lines_under("none+match", 0.0, "ae", dice=0.75, auprc=0.25)
        lines += lines_under("gamma+match", 0.5, "ae", dice=0.625, change_dice=-0.125, auprc=0.25, change_auprc=0.0)
        shifts = (*SHIFTS, Shift(matched=FLAT), *(replace(one, matched=FLAT) for one in SHIFTS))
    table = pd.DataFrame(map(asdict, lines))
    return ShiftResponse("lgg", table, "light", "lesion-val", ["ae", "thresh"], shifts)


RESULTS = SimpleNamespace(whole=SimpleNamespace(label=str), lesion={})


def lines_by_level(one: ShiftResponse) -> dict[tuple[str, str], dict[str, str]]:
    table = detail_table(RESULTS, one, "gamma", "lesion")  # type: ignore[arg-type]
    titles = [column.title for column in table.columns]
    return {(str(row[0]), str(row[1])): dict(zip(titles, map(str, row), strict=True)) for row in table.shown()}


def test_the_summary_says_what_each_shift_costs_frozen_and_re_tuned() -> None:
    lines = lines_of(summary_table(RESULTS, response(), "lesion"))  # type: ignore[arg-type]
    assert lines["ae"] == {
        "Method": "ae", "unshifted": "0.375", "gamma, frozen": "−0.250", "gamma, re-tuned": "+0.000",
        "noise, frozen": "", "noise, re-tuned": "",
    }  # fmt: skip
    assert lines["thresh"]["gamma, frozen"] == "+0.000"


def test_the_details_say_it_of_every_level_with_its_dose_and_missing_is_blank() -> None:
    lines = lines_by_level(response())
    titles = ("Dose", "frozen", "change", "re-tuned", "change, re-tuned", "AUPRC")
    assert [lines["ae", "0.50"][title] for title in titles] == ["0.100", "0.125", "−0.250", "0.375", "+0.000", "0.125"]
    assert [lines["ae", "2.00"][title] for title in titles] == ["0.100", "0.250", "−0.125", "0.250", "−0.125", "0.200"]
    assert [lines["thresh", "2.00"][title] for title in titles] == ["0.100", *[""] * 5]  # one dose for all methods


def test_the_matching_arm_is_compared_with_its_own_unshifted_cell() -> None:
    line = lines_by_level(response(matched=True))["ae", "0.50"]
    assert (line["matched"], line["change, matched"]) == ("0.625", "−0.125")


def test_the_curves_begin_with_the_unshifted_scan() -> None:
    points, panels = curves(response(), "lesion")
    assert panels == ["gamma below 1", "gamma above 1", "noise"]
    own = [
        one for one in points if one["method"] == "ae" and one["panel"] == "gamma below 1" and one["arm"] == "re-tuned"
    ]
    assert [(one["dose"], one["value"]) for one in own] == [(0.0, 0.375), (0.1, 0.375)]


def test_gamma_is_drawn_on_two_sides() -> None:
    assert [(panel.title, panel.severities) for panel in panels_of(response())] == [
        ("gamma below 1", (0.5,)),
        ("gamma above 1", (2.0,)),
        ("noise", (0.1,)),
    ]


@pytest.fixture(scope="module")
def shifted(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Made:
    """Two methods under two kinds of shifts, with the matching arm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        shifts = [Shift(matched=FLAT), *(replace(one, matched=arm) for arm in ((), FLAT) for one in SHIFTS)]
        made = make(tmp_path_factory.mktemp("shifted") / "run", data, shifts=shifts)
        made.report(pictures=[])
    return made


def test_each_cohort_has_its_summary_its_curves_and_its_tables(shifted: Made, plugin: None) -> None:
    report = (shifted.run.root / "report.md").read_text(encoding="utf-8")
    found = tables(shifted.document(pictures=[]))
    for name in ("patients-lesion", "inpatients-lesion", "volunteers-healthy"):
        assert {f"{name}-shifts", f"{name}-gamma", f"{name}-noise"} <= set(found)
        assert "change, matched" in found[f"{name}-gamma"]["thresh (simple baseline)"]
    for name in ("lesion-patients", "lesion-inpatients", "healthy-volunteers"):
        drawn = (shifted.run.root / "figures" / f"shift-{name}.svg").read_text(encoding="utf-8")
        assert "gamma below 1" in drawn
        assert f"figures/shift-{name}.svg" in report
    assert report.count("threshold `healthy-fpr-1`. The leftmost") == 3
    assert "18 more cells" not in report
    assert "42 more cells, under Under shift" in report


def test_other_tables_are_those_of_a_run_without_shifts(
    shifted: Made, tmp_path: Path, data: Path, plugin: None
) -> None:
    plain, found = (tables(made.document(pictures=[])) for made in (make(tmp_path / "run", data), shifted))
    for name in ("patients-paper-healthy-fpr-1", "volunteers-healthy", "patients-endpoint"):
        assert found[name] == plain[name]


def test_the_terminal_says_each_methods_worst_shift_in_a_line_a_cohort(shifted: Made, plugin: None) -> None:
    lines = list(worst_shifts(read_results(shifted.run)))
    assert len(lines) == 2
    assert str(lines[0]).startswith(
        "Patients (patients): largest loss of Dice under a shift (paper, healthy-fpr-1 frozen): thresh "
    )
    assert "largest loss of Dice under a shift" in terminal_text(shifted.run)


def test_curves_of_what_is_not_shifted_any_more_are_removed(shifted: Made, plugin: None) -> None:
    stale = shifted.run.root / "figures" / "shift-lesion-nobody.svg"
    stale.write_text("")
    under_shift(read_results(shifted.run))
    assert not stale.exists()
    assert (shifted.run.root / "figures" / "shift-lesion-patients.svg").exists()


def test_without_shifts_there_is_no_section(finished: Made, plugin: None) -> None:
    assert under_shift(read_results(finished.run)) == []
    assert list(worst_shifts(read_results(finished.run))) == []
