"""Kept maps to rows: everything is scored here, the same way for all methods, without torch.

Maps go through a `Shelf` on disk: a first pass post-processes and ranks, the thresholds follow, a second pass
decides. Rows are yielded as they are made, so that memory does not grow with the cohort.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.anatomy import Anatomy, KeptAnatomy, anatomy_of
from benchmark.closeness import closeness
from benchmark.curves import Froc, Lesions, start, write_froc
from benchmark.decisions import decided
from benchmark.healthy import HealthyScan, healthy_threshold, look_at
from benchmark.maps import read_volume
from benchmark.metrics.ranking import ap_of, auroc_of, best_dice_of
from benchmark.pooling import Pooled, best_mean_threshold, pooled
from benchmark.postprocessing import CHAINS, perfect_prediction
from benchmark.results import Row, blank_row
from benchmark.runfolder import RunFolder
from benchmark.shelf import Processed, Shelf, process
from benchmark.study import Cell, Evaluation, Reference
from benchmark.thresholds import FOLDS, Protocol, above, protocol_named
from datasets.case import Case, CaseFiles, Split
from datasets.grid import Cases, Grid

CROSSED = "oracle-cross"
Mapped = tuple[Case, Anatomy, NDArray[np.float32]]  # a case, its masks, and its anomaly map (X, Y, Z)
Chosen = float | Mapping[str, float]  # a threshold of all cases, or one of each


@dataclass(frozen=True)
class Source:
    """Another cohort's thresholds.

    Attributes:
        digest: stands for the cases that they were taken from.
        thresholds: for each chain.
    """

    digest: str
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Choices:
    """What is evaluated, and what thresholds may look at beyond the scored cohort.

    Attributes:
        healthy: `healthy_scans` of the same fit, for the chains to evaluate.
        protocols: names of threshold protocols.
        sources: by the name of a cohort, for `transfer:COHORT`.
        metrics: names of those that make rows.
    """

    healthy: Mapping[str, Sequence[HealthyScan]]
    protocols: Sequence[str]
    sources: Mapping[str, Source] = field(default_factory=dict)
    metrics: Collection[str] = metrics.SCORED


def healthy_scans(
    run: RunFolder, cell: Cell, files: Sequence[CaseFiles], postprocessing: Sequence[str]
) -> dict[str, list[HealthyScan]]:
    """For each chain what thresholds take from the healthy validation cases among `files`."""
    found: dict[str, list[HealthyScan]] = {name: [] for name in postprocessing}
    for _, anatomy, kept in _maps(run, cell, [one for one in files if one.healthy and one.split == "val"]):
        for name, scans in found.items():
            processed = process(kept, anatomy, CHAINS[name])
            scans.append(look_at(processed.plain, processed.scores))
    return found


def lesion_thresholds(
    run: RunFolder, cell: Cell, files: Sequence[CaseFiles], postprocessing: Sequence[str]
) -> dict[str, float]:
    """For each chain the `lesion-val` threshold of a cell; NaN without lesion validation cases among `files`."""
    with _shelf(run, postprocessing) as shelf:
        for _, anatomy, kept in _maps(run, cell, [one for one in files if one.split == "val" and not one.healthy]):
            for _ in shelf.add(anatomy, kept):
                pass
        everyone = shelf.lesion_cases(lambda _: True)
        return {name: pooled(shelf.pool(everyone, name)).threshold for name in postprocessing}


def evaluate_cell(run: RunFolder, cell: Cell, files: Sequence[CaseFiles], choices: Choices) -> Iterator[Row]:
    """Every row of one cell; its curves are left in the cell's folder.

    Args:
        files: the cell's mapped cases.
    """
    yield from evaluate_maps(run, cell, _maps(run, cell, files), choices)


def evaluate_maps(run: RunFolder, cell: Cell, maps: Iterable[Mapped], choices: Choices) -> Iterator[Row]:
    """The same for maps from anywhere; they are taken one at a time."""
    with _shelf(run, choices.healthy) as shelf:
        scoring = _Scoring(run, cell, shelf, choices)
        yield from scoring.case_rows(maps)
        yield from scoring.pooled_rows()
        thresholds = scoring.thresholds()
        yield from scoring.threshold_rows(thresholds)
        yield from scoring.decision_rows(thresholds)


def evaluate_reference(
    reference: Reference,
    files: Sequence[CaseFiles],
    postprocessing: Sequence[str],
    wanted: Collection[str] = metrics.SCORED,
) -> Iterator[Row]:
    """What the truth itself scores after each chain, and what the grid's box cuts off of it."""
    blank = Row(
        "perfect-map", reference.cohort.dataset, reference.cohort.sequence, "none", 0.0, None, None,
        "", "", "", "", "", "", np.nan, reference.key,
    )  # fmt: skip
    for one, case in _cases(files, reference.grid):
        if case.lesion_mask is None:
            continue
        anatomy = anatomy_of(one, case)
        yield from _rows(blank, one, _sizes(anatomy))
        for name in postprocessing:
            prediction = perfect_prediction(case.lesion_mask, case.brain_mask, CHAINS[name], case.voxel_ml)
            values = decided(prediction[case.brain_mask], anatomy, wanted)
            yield from _rows(replace(blank, postprocessing=name), one, values)


