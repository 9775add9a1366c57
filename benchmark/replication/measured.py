"""What figures are drawn from: ratios, divergences, Dice by noise level, steps between methods, stand-in cohorts."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import nan

import numpy as np

from benchmark.methods.declared import declared
from benchmark.methods.hyperparameters import Variant, parse_variant, parse_variants
from benchmark.metrics import COST
from benchmark.replication.comparison import (
    COMPARED,
    MISSING,
    Group,
    Ours,
    Status,
    TierResults,
    agreement_of,
    choice_of,
    groups,
    our_number,
    status_of,
    tests_of,
)
from benchmark.replication.published_study import (
    DEFAULT_SAMPLING,
    PUBLISHED_SAMPLING,
    Item,
    PublishedStudy,
    Ratio,
    TierRun,
)
from benchmark.statistics.pairing import aligned
from benchmark.statistics.pairwise.paired_difference import Comparison
from benchmark.statistics.panel import Choice, Panel
from benchmark.statistics.replication import Agreement, prediction_interval
from benchmark.storage.run_record import kept_cells
from benchmark.study.cells import Fit

GAMMA = "gamma"
DIVERGENCES = ("histogram_entropy_difference", "histogram_kl", "histogram_js", "wasserstein_1")
DIGITS = 2
Place = tuple[str, str]
FEWEST_ORDERED = 5  # methods whose order on another cohort is compared with a printed one


@dataclass(frozen=True)
class RatioLine:
    """A printed ratio beside ours, which has one number a training.

    Attributes:
        cohort: that ours is of; "" without ours.
        ours, default: by the published sampling, and by ours.
        why: what is missing where the status is "not run".
    """

    ratio: Ratio
    cohort: str
    ours: Ours | None
    default: Ours | None
    status: Status
    why: str = ""


@dataclass(frozen=True)
class Divergence:
    """Mean divergences of input and reconstruction over a cohort's healthy voxels, by metric."""

    run: TierRun
    dataset: str
    row: str
    contrast: float
    means: dict[str, float]


@dataclass(frozen=True)
class SweepPoint:
    """Mean Dice of a method's first training at one value of what a sweep runs over.

    Attributes:
        method: as papers write it.
        value: None for a row beside the sweep.
    """

    run: TierRun
    dataset: str
    method: str
    value: int | None
    dice: float


@dataclass(frozen=True)
class Step:
    """Mean Dice of a printed row, under one way to decide."""

    way: str
    row: str
    dice: float


@dataclass(frozen=True)
class StandIn:
    """A cohort that the study has not, or not in this sequence.

    Attributes:
        places: what the item has numbers of.
        numbers: by printed row and place, a quantity with its post-processing.
        agreements: by printed cohort and place, of both orders, with how many methods have them.
        tests: by place, of the item's pairs.
    """

    run: TierRun
    dataset: str
    places: tuple[Place, ...]
    numbers: dict[tuple[str, Place], Ours]
    agreements: dict[tuple[str, Place], tuple[Agreement, int]]
    tests: dict[Place, tuple[Comparison, ...]]


@dataclass(frozen=True)
class Replication:
    """All that is known of a study's items, by their names.

    Attributes:
        groups: of every table the printed values beside ours.
        ratios: printed ratios beside ours.
    """

    results: TierResults
    groups: dict[str, list[Group]]
    ratios: dict[str, list[RatioLine]]


@dataclass(frozen=True)
class StatusLine:
    """What can be said of a group of printed values, of a printed ratio, or of a figure without any number.

    Attributes:
        values, within: how many printed values ours are compared with, and lie in our intervals.
        agreement: of the orders; None where there is nothing to order.
        why: what is missing.
    """

    item: Item
    what: str
    cohort: str
    status: Status
    values: int = 0
    within: int = 0
    agreement: Agreement | None = None
    common: int = 0
    why: str = ""


def replication_of(results: TierResults) -> Replication:
    """Every printed value and ratio of a study beside ours."""
    items = results.study.items
    return Replication(
        results,
        {item.name: groups(results, item) for item in items if item.table},
        {item.name: ratio_lines(results, item) for item in items if item.ratios},
    )


def printed_statuses(found: Replication) -> Iterator[Status]:
    """Of every number that the study prints, in tables and as ratios."""
    for groups_of in found.groups.values():
        yield from (line.status for group in groups_of for line in group.lines)
    for ratios in found.ratios.values():
        yield from (line.status for line in ratios)


def status_lines(found: Replication, drawn: Collection[str]) -> Iterator[StatusLine]:
    """Of all items, in the study's order.

    Args:
        drawn: names of the items that have a figure.
    """
    for item in found.results.study.items:
        for group in found.groups.get(item.name, ()):
            yield StatusLine(
                item, group.what, f"{group.dataset} {group.sequence.upper()}", group.status, len(group.compared),
                group.within, group.agreement, group.common, group.why,
            )  # fmt: skip
        for line in found.ratios.get(item.name, ()):
            ratio = line.ratio
            at = f", contrast {ratio.contrast:g}" if item.contrasts else ""
            what = f"{found.results.study.label(ratio.of)} / {found.results.study.label(ratio.to)}{at}"
            compared, within = int(line.status in COMPARED), int(line.status == "within interval")
            yield StatusLine(item, what, line.cohort, line.status, compared, within, why=line.why)
        if not item.prints_numbers:
            status: Status = "drawn" if item.name in drawn else "not run"
            yield StatusLine(
                item, item.what, "", status, why="" if item.name in drawn else _undrawn(found.results, item)
            )


