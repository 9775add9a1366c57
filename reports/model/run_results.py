"""RunResults: everything a report is written from, cohort by cohort."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from benchmark.analysis.changes import Changes
from benchmark.analysis.compare_methods import endpoint_on
from benchmark.postprocessing.pipelines import pipeline_named, unscored
from benchmark.statistics.primary_endpoint import Endpoint, read_endpoint
from benchmark.storage.fits import LABELS, DataCard, card_of_finished, read_card
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import chosen
from benchmark.storage.run_record import (
    Scoring,
    has_maps,
    kept_cells,
    kept_references,
    kept_scoring,
    reopen,
)
from benchmark.storage.run_tables import run_rows
from benchmark.study.cells import Cell, Fit
from benchmark.study.study import Study
from datasets.case import Split
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, UserError
from datasets.grid import Grid
from datasets.io.atomic import read_json
from reports.content.blocks import Heading
from reports.content.text import Text, joined, prose
from reports.model.cohort_results import CohortResults, healthy_cases, lesion_cases, of_cases
from reports.model.summary import Summary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scans:
    """The study with the files that its maps were made of; None where they are not, for the reason `why_none`."""

    study: Study | None
    why_none: str = ""


@dataclass(frozen=True)
class RunResults:
    """What reports are written from; shifted cells stay out of all tables of cohorts.

    Attributes:
        summary: the tables that all numbers are read from.
        cells: the unshifted ones of the study, in its order, those of methods that use lesion labels last.
        shifted: the others, likewise; cells whose histograms are matched are among them.
        split: the one that is reported.
        whole: all cohorts and splits together.
        lesion, healthy: by cohort, the results of its cases with and of those without lesion.
        empty: cohorts that have been scored and have no case in the split.
        cards: of each method's first fit that has one.
        scans: what pictures are made of.
        shown: cohorts whose scans may be shown; None for all.
        changes: since an earlier run; None where none was named.
    """

    run: RunFolder
    summary: Summary
    cells: Sequence[Cell]
    shifted: Sequence[Cell]
    scoring: Scoring
    settings: Mapping[str, Any]
    split: Split
    whole: CohortResults
    lesion: Mapping[str, CohortResults]
    healthy: Mapping[str, CohortResults]
    empty: Sequence[str]
    cards: Mapping[str, DataCard]
    scans: Scans = Scans(None, "nobody has looked for the scans")
    shown: Sequence[str] | None = None
    changes: Changes | None = None

    @property
    def fits(self) -> list[Fit]:
        return list({cell.fit.key: cell.fit for cell in self.cells}.values())

    @property
    def fitted_on(self) -> list[str]:
        """The healthy cohorts that any method was fitted on; [] in a study without any."""
        return list(dict.fromkeys(cohort.dataset for fit in self.fits for cohort in fit.healthy_cohorts))

    @property
    def grid(self) -> Grid:
        return self.cells[0].fit.grid

    @property
    def pipelines(self) -> dict[str, str]:
        """By name what each pipeline does on the run's grid, whatever score comes before it."""
        names = dict.fromkeys(map(unscored, self.scoring.postprocessing))
        return {name: pipeline_named(name).what_at(self.grid.spacing) for name in names}

    @property
    def scores(self) -> dict[str, str]:
        """By name what each score is that makes maps anew."""
        scores = [pipeline_named(name).score for name in self.scoring.postprocessing]
        return {score.name: score.what for score in scores if score is not None}

    @property
    def endpoint(self) -> Endpoint:
        """What decides, on the run's grid."""
        return endpoint_on(self.grid.spacing, read_endpoint())

    @property
    def cohorts(self) -> list[str]:
        return list(dict.fromkeys(cell.cohort.dataset for cell in self.cells))

    @property
    def methods(self) -> list[str]:
        """In the order of the first cohort that ranks them, for tables of several cohorts."""
        ranked = [cohort for cohort in self.lesion.values() if cohort.rankable]
        ordered = ranked[0].ordered if ranked else self.whole.seeds
        return [str(method) for method in ordered if method in self.whole.seeds]

    @property
    def scanned(self) -> Mapping[str, CohortResults]:
        """The cohorts of `healthy` that hold any case."""
        return {name: cohort for name, cohort in self.healthy.items() if cohort.patients}

    @property
    def testable(self) -> list[str]:
        """The lesion cohorts with patients enough for a test; all where none has."""
        return [name for name, cohort in self.lesion.items() if cohort.testable] or list(self.lesion)

    @property
    def validation(self) -> bool:
        """Whether the test split is closed."""
        return self.split == "val"

    def may_show(self, cohort: str) -> bool:
        return self.shown is None or cohort in self.shown

    def titled(self, title: Text | str) -> Text:
        return joined(["VALIDATION:" if self.validation else "", title])

    def heading(self, title: Text | str, level: int = 3) -> Heading:
        return Heading(self.titled(title), level)


