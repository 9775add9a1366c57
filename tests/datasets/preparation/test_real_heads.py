"""With real scans and real tools, where UADBENCH_DATA and UADBENCH_STRIPPERS say that there are any."""

import os
from pathlib import Path

import numpy as np
import pytest
from skulls import moved, turn

from datasets.errors import MissingData
from datasets.io.nifti import Volume
from datasets.preparation.registration import register, set_threads
from datasets.preparation.resampling import read_scan, resample, upright_lattice
from datasets.preparation.stripping import find_brain, find_stripper

DATA = Path(os.environ.get("UADBENCH_DATA", "no-data"))
TEMPLATE = DATA / "atlas" / "sri24_t1_skullstripped_brats_space.nii.gz"
HEAD = DATA / "atlas" / "sri24_t1_brats_space.nii.gz"
SCAN = DATA / "raw" / "msl" / "patient07_t1.nii.gz"


@pytest.mark.skipif(not (TEMPLATE.is_file() and SCAN.is_file()), reason="no real scan below UADBENCH_DATA")
def test_where_a_brain_lands_hardly_depends_on_how_it_lies() -> None:
    set_threads(1)
    template, scan = _coarse(TEMPLATE), _coarse(SCAN)
    truth = turn((15, -12, 20), (1, 1, 1), (12, -8, 5))
    straight, turned = (register(template, one, kind="affine") for one in (scan, moved(scan, truth)))
    brain = np.argwhere(template.data > 0)[::97]
    places = template.affine @ np.column_stack([brain, np.ones(len(brain))]).T
    assert np.linalg.norm(((turned - truth @ straight) @ places)[:3], axis=0).max() < 0.7


@pytest.mark.skipif(not (TEMPLATE.is_file() and HEAD.is_file()), reason="no head below UADBENCH_DATA")
def test_deepbet_finds_the_brain_of_the_template_with_its_skull() -> None:
    try:
        tool = find_stripper("deepbet")
    except MissingData:
        pytest.skip("no stripper here")
    mask, wanted = find_brain(read_scan(HEAD), tool, threads=1), read_scan(TEMPLATE).data > 0
    assert 2 * (mask & wanted).sum() / (mask.sum() + wanted.sum()) > 0.95


def _coarse(path: Path) -> Volume:
    scan = read_scan(path)
    lattice = upright_lattice(scan.lattice, 2.0)
    return Volume(resample(scan, lattice, order=1), lattice.affine)
