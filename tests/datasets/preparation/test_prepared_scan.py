"""One scan through all steps: moved onto the template, stripped and corrected."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skulls import draw_head, moved, turn, write_raw, write_template

from datasets.errors import BadFile, BadValue
from datasets.io.nifti import Volume, write_volume
from datasets.preparation.bias import correct_bias
from datasets.preparation.resampling import resample
from datasets.preparation.scan import Parameters, Setup, prepare_scan
from datasets.preparation.stripping import Stripper
from datasets.preparation.template import load_template

TURN = turn((10, -6, 8), (1.05, 0.96, 1.02), (30, -20, 10))


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    template = load_template(write_template(tmp_path_factory.mktemp("template")))
    return Setup(template, Stripper("mask"), Parameters(spacing=4.0))


def test_a_turned_head_comes_to_lie_on_the_template_with_its_lesion(setup: Setup, tmp_path: Path) -> None:
    head = draw_head()
    scan = prepare_scan(write_raw(tmp_path, "one", head, TURN), setup)
    wanted, lesion = (resample(volume, scan.lattice, order=0) for volume in (head.stripped, head.lesion_mask))
    assert scan.overlap > 0.97
    both = scan.brain_mask & (wanted > 0)
    assert np.corrcoef(scan.images["t1"][both], wanted[both])[0, 1] > 0.95
    assert not scan.images["t1"][~scan.brain_mask].any()
    assert scan.lesion is not None
    assert scan.lesion.expected == pytest.approx(head.lesion_mask.data.sum() * 0.064, rel=0.05)
    assert scan.lesion_mask is not None
    assert (scan.lesion_mask & lesion).sum() > 0.7 * lesion.sum()


def test_what_lies_in_the_templates_space_is_not_moved_at_all(setup: Setup, tmp_path: Path) -> None:
    head = draw_head(1)
    raw = replace(write_raw(tmp_path, "one", head, np.eye(4)), space="sri24")
    scan = prepare_scan(raw, setup)
    assert np.array_equal(scan.to_scan["t1"], np.eye(4))
    lesion, image = (resample(volume, scan.lattice, order=0) for volume in (head.lesion_mask, head.stripped))
    assert scan.lesion_mask is not None
    assert np.array_equal(scan.lesion_mask, lesion)
    assert np.array_equal(scan.images["t1"], image)


def test_a_second_sequence_is_turned_onto_the_first(setup: Setup, tmp_path: Path) -> None:
    head, other = draw_head(), turn((3, -2, 4), (1, 1, 1), (4, 3, -3))
    raw = write_raw(tmp_path, "one", head, TURN)
    write_volume(tmp_path / "t2.nii.gz", moved(head.head, other @ TURN), np.float32)
    scan = prepare_scan(replace(raw, images={**raw.images, "t2": tmp_path / "t2.nii.gz"}), setup)
    brain = scan.brain_mask
    assert np.corrcoef(scan.images["t1"][brain], scan.images["t2"][brain])[0, 1] > 0.97


def test_a_scan_without_a_skull_needs_no_tool(setup: Setup, tmp_path: Path) -> None:
    head = draw_head()
    raw = write_raw(tmp_path, "one", replace(head, head=head.stripped), TURN)
    scan = prepare_scan(replace(raw, brain_mask=None, stripped=True), setup)
    assert scan.overlap > 0.97
    with pytest.raises(BadFile, match="got no brain mask with it"):
        prepare_scan(replace(raw, brain_mask=None), setup)


def test_what_is_too_small_for_a_brain_is_refused(setup: Setup, tmp_path: Path) -> None:
    head = draw_head()
    small = replace(head, brain_mask=Volume(head.lesion_mask.data, head.stripped.affine))
    with pytest.raises(BadFile, match="expected a brain of 300 to 2600 ml"):
        prepare_scan(write_raw(tmp_path, "one", small, TURN), setup)


def test_a_brain_that_misses_the_template_is_refused(setup: Setup, tmp_path: Path) -> None:
    raw = replace(write_raw(tmp_path, "one", draw_head(), turn((0, 0, 0), (1, 1, 1), (70, 0, 0))), space="sri24")
    with pytest.raises(BadFile, match="overlaps the template's by Dice"):
        prepare_scan(raw, setup)


def test_a_mask_off_the_images_voxels_is_refused(setup: Setup, tmp_path: Path) -> None:
    raw = write_raw(tmp_path, "one", draw_head(), TURN)
    write_raw(tmp_path / "other", "one", draw_head(), np.eye(4))
    with pytest.raises(BadFile, match="got affine"):
        prepare_scan(replace(raw, lesion_mask=tmp_path / "other" / "one_lesion.nii.gz"), setup)
    with pytest.raises(BadValue, match="drawn on flair"):
        prepare_scan(replace(raw, drawn_on="flair"), setup)


def test_n4_flattens_a_known_bias_field() -> None:
    head = draw_head()
    brain = head.brain_mask.data
    x, y, _ = np.indices(brain.shape)
    field = np.exp(0.5 * (x / brain.shape[0] - 0.5) + 0.4 * (y / brain.shape[1] - 0.5))
    flat = correct_bias((head.stripped.data * field).astype(np.float32), brain, 4.0)
    usable = brain & (head.stripped.data > 20)
    before = np.log(field[usable]).std()
    after = np.log(flat[usable] / head.stripped.data[usable]).std()
    assert after < 0.5 * before


def test_spacings_that_no_grid_can_use_are_refused() -> None:
    with pytest.raises(BadValue, match=r"got 9 mm, expected 0\.5 to 4"):
        Parameters(spacing=9)