def _undrawn(results: TierResults, item: Item) -> str:
    """Why a figure that prints no number is not drawn."""
    wanted = [one.name for sweep in item.sweeps for one in parse_variants(sweep)]
    wanted += [results.study.rows[row].methods[0] for row in item.rows]
    if any(results.name_in(run, method) for run, _ in shown_cohorts(results, item) for method in wanted):
        return "a threshold for Dice" if item.sweeps else "a cohort whose slices may be shown (--pictures)"
    return "; ".join(dict.fromkeys(results.absent.values())) or f"a training of {wanted[0]}"


def ratio_lines(results: TierResults, item: Item) -> list[RatioLine]:
    """The printed ratios of an item, on the study's healthy cohort."""
    return [_ratio_line(results, item, ratio) for ratio in item.ratios]


def divergences(results: TierResults, item: Item) -> Iterator[Divergence]:
    """Of every cohort that any run has, by the published sampling where there is one."""
    for run, dataset in shown_cohorts(results, item):
        for row in item.rows:
            for contrast in item.contrasts:
                means = {}
                for metric in DIVERGENCES:
                    panel = results.panel(
                        run, results.study.rows[row].methods[0], at_contrast(results, run, dataset, metric, contrast)
                    )
                    means[metric] = nan if panel is None else panel.mean.value
                yield Divergence(run, dataset, row, contrast, means)


def sweep_points(results: TierResults, item: Item) -> Iterator[SweepPoint]:
    """Dice on every cohort with lesions; the item's rows stand beside the sweeps, without a value."""
    quantity = results.study.quantities["dice"]
    swept = [(one, int(one.overrides[item.field])) for sweep in item.sweeps for one in parse_variants(sweep)]
    beside = [(parse_variant(results.study.rows[row].methods[0]), None) for row in item.rows]
    for run, dataset in shown_cohorts(results, item):
        for variant, value in [*swept, *beside]:
            panel = results.panel(
                run, variant.name, choice_of(results, run, dataset, quantity, results.study.postprocessing)
            )
            if panel is not None:
                yield SweepPoint(run, dataset, _printed_name(variant), value, panel.mean.by_seed[0])


def _printed_name(variant: Variant) -> str:
    """Of its method, as its card has it."""
    card = declared(variant.method).card
    return (card.printed_name if card is not None else "") or variant.method.name


def published_steps(study: PublishedStudy, item: Item) -> list[Step]:
    """The item's steps as printed, on each cohort."""
    factor = study.quantities["dice"].factor if item.steps else 1
    printed = {(value.dataset, value.row): value.mean / factor for value in study.values_of(item)
               if value.metric == "dice" and value.postprocessing == study.postprocessing}  # fmt: skip
    return [Step(f"published, {dataset}", row, printed[dataset, row])
            for dataset in study.cohorts for row in item.steps if (dataset, row) in printed]  # fmt: skip


def steps(results: TierResults, item: Item, run: TierRun, dataset: str) -> list[Step]:
    """Dice of the item's steps on a cohort: as published, and ours under three ways to decide."""
    study, quantity = results.study, results.study.quantities["dice"]
    printed = dataset in study.cohorts and run.sequence in study.cohorts[dataset].sequences
    found = [one for one in published_steps(study, item) if printed and one.way == f"published, {dataset}"]
    ways = (
        (f"{study.protocol}, post-processed", study.postprocessing, study.protocol),
        (f"{study.label_free}, post-processed", study.postprocessing, study.label_free),
        (f"{study.protocol}, plain map", study.plain, study.protocol),
        (f"{study.label_free}, plain map", study.plain, study.label_free),
    )
    for way, pipeline, protocol in ways:
        choice = Choice(dataset, quantity.metric, pipeline, protocol, results.runs[run.name].split)
        panels = [results.panel(run, study.rows[row].methods[0], choice) for row in item.steps]
        known = zip(item.steps, panels, strict=True)
        found += [Step(way, row, panel.mean.value) for row, panel in known if panel is not None]
    return found


