"""Sections of acquisition shifts: dose-response curves and tables of what they cost, and the worst for the terminal."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Literal

import pandas as pd

from benchmark.analysis.summaries.shift_responses import IDENTITY
from benchmark.metrics import METRICS
from reports.content.blocks import Block, Paragraph, Picture
from reports.content.table import UNDEFINED, Cell, Column, Table, said, text_columns
from reports.content.text import Text, joined, prose
from reports.figures.charts import MOST_DRAWN, part_text, remove_others, responses_chart, write_chart
from reports.model.cohort_results import Number
from reports.model.ranking import domain
from reports.model.run_results import RunResults, cohort_title
from reports.model.shift_responses import Level, ShiftResponse, healthy_responses, lesion_responses

Kind = Literal["lesion", "healthy"]
LEGEND = prose(
    "**Frozen**: the threshold of the same fit's unshifted cell, what one would deploy. **Re-tuned**: chosen on "
    "validation cases shifted alike, a ceiling. **Matched**: each image's percentiles are moved onto the mean ones of "
    "the training cases before the method sees it, unshifted cells too; its threshold is frozen from its own unshifted "
    "cell, and its changes are from that cell as well. Changes are differences to the unshifted cell. Dose: mean "
    "|shifted - unshifted image| over healthy tissue, of intensities in [0, 1], before any matching. The dose is "
    "what severities of different shifts have in common; that of gamma and transfer is as it comes."
)
AREAS = (
    "Area under the dose-response curve, trapezoid, divided by the highest dose: the mean over all doses up to it, in "
    "the metric's own unit, as its change from the unshifted one with the 95 % interval over people (bootstrap-t, "
    "this trained model). In brackets behind a shift its highest dose: shifts with other doses are not comparable."
)


METRIC: dict[Kind, str] = {"lesion": "dice", "healthy": "alarm_fraction"}
TITLE: dict[Kind, str] = {"lesion": "Dice", "healthy": "share of the healthy brain flagged"}


def under_shift(results: RunResults) -> list[Block]:
    """Per cohort curves and what each shift costs at its highest dose; nothing without shifted cells."""
    figures = results.run.root / "figures"
    parts: list[Block] = []
    drawn = set()
    for kind, one in _responses(results):
        path = figures / f"shift-{kind}-{one.cohort}.svg"
        write_chart(responses_chart(*curves(one, kind), TITLE[kind], _ordered(results, one)), path)
        drawn.add(path)
        where = "" if kind == "lesion" else f", {domain(results, one.cohort)}"
        arms = ", dotted matched" if one.has_matched else ""
        caption = prose(
            "{}{}: {} against dose, solid frozen, dashed re-tuned{}; post-processing `{}`, threshold `{}`. The "
            "leftmost points are unshifted; gamma below and above 1 stand apart.{}",
            cohort_title(one.cohort), where, TITLE[kind], arms, one.pipeline, one.protocol,
            part_text(MOST_DRAWN, len(_ordered(results, one))),
        )  # fmt: skip
        parts += [
            Picture(path, f"{TITLE[kind]} against dose, {one.cohort}", caption),
            summary_table(results, one, kind),
        ]
    remove_others(figures, "shift-*.svg", drawn)
    return [results.heading("Under shift"), Paragraph(LEGEND), *parts] if parts else []


def shift_details(results: RunResults) -> list[Block]:
    """Areas under the curves, and every level of every shift."""
    parts: list[Block] = []
    for kind, one in _responses(results):
        parts += area_tables(results, one.cohort, kind)
        parts += [detail_table(results, one, shift, kind) for shift in one.kinds]
    return [results.heading("Under shift, every level"), Paragraph(AREAS), *parts] if parts else []


def _responses(results: RunResults) -> Iterator[tuple[Kind, ShiftResponse]]:
    yield from (("lesion", one) for one in lesion_responses(results))
    yield from (("healthy", one) for one in healthy_responses(results))


def _ordered(results: RunResults, one: ShiftResponse) -> list[str]:
    """The methods of a response, best first where they are ranked."""
    cohort = results.lesion.get(one.cohort)
    order = list(map(str, cohort.ordered)) if cohort is not None else list(one.methods)
    return [name for name in order if name in one.methods]


def worst_shifts(results: RunResults) -> Iterator[Text]:
    """For each lesion cohort the shift that costs each method the most Dice; a line a cohort."""
    for one in lesion_responses(results):
        told = []
        for method in one.methods:
            lines = [line for kind in one.kinds for line in one.levels(kind) if line.method == method]
            changes = {line: one.change(line, "dice") for line in lines}
            known = {line: value for line, value in changes.items() if not isnan(value)}
            if known:
                worst = min(known, key=lambda line: known[line])
                told.append(f"{method} {known[worst]:+.3f} ({worst.shift}={worst.severity:g})")
        if told:
            title = results.titled(prose("{}: largest loss of Dice under a shift", cohort_title(one.cohort)))
            yield prose("{} ({}, {} frozen): {}", title, one.pipeline, one.protocol, ", ".join(told))


def summary_table(results: RunResults, one: ShiftResponse, kind: Kind) -> Table:
    """A line a method: the change at each shift's highest dose, threshold frozen and re-tuned."""
    metric, digits = METRIC[kind], 3 if kind == "lesion" else 4
    higher = METRICS[metric].higher_is_better
    columns = [*text_columns("Method"), Column("unshifted", "", higher, digits)]
    for shift in one.kinds:
        columns += [Column(f"{shift}, {arm}", "", higher, digits, signed=True) for arm in ("frozen", "re-tuned")]
    rows = []
    for method in _ordered(results, one):
        row = [said(results.whole.label(method)), _cell(one.value(one.unshifted(method), metric))]
        for shift in one.kinds:
            levels = [level for level in one.levels(shift) if level.method == method]
            level = max(levels, key=lambda level: -1.0 if isnan(one.dose(level)) else one.dose(level))
            row += [Cell(one.change(level, metric)), Cell(one.change(level, metric, tuned=True))]
        rows.append(row)
    caption = prose(
        "{}: change of the {} at the highest dose of each shift; post-processing `{}`, threshold `{}`.",
        cohort_title(one.cohort), TITLE[kind], one.pipeline, one.protocol,
    )  # fmt: skip
    return Table(f"{one.cohort}-{kind}-shifts", caption, columns, rows, stamp="exploratory")