@dataclass
class _Scoring:
    """One cell on its shelf.

    Attributes:
        own: for each chain, each case's threshold of its own best Dice.
        lesions: for each chain and split, the lesions and from where on they are found.
        known: for each chain and split with lesions, what its voxels together say.
    """

    run: RunFolder
    cell: Cell
    shelf: Shelf
    choices: Choices
    own: dict[str, dict[str, float]] = field(default_factory=dict)
    lesions: dict[tuple[str, str], Lesions] = field(default_factory=dict)
    known: dict[tuple[str, str], Pooled] = field(default_factory=dict)

    def case_rows(self, maps: Iterable[Mapped]) -> Iterator[Row]:
        """What no threshold enters, case by case; it fills the shelf."""
        blank = blank_row(self.cell)
        for case, anatomy, kept in maps:
            path = self.run.reconstruction(self.cell, case.case_id)
            close = closeness(case, read_volume(path), self.choices.metrics) if path.exists() else {}
            yield from _rows(blank, anatomy.files, _sizes(anatomy) | close)
            for chain, processed in self.shelf.add(anatomy, kept):
                if anatomy.lesion_mask is not None:
                    values = self._curves(chain, anatomy, processed)
                    yield from _rows(replace(blank, postprocessing=chain), anatomy.files, self._wanted(values))

    def _curves(self, chain: str, anatomy: Anatomy, processed: Processed) -> dict[str, float]:
        ranking = processed.smoothed
        ap = ap_of(ranking)
        beyond = anatomy.brain_mask.size - processed.scores.size - anatomy.outside_brain
        box = ranking.padded(anatomy.outside_brain, beyond, missed=anatomy.cut_off)
        best, threshold = best_dice_of(processed.opened)
        if anatomy.lesion_mask is not None:
            self.own.setdefault(chain, {})[anatomy.files.case_id] = threshold
            found = self.lesions.setdefault((chain, anatomy.files.split), Lesions())
            found.add(anatomy, processed.scores)
        return {
            "auprc": ap,
            "auprc_lift": metrics.lift(ap, ranking.prevalence),
            "auprc_box": ap_of(box),
            "auroc": auroc_of(ranking),
            "oracle_dice": best,
        }

    def pooled_rows(self) -> Iterator[Row]:
        """It ranks every split's voxels together, for thresholds too."""
        for chain in self.choices.healthy:
            for split in ("val", "test"):
                cases = self._lesion_cases(split)
                if cases:
                    known = pooled(self.shelf.pool(cases, chain), self._groups(cases) if split == "test" else ())
                    self.known[chain, split] = known
                    values = self._wanted({"auprc_pooled": known.average_precision})
                    yield from (replace(self._blank(chain), split=split, metric=name, value=value)
                                for name, value in values.items())  # fmt: skip

    def _groups(self, cases: list[int]) -> list[NDArray[np.bool_]]:
        """`(cases,)` each, the cases of every group of patients; none where no threshold needs them."""
        if CROSSED not in self.choices.protocols:
            return []
        patients = [self.shelf.cases[number].files.subject_id for number in cases]
        place = {subject: place % FOLDS for place, subject in enumerate(sorted(set(patients)))}
        group = np.array([place[subject] for subject in patients])
        return [group == number for number in sorted(set(place.values()))]

    def thresholds(self) -> dict[tuple[str, str], Chosen]:
        """By chain and protocol; NaN where the cohort has nothing that the protocol may look at."""
        pairs = [(chain, name) for chain in self.choices.healthy for name in self.choices.protocols]
        return {(chain, name): self._chosen(chain, protocol_named(name)) for chain, name in pairs}

    def _chosen(self, chain: str, protocol: Protocol) -> Chosen:
        if protocol.uses == "healthy-val":
            return healthy_threshold(self.choices.healthy[chain], protocol)
        if protocol.cohort:
            source = self.choices.sources.get(protocol.cohort)
            return source.thresholds[chain] if source else np.nan
        split: Split = "test" if protocol.sees_test_labels else "val"
        cases = self._lesion_cases(split)
        if not cases:
            return np.nan
        if protocol.rule == "case":
            names = {self.shelf.cases[number].files.case_id for number in cases}
            return {name: threshold for name, threshold in self.own[chain].items() if name in names}
        if protocol.rule == "mean":
            return best_mean_threshold(self.shelf.pool(cases, chain, whole_chain=True))
        if protocol.rule == "crossed":
            return self._crossed(chain, cases)
        return self.known[chain, split].threshold

    def _crossed(self, chain: str, cases: list[int]) -> Chosen:
        """Each case's threshold from the other groups of patients; NaN for a single patient."""
        groups = self._groups(cases)
        if len(groups) < 2:
            return np.nan
        of_group = np.array(self.known[chain, "test"].others)[np.argmax(groups, axis=0)]
        names = [self.shelf.cases[number].files.case_id for number in cases]
        return dict(zip(names, of_group.tolist(), strict=True))

    def threshold_rows(self, thresholds: Mapping[tuple[str, str], Chosen]) -> Iterator[Row]:
        files = {kept.files.case_id: kept.files for kept in self.shelf.cases}
        for (chain, protocol), chosen in thresholds.items():
            blank = self._blank(chain, protocol)
            if isinstance(chosen, Mapping):
                for name, threshold in chosen.items():
                    yield from _rows(blank, files[name], {"threshold": threshold})
            else:
                yield replace(blank, metric="threshold", value=chosen)

    def decision_rows(self, thresholds: Mapping[tuple[str, str], Chosen]) -> Iterator[Row]:
        """Metrics of the predictions, after the threshold and after small components went, and then of the curves."""
        protocols = sorted(self.choices.protocols, key=lambda name: name != CROSSED)  # regret needs it first
        blanks = {pair: self._blank(*pair) for pair in thresholds}
        wants_curves = {"froc", "froc_at_1"} & set(self.choices.metrics)
        curves = {names: start(lesions) for names, lesions in self.lesions.items() if wants_curves}
        for number, kept in enumerate(self.shelf.cases):
            anatomy = kept.read()
            for chain in self.choices.healthy:
                scores, best = self.shelf.scores(number, chain), np.nan
                if not kept.files.healthy and (chain, kept.files.split) in curves:
                    curves[chain, kept.files.split].add(anatomy, scores)
                for protocol in protocols:
                    threshold = _of_case(thresholds[chain, protocol], kept)
                    if np.isnan(threshold):
                        continue
                    values = decided(above(scores, threshold), anatomy, self._deciding)
                    best = values.get("dice", np.nan) if protocol == CROSSED else best
                    if not protocol_named(protocol).sees_test_labels and not np.isnan(best):
                        values["regret"] = best - values["dice"]
                    yield from _rows(blanks[chain, protocol], kept.files, self._wanted(values))
        yield from self._froc_rows(curves)

    def _froc_rows(self, curves: Mapping[tuple[str, str], Froc]) -> Iterator[Row]:
        write_froc(self.run.cell(self.cell) / "froc.csv", curves.items())
        for (chain, split), curve in curves.items():
            for metric, value in self._wanted(curve.summary()).items():
                yield replace(self._blank(chain), split=split, metric=metric, value=value)

    @property
    def _deciding(self) -> set[str]:
        """Metrics of a prediction to compute; regret is made of Dice."""
        return {*self.choices.metrics, "dice"}

    def _wanted(self, values: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in values.items() if name in self.choices.metrics}

    def _lesion_cases(self, split: Split) -> list[int]:
        return self.shelf.lesion_cases(lambda kept: kept.files.split == split)

    def _blank(self, chain: str, protocol: str = "") -> Row:
        blank = replace(blank_row(self.cell), postprocessing=chain, protocol=protocol)
        if not protocol:
            return blank
        source = self.choices.sources.get(protocol_named(protocol).cohort)
        named = f"{protocol}@{source.digest}" if source else protocol
        return replace(blank, key=Evaluation(self.cell, chain, named).key)


