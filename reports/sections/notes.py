"""Section of notes: what qualifies every number, what is missing or undefined, and why."""

from collections.abc import Iterator, Mapping

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.storage.admission import leaks_of
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import cell_state
from benchmark.study.cells import Cell
from benchmark.study.protocols import PROTOCOLS, protocol_named, scans_needed
from datasets.io.atomic import read_json
from reports.markup.markdown import escape, github_table
from reports.model.cohort_results import Board
from reports.model.numbers import of_cases
from reports.model.ranking import ABSENT, sees_test
from reports.model.run_results import Findings, cohort_title

SHOWN_LEAKS = 5
MOST_NAMED = 12  # cells in one note
UNFINISHED = {
    "missing": "missing, not computed yet",
    "mapped": "mapped, but not scored under every chain and threshold of the study",
}


def noted(findings: Findings) -> str:
    undefined = nan_table({**findings.healthy, **findings.lesion})
    return "\n\n".join(
        [
            findings.heading("Notes"),
            "\n".join(f"- {note}" for note in notes(findings)) or "- Every cell is done, every threshold defined.",
            f"Undefined by decision, over all methods, chains and thresholds:\n\n{undefined}" if undefined else "",
        ]
    ).strip()


def badges(findings: Findings) -> list[str]:
    """What qualifies every number of the run."""
    return [
        *_leaks(findings),
        *_partial(findings),
        *_single_seed(findings),
        *_labelled(findings),
        *_validation(findings),
    ]


def notes(findings: Findings) -> list[str]:
    """What is not there, and why."""
    return [
        *_empty_cohorts(findings),
        *_undefined_protocols(findings),
        *_undefined_by_decision(findings),
        *_closed_protocols(findings),
        *_unfinished(findings),
    ]


def _leaks(findings: Findings) -> Iterator[str]:
    """What the audit had to say of a run that went on in spite of it."""
    if any("leak" in cell.flags for cell in findings.cells):
        told = leaks_of(findings.run, findings.cohorts)
        shown = " ".join(escape(str(one)) for one in told[:SHOWN_LEAKS])
        more = f" And {len(told) - SHOWN_LEAKS} more, see `audit.json`." if len(told) > SHOWN_LEAKS else ""
        why = "the splits are not apart and no number can be trusted"
        yield f"**LEAK**: computed with `--allow-leak`; {why}. {shown}{more}"


def _partial(findings: Findings) -> Iterator[str]:
    """Which cases a run has left out since they could not be used."""
    if any("partial" in cell.flags for cell in findings.cells):
        skipped = read_json(findings.run.study).get("skipped", {})
        cases = "; ".join(f"{cohort_title(name)}: {', '.join(map(escape, ids))}" for name, ids in skipped.items())
        yield f"**PARTIAL**: computed with `--skip-bad`, without these cases, which cannot be used: {cases}."


def _single_seed(findings: Findings) -> Iterator[str]:
    seeds = findings.whole.seeds
    single = sorted(method for method, count in seeds.items() if count == 1)
    if single:
        whose = "" if len(single) == len(seeds) else f" ({', '.join(map(escape, single))})"
        yield f"**Single seed**{whose}: these numbers describe these weights, not the recipe."


def _labelled(findings: Findings) -> Iterator[str]:
    labelled = findings.whole.labelled
    if labelled:
        yield (
            f"**Uses lesion labels** ({', '.join(map(escape, labelled))}): maps are made of the lesion masks of the "
            "other patients of the cohort that is scored, which no method may see. Marked and last in every table, "
            "ranked in none."
        )


def _validation(findings: Findings) -> Iterator[str]:
    if findings.validation:
        yield (
            "**VALIDATION**: the test split is closed; all numbers are of validation cases, which a method may have "
            "been tuned on and on which the thresholds are chosen."
        )


def _empty_cohorts(findings: Findings) -> Iterator[str]:
    while_closed = " while the test split is closed" if findings.validation else ""
    case = "validation case" if findings.validation else "test case"
    for name in findings.empty:
        yield f"{cohort_title(name)}: no {case}, nothing to show{while_closed}."


