"""The page's blocks: a status table first, then item by item."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan
from pathlib import Path

from benchmark.metrics import METRICS
from benchmark.replication.comparison import MEANINGS, Group, Ours, higher_is_better, quantity_text
from benchmark.replication.measured import (
    Divergence,
    RatioLine,
    Replication,
    StandIn,
    StatusLine,
    divergences,
    printed_statuses,
    published_steps,
    shown_cohorts,
    stand_ins,
    steps,
    sweep_points,
)
from benchmark.replication.published_study import DEFAULT_SAMPLING, PUBLISHED_SAMPLING, Item, Value
from benchmark.statistics.pairwise.paired_difference import Comparison
from benchmark.statistics.replication import Agreement
from datasets.cohorts.catalog import dataset
from datasets.spec import how_to_prepare
from datasets.words import count_text
from reports.content.blocks import Block, Bullets, Folded, Heading, Listing, Notice, Paragraph, Picture
from reports.content.table import MINUS, Cell, Column, Table, counted, said, text_columns
from reports.content.text import Text, as_text, code, joined, prose
from reports.figures.charts import remove_others, write_chart
from reports.figures.replication import Guided, steps_chart, sweep_chart, write_cases, write_guided, write_histograms

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def draw_replication(
    found: Replication, folder: Path, data: Path, guided: Mapping[str, Guided], pictures: Sequence[str] | None
) -> dict[str, list[Picture]]:
    """Draw every item's figures below `folder/figures`; by item what the page shows of them."""
    figures = folder / "figures"
    drawn = {
        item.name: list(_drawn(found, item, figures, data, guided, pictures)) for item in found.results.study.items
    }
    remove_others(figures, "*", [one.path for own in drawn.values() for one in own])
    return drawn


def page_blocks(
    found: Replication, lines: Sequence[StatusLine], figures: Mapping[str, Sequence[Picture]]
) -> tuple[str, list[Block]]:
    """Title and body."""
    results, study = found.results, found.results.study
    undrawn = {line.item.name: line.why for line in lines if line.status == "not run" and not line.item.prints_numbers}
    command = f"python -m benchmark replicate {study.argument} --tier {results.tier_name} --data DIR"
    body: list[Block] = [
        Notice(prose("Tier **{}**. {}", results.tier_name, results.tier.says)),
        Paragraph(study.reference + "."),
        Paragraph(prose("Of {} printed numbers: {}.", *_counts(found))),
        _status_table(lines),
        Folded("What a status says", [Bullets([prose("**{}**: {}.", *one) for one in MEANINGS.items()])], 3),
        Heading("What the study leaves open"),
        _ambiguities(found),
    ]
    for item in study.items:
        body += [Heading(item.title), *([Paragraph(item.note)] if item.note else [])]
        body += [*_numbers(found, item), *figures.get(item.name, ())]
        if item.name in undrawn:
            body.append(Paragraph(prose("**Not run.** What is missing: {}.", undrawn[item.name])))
    return f"{study.title}: published beside ours", [*body, Heading("Runs"), *_runs(found), Listing(command, "sh")]


def _counts(found: Replication) -> tuple[int, str]:
    """How many numbers the study prints, and how many have which status."""
    statuses = Counter(printed_statuses(found))
    return statuses.total(), ", ".join(f"{statuses[one]} {one}" for one in MEANINGS if statuses[one])


def _status_table(lines: Sequence[StatusLine]) -> Table:
    compared, ordered = any(map(_is_compared, lines)), any(line.common > 2 for line in lines)
    further = (*["Within"] * compared, *["Order: tau"] * ordered)
    columns = text_columns("Item", "What", "Cohort", "Status", *further, "What is missing")
    rows = [
        [
            said(line.item.place), said(line.what), said(line.cohort), said(prose("**{}**", line.status)),
            *[_within(line)] * compared, *[said(_agreement_text(line.agreement))] * ordered,
            said(line.why),
        ]
        for line in lines
    ]  # fmt: skip
    caption = joined(
        [
            "Every item.",
            "Within: printed values in our prediction interval, of those that ours are compared with." * compared,
            "Tau: Kendall's, of the methods that both have, and its 95 % interval." * ordered,
        ]
    )
    return Table("status", caption, columns, rows, headers=3)


