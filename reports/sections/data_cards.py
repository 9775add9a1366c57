"""Section of data cards: what each method has seen, and which cases its parameters and thresholds were chosen on."""

from collections.abc import Iterator

from benchmark.storage.fits import SPEEDS, DataCard
from benchmark.study.cells import NO_HEALTHY
from benchmark.study.protocols import USES, protocol_named
from datasets.case import AND
from reports.content.blocks import Block, Bullets
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, as_text, code, prose
from reports.model.run_results import RunResults

TOLD = "A Dice has seen what its map and its threshold have seen; AUPRC and AUROC know no threshold."


def data_cards(results: RunResults) -> list[Block]:
    """A line a method and a line a threshold; supervision of a number is the most of both."""
    items = [item for method in results.methods if method in results.cards for item in _items(results, method)]
    return [
        results.heading("Data cards"),
        _methods(results),
        _thresholds(results),
        *([Bullets(items)] if items else []),
    ]


def _methods(results: RunResults) -> Table:
    titles = ("Method", "Its map has seen", "Trained on", "Hyper-parameters", "Healthy cases")
    columns = [*text_columns(*titles), Column("Steps", digits=0), Column("Parameters", digits=0)]
    rows = [[said(results.whole.label(method)), *_cells(results.cards.get(method))] for method in results.methods]
    return Table("data-cards", as_text(TOLD), columns, rows)


def _cells(kept: DataCard | None) -> list[Cell]:
    if kept is None:
        return [Cell()] * 6
    card = kept.card
    stated = ["", "", ""]
    if card is not None:
        stated = [", ".join((card.supervision, *card.covariates)), card.trained_on, card.tuned_on]
    cases = f"{kept.healthy}, {kept.sequence}: {kept.train} to train on, {kept.val} to validate on"
    cases = NO_HEALTHY if kept.healthy == NO_HEALTHY else cases
    return [*map(said, stated), said(cases), Cell() if kept.steps is None else Cell(kept.steps), Cell(kept.parameters)]


def _thresholds(results: RunResults) -> Table:
    chosen = [protocol_named(name) for name in results.scoring.protocols]
    rows = [[said(code(one.name)), said(USES[one.uses][0])] for one in chosen]
    return Table(
        "thresholds", as_text("What each threshold is chosen on."), text_columns("Threshold", "Chosen on"), rows
    )


def _items(results: RunResults, method: str) -> Iterator[Text]:
    """How fast a method trained, and where it differs from its papers."""
    kept = results.cards[method]
    sentences = [f"{speed}." for speed in _speeds(kept)]
    if kept.card is not None and AND in kept.sequence:
        sentences.append(f"Of several sequences: {kept.card.several_sequences}")
    departures = kept.card.departures if kept.card is not None else ()
    sentences += [f"Departs from its papers: {'; '.join(one.rstrip('.') for one in departures)}."] if departures else []
    if sentences:
        yield prose("**{}**. {}", method, " ".join(sentences))


def _speeds(kept: DataCard) -> list[str]:
    """Of each stage of the training that says it."""
    steps, waiting = SPEEDS
    timed = [stage for stage in kept.training if {"name", *SPEEDS} <= stage.keys()]
    return [f"{one[steps]:.1f} steps/s ({one['name']}), {100 * one[waiting]:.0f} % waiting for data" for one in timed]
