"""The second pass over a cell's shelf: what the predictions at the chosen thresholds are worth, and the curves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from benchmark.metrics.ground_truth import Anatomy, decided
from benchmark.scoring.measures.froc import Froc, start
from benchmark.scoring.processed_maps import Scores
from benchmark.scoring.ranking_pass import FirstPass
from benchmark.scoring.threshold_choice import Chosen
from benchmark.storage.rows import Row, blank_row, decision_row, rows_of, write_lines
from benchmark.study.cells import Evaluation
from benchmark.study.protocols import CROSSED, SHIFTED, Protocol, in_key, protocol_named
from datasets.case import CaseFiles

CURVES = ("froc", "froc_at_1")


@dataclass(frozen=True)
class SecondPass:
    """A cell after its first pass, under the thresholds that were chosen by chain and protocol."""

    first: FirstPass
    thresholds: Mapping[tuple[str, str], Chosen]

    def threshold_rows(self) -> Iterator[Row]:
        files = {kept.files.case_id: kept.files for kept in self.first.shelf.cases}
        for (chain, protocol), chosen in self.thresholds.items():
            blank = self._blank(chain, protocol)
            if isinstance(chosen, Mapping):
                for name, threshold in chosen.items():
                    yield from rows_of(blank, files[name], {"threshold": threshold})
            else:
                yield replace(blank, metric="threshold", value=chosen)

    def decision_rows(self) -> Iterator[Row]:
        """Metrics of the predictions, after the threshold and after small components went, and then of the curves."""
        wants_curves = any(map(self.first.choices.wants, CURVES))
        curves = {names: start(lesions) for names, lesions in self.first.lesions.items() if wants_curves}
        pairs = sorted(self.thresholds, key=lambda pair: (pair[0], pair[1] != CROSSED))  # regret needs it first
        blanks = {pair: self._blank(*pair) for pair in pairs}
        for number, kept in enumerate(self.first.shelf.cases):
            anatomy = kept.read()
            for chain, of_chain in groupby(pairs, key=lambda pair: pair[0]):
                scores, curve = self.first.shelf.scores(number, chain), curves.get((chain, kept.files.split))
                values = self._values(anatomy, scores, chain, None if kept.files.healthy else curve)
                yield from self._case_rows(anatomy, values, {pair: blanks[pair] for pair in of_chain})
        yield from self._froc_rows(curves)

    def _values(
        self, anatomy: Anatomy, scores: Scores, chain: str, curve: Froc | None
    ) -> dict[float, dict[str, float]]:
        """For each threshold of one case and chain what its prediction is worth; the curve's are counted."""
        decisive = {_of_case(one, anatomy.files) for (own, _), one in self.thresholds.items() if own == chain}
        decisive = {threshold for threshold in decisive if not np.isnan(threshold)}
        falling = sorted(decisive.union([] if curve is None else curve.thresholds.tolist()), reverse=True)
        wanted, values = {*self.first.choices.metrics, "dice"}, {}
        for threshold, prediction in zip(falling, anatomy.predictions(scores, falling), strict=True):
            if threshold in decisive:
                values[threshold] = decided(prediction, anatomy, wanted)
            if curve is not None:
                curve.add(anatomy, prediction, threshold)
        return values

    def _case_rows(
        self, anatomy: Anatomy, values: Mapping[float, dict[str, float]], blanks: Mapping[tuple[str, str], Row]
    ) -> Iterator[Row]:
        """One case under all protocols of one chain."""
        best = np.nan
        for pair, blank in blanks.items():
            own = values.get(_of_case(self.thresholds[pair], anatomy.files))
            if own is None:
                continue
            best = own.get("dice", np.nan) if pair[1] == CROSSED else best
            regret = {} if _plain(pair[1]).sees_test_labels or np.isnan(best) else {"regret": best - own["dice"]}
            yield from rows_of(blank, anatomy.files, self.first.choices.wanted(own | regret))

    def _froc_rows(self, curves: Mapping[tuple[str, str], Froc]) -> Iterator[Row]:
        lines = (
            {"postprocessing": chain, "split": split, **line}
            for (chain, split), curve in curves.items()
            for line in curve.lines()
        )
        write_lines(self.first.run.cell(self.first.cell) / "froc.csv", lines)
        for (chain, split), curve in curves.items():
            for metric, value in self.first.choices.wanted(curve.summary()).items():
                blank = replace(blank_row(self.first.cell), postprocessing=chain, split=split)
                yield replace(blank, metric=metric, value=value)

    def _blank(self, chain: str, protocol: str) -> Row:
        digests = {cohort: source.digest for cohort, source in self.first.choices.sources.items()}
        return decision_row(Evaluation(self.first.cell, chain, in_key(protocol, digests)), protocol)


def _plain(protocol: str) -> Protocol:
    """The protocol of that name, shifted or not."""
    return protocol_named(protocol.removesuffix(SHIFTED))


def _of_case(chosen: Chosen, files: CaseFiles) -> float:
    """NaN for a case that a threshold of each case was not chosen for."""
    return chosen.get(files.case_id, np.nan) if isinstance(chosen, Mapping) else chosen
