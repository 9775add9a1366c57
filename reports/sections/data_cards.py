"""Section of data cards: what each method has seen, and which cases its parameters and thresholds were chosen on."""

from benchmark.storage.fits import SPEEDS, DataCard
from benchmark.study.cells import NO_HEALTHY
from benchmark.study.protocols import USES, protocol_named
from datasets.case import AND
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.run_results import RunResults

HEADINGS = ["Method", "Its map has seen", "Trained on", "Hyper-parameters", "Healthy cases", "Steps", "Parameters"]


def data_cards(results: RunResults) -> str:
    """A line a method and a line a threshold; supervision of a number is the most of both."""
    parts = [
        results.heading("Data cards"),
        "A Dice has seen what its map and its threshold have seen; AUPRC and AUROC know no threshold.",
        _methods(results) or "No data card is kept: this run was fitted by an earlier version.",
        _thresholds(results),
        _said(results),
    ]
    return "\n\n".join(part for part in parts if part)


def _methods(results: RunResults) -> str:
    if not results.cards:
        return ""
    body = [[results.whole.label(method), *_cells(results.cards.get(method))] for method in results.whole.seeds]
    return github_table(HEADINGS, body, 5)


def _cells(kept: DataCard | None) -> list[str]:
    if kept is None:
        return [MISSING] * (len(HEADINGS) - 1)
    card = kept.card
    stated = [MISSING] * 3
    if card is not None:
        stated = [", ".join((card.supervision, *card.covariates)), card.trained_on, card.tuned_on]
    cases = f"{kept.healthy}, {kept.sequence}: {kept.train} to train on, {kept.val} to validate on"
    cases = NO_HEALTHY if kept.healthy == NO_HEALTHY else cases
    steps = MISSING if kept.steps is None else f"{kept.steps:,}"
    return [*map(escape, stated), escape(cases), steps, f"{kept.parameters:,}"]


def _thresholds(results: RunResults) -> str:
    chosen = [protocol_named(name) for name in results.scoring.protocols]
    body = [[f"`{one.name}`", USES[one.uses][0]] for one in chosen]
    return github_table(["Threshold", "Chosen on"], body, 2)


def _said(results: RunResults) -> str:
    """How fast methods trained, and where they differ from their papers."""
    items = [_item(method, results.cards[method]) for method in results.whole.seeds if method in results.cards]
    return "\n".join(item for item in items if item)


def _item(method: str, kept: DataCard) -> str:
    """Of a list: the training's speed as a sentence, and the departures as a list below; "" without either."""
    departures = kept.card.departures if kept.card is not None else ()
    sentences = [f"{escape(speed)}." for speed in _speeds(kept)]
    if kept.card is not None and AND in kept.sequence:
        sentences.append(f"Of several sequences: {escape(kept.card.several_sequences)}")
    sentences += ["Departures from its papers:"] if departures else []
    if not sentences:
        return ""
    lines = [f"- **{escape(method)}**. {' '.join(sentences)}"]
    return "\n".join([*lines, *(f"  - {escape(one.rstrip('.'))}." for one in departures)])


def _speeds(kept: DataCard) -> list[str]:
    """Of each stage of the training that says it."""
    steps, waiting = SPEEDS
    timed = [stage for stage in kept.training if {"name", *SPEEDS} <= stage.keys()]
    return [f"{one[steps]:.1f} steps/s ({one['name']}), {100 * one[waiting]:.0f} % waiting for data" for one in timed]
