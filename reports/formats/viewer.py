"""Content of the HTML viewer: scans, ground truth, maps and reconstructions of a few cases, 8 bits a voxel."""

import base64
import gzip
from collections.abc import Sequence
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from benchmark.storage.maps import read_map, read_reconstruction
from benchmark.study.cells import Cell
from datasets.case import Case
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from datasets.loading import load_case
from reports.document import Document
from reports.figures.map_gallery import brightest, choose_cases, shown_cells
from reports.model.example_cases import named_cases

LEVELS = 255


def viewer_content(document: Document) -> dict[str, Any] | None:
    """What the page's viewer shows: volumes as gzipped NIfTI, 8 bits a voxel, in base64.

    A map's 255 is its method's 99.5th percentile over the brains of the cases shown, as in the gallery.

    Returns:
        None where no scan may be shown or none is there.
    """
    if document.results.scans.study is None:
        return None
    cases: list[dict[str, Any]] = []
    healthy_last = sorted(document.results.cohorts, key=lambda name: name not in document.results.lesion)
    for name in healthy_last:
        if name not in document.results.empty and document.results.may_show(name):
            try:
                cases += _of_cohort(document, name)
            except UserError:  # a torn scan or map costs its cohort; the gallery says why
                continue
    return {"cases": cases} if cases else None


def _of_cohort(document: Document, name: str) -> list[dict[str, Any]]:
    results, study = document.results, document.results.scans.study
    cells = shown_cells(document.run, study, name) if study is not None else []
    if study is None or not cells:
        return []
    files = [one for one in study.mapped_cases(cells[0]) if one.split == results.split]
    named = named_cases(document.results, name)
    chosen = [one for one in files if one.case_id in named] or choose_cases(files, {})[:1]
    cases = [load_case(one, cells[0].fit.grid) for one in chosen]
    methods = [_of_method(document, cell, cases) for cell in cells]
    spec = dataset(name)
    made = []
    for index, case in enumerate(cases):
        role = named.get(case.case_id, "")
        made.append(
            {
                "name": f"{spec.title}: {case.case_id}" + (f" ({role})" if role else ""),
                "caption": f"{spec.title}, {spec.reference}; licence: {spec.licence}",
                "slice": _slice(case),
                "image": _packed(case.image[0] * LEVELS, case),
                "lesion_mask": None if case.lesion_mask is None else _packed(case.lesion_mask, case),
                "methods": {cell.fit.method: one[index] for cell, one in zip(cells, methods, strict=True)},
            }
        )
    return made


def _of_method(document: Document, cell: Cell, cases: Sequence[Case]) -> list[dict[str, str | None]]:
    maps = [read_map(document.run, cell, case.case_id) for case in cases]
    highest = brightest(maps, cases)
    made: list[dict[str, str | None]] = []
    for case, volume in zip(cases, maps, strict=True):
        kept = read_reconstruction(document.run, cell, case.case_id)
        reconstruction = None if kept is None else _packed(kept * LEVELS, case)
        made.append({"map": _packed(volume * (LEVELS / highest), case), "reconstruction": reconstruction})
    return made


def _slice(case: Case) -> float:
    """Height of the slice with the most lesion, or the middle, as a share of the volume's."""
    depth = case.brain_mask.shape[2]
    if case.lesion_mask is not None and case.lesion_mask.any():
        return (int(case.lesion_mask.sum(axis=(0, 1)).argmax()) + 0.5) / depth
    return 0.5


def _packed(volume: NDArray[Any], case: Case) -> str:
    levels = np.clip(np.round(np.asarray(volume, dtype=np.float32)), 0, LEVELS).astype(np.uint8)
    nifti = nibabel.nifti1.Nifti1Image(levels, case.affine)
    return base64.b64encode(gzip.compress(nifti.to_bytes(), 9, mtime=0)).decode()
