"""Section of notes: what qualifies every number, what is missing or undefined, and why."""

from collections.abc import Iterator, Mapping

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import idle_text, pipeline_named
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.admission import findings_of
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import cell_record, cell_state
from benchmark.study.cells import NOT_AVAILABLE, Cell
from benchmark.study.protocols import USES, protocol_named
from datasets.audit.finding import Finding
from datasets.io.atomic import read_json
from reports.markup.markdown import escape, github_table
from reports.model.cohort_results import CohortResults, of_cases
from reports.model.ranking import sees_test
from reports.model.run_results import RunResults, cohort_title

SHOWN_LEAKS = 5
MOST_NAMED = 12  # cells in one note
UNFINISHED = {
    "missing": "missing, not computed yet",
    "mapped": "mapped, but not scored under every post-processing and threshold of the study",
}


def notes_section(results: RunResults) -> str:
    undefined = nan_table({**results.healthy, **results.lesion})
    return "\n\n".join(
        [
            results.heading("Notes"),
            "\n".join(f"- {note}" for note in notes(results)) or "- Every cell is done, every threshold defined.",
            f"Undefined by decision, over all methods, post-processings and thresholds:\n\n{undefined}"
            if undefined
            else "",
        ]
    ).strip()


def badges(results: RunResults) -> list[str]:
    """What qualifies every number of the run."""
    return [
        *_leaks(results),
        *_partial(results),
        *_scored_by_plugins(results),
        *_single_seed(results),
        *_labelled(results),
        *_transductive(results),
        *_idle_pipelines(results),
        *_validation(results),
    ]


def notes(results: RunResults) -> list[str]:
    """What is not there, and why."""
    return [
        *_empty_cohorts(results),
        *_without_healthy(results),
        *_undefined_protocols(results),
        *_undefined_by_decision(results),
        *_closed_protocols(results),
        *_unfinished(results),
        *_audit_warnings(results),
    ]


def _leaks(results: RunResults) -> Iterator[str]:
    """What the audit had to say of a run that went on in spite of it."""
    if any("leak" in cell.flags for cell in results.cells):
        told = [one for one in findings_of(results.run, results.cohorts) if one.flag == "leak"]
        shown = " ".join(escape(str(one)) for one in told[:SHOWN_LEAKS])
        more = f" And {len(told) - SHOWN_LEAKS} more, see `audit.json`." if len(told) > SHOWN_LEAKS else ""
        why = "the splits are not apart and no number can be trusted"
        yield f"**LEAK**: computed with `--allow-leak`; {why}. {shown}{more}"


def _partial(results: RunResults) -> Iterator[str]:
    """Which cases a run has left out since they could not be used."""
    if any("partial" in cell.flags for cell in results.cells):
        skipped = read_json(results.run.study).get("skipped", {})
        cases = "; ".join(f"{cohort_title(name)}: {', '.join(map(escape, ids))}" for name, ids in skipped.items())
        yield f"**PARTIAL**: computed with `--skip-bad`, without these cases, which cannot be used: {cases}."


def _scored_by_plugins(results: RunResults) -> Iterator[str]:
    """Which names of the scoring stand for definitions that are not built in."""
    scoring = results.scoring
    origins = {
        **{name: METRICS[name].origin for name in scoring.metrics},
        **{name: pipeline_named(name).origin for name in scoring.postprocessing},
        **{name: protocol_named(name).origin for name in scoring.protocols},
    }
    named = ", ".join(f"`{name}` ({escape(origin)})" for name, origin in origins.items() if origin)
    if named:
        yield f"**PLUGIN**: scored by plugins, not by built-in definitions, and on no leaderboard: {named}."


def _single_seed(results: RunResults) -> Iterator[str]:
    seeds = results.whole.seeds
    single = sorted(method for method, count in seeds.items() if count == 1)
    if single:
        whose = "" if len(single) == len(seeds) else f" ({', '.join(map(escape, single))})"
        yield f"**Single seed**{whose}: these numbers describe these weights, not the recipe."


def _labelled(results: RunResults) -> Iterator[str]:
    labelled = results.whole.labelled
    if labelled:
        yield (
            f"**Uses lesion labels** ({', '.join(map(escape, labelled))}): maps are made of the lesion masks of the "
            "other patients of the cohort that is scored, which no method may see. Marked and last in every table, "
            "ranked in none."
        )


def _transductive(results: RunResults) -> Iterator[str]:
    methods = results.whole.transductive
    if methods:
        yield (
            f"**Transductive** ({', '.join(map(escape, methods))}): maps depend on the other scans that were mapped "
            "with them, all of a split, which a single patient does not bring. Below the others in every table, and "
            "ranked in none."
        )


def _idle_pipelines(results: RunResults) -> Iterator[str]:
    """That what the release decides by has no post-processing on this grid."""
    fixed = read_endpoint()
    told = idle_text(fixed.pipelines, results.grid.spacing)
    if told:
        decides = fixed.postprocessing != results.endpoint.postprocessing
        yield escape(told) + (" **The pipeline of the endpoints is one of them.**" if decides else "")


def _validation(results: RunResults) -> Iterator[str]:
    if results.validation:
        yield (
            "**VALIDATION**: the test split is closed; all numbers are of validation cases, which a method may have "
            "been tuned on and on which the thresholds are chosen."
        )


def _empty_cohorts(results: RunResults) -> Iterator[str]:
    while_closed = " while the test split is closed" if results.validation else ""
    case = "validation case" if results.validation else "test case"
    for name in results.empty:
        yield f"{cohort_title(name)}: no {case}, nothing to show{while_closed}."


