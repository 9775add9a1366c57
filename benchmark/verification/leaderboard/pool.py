"""pooled: a board's entries as one run without maps, so that all that compares a run's methods compares theirs."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import Row, kept_rows, write_rows
from benchmark.storage.run_record import kept_references, kept_scoring
from benchmark.verification.leaderboard.entry import Entry
from datasets.io.atomic import read_json, write_json


def pooled(entries: Sequence[Entry], root: Path) -> RunFolder:
    """Write the entries' studies, tables and data cards into the folder `root`, each number once.

    Args:
        entries: at least one; they agree where they overlap.
    """
    shutil.rmtree(root, ignore_errors=True)
    run, studies = RunFolder(root), [read_json(entry.run.study) for entry in entries]
    scorings = [kept_scoring(entry.run) for entry in entries]
    cells = {cell.key: asdict(cell) for entry in entries for cell in entry.cells}
    references = {one.key: asdict(one) for entry in entries for one in kept_references(entry.run)}
    content = {
        "scoring": {
            "postprocessing": _once(one.postprocessing for one in scorings),
            "protocols": _once(one.protocols for one in scorings),
        },
        "settings": {**studies[0]["settings"], "splits": _once(study["settings"]["splits"] for study in studies)},
        "cells": list(cells.values()),
        "references": list(references.values()),
        "own": list({own["name"]: own for study in studies for own in study["own"]}.values()),
    }
    write_json(run.study, {**studies[0], **content})
    for table in ("rows.csv", "timing.csv"):
        parts = [entry.folder / table for entry in entries if (entry.folder / table).is_file()]
        write_rows(root / table, _each_once(row for part in parts for row in kept_rows(part)))
    for card in (card for entry in entries for card in entry.folder.glob("fits/*/card.json")):
        place = root / "fits" / card.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(card, place / card.name)
    return run


def _each_once(rows: Iterable[Row]) -> list[Row]:
    """The first of each name: a cell that two entries have is one."""
    return list({row.name: row for row in reversed(list(rows))}.values())[::-1]


def _once(names: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for some in names for name in some))
