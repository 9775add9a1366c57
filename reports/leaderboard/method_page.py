"""Page of one method: its data card and configuration, every number, every comparison."""

from collections.abc import Iterator

import pandas as pd

from benchmark.statistics.primary_endpoint import EXPLORATORY
from reports.content.blocks import Block, Bullets, Folded, Heading, Paragraph
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, as_text, code, joined, prose
from reports.leaderboard.index_page import meaning, ranks_cell, with_interval
from reports.leaderboard.results import LeaderboardResults
from reports.model.run_results import cohort_title


def method_page(leaderboard: LeaderboardResults, method: str) -> tuple[str, list[Block]]:
    """Title and body."""
    badges = [prose("`{}`: {}.", name, meaning(name)) for name in leaderboard.badges(method)]
    return method, [
        Folded("Its data card", [Bullets(list(_card(leaderboard, method)))]),
        *([Bullets(badges)] if badges else []),
        *_numbers(leaderboard, method),
        *_compared(leaderboard, method),
        *_configuration(leaderboard, method),
    ]


def _card(leaderboard: LeaderboardResults, method: str) -> Iterator[Text]:
    kept = leaderboard.results.cards.get(method)
    if kept is None:
        yield as_text("No data card is kept.")
        return
    if kept.card is not None:
        yield as_text(f"Its map has seen: {kept.card.supervision}")
        yield as_text(f"Trained on: {kept.card.trained_on}")
        yield as_text(f"Tuned on: {kept.card.tuned_on}")
        yield from (as_text(f"Reference: {one}") for one in kept.card.references)
        yield from (as_text(f"Departure: {one}") for one in kept.card.departures)
    yield as_text(f"Fitted on {kept.healthy}, {kept.sequence}: {kept.train} cases, {kept.val} to validate on")
    yield as_text(f"Parameters: {kept.parameters:,}; steps: {'none' if kept.steps is None else f'{kept.steps:,}'}")


def _numbers(leaderboard: LeaderboardResults, method: str) -> Iterator[Block]:
    """Every choice that the pool was summed up under; the endpoints are named."""
    lines = leaderboard.lines[leaderboard.lines["method"] == method]
    for dataset in leaderboard.cohorts:
        yield Heading(cohort_title(dataset))
        own = lines[(lines["dataset"] == dataset) & lines["mean"].notna()]
        rows = [
            [
                said(line["endpoint"]), said(line["question"]),
                said(" / ".join(part for part in (line["metric"], line["postprocessing"], line["protocol"]) if part)),
                with_interval(line), ranks_cell(line), Cell(line["n"]), Cell(line["seeds"]),
            ]
            for _, line in own.iterrows()
        ]  # fmt: skip
        columns = [*text_columns("Endpoint", "Question", "Number"), Column("Mean"), *text_columns("Ranks"),
                   Column("Patients", digits=0), Column("Seeds", digits=0)]  # fmt: skip
        caption = as_text("Means with 95 % intervals.")
        yield (
            Table(f"{dataset}-numbers", caption, columns, rows, headers=3)
            if rows
            else Paragraph("Missing: not run on this cohort.")
        )


def _compared(leaderboard: LeaderboardResults, method: str) -> Iterator[Block]:
    """The endpoints against every other method, as this method minus the other."""
    found = leaderboard.comparisons
    found = found[(found["endpoint"] != EXPLORATORY) & ((found["a"] == method) | (found["b"] == method))]
    if found.empty:
        return
    yield Heading("Compared with the others")
    caption = prose(
        "Mean paired difference under each endpoint, this method minus the other, corrected for all pairs of the "
        "cohort; better needs all endpoints. *This trained model*: patients alone are drawn again. *This training "
        "procedure*: training seeds, too."
    )
    columns = [*text_columns("Cohort", "Endpoint", "Other", "Question", "State"), Column("Difference", signed=True),
               Column("p, corrected", digits=4)]  # fmt: skip
    yield Table("compared", caption, columns, [_comparison(line, method) for _, line in found.iterrows()], headers=3)


def _comparison(line: pd.Series, method: str) -> list[Cell]:
    flipped = line["a"] != method
    mean, low, high = (float(pd.to_numeric(line[name], errors="coerce")) for name in ("difference", "low", "high"))
    mean, low, high = (-mean, -high, -low) if flipped else (mean, low, high)
    state = line["state"] if line["better"] in ("", method) else line["state"].replace("better", "worse")
    texts = (line["dataset"], line["protocol"], line["a"] if flipped else line["b"], line["question"], state)
    return [*map(said, texts), Cell(mean, low, high), Cell(float(pd.to_numeric(line["p_adjusted"], errors="coerce")))]


def _configuration(leaderboard: LeaderboardResults, method: str) -> Iterator[Block]:
    cells = [cell for cell in leaderboard.results.cells if cell.fit.method == method]
    fit = cells[0].fit
    rows = [[said(name), said(value)] for name, value in sorted(fit.config.items())]
    yield Heading("Configuration")
    caption = as_text("Hyper-parameters of its fits.")
    yield (
        Table("configuration", caption, text_columns("Field", "Value"), rows)
        if rows
        else Paragraph("It has no hyper-parameters.")
    )
    precision = ", ".join(sorted({one.precision for one in cells}))
    yield Paragraph(f"Implementation: {fit.origin or 'built in'}. Precision of inference: {precision}.")
    yield Paragraph(prose("Keys of its cells: {}.", joined([code(cell.key) for cell in cells], ", ")))
