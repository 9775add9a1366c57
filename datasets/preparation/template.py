"""Template: the SRI24 brain to which scans are registered, and the box around it that prepared volumes fill."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.files import sha256
from datasets.io.nifti import Lattice, Volume
from datasets.preparation.resampling import read_scan, resample, upright_lattice

VARIABLE = "UADBENCH_TEMPLATE"
DATA = "UADBENCH_DATA"
IN_DATA = Path("atlas") / "sri24_t1_skullstripped_brats_space.nii.gz"
HOW_TO_GET = (
    "Get SRI24's T1, skull-stripped, in BraTS space (240 x 240 x 155 voxels of 1 mm; CC BY-SA 3.0, "
    "nitrc.org/projects/sri24; the copy in BraTS space comes with the BraTS toolkits), and name it by --template "
    f"or {VARIABLE}."
)
BOX_MM = (160.0, 192.0, 160.0)
MOST_FILLED = 0.4  # of a stripped template's voxels; in an unstripped one more than half are above 0, air too


@dataclass(frozen=True)
class Template:
    """A skull-stripped brain; RAS+, cubic voxels.

    Attributes:
        sha256: of the file, for records.
    """

    path: Path
    sha256: str
    image: Volume

    def box(self, spacing: float) -> Lattice:
        """The lattice of prepared volumes: 160 x 192 x 160 mm, centred on the middle of the brain's extent.

        The box is the same for every scan, so that voxels correspond. At the template's own spacing it lies on the
        template's voxels, so that scans already in this space are only cropped.
        """
        inside = np.argwhere(self.image.data > 0)
        middle = (inside.min(axis=0) + inside.max(axis=0)) / 2  # template voxels
        step = spacing / self.image.lattice.spacing
        half = np.array(BOX_MM) / 2 / self.image.lattice.spacing
        if np.allclose(step, 1, atol=1e-4):
            first = np.ceil(middle - half)
            counts = (np.floor(middle + half) - first + 1).astype(int)
        else:
            counts = np.rint(np.array(BOX_MM) / spacing).astype(int)
            first = middle - step * (counts - 1) / 2
        affine = self.image.affine @ np.diag([*step, 1.0])
        affine[:3, 3] = self.image.affine[:3, :3] @ first + self.image.affine[:3, 3]
        x, y, z = counts.tolist()
        return Lattice((x, y, z), affine)


def find_template(asked: Path | None, data: Path | None) -> Path:
    """The template's file: the requested one, else that of `UADBENCH_TEMPLATE`, else `atlas/` in a data folder.

    Args:
        data: the folder in which cohorts are prepared, searched before `UADBENCH_DATA`; None where only the latter is.

    Raises:
        MissingData: there is none; the message says how to get it.
    """
    named = asked or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    folders = [*([data] if data else []), *([Path(os.environ[DATA])] if os.environ.get(DATA) else [])]
    places = [named] if named else list(dict.fromkeys(folder / IN_DATA for folder in folders))
    for path in places:
        if path.is_file():
            return path
    looked = f"looked for {' and '.join(map(str, places))}" if places else f"got none of --template, {VARIABLE}, {DATA}"
    raise MissingData(f"No template to register to: {looked}. {HOW_TO_GET}")


def load_template(path: Path) -> Template:
    """Read a template, its axes turned to RAS+.

    Raises:
        BadFile: the file cannot be used.
        BadValue: it shows a whole head.
    """
    image = read_scan(path)
    filled = float((image.data > 0).mean())
    if filled > MOST_FILLED:
        raise BadValue(
            f"{path}: got a template of which {filled:.0%} of the voxels are above 0, expected a skull-stripped one "
            f"(at most {MOST_FILLED:.0%}). {HOW_TO_GET}"
        )
    spacing = image.lattice.spacing
    if np.ptp(spacing) > 0.01 * spacing.min():
        raise BadFile(f"{path}: got voxels of {spacing.round(3).tolist()} mm, expected cubic ones.")
    standing = upright_lattice(image.lattice, float(spacing[0]))
    return Template(path, sha256(path), Volume(resample(image, standing, order=1), standing.affine))
