"""Means without an interval: every metric, pipeline and threshold, by lesion size too, and pooled metrics."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import nan

import pandas as pd

from benchmark.analysis.compare_methods import REFERENCE_SEEDS, Comparable
from benchmark.analysis.summaries.lines import line
from benchmark.metrics.lesionwise import ALL_SIZES, STRATA, froc_point
from benchmark.statistics.panel import KEY, Choice, Rows
from benchmark.storage.rows import read_cell_lines
from benchmark.storage.run_record import kept_cells
from benchmark.storage.summary_tables import PER_SCAN, SummaryLine

QUARTILES = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75}
SKEWED = ("alarm_fraction",)
"""Metrics whose quartiles are given too."""
RATES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a scan at which it is given how many lesions are found."""
CUT_OFF = ("lesion_outside_grid_ml",)
"""Metrics of which the most is told, and the share of the patients who have any."""
RECONSTRUCTION = ("l1", "l1_ratio")
"""Metrics that are undefined, not missing, for a method that reconstructs nothing."""
Seeds = Mapping[str, Sequence[int]]


def mean_lines(comparable: Comparable, known: Collection[SummaryLine]) -> Iterator[SummaryLine]:
    """Of unshifted scans, under every choice that is not among the `known` lines."""
    told = {(*_place(one), one.method) for one in known}
    lines = list[SummaryLine]()
    for dataset in comparable.seeds:
        lines += _of_dataset(comparable, comparable.grouped, dataset, comparable.all_seeds(dataset))
        lines += _of_dataset(comparable, comparable.reference, dataset, REFERENCE_SEEDS)
    yield from (one for one in lines if one.kind != "mean" or (*_place(one), one.method) not in told)
    yield from _undefined(lines)


def stratum_lines(comparable: Comparable, choices: Iterable[Choice]) -> Iterator[SummaryLine]:
    """Means over the patients whose scans hold so much lesion, under each of the choices."""
    for choice in choices:
        volumes, seeds = comparable.lesion_ml(choice.dataset), comparable.all_seeds(choice.dataset)
        for stratum, (low, high) in STRATA.items():
            cases = volumes.index[(volumes >= low) & (volumes < high)]
            if comparable.grouped.of(choice, cases).empty:
                continue
            for panel in comparable.grouped.panels(choice, seeds, cases).values():
                if not panel.is_empty:
                    yield replace(line(comparable, choice, panel, "lesion"), stratum=stratum)


def lesion_lines(comparable: Comparable, choices: Iterable[Choice]) -> Iterator[SummaryLine]:
    """Lesions found: by their size, at the threshold of each choice; and at each of `RATES`, after its pipeline.

    `n` counts lesions.
    """
    cells = [cell for cell in kept_cells(comparable.run) if cell.shift.is_none]
    strata, froc = (read_cell_lines(comparable.run, cells, name) for name in ("strata", "froc"))
    strata = strata[strata["of"] == "lesion"] if len(strata) else strata
    pipelines = set[tuple[str, str]]()
    for choice in choices:
        if choice.protocol:
            own = _lines_under(strata, choice)
            for stratum, part in own.groupby("stratum", sort=False):
                recalls = part.assign(value=part["mean"], lesions=part["cases"])
                yield from (replace(one, stratum=str(stratum)) for one in _found(comparable, choice, recalls))
        if (choice.dataset, choice.postprocessing) not in pipelines:
            pipelines.add((choice.dataset, choice.postprocessing))
            yield from _froc_lines(comparable, replace(choice, protocol=""), froc)


def _froc_lines(comparable: Comparable, choice: Choice, froc: pd.DataFrame) -> Iterator[SummaryLine]:
    own = _lines_under(froc, choice)
    curves = own[own["stratum"] == ALL_SIZES] if len(own) else own
    by_fit = [part for _, part in curves.groupby(["method", "seed", "sampling_seed"], sort=False)]
    for rate in RATES if by_fit else ():
        points = pd.concat([part.head(1) for part in by_fit])
        points["value"] = [
            froc_point(part["false_alarms_a_scan"].to_numpy(), part["lesion_recall"].to_numpy(), rate)
            for part in by_fit
        ]
        yield from (replace(one, group=rate_group(rate)) for one in _found(comparable, choice, points))


def _lines_under(lines: pd.DataFrame, choice: Choice) -> pd.DataFrame:
    """Those of a cell's table that are of a choice; the curves know no threshold."""
    own = lines[(lines["dataset"] == choice.dataset) & (lines["split"] == choice.split)]
    own = own[own["postprocessing"] == choice.postprocessing]
    return own[own["protocol"] == choice.protocol] if choice.protocol else own


