"""Ways to damage the case `bad` of a small cohort; each is given the cohort's folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from damaged_cohort import AFFINE, ROWS, SHAPE, TABLE, brain, ellipsoid, header_field, lesion, picture, save

Damage = Callable[[Path], object]


def image(folder: Path) -> Path:
    return folder / "t1" / "bad.nii.gz"


def lesions(folder: Path) -> Path:
    return folder / "lesion_mask" / "bad.nii.gz"


def brains(folder: Path) -> Path:
    return folder / "brain_mask" / "bad.nii.gz"


def content(content: bytes) -> Damage:
    return lambda folder: image(folder).write_bytes(content)


def cut(kept: float) -> Damage:
    def damage(folder: Path) -> None:
        whole = image(folder).read_bytes()
        image(folder).write_bytes(whole[: int(len(whole) * kept)])

    return damage


def header_set(name: str, value: object) -> Damage:
    return lambda folder: header_field(image(folder), name, value)


def declared(*dims: int) -> Damage:
    return header_set("dim", [*dims, *[1] * (8 - len(dims))])


def image_as(change: Callable[[Any], Any], affine: Any = AFFINE) -> Damage:
    return lambda folder: save(image(folder), change(picture(2)), affine)


def in_unit(code: int, per_mm: float) -> Damage:
    """Every file of the case with lengths in another unit, of which a mm has `per_mm`; all lies where it lay."""

    def damage(folder: Path) -> None:
        for path in (image(folder), lesions(folder), brains(folder)):
            nifti = nibabel.nifti1.Nifti1Image.from_filename(path)
            affine = np.diag([per_mm, per_mm, per_mm, 1]) @ nifti.affine
            changed = nibabel.nifti1.Nifti1Image(np.asanyarray(nifti.dataobj), affine)
            changed.header["xyzt_units"] = code
            changed.to_filename(path)

    return damage


def lesion_as(volume: Callable[[], Any]) -> Damage:
    return lambda folder: save(lesions(folder), volume())


def labelled(labels: dict[str, list[int]], volume: Callable[[], Any]) -> Damage:
    """A lesion mask, and what its cohort declares of the masks' values."""

    def damage(folder: Path) -> None:
        (folder / "labels.json").write_text(json.dumps(labels))
        save(folder / "lesion_mask" / "other.nii.gz", lesion() * np.uint8(labels["lesion"][0]))
        save(lesions(folder), volume())

    return damage


def ignoring(volume: Callable[[], Any]) -> Damage:
    return lambda folder: save(folder / "ignore_mask" / "bad.nii.gz", volume().astype(np.uint8))


def brain_as(volume: Callable[[], Any]) -> Damage:
    return lambda folder: save(brains(folder), volume())


def affine_as(affine: Any, codes: tuple[int, int] = (2, 1)) -> Damage:
    """A case whose files all have another affine."""

    def damage(folder: Path) -> None:
        def change(header: Any) -> None:
            header.set_sform(affine, codes[0])

        for path, volume in ((image(folder), picture(2)), (brains(folder), brain()), (lesions(folder), lesion())):
            save(path, np.asarray(volume, dtype=np.float32), None, change)

    return damage


def with_voxel(image_of: Any, place: tuple[int, int, int], value: float) -> Any:
    changed = np.array(image_of, dtype=np.float32)
    changed[place] = value
    return changed


def affine_with(row: int, column: int, value: float) -> Any:
    changed = AFFINE.copy()
    changed[row, column] = value
    return changed


def table_as(text: str | bytes) -> Damage:
    content = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / "cases.csv").write_bytes(content)


def row_as(row: str) -> Damage:
    return table_as(TABLE.replace(ROWS["bad"], row))


def in_its_place(make: Callable[[Path], object]) -> Damage:
    """The image gone, and something else in its place."""

    def damage(folder: Path) -> None:
        image(folder).unlink()
        make(image(folder))

    return damage


def codes_as(q: int, s: int) -> Damage:
    def damage(folder: Path) -> None:
        for path in (image(folder), brains(folder), lesions(folder)):
            header_field(path, "qform_code", q)
            header_field(path, "sform_code", s)

    return damage


def flipped_qform(folder: Path) -> None:
    def change(header: Any) -> None:
        header.set_sform(AFFINE, 2)
        header.set_qform(AFFINE @ np.diag([-1, 1, 1, 1]), 1)

    save(image(folder), picture(2), AFFINE, change)


def shifted_qform(folder: Path) -> None:
    def change(header: Any) -> None:
        moved = AFFINE.copy()
        moved[:3, 3] = 20
        header.set_sform(AFFINE, 2)
        header.set_qform(moved, 1)

    save(image(folder), picture(2), AFFINE, change)


def copied(of: str, to: str = "bad", kinds: tuple[str, ...] = ("t1",), scale: float = 1.0) -> Damage:
    def damage(folder: Path) -> None:
        for kind in kinds:
            source, target = (folder / kind / f"{case}.nii.gz" for case in (of, to))
            target.write_bytes(source.read_bytes())
        if scale != 1:
            texture = picture(list(ROWS).index(of)) * scale
            noise = np.random.default_rng(9).normal(0, 1, SHAPE)
            save(folder / "t1" / f"{to}.nii.gz", np.where(brain(), texture + noise, 0).astype(np.float32))

    return damage


def brain_in_parts() -> Any:
    mask = brain().copy()
    mask[0:3, 0:3, 0:3] = True
    return mask.astype(np.uint8)


def brain_with_hole() -> Any:
    return (brain() & ~ellipsoid((9.5, 11.5, 9.5), (2, 2, 2))).astype(np.uint8)