def _of_case(chosen: Chosen, kept: KeptAnatomy) -> float:
    """NaN for a case that a threshold of each case was not chosen for."""
    return chosen.get(kept.files.case_id, np.nan) if isinstance(chosen, Mapping) else chosen


def _sizes(anatomy: Anatomy) -> dict[str, float]:
    if anatomy.lesion_mask is None:
        return {}
    inside, outside = float(anatomy.truth.sum()) * anatomy.voxel_ml, anatomy.cut_off * anatomy.voxel_ml
    return {"lesion_ml": inside + outside, "lesion_outside_grid_ml": outside}


@contextmanager
def _shelf(run: RunFolder, postprocessing: Collection[str]) -> Iterator[Shelf]:
    """An empty shelf below the run, since a system's own place for such files may be its memory."""
    run.root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=run.root, prefix=".scoring-") as folder:
        yield Shelf(Path(folder), {name: CHAINS[name] for name in postprocessing})


def _maps(run: RunFolder, cell: Cell, files: Sequence[CaseFiles]) -> Iterator[Mapped]:
    for one, case in _cases(files, cell.fit.grid):
        yield case, anatomy_of(one, case), read_volume(run.anomaly_map(cell, one.case_id))


def _cases(files: Sequence[CaseFiles], grid: Grid) -> Iterator[tuple[CaseFiles, Case]]:
    return zip(files, Cases(files, grid), strict=True)


def _rows(blank: Row, files: CaseFiles, values: Mapping[str, float]) -> Iterator[Row]:
    for metric, value in values.items():
        yield replace(
            blank,
            split=files.split,
            case_id=files.case_id,
            subject_id=files.subject_id,
            metric=metric,
            value=float(value),
        )
