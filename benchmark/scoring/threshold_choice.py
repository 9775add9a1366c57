"""choose_thresholds: what a cell's protocols choose after its ranking pass."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.metrics.ranking import Ranking
from benchmark.scoring.pooled_search import best_mean_threshold
from benchmark.scoring.ranking_pass import RankingPass
from benchmark.study.protocols import Protocol, Threshold, on_shifted
from datasets.case import Split


def choose_thresholds(ranking: RankingPass) -> dict[tuple[str, str], Threshold]:
    """By pipeline and protocol.

    Under a shift each protocol that could be deployed is given twice: under its own name with the threshold of the
    unshifted cell, and as `NAME@shifted` with one chosen on the shifted cases.
    """
    chosen: dict[tuple[str, str], Threshold] = {}
    frozen = ranking.settings.frozen
    for pipeline in ranking.settings.pipelines:
        for protocol in ranking.settings.protocols:
            pair = pipeline.name, protocol.name
            threshold = protocol.choose(CellEvidence(ranking, pipeline.name, protocol))
            if frozen is None or protocol.sees_test_labels:
                chosen[pair] = threshold
            else:
                chosen[pair] = frozen[pair]
                chosen[pipeline.name, on_shifted(protocol.name)] = threshold
    return chosen


@dataclass(frozen=True)
class CellEvidence:
    """The `Evidence` of one protocol: a cell's cases of the kind that it uses, after one pipeline."""

    ranking: RankingPass
    pipeline: str
    protocol: Protocol

    @property
    def scans(self) -> Sequence[float]:
        return self.ranking.settings.healthy.get(self.pipeline, {}).get(self.protocol.name, ())

    def rankings(self) -> Iterator[Ranking]:
        return self.ranking.maps.pool(self._cases, self.pipeline).rankings()

    def best_pooled(self) -> float:
        return self.ranking.ranked[self.pipeline, self._split].threshold if self._cases else np.nan

    def best_mean(self) -> float:
        if not self._cases:
            return np.nan
        return best_mean_threshold(self.ranking.maps.pool(self._cases, self.pipeline, whole=True))

    def best_of_each(self) -> Threshold:
        best = self.ranking.best.get(self.pipeline, {})
        return {name: best[name] for name in self._names} if self._cases else np.nan

    def best_of_others(self) -> Threshold:
        groups = self.ranking.groups(self._cases) if self._cases else []
        if len(groups) < 2:
            return np.nan
        of_group = np.array(self.ranking.ranked[self.pipeline, self._split].others)[np.argmax(groups, axis=0)]
        return dict(zip(self._names, of_group.tolist(), strict=True))

    def transferred(self) -> float:
        source = self.ranking.settings.sources.get(self.protocol.cohort)
        return source.thresholds[self.pipeline] if source else np.nan

    @property
    def _split(self) -> Split:
        return "test" if self.protocol.sees_test_labels else "val"

    @property
    def _cases(self) -> list[int]:
        """The lesion cases that the protocol may look at: none where it uses healthy scans."""
        return [] if self.protocol.needs_healthy else self.ranking.lesion_cases(self._split)

    @property
    def _names(self) -> list[str]:
        return [self.ranking.maps.cases[number].files.case_id for number in self._cases]
