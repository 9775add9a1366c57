"""The report's section Under shift: tables and curves of what shifts cost, and a line for the terminal."""

from collections.abc import Iterator
from math import isnan
from pathlib import Path

from reports.figures.dose_response import draw_responses
from reports.markup.markdown import escape, folded
from reports.model.headline import domain
from reports.model.run_results import Findings, cohort_title
from reports.model.shift_responses import Response, healthy_responses, lesion_responses
from reports.sections.shift_areas import area_tables
from reports.sections.shift_tables import change, detail_table, summary_table

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
            summary_table(one, findings.whole.label, lesion=is_lesion),
            _figure(one, path, lesion=is_lesion),
            *area_tables(findings, one.cohort, lesion=is_lesion),
            *(
                folded(f"{escape(kind)}, every level", detail_table(one, kind, findings.whole.label, lesion=is_lesion))
                for kind in one.kinds
            ),
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
            changes = {line: change(one, line, "dice") for line in lines}
            known = {line: value for line, value in changes.items() if not isnan(value)}
            if known:
                worst = min(known, key=lambda line: known[line])
                said.append(f"{method} {known[worst]:+.3f} ({worst.shift}={worst.severity:g})")
        if said:
            title = findings.titled(f"{cohort_title(one.cohort)}: largest loss of Dice under a shift")
            yield f"{title} ({one.chain}, {one.protocol} frozen): {', '.join(said)}"


def _summary_said(one: Response, lesion: bool) -> str:
    metric = "Dice" if lesion else "the alarmed share of the brain (mean over scans)"
    return f"Change of {metric} at the level of the highest dose of each shift, threshold frozen / re-tuned:"


def _figure(one: Response, path: Path, *, lesion: bool) -> str:
    draw_responses(one, path, lesion=lesion)
    label = "Dice" if lesion else "alarmed share of healthy brains"
    arms = ", dotted matched" if one.has_matched else ""
    return (
        f"![{label} against dose](figures/{path.name})\n\n"
        f"*{label} against dose, a panel a shift: solid frozen, dashed re-tuned{arms}; the leftmost points are "
        "unshifted. Gamma below and above 1 stand apart.*"
    )
