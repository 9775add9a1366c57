"""LeaderboardResults: what a leaderboard's pages are written from, read from the pool of its entries."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from benchmark.analysis.compare_methods import endpoint_on
from benchmark.statistics.pairwise.meta_analysis import Pooled
from benchmark.statistics.panel import FEWEST_SEEDS, TRAINED_MODEL
from benchmark.statistics.primary_endpoint import EXPLORATORY, Endpoint
from benchmark.storage.fits import LABELS
from benchmark.storage.folder import RunFolder
from benchmark.verification.leaderboard.entry import Entry, Status
from benchmark.verification.leaderboard.release import Release
from reports.model.run_results import RunResults, read_results


@dataclass(frozen=True)
class LeaderboardResults:
    """A board's pool with its summaries, and where it comes from.

    Attributes:
        fixed: the endpoint of the release, whatever the grid.
        entries: all of one status.
        across: meta-analyses over the cohorts of these and of the verified entries.
    """

    run: RunFolder
    release: Release
    fixed: Endpoint
    entries: Sequence[Entry]
    across: Sequence[Pooled] = ()

    @property
    def endpoint(self) -> Endpoint:
        """What decides, on the release's grid."""
        return endpoint_on(self.release.settings["grid"]["spacing"], self.fixed)

    @cached_property
    def results(self) -> RunResults:
        return read_results(self.run)

    @property
    def lines(self) -> pd.DataFrame:
        return self.results.summary.standings

    @property
    def alarms(self) -> pd.DataFrame:
        return self.results.summary.healthy

    @property
    def efficiency(self) -> pd.DataFrame:
        return self.results.summary.costs

    @property
    def comparisons(self) -> pd.DataFrame:
        return self.results.summary.comparisons

    @property
    def methods(self) -> list[str]:
        return list(self.results.whole.seeds)

    def entries_of(self, method: str) -> list[Entry]:
        """The entries with cells of a method, the oldest first."""
        return self._entries.get(method, [])

    @cached_property
    def _entries(self) -> Mapping[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in sorted(self.entries, key=lambda one: one.added):
            for method in dict.fromkeys(cell.fit.method for cell in entry.cells):
                found.setdefault(method, []).append(entry)
        return found

    @property
    def cohorts(self) -> list[str]:
        """Those of lesions, in which methods are ranked."""
        return list(self.results.lesion)

    def primary(self, dataset: str, question: str, place: int = 1) -> Mapping[str, pd.Series]:
        """The line of each method under a frozen endpoint of the cohort; none of a method without a number.

        Args:
            place: 1 for the cohort's first endpoint, 2 for its second where it has two.
        """
        return self._primary.get((dataset, question, place), {})

    @cached_property
    def _primary(self) -> Mapping[tuple[str, str, int], Mapping[str, pd.Series]]:
        found: dict[tuple[str, str, int], dict[str, pd.Series]] = {}
        decided = self.lines[
            (self.lines["endpoint"] != EXPLORATORY) & (self.lines["decides"] > 0) & self.lines["mean"].notna()
        ]
        for _, line in decided.iterrows():
            where = (str(line["dataset"]), str(line["question"]), int(line["decides"]))
            found.setdefault(where, {})[str(line["method"])] = line
        return found

    def badges(self, method: str, dataset: str | None = None) -> list[str]:
        """What qualifies a method's numbers, in one cohort or in any."""
        return list(dict.fromkeys(self._badges(method, dataset)))

    def _badges(self, method: str, dataset: str | None) -> Iterator[str]:
        cohorts = self.cohorts if dataset is None else [dataset]
        lines = [self.primary(name, TRAINED_MODEL).get(method) for name in cohorts]
        there = [line for line in lines if line is not None]
        seeds = min((int(line["seeds"]) for line in there), default=0)
        if 0 < seeds < FEWEST_SEEDS:
            yield "single seed" if seeds == 1 else f"{seeds} seeds"
        flags = self.results.whole.flags(method, dataset)
        if len(there) < len(lines) or "partial" in flags or any(line["left_out"] > 0 for line in there):
            yield "partial"
        if any(line["seeds"] < line["planned"] for line in there):
            yield "partial"
        if "leak" in flags:
            yield "leaked"
        if self.results.whole.supervision.get(method) == LABELS:
            yield "labels used"
        if method in self.results.whole.transductive:
            yield "transductive"
        if self.status == "attested":
            yield from (f"attested by {site}" for site in self._sites(method, dataset))
        elif self.status == "self-reported":
            yield "self-reported"
        elif method not in self._remade:
            yield "maps not remade"

    @cached_property
    def status(self) -> Status:
        """Of the entries, which are alike in this; without any, that of the run itself."""
        return self.entries[0].attestation.status if self.entries else "verified"

    @property
    def is_verified(self) -> bool:
        """Whether the board made the entries' rows again."""
        return self.status == "verified"

    def _sites(self, method: str, dataset: str | None) -> list[str]:
        """Who attests a method's numbers."""
        return [
            entry.attestation.site
            for entry in self.entries
            if any(one.fit.method == method and dataset in (None, one.cohort.dataset) for one in entry.cells)
        ]

    @cached_property
    def _remade(self) -> set[str]:
        """Methods of which the board made maps again from the weights."""
        remade = {key for entry in self.entries for key in entry.attestation.remade}
        return {cell.fit.method for entry in self.entries for cell in entry.cells if cell.key in remade}
