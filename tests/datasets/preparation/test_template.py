"""The template: found, checked, and the box around its brain."""

from pathlib import Path

import numpy as np
import pytest
from skulls import draw_head, write_template

from datasets.errors import BadValue, MissingData
from datasets.io.nifti import Volume, write_volume
from datasets.preparation.template import find_template, load_template


def test_the_box_lies_on_the_templates_voxels_at_its_own_spacing_and_about_one_centre_at_others(tmp_path: Path) -> None:
    template = load_template(write_template(tmp_path))
    inside = np.argwhere(template.image.data > 0)
    middle = template.image.affine[:3, :3] @ (inside.min(0) + inside.max(0)) / 2 + template.image.affine[:3, 3]
    for spacing in (4.0, 2.0, 1.0):
        box = template.box(spacing)
        centre = box.affine[:3, :3] @ (np.array(box.shape) - 1) / 2 + box.affine[:3, 3]
        assert np.allclose(centre, middle)
        assert np.allclose(np.array(box.shape) * spacing, (160, 192, 160), atol=spacing)
    own = np.linalg.inv(template.image.affine) @ template.box(4.0).affine
    assert np.allclose(own[:3, 3], np.rint(own[:3, 3]))


def test_a_template_with_a_skull_is_refused(tmp_path: Path) -> None:
    head = draw_head().head
    write_volume(tmp_path / "head.nii.gz", Volume(head.data + 1, head.affine), np.float32)
    with pytest.raises(BadValue, match="expected a skull-stripped one"):
        load_template(tmp_path / "head.nii.gz")


def test_a_template_is_looked_for_in_turn_and_its_lack_is_told_with_where_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UADBENCH_TEMPLATE", raising=False)
    monkeypatch.setenv("UADBENCH_DATA", str(tmp_path / "data"))
    with pytest.raises(MissingData, match=r"nitrc\.org/projects/sri24"):
        find_template(None, tmp_path)
    below = tmp_path / "atlas" / "sri24_t1_skullstripped_brats_space.nii.gz"
    below.parent.mkdir()
    below.touch()
    assert find_template(None, tmp_path) == below
    of_data = tmp_path / "data" / "atlas" / below.name
    of_data.parent.mkdir(parents=True)
    of_data.touch()
    assert find_template(None, tmp_path) == below
    assert find_template(None, None) == find_template(None, tmp_path / "other") == of_data
    named = tmp_path / "named.nii.gz"
    named.touch()
    monkeypatch.setenv("UADBENCH_TEMPLATE", str(named))
    assert find_template(None, tmp_path) == named
    assert find_template(below, tmp_path) == below