def detail_table(results: RunResults, one: ShiftResponse, shift: str, kind: Kind) -> Table:
    """A line a method and level of one shift."""
    metric, digits = METRIC[kind], 3 if kind == "lesion" else 4
    others = ("auprc", "alarm_fraction_far") if kind == "lesion" else ("alarm", "alarm_ml")
    columns = [
        *text_columns("Method"), Column("Level", digits=2), Column("Dose"), Column("frozen", digits=digits),
        Column("change", digits=digits, signed=True), Column("re-tuned", digits=digits),
        Column("change, re-tuned", digits=digits, signed=True),
        *(Column(METRICS[name].title, METRICS[name].unit, METRICS[name].higher_is_better) for name in others),
    ]  # fmt: skip
    if one.has_matched:
        columns += [Column("matched", digits=digits), Column("change, matched", digits=digits, signed=True)]
    rows = []
    for level in one.levels(shift):
        row = [
            said(results.whole.label(level.method)), Cell(level.severity), Cell(one.dose(level)),
            _cell(one.value(level, metric)), Cell(one.change(level, metric)),
            _cell(one.value(level, metric, tuned=True)), Cell(one.change(level, metric, tuned=True)),
            *(_cell(one.value(level, name, deployed=name != "auprc")) for name in others),
        ]  # fmt: skip
        if one.has_matched:
            row += [_cell(one.value(level, metric, matched=True)), Cell(one.change(level, metric, matched=True))]
        rows.append(row)
    caption = prose("{}, {}: {}, every level.", cohort_title(one.cohort), shift, TITLE[kind])
    return Table(f"{one.cohort}-{kind}-{shift}", caption, columns, rows, headers=2, stamp="exploratory")


