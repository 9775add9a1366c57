"""Strata: a cell's numbers by the size of the lesion, for tables and pictures to read."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmark.metrics.registry import ALWAYS, METRICS
from benchmark.metrics.strata import STRATA, strata_of
from benchmark.scoring.measures.froc import Lesions
from benchmark.storage.rows import Row

Place = tuple[str, str, str, str, str]  # chain, protocol, split, stratum, metric
COLUMNS = ("postprocessing", "protocol", "split", "stratum", "metric")


@dataclass
class _Values:
    """Numbers of cases and whose they are, 16 bytes each, since there are many."""

    subjects: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def summary(self) -> dict[str, float]:
        """Mean over patients of the means of their cases; what is undefined is counted and left out."""
        subjects, values = np.array(self.subjects), np.array(self.values)
        known = ~np.isnan(values)
        sums, counts = np.bincount(subjects[known], values[known]), np.bincount(subjects[known])
        means = sums[counts > 0] / counts[counts > 0]
        return {
            "mean": float(means.mean()) if means.size else np.nan,
            "cases": values.size,
            "patients": means.size,
            "undefined": int(values.size - known.sum()),
        }


@dataclass
class Strata:
    """Values of lesion cases by the volume of all their lesion, as rows go by.

    Attributes:
        ml: of each case, known from the row that comes before its others.
        subjects: a number for each.
    """

    ml: dict[str, float] = field(default_factory=dict)
    subjects: dict[str, int] = field(default_factory=dict)
    values: dict[Place, _Values] = field(default_factory=lambda: defaultdict(_Values))

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The same rows."""
        for row in rows:
            self._add(row)
            yield row

    def _add(self, row: Row) -> None:
        if row.metric == "lesion_ml":
            self.ml[row.case_id] = row.value
        elif row.case_id in self.ml and row.metric not in ALWAYS and METRICS[row.metric].per == "case":
            for stratum in strata_of(self.ml[row.case_id]):
                kept = self.values[row.postprocessing, row.protocol, row.split, stratum, row.metric]
                kept.subjects.append(self.subjects.setdefault(row.subject_id, len(self.subjects)))
                kept.values.append(row.value)

    def lines(self) -> Iterator[dict[str, object]]:
        """One a place of the table."""
        for place, kept in self.values.items():
            yield {**dict(zip(COLUMNS, place, strict=True)), "of": "case", **kept.summary()}


def lesion_lines(
    lesions: Mapping[tuple[str, str], Lesions], thresholds: Mapping[tuple[str, str], object]
) -> Iterator[dict[str, object]]:
    """The part of all lesions of a size that is found at each threshold of a whole cohort.

    Args:
        lesions: by chain and split.
        thresholds: by chain and protocol; those that differ from case to case are passed over.
    """
    whole = {pair: one for pair, one in thresholds.items() if isinstance(one, float) and not np.isnan(one)}
    for (chain, split), group in lesions.items():
        for (_, protocol), threshold in ((pair, one) for pair, one in whole.items() if pair[0] == chain):
            for stratum, (low, high) in STRATA.items():
                recall, count = group.recall(threshold, low, high)
                yield {
                    **dict(zip(COLUMNS, (chain, protocol, split, stratum, "lesion_recall"), strict=True)),
                    "of": "lesion",
                    "mean": recall,
                    "cases": count,
                    "patients": group.subjects(low, high),
                    "undefined": 0,
                }