def _within(line: StatusLine) -> Cell:
    return said(f"{line.within} of {line.values}") if _is_compared(line) else Cell()


def _is_compared(line: StatusLine) -> bool:
    return line.values > 0


def _agreement_text(agreement: Agreement | None, common: int = 0) -> str:
    """Tau with its interval, and of how many methods it is where that is given."""
    if agreement is None or isnan(agreement.tau):
        return ""
    methods = f", {common} methods" if common else ""
    ends = "" if isnan(agreement.low) else f" ({_number(agreement.low, 2)} to {_number(agreement.high, 2)})"
    return f"{_number(agreement.tau, 2)}{ends}{methods}"


def _ambiguities(found: Replication) -> Bullets:
    """What text and program leave open, and what is done here."""
    known = found.results.study.ambiguities
    return Bullets([prose("**{}**: {}. Here: {}.", one.what, one.published, one.decided) for one in known])


def _numbers(found: Replication, item: Item) -> Iterator[Block]:
    for group in found.groups.get(item.name, ()):
        blocks: list[Block] = [_group_table(found, group)]
        if group.tests:
            name = f"{group.metric}-{group.dataset}-{group.postprocessing}"
            blocks.append(_tests_table(name, group.what, group.tests))
        yield Folded(_group_title(group), blocks, 4)
    if item.name in found.ratios:
        yield _ratio_table(found, item, found.ratios[item.name])
    if item.kind == "histogram":
        yield from _divergence_tables(found, list(divergences(found.results, item)))
    if item.table:
        for one in stand_ins(found.results, item):
            yield _stand_in_table(found, item, one)
            for place, tests in one.tests.items():
                if tests:
                    what = quantity_text(found.results.study.quantities[place[0]], *place)
                    yield _tests_table("-".join((*place, one.dataset, one.run.name)), what, tests)


def _group_title(group: Group) -> Text:
    return prose("{} on {} ({}): {}", group.what, group.dataset, group.sequence.upper(), group.status)


def _group_table(found: Replication, group: Group) -> Table:
    """Each printed value once: where it stands, what it is, and ours."""
    study, first = found.results.study, group.lines[0].value
    higher = higher_is_better(study.quantities[group.metric])
    unit = _unit(first)
    columns = [
        *text_columns("Method", "Printed row"),
        Column("Published", unit, higher, first.digits),
        Column(f"Ours, {PUBLISHED_SAMPLING}", unit, higher, first.digits),
        *text_columns("New run, 95 %, together" if len(group.compared) > 1 else "New run, 95 %"),
        Column(f"Ours, {DEFAULT_SAMPLING}", unit, higher, first.digits),
        *text_columns("Status"),
    ]
    rows = [
        [
            said(study.label(line.value.row)), said(line.value.row), _published(line.value),
            _ours(line.ours, first.digits), said(_interval(line.ours, first.digits)),
            _ours(line.default, first.digits), said(line.status),
        ]
        for line in group.lines
    ]  # fmt: skip
    spread = f" {PLUS_MINUS} s.d." if any(not isnan(line.value.std) for line in group.lines) else ""
    name = "-".join(filter(None, (first.table, group.metric, group.dataset, group.postprocessing)))
    caption = joined(
        [
            f"Table {first.table} of {first.version}, {group.what} on {group.dataset}: mean{spread} over "
            f"{study.trainings} trainings; ours over training seeds.",
            prose("Order: tau {}.", _agreement_text(group.agreement, group.common)) if group.common > 2 else "",
            f"Missing: {group.why}." if group.why else "",
        ]
    )
    return Table(f"published-{name}", caption, columns, rows, headers=2)


def _published(value: Value) -> Cell:
    spread = "" if isnan(value.std) else f" {PLUS_MINUS} {value.std:.{value.digits}f}"
    return Cell(value.mean, text=as_text(f"{_number(value.mean, value.digits)}{spread}"))


def _ours(found: Sequence[Ours], digits: int) -> Cell:
    """The mean and its spread; of a row that may be several methods each, with its name."""
    if not found:
        return Cell()
    return Cell(found[0].mean, text=joined([_one(one, digits, named=len(found) > 1) for one in found], "; "))


def _one(one: Ours, digits: int, *, named: bool) -> Text:
    spread = "" if isnan(one.spread) else f" {PLUS_MINUS} {one.spread:.{digits}f}"
    number = as_text(f"{_number(one.mean, digits)}{spread}")
    return joined([code(one.method), number]) if named else number


