"""Section of notes: what qualifies every number, what is missing or undefined, and why."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import idle_text, pipeline_named, unscored
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.admission import findings_of
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import State, cell_state, damaged_tables, failure_of
from benchmark.study.cells import NOT_AVAILABLE, Cell
from benchmark.study.protocols import USES, protocol_named
from datasets.audit.finding import Finding
from datasets.io.atomic import read_json
from reports.content.blocks import Block, Bullets
from reports.content.table import Column, Table, counted, said, text_columns
from reports.content.text import Text, as_text, code, joined, prose
from reports.model.cohort_results import CohortResults, of_cases
from reports.model.ranking import sees_test
from reports.model.run_results import RunResults, cohort_title

SHOWN_LEAKS = 5
MOST_NAMED = 12  # cells, or methods, in one note
UNFINISHED = {
    "missing": "missing, not computed yet",
    "mapped": "mapped, but not scored under every post-processing and threshold of the study",
}


def notes_section(results: RunResults) -> list[Block]:
    said_of_all = notes(results) or [as_text("Every cell is done, every threshold defined.")]
    return [results.heading("What is missing, and audit warnings"), Bullets(said_of_all)]


def undefined_section(results: RunResults) -> list[Block]:
    table = undefined_table({**results.healthy, **results.lesion})
    return [results.heading("Undefined numbers"), table] if table else []


def badges(results: RunResults) -> list[Text]:
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


def notes(results: RunResults) -> list[Text]:
    """What is not there, and why."""
    return [
        *_empty_cohorts(results),
        *_without_healthy(results),
        *_undefined_protocols(results),
        *_undefined_by_decision(results),
        *_without_scores(results),
        *_closed_protocols(results),
        *_unfinished(results),
        *_audit_warnings(results),
    ]


def _leaks(results: RunResults) -> Iterator[Text]:
    """What the audit had to say of a run that went on in spite of it."""
    if any("leak" in cell.flags for cell in results.cells):
        told = [one for one in findings_of(results.run, results.cohorts) if one.flag == "leak"]
        shown = " ".join(map(str, told[:SHOWN_LEAKS]))
        more = f" And {len(told) - SHOWN_LEAKS} more, see audit.json." if len(told) > SHOWN_LEAKS else ""
        why = "the splits are not apart and no number can be trusted"
        yield prose("**LEAK**: computed with `--allow-leak`; {}. {}{}", why, shown, more)


def _partial(results: RunResults) -> Iterator[Text]:
    """Which cases a run has left out since they could not be used."""
    if any("partial" in cell.flags for cell in results.cells):
        skipped = read_json(results.run.study).get("skipped", {})
        cases = joined([prose("{}: {}", cohort_title(name), ", ".join(ids)) for name, ids in skipped.items()], "; ")
        yield prose("**PARTIAL**: computed with `--skip-bad`, without these cases, which cannot be used: {}.", cases)


def _scored_by_plugins(results: RunResults) -> Iterator[Text]:
    """Which names of the scoring stand for definitions that are not built in."""
    scoring = results.scoring
    origins = {
        **{name: METRICS[name].origin for name in scoring.metrics},
        **{name: pipeline_named(name).origin for name in scoring.postprocessing},
        **{name: protocol_named(name).origin for name in scoring.protocols},
    }
    named = joined([prose("`{}` ({})", name, origin) for name, origin in origins.items() if origin], ", ")
    if named:
        yield prose("**PLUGIN**: scored by plugins, not by built-in definitions, and on no leaderboard: {}.", named)


def _single_seed(results: RunResults) -> Iterator[Text]:
    seeds = results.whole.seeds
    single = sorted(method for method, count in seeds.items() if count == 1)
    if single:
        whose = "" if len(single) == len(seeds) else f" ({', '.join(single)})"
        yield prose("**Single seed**{}: nothing is claimed of a training procedure, only of the trained model.", whose)


def _labelled(results: RunResults) -> Iterator[Text]:
    labelled = results.whole.labelled
    if labelled:
        yield prose(
            "**Uses lesion labels** ({}): maps are made of the lesion masks of the other patients of the cohort that "
            "is scored, which no method may see. Marked and last in every table, ranked in none.",
            ", ".join(labelled),
        )


def _transductive(results: RunResults) -> Iterator[Text]:
    methods = results.whole.transductive
    if methods:
        yield prose(
            "**Transductive** ({}): maps depend on the other scans that were mapped with them, all of a split, which a "
            "single patient does not bring. Below the others in every table, and ranked in none.",
            ", ".join(methods),
        )


def _idle_pipelines(results: RunResults) -> Iterator[Text]:
    """That what the release decides by has no post-processing on this grid."""
    fixed = read_endpoint()
    told = idle_text(fixed.pipelines, results.grid.spacing)
    if told:
        decides = fixed.postprocessing != results.endpoint.postprocessing
        yield prose("{} **{}**", told, "The endpoints use it." if decides else "")


def _validation(results: RunResults) -> Iterator[Text]:
    if results.validation:
        yield prose(
            "**VALIDATION**: the test split is closed; all numbers are of validation cases, which a method may have "
            "been tuned on and on which the thresholds are chosen."
        )


def _empty_cohorts(results: RunResults) -> Iterator[Text]:
    while_closed = " while the test split is closed" if results.validation else ""
    case = "validation case" if results.validation else "test case"
    for name in results.empty:
        yield prose("{}: no {}, nothing to show{}.", cohort_title(name), case, while_closed)


def _without_healthy(results: RunResults) -> Iterator[Text]:
    if not results.fitted_on:
        thresholds = joined(map(code, _of_healthy(results)), ", threshold ")
        what = prose("Threshold {}, in-domain", thresholds) if thresholds else "In-domain"
        yield prose("{} false positives: {}.", what, NOT_AVAILABLE)


def _of_healthy(results: RunResults) -> list[str]:
    """The thresholds that are taken from healthy scans."""
    return [name for name in results.scoring.protocols if protocol_named(name).needs_healthy]


def _undefined_protocols(results: RunResults) -> Iterator[Text]:
    """Thresholds for which there is no case of the kind that they use; what several cohorts share is said once."""
    cohorts: dict[tuple[Text, str], list[Text]] = {}
    for name in dict.fromkeys([*results.lesion, *results.healthy]):
        protocols = _undefined(results, name)
        reasons = [_why_undefined(results, name, protocol) for protocol in protocols]
        for reason in dict.fromkeys(reasons):
            named = joined([code(one) for one, why in zip(protocols, reasons, strict=True) if why == reason], ", ")
            cohorts.setdefault((named, reason), []).append(cohort_title(name))
    for (named, reason), whose in cohorts.items():
        yield prose("{}: no threshold {}, since {}.", joined(whose, ", "), named, reason)


def _undefined(results: RunResults, cohort: str) -> list[str]:
    rows = _undefined_rows(results)
    rows = rows[(rows["dataset"] == cohort) & ~_by_decision(results, rows)]
    asked = results.scoring.protocols
    return [name for name in rows["protocol"].unique() if name in asked and not _is_closed(results, name)]


def _undefined_by_decision(results: RunResults) -> Iterator[Text]:
    rows = _undefined_rows(results)
    rows = rows[_by_decision(results, rows)]
    if not rows.empty:
        methods = ", ".join(rows["method"].unique())
        named = joined(map(code, rows["protocol"].unique()), ", ")
        why = "undefined by decision: of healthy scans such maps say nothing"
        yield prose("{}: no threshold {}, {}.", methods, named, why)


def _without_scores(results: RunResults) -> Iterator[Text]:
    rows = results.whole.rows
    scored = [name for name in rows["postprocessing"].unique() if unscored(name) != name]
    methods = set(rows.loc[rows["postprocessing"].isin(scored), "method"])
    without = [name for name in rows["method"].unique() if name not in methods]
    if results.scores and without:
        named, whose = joined(map(code, results.scores), ", "), ", ".join(without)
        yield prose("{}: scores {} are n/a, since the map is not |image - reconstruction|.", whose, named)


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
    return named.undefined or USES[named.uses][1]


def _closed_protocols(results: RunResults) -> Iterator[Text]:
    closed = [name for name in results.scoring.protocols if _is_closed(results, name)]
    if closed:
        named = joined(map(code, closed), ", ")
        yield prose("No numbers under {}: that needs the labels of the test split, which is closed.", named)


def _is_closed(results: RunResults, protocol: str) -> bool:
    return results.validation and sees_test(protocol)


def _unfinished(results: RunResults) -> Iterator[Text]:
    """Cells without all their rows; what befell several methods, seeds and cohorts alike is said once."""
    where: dict[tuple[str, int, Text], list[str]] = {}
    for cell in (*results.cells, *results.shifted):
        state = cell_state(results.run, cell, results.scoring)
        if state != "done":
            text = _unfinished_text(results.run, cell, state)
            where.setdefault((cell.fit.method, cell.fit.seed, text), []).append(cell.where)
    seeds: dict[tuple[str, Text, tuple[str, ...]], list[int]] = {}
    for (method, seed, text), names in where.items():
        seeds.setdefault((method, text, tuple(names)), []).append(seed)
    methods: dict[tuple[Text, tuple[str, ...], str], list[str]] = {}
    for (method, text, places), own in seeds.items():
        methods.setdefault((text, places, ", ".join(map(str, own))), []).append(method)
    for (text, places, numbers), alike in methods.items():
        yield prose("{} on {}, seed {}: {}.", _some(alike), _some(list(map(code, places))), numbers, text)


def _some(names: Sequence[Text] | Sequence[str]) -> Text:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return joined(names[:MOST_NAMED], ", ") + more


def _audit_warnings(results: RunResults) -> Iterator[Text]:
    """What the audit found odd in the data and did not refuse, a line for each kind in a cohort."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for one in findings_of(results.run, results.cohorts):
        if one.severity == "warning":
            kinds.setdefault((one.cohort, one.code), []).append(one)
    for (cohort, kind), found in kinds.items():
        cases = list(dict.fromkeys(case for one in found for case in one.cases))
        whose = f" ({_some(cases)})" if cases else ""
        such = "such as " if len(found) > 1 else ""
        told = f"{such}{found[0].got}, expected {found[0].expected}"
        yield prose("The audit warns of `{}` in `{}`: {}{}.", kind, cohort, told, whose)


def _unfinished_text(run: RunFolder, cell: Cell, state: State) -> Text:
    if state == "failed":
        return prose("**failed** {}", failure_of(run, cell))
    damaged = damaged_tables(run, cell) if state == "mapped" else []
    return prose("{}", damaged[0].rstrip(".")) if damaged else as_text(UNFINISHED[state])


def undefined_table(cohorts: Mapping[str, CohortResults]) -> Table:
    """How often each metric of a case is undefined, over all methods and choices; no row where nothing is."""
    rows = []
    for title, cohort in cohorts.items():
        for metric, values in of_cases(cohort.rows).groupby("metric")["value"]:
            missing = int(values.isna().sum())
            if missing:
                rule = METRICS[str(metric)].undefined if metric in METRICS else ""
                rows.append([said(title), said(metric), counted(missing), counted(len(values)), said(rule)])
    columns = [*text_columns("Cohort", "Metric"), Column("Undefined rows", digits=0), Column("of", digits=0),
               *text_columns("Undefined where")]  # fmt: skip
    told = as_text("Undefined by decision, over all methods, post-processings and thresholds.")
    return Table("undefined", told, columns, rows, headers=2)
