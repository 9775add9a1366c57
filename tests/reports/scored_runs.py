"""Small run folders that hold real maps and rows, made without any network."""

import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from cohorts import TINY
from scipy import ndimage

from benchmark.analysis.summaries.make import summarise
from benchmark.execution.score_cells import evaluate_study, record_failure
from benchmark.methods.card import Card
from benchmark.scoring.ranking_pass import rows_of_image
from benchmark.storage.fits import DataCard, write_card, write_fit
from benchmark.storage.folder import RunFolder, create_run
from benchmark.storage.maps import write_volume
from benchmark.storage.rows import blank_row, stamped, write_rows
from benchmark.storage.run_record import Scoring, add_study, record_maps
from benchmark.study.cells import Cell, Cohort, Fit, Reference
from benchmark.study.study import Study
from datasets.case import CaseFiles, Split
from datasets.cohorts.catalog import dataset
from datasets.loading import load_case
from datasets.shifts import Shift
from datasets.spec import digest
from reports.api import write_report
from reports.content.blocks import Block, tables_of
from reports.content.table import Table
from reports.document import Document, compose
from reports.formats.markdown import markdown

SCORING = Scoring(("paper", "none"), ("lesion-val", "healthy-fpr-1", "oracle"))
COHORTS = ("volunteers", "patients", "inpatients")
FITTED = {"parameters": 0, "seconds": 0.0, "device": "cpu"}
BOTH: tuple[Split, ...] = ("val", "test")
THRESH = Card("none", "Nothing.", "Nothing.", simple_baseline=True)


@dataclass(frozen=True)
class Made:
    """A run folder whose cells are filled by hand."""

    run: RunFolder
    study: Study

    def report(self, data: Path | None = None, *, pictures: Sequence[str] | None = None) -> str:
        summarise(self.run, data)
        (path,) = write_report(self.run, data, pictures=pictures)
        return path.read_text(encoding="utf-8")

    def document(self, data: Path | None = None, *, pictures: Sequence[str] | None = None) -> Document:
        summarise(self.run, data)
        return compose(self.run, data, pictures=pictures)


def make(
    root: Path,
    data: Path,
    *,
    methods: Sequence[str] = ("thresh", "ae[size=48]"),
    seeds: Sequence[int] = (0,),
    splits: tuple[Split, ...] = BOTH,
    failing: Collection[tuple[str, str]] = (),
    shifts: Sequence[Shift] = (),
    scoring: Scoring = SCORING,
) -> Made:
    """`thresh` maps intensity, every other method what smoothing takes away; `failing`: (method, cohort).

    What was made of the same `data` and choices before is copied.
    """
    first = _made(data, tuple(methods), tuple(seeds), splits, tuple(failing), tuple(shifts), scoring)
    shutil.copytree(first.run.root, root, dirs_exist_ok=True)
    return replace(first, run=RunFolder(root))


@cache
def _made(
    data: Path,
    methods: Sequence[str],
    seeds: Sequence[int],
    splits: tuple[Split, ...],
    failing: Collection[tuple[str, str]],
    shifts: Sequence[Shift],
    scoring: Scoring,
) -> Made:
    """In a folder beside `data`."""
    files = {name: dataset(name).files(data, "t1") for name in COHORTS}
    cohorts = {name: Cohort(name, "t1", digest(found)) for name, found in files.items()}
    fits = [
        Fit(name, "module:Class", {"size": 48}, cohorts["volunteers"], TINY, seed) for name in methods for seed in seeds
    ]
    cells = tuple(
        Cell(fit, cohort, shift, splits=splits)
        for fit in fits
        for shift in (Shift(), *shifts)
        for cohort in cohorts.values()
    )
    references = tuple(Reference(cohorts[name], TINY, splits, None) for name in COHORTS[1:])
    made = Made(create_run(Path(mkdtemp(prefix="scored-", dir=data.parent))), Study(cells, references, files))
    add_study(made.run, made.study, scoring, data)
    for fit in fits:
        card = THRESH if fit.method == "thresh" else None
        write_card(made.run.fit(fit), DataCard(card, "volunteers", "t1", {}, 3, 3, fit.seed, None, 0, 0.0))
        write_fit(made.run.fit(fit), fit, FITTED)
    for cell in cells:
        if (cell.fit.method, cell.cohort.dataset) in failing:
            _leave_failed(made.run, cell)
        else:
            _keep_maps(made.run, cell, made.study.mapped_cases(cell))
    evaluate_study(made.study, made.run, scoring)
    summarise(made.run, data)
    return made


def _leave_failed(run: RunFolder, cell: Cell) -> None:
    try:
        raise ValueError("got a NaN_map")
    except ValueError:
        record_failure(run, cell, "predict")


def _keep_maps(run: RunFolder, cell: Cell, files: Sequence[CaseFiles]) -> None:
    rows, seen = [], []
    for one in files:
        case = load_case(one, TINY, cell.shift)
        anomaly_map = case.image[0]
        if cell.fit.method != "thresh":
            smooth = ndimage.gaussian_filter(case.image[0], 1.0 + cell.fit.seed)
            write_volume(run.reconstruction(cell, one.case_id), smooth, case.affine)
            anomaly_map = np.abs(case.image[0] - smooth) * case.brain_mask
        write_volume(run.anomaly_map(cell, one.case_id), anomaly_map, case.affine)
        blank = replace(blank_row(cell), split=one.split, case_id=one.case_id, subject_id=one.subject_id)
        rows.append(replace(blank, metric="seconds", value=0.25))
        seen += rows_of_image(blank_row(cell), one, case, None)
    write_rows(run.cell(cell) / "timing.csv", rows)
    if not cell.shift.is_none:
        write_rows(run.seen(cell), stamped(seen))
    record_maps(run, cell, {"inference": {"device": "abacus"}})


def section(report: str, heading: str) -> str:
    """From this heading, or this folded part, to the next one of any level."""
    if heading.startswith("#"):
        return re.split(r"\n#|<details>", report.split(f"{heading}\n", 1)[1], maxsplit=1)[0]
    return report.split(f"<details><summary>{heading}</summary>", 1)[1].split("\n</details>", 1)[0]


def tables(document: Document) -> dict[str, dict[str, dict[str, str]]]:
    """Each table of a report by its name: what stands in a line, named by its first column, under each title."""
    return {table.name: lines_of(table) for table in tables_of(document.blocks)}


def lines_of(table: Table) -> dict[str, dict[str, str]]:
    titles = [column.title for column in table.columns]
    return {str(row[0]): dict(zip(titles, map(str, row), strict=True)) for row in table.shown()}


def text_of(blocks: Sequence[Block]) -> str:
    """What a reader of blocks sees, as Markdown."""
    return markdown(blocks, Path("/"))


def cells_of(text: str, name: str) -> list[str]:
    """The first table line that begins with `name`."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.replace("\\|", "").split("|")[1:-1]]