def _found(comparable: Comparable, choice: Choice, recalls: pd.DataFrame) -> Iterator[SummaryLine]:
    """A line a method of the lesions that its fits found: `value`, of so many `lesions` in so many `scans`."""
    place = replace(choice, metric="lesion_recall")
    blank = {name: getattr(place, name) for name in KEY}
    rows = Rows(recalls.assign(**blank, case_id="", subject_id=""))
    lesions = recalls.groupby("method")["lesions"].max().to_dict()
    scans = recalls.groupby("method")["scans"].max().to_dict() if "scans" in recalls else {}
    for method, panel in rows.cohort_panels(place, comparable.all_seeds(choice.dataset)).items():
        if method in lesions:
            one = line(comparable, place, panel, "lesion")
            yield replace(one, kind="cohort", n=int(lesions[method]), left_out=0, scans=int(scans.get(method, 0)))


def rate_group(rate: float) -> str:
    return f"{rate:g} {PER_SCAN}"


def _of_dataset(comparable: Comparable, rows: Rows, dataset: str, seeds: Seeds) -> Iterator[SummaryLine]:
    for choice in rows.choices:
        if (choice.dataset, choice.shift, choice.split) == (dataset, "none", comparable.split):
            yield from _of_cases(comparable, rows, choice, seeds)
    for choice in rows.cohort_choices:
        if (choice.dataset, choice.shift) == (dataset, "none") and choice.split in ("", comparable.split):
            placed = replace(choice, split=comparable.split)
            named = set(rows.of_cohort(choice)["method"])
            for method, panel in rows.cohort_panels(choice, seeds).items():
                if method in named:
                    yield replace(line(comparable, placed, panel, ""), kind="cohort", scans=0)


def _of_cases(comparable: Comparable, rows: Rows, choice: Choice, seeds: Seeds) -> Iterator[SummaryLine]:
    """Of the cases with lesion and of the healthy ones, where a cohort has both."""
    own = rows.of(choice)
    with_lesion = own["case_id"].isin(comparable.lesion_cases[choice.dataset])
    for cases, part in (("lesion", own[with_lesion]), ("healthy", own[~with_lesion])):
        if part.empty:
            continue
        named = set(part["method"])
        found = rows.panels(choice, seeds, None if len(part) == len(own) else set(part["case_id"]))
        for method, panel in found.items():
            if method not in named:
                continue
            one = line(comparable, choice, panel, cases)
            yield one
            told = {kind: panel.quantile(level) for kind, level in QUARTILES.items() if choice.metric in SKEWED}
            if choice.metric in CUT_OFF:
                told = {"maximum": panel.quantile(1.0), "share": panel.share_above_0}
            for kind, value in told.items():
                yield replace(one, kind=kind, mean=value, sd=nan, lowest_seed=nan, highest_seed=nan)


def _undefined(lines: Sequence[SummaryLine]) -> Iterator[SummaryLine]:
    """Lines without a number, of methods that have no threshold or reconstruct nothing: no row can say so."""
    told = {(one.dataset, one.cases, one.method, one.metric, one.postprocessing, one.protocol) for one in lines}
    of_cases = [one for one in lines if one.cases and one.kind == "mean"]
    blank = {(one.dataset, one.cases, one.method): one for one in of_cases}
    thresholded = {cases: {one.metric for one in of_cases if one.cases == cases and one.protocol} or {first}
                   for cases, first in (("lesion", "dice"), ("healthy", "alarm"))}  # fmt: skip
    without = [one for one in lines if one.metric == "threshold" and not one.n]
    for (dataset, cases, method), example in blank.items():
        pairs = [
            (one.postprocessing, one.protocol) for one in without if (one.dataset, one.method) == (dataset, method)
        ]
        missing = [(metric, *pair) for pair in pairs for metric in sorted(thresholded[cases])]
        missing += [(metric, "", "") for metric in RECONSTRUCTION if any(one.metric == metric for one in of_cases)]
        for metric, pipeline, protocol in missing:
            if (dataset, cases, method, metric, pipeline, protocol) not in told:
                yield replace(
                    example, metric=metric, postprocessing=pipeline, protocol=protocol, endpoint="exploratory", order=0,
                    n=0, left_out=example.n + example.left_out, mean=nan, sd=nan, lowest_seed=nan, highest_seed=nan,
                )  # fmt: skip


def _place(one: SummaryLine) -> tuple[str, ...]:
    return (one.dataset, one.cases, one.metric, one.postprocessing, one.protocol)
