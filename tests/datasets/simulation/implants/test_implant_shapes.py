"""A user's own masks as shapes: read, drawn by volume, scaled."""

from pathlib import Path

import numpy as np
import pytest
from heads import HEADS, save, voxels, write_heads
from numpy.typing import NDArray

from datasets.errors import BadFile, MissingData, UserError
from datasets.simulation.implants.cohort import write_implants
from datasets.simulation.implants.design import Design
from datasets.simulation.implants.shapes import Neighbourhood, read_library
from datasets.simulation.implants.truth import read_truths

SHAPE = (20, 21, 22)


def bar(length: int) -> NDArray[np.bool_]:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2 : 2 + length, 5:8, 5:8] = True
    return mask


def packed(path: Path, masks: list[NDArray[np.bool_]], **changed: object) -> Path:
    arrays = {
        "packed": np.stack([np.packbits(mask) for mask in masks]),
        "shape": np.array(SHAPE),
        "affine": np.diag([-1.0, 1.0, 1.0, 1.0]),
        "ids": np.array([f"m{index}" for index in range(len(masks))]),
    } | changed
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})  # type: ignore[arg-type]
    return path


def test_packed_masks_and_nifti_masks_are_the_same_library(tmp_path: Path) -> None:
    masks = [bar(12), bar(4)]
    for index, mask in enumerate(masks):
        save(tmp_path / "folder" / f"m{index}.nii.gz", mask.astype(np.uint8))
    first = read_library(packed(tmp_path / "masks.npz", masks))
    second = read_library(tmp_path / "folder")
    assert first.ml.tolist() == pytest.approx([0.036, 0.108])
    assert second.ml.tolist() == pytest.approx([0.036 * 64, 0.108 * 64])  # their voxels have 4 mm
    for one, other in zip(first.read, second.read, strict=True):
        assert one().name == other().name
        assert (one().mask == other().mask).all()


def test_masks_of_about_the_wanted_volume_are_drawn(tmp_path: Path) -> None:
    library = read_library(packed(tmp_path / "masks.npz", [bar(1)] * 30 + [bar(15)] * 30))
    rng = np.random.default_rng(0)
    assert {library.draw(0.135, rng).mask.sum() for _ in range(20)} == {135}
    assert {library.draw(0.001, rng).mask.sum() for _ in range(20)} == {9}


def test_a_mask_is_scaled_to_the_wanted_volume_and_keeps_its_shape(tmp_path: Path) -> None:
    mask = read_library(packed(tmp_path / "masks.npz", [bar(15)])).read[0]()
    axes = np.arange(-40, 41, dtype=np.float32)
    offset = np.stack(np.meshgrid(axes, axes, axes, indexing="ij"))
    wanted = 8 * 135  # mm3: twice as long in every direction
    around = Neighbourhood(
        offset, np.full(offset.shape[1:], 99, np.float32), float(np.cbrt(wanted * 3 / 4 / np.pi)), (1, 1, 1)
    )
    inside = mask.depth(around, np.random.default_rng(0)) > 0
    assert inside.sum() == pytest.approx(wanted, rel=0.15)
    spread = np.linalg.eigvalsh(np.cov(np.argwhere(inside).T))
    assert np.sqrt(12 * spread[2]) == pytest.approx(30, rel=0.1)


def test_implants_take_their_shapes_and_say_which(tmp_path: Path) -> None:
    write_heads(tmp_path, 1)
    library = read_library(packed(tmp_path / "masks.npz", [bar(15)]))
    design = Design(subjects=1, volumes=(4.0,), contrasts=(-1, 1))
    folder = write_implants(tmp_path, HEADS, tmp_path, design=design, library=library)
    for truth in read_truths(folder / "lesions.csv").values():
        assert truth.shape == "m0"
        found = np.argwhere(voxels(folder / "lesion_mask" / f"{truth.case_id}.nii.gz"))
        assert len(found) == pytest.approx(4 / 0.064, rel=0.15)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"ids": None}, "expected also ids"),
        ({"ids": np.array(["one"])}, "expected a row of bits each"),
        ({"shape": np.array((200, 200, 200))}, "expected a row of bits each"),
    ],
)
def test_a_packed_file_that_is_not_as_wanted_is_refused(tmp_path: Path, changed: dict[str, object], told: str) -> None:
    with pytest.raises(BadFile, match=told):
        read_library(packed(tmp_path / "masks.npz", [bar(3), bar(4)], **changed))


def test_what_is_no_library_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="no such file"):
        read_library(tmp_path / "nothing.npz")
    with pytest.raises(MissingData, match="without NIfTI files"):
        read_library(tmp_path)
    (tmp_path / "torn.npz").write_bytes(b"PK nonsense")
    with pytest.raises(UserError, match=r"torn\.npz"):
        read_library(tmp_path / "torn.npz")
    save(tmp_path / "empty.nii.gz", np.zeros(SHAPE, dtype=np.uint8))
    with pytest.raises(BadFile, match="got an empty mask"):
        read_library(tmp_path)
