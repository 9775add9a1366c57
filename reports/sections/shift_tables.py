"""Tables of what shifts cost: a summary, and every level of one shift."""

from collections.abc import Callable
from math import isnan

from reports.markup.markdown import MISSING, UNDEFINED, escape, github_table
from reports.model.numbers import Number
from reports.model.shift_responses import Line, Response

Label = Callable[[str], str]


def summary_table(one: Response, label: Label, *, lesion: bool) -> str:
    """A line a method, a column a shift: the change at its highest dose, threshold frozen / re-tuned."""
    metric = "dice" if lesion else "alarm_fraction"
    body = []
    for method in one.methods:
        unshifted = one.value(Line(method, "none", 0.0), metric)
        cells = [_cell(unshifted)]
        for kind in one.kinds:
            lines = [line for line in one.lines(kind) if line.method == method]
            line = max(lines, key=lambda line: -1.0 if isnan(one.dose(line).value) else one.dose(line).value)
            cells.append(f"{_signed(change(one, line, metric))} / {_signed(change(one, line, metric, tuned=True))}")
        body.append([label(method), *cells])
    return github_table(["Method", "unshifted", *map(escape, one.kinds)], body, 1)


def detail_table(one: Response, kind: str, label: Label, *, lesion: bool) -> str:
    """A line a method and level of one shift."""
    columns = _lesion_columns(one) if lesion else _healthy_columns(one)
    body = [
        [label(line.method), f"{line.severity:g}", *(column(line) for column in columns.values())]
        for line in one.lines(kind)
    ]
    return github_table(["Method", "Level", *columns], body, 1)


def _lesion_columns(one: Response) -> dict[str, Callable[[Line], str]]:
    columns: dict[str, Callable[[Line], str]] = {
        "Dose": lambda line: _cell(one.dose(line)),
        "Dice frozen": lambda line: _cell(one.value(line, "dice")),
        "change": lambda line: _signed(change(one, line, "dice")),
        "Dice re-tuned": lambda line: _cell(one.value(line, "dice", tuned=True)),
        "change, re-tuned": lambda line: _signed(change(one, line, "dice", tuned=True)),
        "AUPRC": lambda line: _cell(one.value(line, "auprc", deployed=False)),
        "change of AUPRC": lambda line: _signed(change(one, line, "auprc", deployed=False)),
        "Far alarms frozen": lambda line: _cell(one.value(line, "alarm_fraction_far")),
    }
    if one.has_matched:
        columns |= {
            "Matched: Dice frozen": lambda line: _cell(one.value(line, "dice", matched=True)),
            "matched: change": lambda line: _signed(change(one, line, "dice", matched=True)),
            "matched: AUPRC": lambda line: _cell(one.value(line, "auprc", deployed=False, matched=True)),
        }
    return columns


def _healthy_columns(one: Response) -> dict[str, Callable[[Line], str]]:
    columns: dict[str, Callable[[Line], str]] = {
        "Dose": lambda line: _cell(one.dose(line)),
        "Alarmed share frozen": lambda line: _cell(one.value(line, "alarm_fraction", unit="case_id")),
        "change": lambda line: _signed(change(one, line, "alarm_fraction")),
        "Alarmed share re-tuned": lambda line: _cell(one.value(line, "alarm_fraction", tuned=True, unit="case_id")),
        "Scans with any alarm, frozen": lambda line: _cell(one.value(line, "alarm", unit="case_id")),
        "ml a scan, frozen": lambda line: _cell(one.value(line, "alarm_ml", unit="case_id")),
    }
    if one.has_matched:
        columns |= {
            "Matched: alarmed share frozen": lambda line: _cell(
                one.value(line, "alarm_fraction", matched=True, unit="case_id")
            ),
            "matched: change": lambda line: _signed(change(one, line, "alarm_fraction", matched=True)),
        }
    return columns


def change(
    one: Response, line: Line, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True
) -> float:
    """From the unshifted cell of the same arm; re-tuned or not, the unshifted threshold is the same."""
    unit = "case_id" if metric == "alarm_fraction" else "subject_id"
    now = one.value(line, metric, tuned=tuned, matched=matched, deployed=deployed, unit=unit)
    before = one.value(one.unshifted(line), metric, matched=matched, deployed=deployed, unit=unit)
    return now.value - before.value


def _cell(number: Number) -> str:
    if not number.defined:
        return UNDEFINED if number.wanted else MISSING
    shown = f"{number.value:.3f}"
    return shown if number.defined == number.wanted else f"{shown} [{number.defined}/{number.wanted}]"


def _signed(change: float) -> str:
    return MISSING if isnan(change) else f"{change:+.3f}"