def _without_healthy(results: RunResults) -> Iterator[str]:
    if not results.fitted_on:
        of_healthy = [f"threshold `{name}`" for name in _of_healthy(results)]
        what = ", ".join([*of_healthy, "in-domain false positives"])
        yield f"{what[0].upper()}{what[1:]}: {NOT_AVAILABLE}."


def _of_healthy(results: RunResults) -> list[str]:
    """The thresholds that are taken from healthy scans."""
    return [name for name in results.scoring.protocols if protocol_named(name).needs_healthy]


def _undefined_protocols(results: RunResults) -> Iterator[str]:
    """Thresholds for which there is no case of the kind that they use; what several cohorts share is said once."""
    cohorts: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys([*results.lesion, *results.healthy]):
        protocols = _undefined(results, name)
        reasons = [_why_undefined(results, name, protocol) for protocol in protocols]
        for reason in dict.fromkeys(reasons):
            named = ", ".join(f"`{one}`" for one, why in zip(protocols, reasons, strict=True) if why == reason)
            cohorts.setdefault((named, reason), []).append(cohort_title(name))
    for (named, reason), whose in cohorts.items():
        yield f"{', '.join(whose)}: no threshold {named}, since {reason}."


def _undefined(results: RunResults, cohort: str) -> list[str]:
    rows = _undefined_rows(results)
    rows = rows[(rows["dataset"] == cohort) & ~_by_decision(results, rows)]
    asked = results.scoring.protocols
    return [name for name in rows["protocol"].unique() if name in asked and not _is_closed(results, name)]


def _undefined_by_decision(results: RunResults) -> Iterator[str]:
    rows = _undefined_rows(results)
    rows = rows[_by_decision(results, rows)]
    if not rows.empty:
        methods = ", ".join(map(escape, rows["method"].unique()))
        named = ", ".join(f"`{name}`" for name in rows["protocol"].unique())
        yield f"{methods}: no threshold {named}, undefined by decision: of healthy scans such maps say nothing."


def _undefined_rows(results: RunResults) -> pd.DataFrame:
    rows = results.whole.rows
    rows = rows[(rows["metric"] == "threshold") & rows["value"].isna()]
    return rows if results.fitted_on else rows[~rows["protocol"].isin(_of_healthy(results))]


def _by_decision(results: RunResults, rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows are of a method that uses labels, under a threshold taken from healthy scans."""
    return rows["method"].isin(results.whole.labelled) & rows["protocol"].isin(_of_healthy(results))


def _why_undefined(results: RunResults, cohort: str, protocol: str) -> str:
    named = protocol_named(protocol)
    if not named.cohort and cohort not in results.lesion and not named.needs_healthy:
        return "a healthy cohort has no lesions"
    return escape(named.undefined or USES[named.uses][1])


def _closed_protocols(results: RunResults) -> Iterator[str]:
    closed = [name for name in results.scoring.protocols if _is_closed(results, name)]
    if closed:
        named = ", ".join(f"`{name}`" for name in closed)
        yield f"No numbers under {named}: that needs the labels of the test split, which is closed."


def _is_closed(results: RunResults, protocol: str) -> bool:
    return results.validation and sees_test(protocol)


def _unfinished(results: RunResults) -> Iterator[str]:
    """Cells without all their rows; what befell several cohorts alike is said once."""
    cohorts: dict[tuple[str, int, str], list[str]] = {}
    for cell in (*results.cells, *results.shifted):
        state = cell_state(results.run, cell, results.scoring)
        if state != "done":
            text = UNFINISHED.get(state) or _failure(results.run, cell)
            cohorts.setdefault((cell.fit.method, cell.fit.seed, text), []).append(cell.where)
    for (method, seed, text), names in cohorts.items():
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        listed = ", ".join(f"`{name}`" for name in names[:MOST_NAMED])
        yield f"{escape(method)} on {listed}{more}, seed {seed}: {text}."


def _audit_warnings(results: RunResults) -> Iterator[str]:
    """What the audit found odd in the data and did not refuse, a line for each kind in a cohort."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for one in findings_of(results.run, results.cohorts):
        if one.severity == "warning":
            kinds.setdefault((one.cohort, one.code), []).append(one)
    for (cohort, code), found in kinds.items():
        cases = list(dict.fromkeys(case for one in found for case in one.cases))
        more = f" and {len(cases) - MOST_NAMED} more" if len(cases) > MOST_NAMED else ""
        whose = f" ({', '.join(map(escape, cases[:MOST_NAMED]))}{more})" if cases else ""
        such = "such as " if len(found) > 1 else ""
        told = f"{such}{escape(found[0].got)}, expected {escape(found[0].expected)}"
        yield f"The audit warns of `{code}` in `{cohort}`: {told}{whose}."


def _failure(run: RunFolder, cell: Cell) -> str:
    record = cell_record(run, cell)
    last = record["traceback"].strip().splitlines()[-1]
    return f"**failed** in {record['stage']} ({escape(last.rstrip('.'))})"


def nan_table(cohorts: Mapping[str, CohortResults]) -> str:
    """How often each metric of a case is undefined, over all methods and choices; "" where nothing is."""
    lines = []
    for title, cohort in cohorts.items():
        for metric, values in of_cases(cohort.rows).groupby("metric")["value"]:
            if values.isna().any():
                rule = METRICS[str(metric)].undefined if metric in METRICS else ""
                lines.append([escape(title), escape(str(metric)), f"{values.isna().sum()} of {len(values)}", rule])
    return github_table(["Cohort", "Metric", "Undefined rows", "Undefined where"], lines, 4)
