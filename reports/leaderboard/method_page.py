"""Page of one method: its data card and configuration, every number, every comparison."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pandas as pd

from benchmark.statistics.primary_endpoint import EXPLORATORY
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_pictures
from datasets.words import count_text
from reports.content.blocks import Block, Bullets, Folded, Heading, Paragraph, Picture
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, as_text, code, joined, linked, prose
from reports.leaderboard.index_page import meaning, ranks_cell, verified_how, with_interval
from reports.leaderboard.results import LeaderboardResults
from reports.model.run_results import cohort_title, find_scans, read_results
from reports.sections.gallery import example_picture


def method_page(leaderboard: LeaderboardResults, method: str) -> tuple[str, list[Block]]:
    """Title and body."""
    badges = [prose("`{}`: {}.", name, meaning(name)) for name in leaderboard.badges(method)]
    return method, [
        Folded("Its data card", [Bullets(list(_card(leaderboard, method)))]),
        *([Bullets(badges)] if badges else []),
        *_gallery(leaderboard, method),
        *_numbers(leaderboard, method),
        *_history(leaderboard, method),
        *_compared(leaderboard, method),
        *_configuration(leaderboard, method),
    ]


def _gallery(leaderboard: LeaderboardResults, method: str) -> Iterator[Block]:
    """What the board drew of the entries when it took them; it keeps no scan and no map."""
    pictures = [
        Picture(path, f"Cases of {dataset} under {method}", prose("{}, entry {}.", cohort_title(dataset), entry.name))
        for entry in leaderboard.entries_of(method)
        for dataset in leaderboard.cohorts
        if (path := entry_picture(entry.folder.parents[1], entry.name, method, dataset)).is_file()
    ]
    if pictures:
        yield Heading("Gallery")
        yield Paragraph(
            "Best, median and worst case: image, ground truth, and true positives, false positives and misses at the "
            "threshold that decides."
        )
        yield from pictures


def entry_picture(board: Path, entry: str, method: str, dataset: str) -> Path:
    """Where a board keeps the picture of a method on a cohort."""
    whole = sha256(f"{entry}\n{method}\n{dataset}".encode()).hexdigest()[:16]
    return board / "figures" / f"{whole}.png"


def write_entry_pictures(run: RunFolder, data: Path | None, board: Path, entry: str) -> list[Path]:
    """Draw cases of each method and cohort of a run, of cohorts whose scans may be shown.

    Raises:
        MissingData: the run is not summarised.
    """
    results = read_results(run)
    results = replace(results, scans=find_scans(run, data), shown=kept_pictures(run))
    drawn = []
    for dataset in results.lesion:
        for method in results.whole.seeds:
            path = entry_picture(board, entry, method, dataset)
            if example_picture(results, dataset, [method], path) is not None:
                drawn.append(path)
    return drawn


def _history(leaderboard: LeaderboardResults, method: str) -> Iterator[Block]:
    rows = []
    for entry in leaderboard.entries_of(method):
        own = [cell for cell in entry.cells if cell.fit.method == method]
        seeds = ", ".join(map(str, sorted({cell.fit.seed for cell in own})))
        cohorts = ", ".join(dict.fromkeys(cell.cohort.dataset for cell in own))
        rows.append([said(entry.added), said(entry.name), said(seeds), said(cohorts), said(verified_how(entry))])
    yield Heading("History")
    columns = text_columns("Added", "Entry", "Training seeds", "Cohorts", "Verified")
    yield Table("history", as_text("Entries that its numbers come from, the oldest first."), columns, rows, headers=2)


def _card(leaderboard: LeaderboardResults, method: str) -> Iterator[Text]:
    kept = leaderboard.results.cards.get(method)
    if kept is None:
        yield as_text("No data card is kept.")
        return
    if kept.card is not None:
        yield as_text(f"Its map has seen: {kept.card.supervision}")
        yield as_text(f"Trained on: {kept.card.trained_on}")
        yield as_text(f"Tuned on: {kept.card.tuned_on}")
        yield from (prose("Reference: {}", linked(one)) for one in kept.card.references)
        yield from (as_text(f"Departure: {one}") for one in kept.card.departures)
    yield as_text(
        f"Fitted on {kept.healthy}, {kept.sequence}: {count_text(kept.train, 'case')}, {kept.val} to validate on"
    )
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
        caption = prose("{}: means with 95 % intervals.", cohort_title(dataset))
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
    caption = prose(
        "Mean paired difference under each endpoint, this method minus the other, corrected for all pairs of the "
        "cohort; better needs all endpoints. *This trained model*: patients alone are drawn again. *This training "
        "procedure*: training seeds, too."
    )
    columns = [*text_columns("Cohort", "Endpoint", "Other", "Question", "State"), Column("Difference", signed=True),
               Column("p, corrected", digits=4)]  # fmt: skip
    rows = [_comparison(line, method) for _, line in found.iterrows()]
    yield Folded("Compared with the others", [Table("compared", caption, columns, rows, headers=3)], 2)


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