def _interval(found: Sequence[Ours], digits: int) -> str:
    known = [one for one in found if not isnan(one.low)]
    return "; ".join(f"{_number(one.low, digits)} to {_number(one.high, digits)}" for one in known)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", MINUS)


def _tests_table(name: str, what: str, tests: Sequence[Comparison]) -> Table:
    columns = [
        *text_columns("Pair"), Column("Difference"), Column("p, paired", digits=4),
        Column("p, unpaired as published", digits=4), Column("Patients", digits=0),
    ]  # fmt: skip
    rows = [
        [
            said(f"{one.a} less {one.b}"), Cell(one.effect.mean, one.effect.low, one.effect.high), Cell(one.p),
            Cell(one.p_published), counted(one.n),
        ]
        for one in tests
    ]  # fmt: skip
    caption = as_text(
        f"{what}, the trained models at hand over the same patients, each pair by itself, not corrected: our paired "
        "sign-flip test beside the published unpaired permutation test."
    )
    return Table(f"tests-{name}", caption, columns, rows)


def _ratio_table(found: Replication, item: Item, lines: Sequence[RatioLine]) -> Table:
    study = found.results.study
    columns = [
        *text_columns("Ratio", *(["Contrast"] if item.contrasts else [])), Column("Published", digits=2),
        Column(f"Ours, {PUBLISHED_SAMPLING}", digits=2), *text_columns("New run, 95 %"),
        Column(f"Ours, {DEFAULT_SAMPLING}", digits=2), *text_columns("Status", "What is missing"),
    ]  # fmt: skip
    rows = [
        [
            said(f"{study.label(one.ratio.of)} / {study.label(one.ratio.to)}"),
            *([said(f"{one.ratio.contrast:g}")] if item.contrasts else []), Cell(one.ratio.published),
            Cell(nan if one.ours is None else one.ours.mean), said(_interval([one.ours] if one.ours else [], 2)),
            Cell(nan if one.default is None else one.default.mean), said(one.status), said(one.why),
        ]
        for one in lines
    ]  # fmt: skip
    cohort = next((one.cohort for one in lines if one.cohort), study.healthy)
    versions = ", ".join(dict.fromkeys(one.ratio.version for one in lines))
    caption = prose(
        "{} of {}: `{}` of one row over that of another, means over the same scans of {}.",
        *(item.place, versions, item.metric, cohort),
    )
    return Table(f"ratios-{item.name}", caption, columns, rows)


def _divergence_tables(found: Replication, lines: Sequence[Divergence]) -> Iterator[Block]:
    """What is printed and what is a divergence, side by side."""
    known = [one for one in lines if not all(map(isnan, one.means.values()))]
    metrics = list(known[0].means) if known else []
    columns = [
        *text_columns("Cohort", "Method"), Column("Contrast", digits=1),
        *(Column(METRICS[one].title, METRICS[one].unit, METRICS[one].higher_is_better, 4) for one in metrics),
    ]  # fmt: skip
    rows = [
        [
            said(f"{one.dataset} {one.run.sequence.upper()}"), said(found.results.study.label(one.row)),
            Cell(one.contrast),
            *(Cell(value) for value in one.means.values()),
        ]
        for one in known
    ]  # fmt: skip
    caption = as_text(
        "Histograms of input and reconstruction over healthy brain voxels, 500 bins, mean over scans: the printed "
        "difference of entropies first, then divergences. KL is of the input from the reconstruction."
    )
    yield Table("divergences", caption, columns, rows, headers=3)


