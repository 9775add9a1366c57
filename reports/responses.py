"""The report's section Under shift: tables and curves of what shifts cost, and a line for the terminal."""

from collections.abc import Callable, Iterator
from math import isnan
from pathlib import Path

from reports.columns import MISSING, UNDEFINED
from reports.curves import draw_responses
from reports.findings import Findings, cohort_title
from reports.headline import domain
from reports.markup import escape, github_table
from reports.numbers import Number
from reports.shiftnumbers import Line, Response, healthy_responses, lesion_responses

LEGEND = (
    "**Frozen**: the threshold of the same fit's unshifted cell, what one would deploy. **Re-tuned**: chosen on "
    "validation cases shifted alike, a ceiling. **Matched**: each image's percentiles are moved onto the mean ones of "
    "the training cases before the method sees it, unshifted cells too; its threshold is frozen from its own unshifted "
    "cell, and its changes are from that cell as well. Changes are differences to the unshifted cell. Dose: mean "
    "|shifted - unshifted image| over healthy tissue, of intensities in [0, 1], before any matching. The dose is "
    "what severities of different shifts have in common; that of gamma and transfer is as it comes."
)


def under_shift(findings: Findings) -> str:
    """Per cohort a summary, curves, and foldable tables of every level; "" without shifted cells."""
    lesion, healthy = lesion_responses(findings), healthy_responses(findings)
    figures = findings.run.root / "figures"
    drawn = set()
    parts = [findings.heading("Under shift"), LEGEND]
    for one in (*lesion, *healthy):
        is_lesion = one in lesion
        path = figures / f"shift-{'lesion' if is_lesion else 'healthy'}-{one.cohort}.svg"
        what = "Dice, AUPRC" if is_lesion else f"healthy alarms, {domain(findings, one.cohort)}"
        parts += [
            findings.heading(f"{cohort_title(one.cohort)}: {what}", 3),
            f"Post-processing `{one.chain}`, threshold `{one.protocol}`. {_summary_said(one, is_lesion)}",
            _summary(findings, one, lesion=is_lesion),
            _figure(one, path, lesion=is_lesion),
            *(_detail(findings, one, kind, lesion=is_lesion) for kind in one.kinds),
        ]
        drawn.add(path)
    for stale in {*figures.glob("shift-*.svg")} - drawn:
        stale.unlink()
    return "\n\n".join(parts) if lesion or healthy else ""


def worst_shifts(findings: Findings) -> Iterator[str]:
    """For each lesion cohort the shift that costs each method the most Dice; a line a cohort."""
    for one in lesion_responses(findings):
        said = []
        for method in one.methods:
            lines = [line for kind in one.kinds for line in one.lines(kind) if line.method == method]
            changes = {line: _change(one, line, "dice") for line in lines}
            known = {line: change for line, change in changes.items() if not isnan(change)}
            if known:
                worst = min(known, key=lambda line: known[line])
                said.append(f"{method} {known[worst]:+.3f} ({worst.shift}={worst.severity:g})")
        if said:
            title = findings.titled(f"{cohort_title(one.cohort)}: largest loss of Dice under a shift")
            yield f"{title} ({one.chain}, {one.protocol} frozen): {', '.join(said)}"


def _summary_said(one: Response, lesion: bool) -> str:
    metric = "Dice" if lesion else "the alarmed share of the brain (mean over scans)"
    return f"Change of {metric} at the level of the highest dose of each shift, threshold frozen / re-tuned:"


def _summary(findings: Findings, one: Response, *, lesion: bool) -> str:
    metric = "dice" if lesion else "alarm_fraction"
    body = []
    for method in one.methods:
        unshifted = one.value(Line(method, "none", 0.0), metric)
        cells = [_cell(unshifted)]
        for kind in one.kinds:
            lines = [line for line in one.lines(kind) if line.method == method]
            line = max(lines, key=lambda line: -1.0 if isnan(one.dose(line).value) else one.dose(line).value)
            cells.append(f"{_signed(_change(one, line, metric))} / {_signed(_change(one, line, metric, tuned=True))}")
        body.append([findings.whole.label(method), *cells])
    return github_table(["Method", "unshifted", *map(escape, one.kinds)], body, 1)