def stand_ins(results: TierResults, item: Item) -> Iterator[StandIn]:
    """The cohorts with lesions of the tier's runs that no printed value is of."""
    study, values = results.study, results.study.values_of(item)
    places = dict.fromkeys((one.metric, one.postprocessing) for one in values if study.quantities[one.metric].metric)
    for run, dataset in shown_cohorts(results, item):
        if run.sequence in (study.cohorts[dataset].sequences if dataset in study.cohorts else ()):
            continue
        panels = {
            (row, place): panel
            for place in places
            for row in study.rows_of(item)
            if (panel := _panel_at(results, run, dataset, row, *place)) is not None
        }
        numbers = {
            (row, place): our_number(panel, study.quantities[place[0]].factor, len(panel.patients), study.trainings)
            for (row, place), panel in panels.items()
        }
        printed = [name for name, facts in study.cohorts.items() if run.sequence in facts.sequences]
        agreements = {
            (cohort, place): (agreement_of(known, [panels[one.row, place] for one in known]), len(known))
            for cohort in printed
            for place in places
            if len(
                known := [
                    one
                    for one in values
                    if (one.dataset, one.metric, one.postprocessing) == (cohort, *place) and (one.row, place) in panels
                ]
            )
            >= FEWEST_ORDERED
        }
        tests = {
            place: tests_of(
                results, item, dataset, study.quantities[place[0]],
                {row: panel for (row, at), panel in panels.items() if at == place},
            )
            for place in places
        }  # fmt: skip
        if results.runs[run.name].lesion_cases[dataset]:
            yield StandIn(run, dataset, tuple(places), numbers, agreements, tests)


def _panel_at(results: TierResults, run: TierRun, dataset: str, row: str, metric: str, pipeline: str) -> Panel | None:
    quantity = results.study.quantities[metric]
    choice = choice_of(results, run, dataset, quantity, pipeline)
    return results.panel(run, results.study.rows[row].methods[0], choice)


def shown_cohorts(results: TierResults, item: Item) -> list[tuple[TierRun, str]]:
    """Each cohort and sequence once, by the published sampling where there is one, of the runs that serve an item."""
    ordered = sorted(
        (run for run in results.tier.runs if run.name in results.runs and run.serves(item)),
        key=lambda run: run.sampling != PUBLISHED_SAMPLING,
    )
    found: dict[tuple[str, str], TierRun] = {}
    for run in ordered:
        for dataset in results.runs[run.name].facts:
            found.setdefault((dataset, run.sequence), run)
    return [(run, dataset) for (dataset, _), run in found.items()]


def at_contrast(results: TierResults, run: TierRun, dataset: str, metric: str, contrast: float) -> Choice:
    """The choice of a metric of reconstructions of images x ** contrast."""
    split = results.runs[run.name].split
    if contrast == 1:
        return Choice(dataset, metric, "", "", split)
    return Choice(dataset, metric, "", "", split, GAMMA, contrast)


def fit_of(results: TierResults, run: TierRun, row: str) -> Fit | None:
    """The fit of a printed row with the lowest seed; None where the run has none."""
    name = results.name_in(run, results.study.rows[row].methods[0])
    fits = [cell.fit for cell in kept_cells(results.runs[run.name].run) if cell.fit.method == name]
    return min(fits, key=lambda fit: fit.seed) if fits else None


def _ratio_line(results: TierResults, item: Item, ratio: Ratio) -> RatioLine:
    dataset = results.study.healthy
    sequence = results.sequence_of(dataset)
    runs = {one: results.runs_on(dataset, sequence, one) for one in (PUBLISHED_SAMPLING, DEFAULT_SAMPLING)}
    ours, default = (_ratio(results, item, ratio, found[0], dataset) if found else None for found in runs.values())
    status = status_of(ratio.published, DIGITS, [ours] if ours else [], [default] if default else [])
    why = MISSING.get(status, "")
    if status == "not run":
        both = [method for row in (ratio.of, ratio.to) for method in results.study.rows[row].methods[:1]]
        lacking = [one for one in both if not any(results.name_in(run, one) for of in runs.values() for run in of)]
        why = results.why_no_number(lacking or both, dataset, sequence)
    elif item.metric in COST and not all(results.on_gpu(run) for found in runs.values() for run in found):
        status, why = "not run", "a GPU"
    return RatioLine(ratio, dataset if ours or default else "", ours, default, status, why)


def _ratio(results: TierResults, item: Item, ratio: Ratio, run: TierRun, dataset: str) -> Ours | None:
    """Of both rows' means over the same cases, one number a training."""
    choice = at_contrast(results, run, dataset, item.metric, ratio.contrast)
    both = [results.panel(run, results.study.rows[row].methods[0], choice) for row in (ratio.of, ratio.to)]
    known = [panel for panel in both if panel is not None]
    if len(known) < 2:
        return None
    above, below = (np.abs(one.values.mean(axis=0)) for one in aligned(known))
    if not above.size or not below.all() or np.isnan(above / below).any():
        return None
    panel = known[0]
    ratios = above / below
    low, high = nan, nan
    if ratios.size > 1:
        ends = prediction_interval(np.log(ratios)[None], patients=1, seeds=results.study.trainings)
        low, high = np.exp(ends)
    spread = float(ratios.std(ddof=1)) if ratios.size > 1 else nan
    return Ours(panel.method, float(ratios.mean()), spread, float(low), float(high), ratios.size, len(panel.patients))