def _stand_in_table(found: Replication, item: Item, one: StandIn) -> Table | Paragraph:
    study = found.results.study
    printed = {(value.metric, value.postprocessing): value for value in study.values_of(item)}
    known = {place for _, place in one.numbers}
    places = [place for place in one.places if place in known]
    titles = {place: quantity_text(study.quantities[place[0]], *place) for place in one.places}
    missing = [titles[place] for place in one.places if place not in known]
    columns = [
        *text_columns("Method"),
        *(
            Column(
                titles[place],
                _unit(printed[place]),
                higher_is_better(study.quantities[place[0]]),
                printed[place].digits,
            )
            for place in places
        ),
    ]
    made = {key: [ours] for key, ours in one.numbers.items()}
    rows = [
        [said(study.label(row)), *(_ours(made.get((row, place), ()), printed[place].digits) for place in places)]
        for row in dict.fromkeys(row for row, _ in one.numbers)
    ]
    orders = [
        f"{titles[place]} on {cohort} {_agreement_text(*agreement)}"
        for (cohort, place), agreement in one.agreements.items()
    ]
    patients = max((ours.patients for ours in one.numbers.values()), default=0)
    cohort = f"{one.dataset} {one.run.sequence.upper()}, of which the study prints nothing"
    no_number = f"No number of {', '.join(missing)}: {study.protocol} has no threshold there." if missing else ""
    if not places:
        return Paragraph(f"{cohort}. {no_number}")
    caption = joined(
        [
            f"{cohort}: ours alone, means over {count_text(patients, 'patient')}.",
            no_number,
            f"Tau of its order with that printed: {'; '.join(orders)}." if orders else "",
        ]
    )
    return Table(f"stand-in-{item.name}-{one.dataset}-{one.run.name}", caption, columns, rows, stamp="exploratory")


def _unit(value: Value) -> str:
    return "" if value.unit == "1" else value.unit


def _runs(found: Replication) -> Iterator[Block]:
    results = found.results
    columns = text_columns("Run folder", "Cohorts", "Grid", "Trainings", "State")
    rows = []
    for run in results.tier.runs:
        comparable = results.runs.get(run.name)
        facts = next(iter(comparable.facts.values())).grid if comparable is not None else f"sampling {run.sampling}"
        cohorts = list(comparable.facts) if comparable is not None else run.datasets
        trained = {
            seed for of in (comparable.seeds.values() if comparable else ()) for own in of.values() for seed in own
        }
        state = "scored" if comparable is not None else "not run"
        rows.append([said(code(run.name)), said(", ".join(cohorts)), said(facts), said(len(trained)), said(state)])
    caption = prose("Ordinary run folders below the page: `python -m benchmark report RUN` writes the report of each.")
    yield Table("runs", caption, columns, rows)
    if results.absent:
        yield Paragraph("What is missing, and how it is got:")
        yield Bullets([_how_to_get(*place, why) for place, why in results.absent.items()])


def _how_to_get(cohort: str, sequence: str, why: str) -> Text:
    if not cohort:
        return as_text(f"{why}.")
    return prose("{} {}: {}. {}", cohort, sequence.upper(), why, how_to_prepare(dataset(cohort), Path("DIR")))


def _drawn(
    found: Replication,
    item: Item,
    figures: Path,
    data: Path,
    guided: Mapping[str, Guided],
    pictures: Sequence[str] | None,
) -> Iterator[Picture]:
    results = found.results
    labels = {row: results.study.label(row) for row in item.steps}
    if printed := published_steps(results.study, item):
        path = figures / f"{item.name}-steps-published.svg"
        write_chart(steps_chart(printed, labels), path)
        alt = "Printed Dice on each cohort, step by step"
        yield Picture(path, alt, f"{alt}: each bar is what a step adds to the method before it.")
    if item.steps:
        for run, dataset in shown_cohorts(results, item):
            made = steps(results, item, run, dataset)
            if any(not one.way.startswith("published") for one in made):
                path = figures / f"{item.name}-steps-{dataset}-{run.sequence}.svg"
                write_chart(steps_chart(made, labels), path)
                alt = f"Dice on {dataset} {run.sequence.upper()}, step by step"
                yield Picture(path, alt, f"{alt}: each bar is what a step adds to the method before it.")
    points = list(sweep_points(results, item)) if item.sweeps else []
    if points:
        path = figures / f"{item.name}.svg"
        write_chart(sweep_chart(points, item.axis or item.field), path)
        alt = item.what or item.title
        beside = ", ".join(results.study.label(row) for row in item.rows)
        caption = f"{alt}, of one training. Dashed, in the colour of the method: {beside}." if beside else alt
        yield Picture(path, alt, caption)
    if item.kind == "histogram" and results.runs:
        yield from write_histograms(results, item, figures, data)
    if item.kind == "picture" and not item.levels and results.runs:
        yield from write_cases(results, item, figures, data, pictures)
    if item.name in guided:
        yield write_guided(guided[item.name], item, figures / f"{item.name}.png")