def _cell(number: Number) -> Cell:
    if not number.defined:
        return Cell(absent=UNDEFINED) if number.wanted else Cell()
    return Cell(number.value, note="" if number.defined == number.wanted else f"[{number.defined}/{number.wanted}]")


@dataclass(frozen=True)
class Panel:
    """Levels of one shift on one side of its identity."""

    title: str
    kind: str
    severities: tuple[float, ...]


def panels_of(response: ShiftResponse) -> list[Panel]:
    """One a shift, two where it goes two ways."""
    panels = []
    for kind in response.kinds:
        severities = response.severities(kind)
        if kind not in IDENTITY:
            panels.append(Panel(kind, kind, tuple(severities)))
            continue
        at = IDENTITY[kind]
        below, above = (tuple(one for one in severities if (one < at) is lower) for lower in (True, False))
        sides = [("below", below), ("above", above)]
        panels += [Panel(f"{kind} {side} {at:g}", kind, some) for side, some in sides if some]
    return panels


def curves(one: ShiftResponse, kind: Kind) -> tuple[list[dict[str, Any]], list[str]]:
    """The points of a response's chart, and its panels."""
    arms = {
        "frozen": (False, False),
        "re-tuned": (True, False),
        **({"matched": (False, True)} if one.has_matched else {}),
    }
    points, panels = [], panels_of(one)
    for panel in panels:
        for method in one.methods:
            levels = [one.unshifted(method), *(Level(method, panel.kind, severity) for severity in panel.severities)]
            for arm, (tuned, matched) in arms.items():
                for place, level in enumerate(levels):
                    # Re-tuned or not, the unshifted threshold is the same.
                    value = one.value(level, METRIC[kind], tuned=tuned and place > 0, matched=matched).value
                    dose = one.dose(level) if place else 0.0
                    if not (isnan(value) or isnan(dose)):
                        points.append({"panel": panel.title, "method": method, "arm": arm, "dose": round(dose, 5),
                                       "value": round(value, 5)})  # fmt: skip
    return points, [panel.title for panel in panels]


def area_tables(results: RunResults, cohort: str, kind: Kind) -> list[Table]:
    """A table a metric and arm; [] where nothing is summarised."""
    lines = results.summary.areas
    metrics = ("dice", "auprc") if kind == "lesion" else ("alarm_fraction",)
    own = lines[(lines["dataset"] == cohort) & lines["metric"].isin(metrics) & (lines["split"] == results.split)]
    return [_area_table(results, cohort, table) for _, table in own.groupby(["metric", "arm"], sort=False)]


def _area_table(results: RunResults, cohort: str, table: pd.DataFrame) -> Table:
    one = table.iloc[0]
    metric = METRICS[one["metric"]]
    digits = 4 if one["metric"] == "alarm_fraction" else 3
    curves = list(dict.fromkeys(zip(table["shift"], table["side"], strict=True)))
    doses = table.groupby(["shift", "side"])["dose"].max()
    by = {(line["method"], line["shift"], line["side"]): line for _, line in table.iterrows()}
    heads = [f"{' '.join(filter(None, curve))} (to dose {doses[curve]:.3f})" for curve in curves]
    columns = [*text_columns("Method"), Column("unshifted", metric.unit, metric.higher_is_better, digits),
               *(Column(head, "", metric.higher_is_better, digits, signed=True) for head in heads)]  # fmt: skip
    rows = []
    for method in dict.fromkeys(table["method"]):
        own = [by.get((method, *curve)) for curve in curves]
        unshifted = next((float(line["unshifted"]) for line in own if line is not None), nan)
        rows.append([said(results.whole.label(method)), Cell(unshifted), *map(_area_cell, own)])
    choice = joined([prose("`{}`", one[name]) for name in ("postprocessing", "protocol") if one[name]], ", ")
    caption = prose(
        "{}: mean change of {} over doses, threshold {} ({}).", cohort_title(cohort), metric.title, one["arm"], choice
    )
    return Table(f"{cohort}-area-{one['metric']}-{one['arm']}", caption, columns, rows, stamp="exploratory")


def _area_cell(line: "pd.Series[float] | None") -> Cell:
    return Cell() if line is None else Cell(line["change"], line["low"], line["high"])