def _undefined_protocols(findings: Findings) -> Iterator[str]:
    """Thresholds for which there is no case of the kind that they use; what several cohorts share is said once."""
    cohorts: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys([*findings.lesion, *findings.healthy]):
        protocols = _undefined(findings, name)
        reasons = [_why_undefined(findings, name, protocol) for protocol in protocols]
        for reason in dict.fromkeys(reasons):
            named = ", ".join(f"`{one}`" for one, why in zip(protocols, reasons, strict=True) if why == reason)
            cohorts.setdefault((named, reason), []).append(cohort_title(name))
    for (named, reason), whose in cohorts.items():
        yield f"{', '.join(whose)}: no threshold {named}, since {reason}."


def _undefined(findings: Findings, cohort: str) -> list[str]:
    rows = _undefined_rows(findings)
    rows = rows[(rows["dataset"] == cohort) & ~_by_decision(findings, rows)]
    asked = findings.scoring.protocols
    return [name for name in rows["protocol"].unique() if name in asked and not _is_closed(findings, name)]


def _undefined_by_decision(findings: Findings) -> Iterator[str]:
    rows = _undefined_rows(findings)
    rows = rows[_by_decision(findings, rows)]
    if not rows.empty:
        methods = ", ".join(map(escape, rows["method"].unique()))
        named = ", ".join(f"`{name}`" for name in rows["protocol"].unique())
        yield f"{methods}: no threshold {named}, undefined by decision: of healthy scans such maps say nothing."


def _undefined_rows(findings: Findings) -> pd.DataFrame:
    rows = findings.whole.rows
    return rows[(rows["metric"] == "threshold") & rows["value"].isna()]


def _by_decision(findings: Findings, rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of a method that uses labels, under a threshold taken from healthy scans."""
    of_healthy = [name for name, protocol in PROTOCOLS.items() if protocol.uses == "healthy-val"]
    return rows["method"].isin(findings.whole.labelled) & rows["protocol"].isin(of_healthy)


def _why_undefined(findings: Findings, cohort: str, protocol: str) -> str:
    named = protocol_named(protocol)
    if named.cohort:
        return f"this run has no lesion validation cases of {escape(named.cohort)}"
    if cohort not in findings.lesion and named.uses != "healthy-val":
        return "a healthy cohort has no lesions"
    if named.rule == "alarm" and named.rate is not None:
        return f"the healthy cohort has fewer than {scans_needed(named.rate)} validation scans"
    if named.rule == "crossed":
        return "its test split has lesion cases of fewer than two patients"
    return ABSENT[named.uses]


def _closed_protocols(findings: Findings) -> Iterator[str]:
    closed = [name for name in findings.scoring.protocols if _is_closed(findings, name)]
    if closed:
        named = ", ".join(f"`{name}`" for name in closed)
        yield f"No numbers under {named}: that needs the labels of the test split, which is closed."


def _is_closed(findings: Findings, protocol: str) -> bool:
    return findings.validation and sees_test(protocol)


def _unfinished(findings: Findings) -> Iterator[str]:
    """Cells without all their rows; what befell several cohorts alike is said once."""
    cohorts: dict[tuple[str, int, str], list[str]] = {}
    for cell in (*findings.cells, *findings.shifted):
        state = cell_state(findings.run, cell, findings.scoring)
        if state != "done":
            text = UNFINISHED.get(state) or _failure(findings.run, cell)
            cohorts.setdefault((cell.fit.method, cell.fit.seed, text), []).append(cell.where)
    for (method, seed, text), names in cohorts.items():
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        listed = ", ".join(f"`{name}`" for name in names[:MOST_NAMED])
        yield f"{escape(method)} on {listed}{more}, seed {seed}: {text}."


def _failure(run: RunFolder, cell: Cell) -> str:
    record = read_json(run.cell(cell) / "cell.json")
    last = record["traceback"].strip().splitlines()[-1]
    return f"**failed** in {record['stage']} ({escape(last.rstrip('.'))})"


def nan_table(boards: Mapping[str, Board]) -> str:
    """How often each metric of a case is undefined, over all methods and choices; "" where nothing is."""
    lines = []
    for title, board in boards.items():
        for metric, values in of_cases(board.rows).groupby("metric")["value"]:
            if values.isna().any():
                rule = METRICS[str(metric)].undefined if metric in METRICS else ""
                lines.append([escape(title), escape(str(metric)), f"{values.isna().sum()} of {len(values)}", rule])
    return github_table(["Cohort", "Metric", "Undefined rows", "Undefined where"], lines, 4)
