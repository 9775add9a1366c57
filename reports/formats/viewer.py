"""Content of the page's viewer: a few cases with scans, masks, and each method's map in steps of its threshold."""

import base64
import gzip
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import AND, shown_slice
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from reports.document import Document
from reports.figures.map_gallery import COLOURS
from reports.model.decisions import (
    DecidedMap,
    ShownCase,
    decided_map,
    deciding_choice,
    method_title,
    shown_cases,
    shown_cells,
)
from reports.model.run_results import RunResults

LEVELS, INNER = 255, 171
SCORED, LESION, IGNORED = 1, 2, 4
"""Bits of a voxel of the masks."""


def viewer_content(document: Document) -> dict[str, Any] | None:
    """What the page's viewer shows, JSON's kinds alone; volumes are gzipped bytes in base64, x running fastest.

    Returns:
        None where no scan may be shown or none is there.
    """
    results, study = document.results, document.results.scans.study
    if study is None:
        return None
    cases: list[dict[str, Any]] = []
    for name in sorted(results.cohorts, key=lambda name: name not in results.lesion):
        if name not in results.empty and results.may_show(name):
            try:
                cases += _of_cohort(results, study, name)
            except UserError:  # a torn scan or map costs its cohort; the gallery says why
                continue
    return {"cases": cases, "colours": _colours()} if cases else None


def _colours() -> list[list[int]]:
    """Red, green and blue from the lowest score to the highest, as in the gallery."""
    from matplotlib import colormaps

    return [[round(255 * part) for part in colormaps[COLOURS](level)[:3]] for level in range(LEVELS + 1)]


def _of_cohort(results: RunResults, study: Study, name: str) -> list[dict[str, Any]]:
    cells = shown_cells(results, study, name)
    shown = shown_cases(results, study, name, cells[0]) if cells else []
    if name not in results.lesion:
        shown = shown[:1]
    return [_case(results, name, one, cells) for one in shown]


def _case(results: RunResults, cohort: str, shown: ShownCase, cells: Sequence[Cell]) -> dict[str, Any]:
    spec, case, choice = dataset(cohort), shown.case, deciding_choice(results, cohort)
    masks = SCORED * shown.scored + LESION * shown.lesion + IGNORED * shown.ignored
    maps = {method_title(results, cell): decided_map(results, cell, shown, choice) for cell in cells}
    sequences = cells[0].cohort.sequence.split(AND)
    return {
        "name": f"{spec.title}: {case.case_id}" + (f" ({shown.role})" if shown.role else ""),
        "caption": f"{spec.title}, {spec.reference}; licence: {spec.licence}",
        "choice": ", ".join(filter(None, choice)),
        "shape": case.brain_mask.shape,
        "spacing": case.spacing,
        "slice": shown_slice(case),
        "images": {sequence: _packed(image * LEVELS) for sequence, image in zip(sequences, case.image, strict=True)},
        "masks": _packed(masks),
        "positives": shown.positives,
        "methods": {name: _method(one, sequences) for name, one in maps.items() if one is not None},
    }


def _method(one: DecidedMap, sequences: Sequence[str]) -> dict[str, Any]:
    """A map as the number of steps that each of its scores exceeds; one step is the deciding threshold, to the bit."""
    steps, decided = _steps(one)
    kept = zip(sequences, one.reconstructions, strict=True)
    return {
        "highest": one.highest,
        "map": _packed(np.searchsorted(steps, one.scores.astype(np.float64), side="left")),
        "steps": steps.tolist(),
        "decided": decided,
        "reconstructions": {name: _packed(volume * LEVELS) for name, volume in kept if volume is not None},
    }


def _steps(one: DecidedMap) -> tuple[NDArray[np.float64], int | None]:
    """`LEVELS` rising thresholds, most below the score that is drawn brightest, and the place of the deciding one."""
    inner = np.linspace(0, one.highest, INNER)
    outer = np.linspace(one.highest, max(one.highest, float(one.scores.max())), LEVELS - INNER + 1)[1:]
    steps = np.concatenate([inner, outer])
    if np.isnan(one.threshold):
        return steps, None
    threshold = min(one.threshold, float(np.finfo(np.float64).max))
    place = int(np.abs(steps - np.clip(threshold, steps[0], steps[-1])).argmin())
    steps[place] = threshold
    return steps, place


def _packed(volume: NDArray[Any]) -> str:
    levels = np.clip(np.round(volume), 0, LEVELS).astype(np.uint8)
    return base64.b64encode(gzip.compress(levels.tobytes(order="F"), 9, mtime=0)).decode()