def _detail(findings: Findings, one: Response, kind: str, *, lesion: bool) -> str:
    columns = _lesion_columns(one) if lesion else _healthy_columns(one)
    body = [
        [findings.whole.label(line.method), f"{line.severity:g}", *(column(line) for column in columns.values())]
        for line in one.lines(kind)
    ]
    table = github_table(["Method", "Level", *columns], body, 1)
    return f"<details><summary>{escape(kind)}, every level</summary>\n\n{table}\n\n</details>"


def _lesion_columns(one: Response) -> dict[str, Callable[[Line], str]]:
    columns: dict[str, Callable[[Line], str]] = {
        "Dose": lambda line: _cell(one.dose(line)),
        "Dice frozen": lambda line: _cell(one.value(line, "dice")),
        "change": lambda line: _signed(_change(one, line, "dice")),
        "Dice re-tuned": lambda line: _cell(one.value(line, "dice", tuned=True)),
        "change, re-tuned": lambda line: _signed(_change(one, line, "dice", tuned=True)),
        "AUPRC": lambda line: _cell(one.value(line, "auprc", deployed=False)),
        "change of AUPRC": lambda line: _signed(_change(one, line, "auprc", deployed=False)),
        "Far alarms frozen": lambda line: _cell(one.value(line, "alarm_fraction_far")),
    }
    if one.has_matched:
        columns |= {
            "Matched: Dice frozen": lambda line: _cell(one.value(line, "dice", matched=True)),
            "matched: change": lambda line: _signed(_change(one, line, "dice", matched=True)),
            "matched: AUPRC": lambda line: _cell(one.value(line, "auprc", deployed=False, matched=True)),
        }
    return columns


def _healthy_columns(one: Response) -> dict[str, Callable[[Line], str]]:
    columns: dict[str, Callable[[Line], str]] = {
        "Dose": lambda line: _cell(one.dose(line)),
        "Alarmed share frozen": lambda line: _cell(one.value(line, "alarm_fraction", unit="case_id")),
        "change": lambda line: _signed(_change(one, line, "alarm_fraction")),
        "Alarmed share re-tuned": lambda line: _cell(one.value(line, "alarm_fraction", tuned=True, unit="case_id")),
        "Scans with any alarm, frozen": lambda line: _cell(one.value(line, "alarm", unit="case_id")),
        "ml a scan, frozen": lambda line: _cell(one.value(line, "alarm_ml", unit="case_id")),
    }
    if one.has_matched:
        columns |= {
            "Matched: alarmed share frozen": lambda line: _cell(
                one.value(line, "alarm_fraction", matched=True, unit="case_id")
            ),
            "matched: change": lambda line: _signed(_change(one, line, "alarm_fraction", matched=True)),
        }
    return columns


def _change(
    one: Response, line: Line, metric: str, *, tuned: bool = False, matched: bool = False, deployed: bool = True
) -> float:
    """From the unshifted cell of the same arm; re-tuned or not, the unshifted threshold is the same."""
    unit = "case_id" if metric == "alarm_fraction" else "subject_id"
    now = one.value(line, metric, tuned=tuned, matched=matched, deployed=deployed, unit=unit)
    before = one.value(one.unshifted(line), metric, matched=matched, deployed=deployed, unit=unit)
    return now.value - before.value


def _figure(one: Response, path: Path, *, lesion: bool) -> str:
    draw_responses(one, path, lesion=lesion)
    label = "Dice" if lesion else "alarmed share of healthy brains"
    arms = ", dotted matched" if one.has_matched else ""
    return (
        f"![{label} against dose](figures/{path.name})\n\n"
        f"*{label} against dose, a panel a shift: solid frozen, dashed re-tuned{arms}; the leftmost points are "
        "unshifted. Gamma below and above 1 stand apart.*"
    )


def _cell(number: Number) -> str:
    if not number.defined:
        return UNDEFINED if number.wanted else MISSING
    shown = f"{number.value:.3f}"
    return shown if number.defined == number.wanted else f"{shown} [{number.defined}/{number.wanted}]"


def _signed(change: float) -> str:
    return MISSING if isnan(change) else f"{change:+.3f}"
