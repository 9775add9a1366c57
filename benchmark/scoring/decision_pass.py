"""DecisionPass: metrics of the predictions at each protocol's threshold, and FROC."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.metric import Decision, compute
from benchmark.metrics.registry import METRICS
from benchmark.scoring.lesion_tables import Froc, start_froc
from benchmark.scoring.processed_maps import Scores
from benchmark.scoring.ranking_pass import RankingPass
from benchmark.storage.rows import Row, evaluation_row, rows_of, write_lines
from benchmark.study.cells import Evaluation
from benchmark.study.protocols import CROSSED, Protocol, Threshold, protocol_named
from datasets.case import CaseFiles
from datasets.progress import watched


@dataclass(frozen=True)
class DecisionPass:
    """A cell after its ranking pass, with its thresholds by pipeline and protocol."""

    ranking: RankingPass
    thresholds: Mapping[tuple[str, str], Threshold]

    def threshold_rows(self) -> Iterator[Row]:
        files = {case.files.case_id: case.files for case in self.ranking.maps.cases}
        for pair, chosen in self.thresholds.items():
            blank = self._blank(*pair)
            if isinstance(chosen, Mapping):
                for name, threshold in chosen.items():
                    yield from rows_of(blank, files[name], {"threshold": threshold})
            else:
                yield replace(blank, metric="threshold", value=chosen)

    def decision_rows(self) -> Iterator[Row]:
        """Metrics of the predictions, small components removed, and then of the curves."""
        wanted = self.ranking.settings.metrics_of("curve")
        curves = {names: start_froc(lesions) for names, lesions in self.ranking.lesions.items() if wanted}
        pairs = sorted(self.thresholds, key=lambda pair: (pair[0], pair[1] != CROSSED))  # regret needs it first
        blanks = {pair: self._blank(*pair) for pair in pairs}
        protocols = {name: protocol_named(name) for _, name in pairs}
        for number, case in enumerate(watched(self.ranking.maps.cases, "  scoring predictions")):
            truth = case.read()
            for pipeline, of_pipeline in groupby(pairs, key=lambda pair: pair[0]):
                scores, curve = self.ranking.maps.scores(number, pipeline), curves.get((pipeline, case.files.split))
                values = self._values(truth, scores, pipeline, None if case.files.healthy else curve)
                yield from self._case_rows(truth, values, {pair: blanks[pair] for pair in of_pipeline}, protocols)
        yield from self._froc_rows(curves)

    def _values(
        self, truth: GroundTruth, scores: Scores, pipeline: str, curve: Froc | None
    ) -> dict[float, dict[str, float]]:
        """By threshold of one case and pipeline the metrics of its prediction; the curve's are counted."""
        decisive = {_of_case(one, truth.files) for (own, _), one in self.thresholds.items() if own == pipeline}
        decisive = {threshold for threshold in decisive if not np.isnan(threshold)}
        falling = sorted(decisive.union([] if curve is None else curve.thresholds.tolist()), reverse=True)
        metrics = {metric.name: metric for metric in (*self.ranking.settings.metrics_of("prediction"), METRICS["dice"])}
        values, decision = dict[float, dict[str, float]](), None
        for threshold, prediction in zip(falling, truth.predictions(scores, falling), strict=True):
            if decision is None or prediction.voxels.size > decision.prediction.voxels.size:
                decision, known = Decision(truth, prediction), None
            if threshold in decisive:
                known = known or compute(metrics.values(), decision, truth.kinds)
                values[threshold] = known
            if curve is not None:
                curve.add(decision, threshold)
        return values

    def _case_rows(
        self,
        truth: GroundTruth,
        values: Mapping[float, dict[str, float]],
        blanks: Mapping[tuple[str, str], Row],
        protocols: Mapping[str, Protocol],
    ) -> Iterator[Row]:
        """One case under all protocols of one pipeline."""
        best = np.nan
        for pair, blank in blanks.items():
            own = values.get(_of_case(self.thresholds[pair], truth.files))
            if own is None:
                continue
            best = own.get("dice", np.nan) if pair[1] == CROSSED else best
            regret = {} if protocols[pair[1]].sees_test_labels or np.isnan(best) else {"regret": best - own["dice"]}
            known = {name: value for name, value in (own | regret).items() if self.ranking.settings.wants(name)}
            yield from rows_of(blank, truth.files, known)

    def _froc_rows(self, curves: Mapping[tuple[str, str], Froc]) -> Iterator[Row]:
        lines = (
            {"postprocessing": pipeline, "split": split, **line}
            for (pipeline, split), curve in curves.items()
            for line in curve.lines()
        )
        write_lines(self.ranking.run.cell(self.ranking.cell) / "froc.csv", lines)
        blanks = self.ranking.blanks()
        for (pipeline, split), curve in curves.items():
            for metric, value in compute(self.ranking.settings.metrics_of("curve"), curve.curve, ("all",)).items():
                yield replace(blanks[pipeline], split=split, metric=metric, value=value)

    def _blank(self, pipeline: str, protocol: str) -> Row:
        known, named = self.ranking.settings, protocol_named(protocol)
        source = known.sources.get(named.cohort)
        own = next(one for one in known.pipelines if one.name == pipeline)
        return evaluation_row(Evaluation(self.ranking.cell, own, named, source.digest if source else ""))


def _of_case(chosen: Threshold, files: CaseFiles) -> float:
    """The threshold of one case; NaN where each case has its own and this one has none."""
    return chosen.get(files.case_id, np.nan) if isinstance(chosen, Mapping) else chosen