def read_results(run: RunFolder) -> RunResults:
    """Sort a run's rows and summary by cohort.

    Raises:
        MissingData: nothing has been scored or summarised yet.
    """
    rows, summary = run_rows(run), Summary(run.root)
    kept, settings = kept_cells(run), read_json(run.study)["settings"]
    cards = _cards(run, kept)
    transductive = [method for method, card in cards.items() if card.is_transductive]
    ordered = _aside_last(kept, cards)
    cells = [cell for cell in ordered if cell.shift.is_none]
    split: Split = "test" if "test" in settings["splits"] else "val"
    seeds = _seeds(cells)
    supervision = {method: card.supervision for method, card in cards.items()}
    whole = CohortResults(
        chosen(rows, rows["shift"] == "none"),
        summary.whole,
        seeds,
        _simple_baselines(seeds, cards),
        supervision,
        transductive,
    )
    cohorts = {name: _of_cohort(whole, name, split) for name in dict.fromkeys(cell.cohort.dataset for cell in cells)}
    empty = [name for name, cohort in cohorts.items() if _is_empty(cohort)]
    with_lesions = {reference.cohort.dataset for reference in kept_references(run)}
    shown = {name: cohort for name, cohort in cohorts.items() if name not in empty}
    healthy = {name: _only(cohort, "healthy") for name, cohort in shown.items()}
    return RunResults(
        run=run,
        summary=summary,
        cells=cells,
        shifted=[cell for cell in ordered if not cell.shift.is_none],
        scoring=kept_scoring(run),
        settings=settings,
        split=split,
        whole=whole,
        lesion={name: _only(cohort, "lesion") for name, cohort in shown.items() if name in with_lesions},
        healthy={name: cohort for name, cohort in healthy.items() if name not in with_lesions or cohort.patients},
        empty=empty,
        cards=cards,
    )


def find_scans(run: RunFolder, data: Path | None) -> Scans:
    """Look below `data` (default: where they were); the log has the details, which name local folders."""
    try:
        return Scans(reopen(run, data))
    except UserError as error:
        log.warning("No pictures: %s", error)
        changed = "have changed since" if isinstance(error, BadFile) else "are not there any more"
        return Scans(None, f"the scans that the maps were made of {changed}")


def cohort_title(name: str) -> Text:
    """A cohort's title and name."""
    return prose("{} (`{}`)", dataset(name).title, name)


def _seeds(cells: Sequence[Cell]) -> dict[str, int]:
    """How many training seeds each method was to have."""
    pairs = dict.fromkeys((cell.fit.method, cell.fit.seed) for cell in cells)
    counted = [method for method, _ in pairs]
    return {method: counted.count(method) for method in dict.fromkeys(counted)}


def _cards(run: RunFolder, cells: Sequence[Cell]) -> dict[str, DataCard]:
    cards: dict[str, DataCard] = {}
    mapped = {cell.fit.key for cell in cells if has_maps(run, cell)}
    for fit in {cell.fit.key: cell.fit for cell in cells}.values():
        card = card_of_finished(run, fit) if fit.key in mapped else read_card(run, fit)
        cards |= {} if card is None or fit.method in cards else {fit.method: card}
    return cards


def _aside_last(cells: Sequence[Cell], cards: Mapping[str, DataCard]) -> list[Cell]:
    """What is transductive behind all that are ranked, and what uses labels behind that."""
    place = {method: 2 * (card.supervision == LABELS) + card.is_transductive for method, card in cards.items()}
    return sorted(cells, key=lambda cell: place.get(cell.fit.method, 0))


def _simple_baselines(names: Iterable[str], cards: Mapping[str, DataCard]) -> list[str]:
    return [name for name in names if name in cards and cards[name].is_simple_baseline]


def _of_cohort(whole: CohortResults, cohort: str, split: Split) -> CohortResults:
    rows, lines = whole.rows, whole.lines
    rows = chosen(rows, (rows["dataset"] == cohort) & rows["split"].isin([split, ""]))
    return replace(whole, rows=rows, lines=lines[(lines["dataset"] == cohort) & (lines["split"] == split)])


def _only(cohort: CohortResults, cases: Literal["lesion", "healthy"]) -> CohortResults:
    """The results of some of its cases."""
    part = lesion_cases if cases == "lesion" else healthy_cases
    lines = cohort.lines
    return replace(cohort, rows=part(cohort.rows), lines=lines[lines["cases"].isin([cases, ""])])


def _is_empty(cohort: CohortResults) -> bool:
    """Whether a cohort went through scoring, which leaves a threshold, without any case."""
    return any(cohort.rows["metric"] == "threshold") and of_cases(cohort.rows).empty
