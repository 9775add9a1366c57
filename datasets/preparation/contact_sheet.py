"""Contact sheets: slices of every prepared case, to be looked at before they are used."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from datasets.case import MASKS
from datasets.io.nifti import Volume, read_volume
from datasets.preparation.resampling import resample_mask
from datasets.preparation.template import Template

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = "contact-sheets"
COLUMNS, ROWS = 4, 6
BRAIN, LESION, IGNORED, TEMPLATE = "#00b4d8", "#ff3b30", "#bf5af2", "#ffd60a"


def write_contact_sheets(home: Path, case_ids: Sequence[str], template: Template) -> list[Path]:
    """Pictures of 24 cases each: an axial, a coronal and a sagittal slice with outlines.

    Cyan is the brain mask, red the lesion mask, violet what is to be ignored, yellow the template's brain. Slices go
    through the box's middle; the axial one of a lesion case through the largest cut of the lesion. The first sequence
    is shown.
    """
    pages = [case_ids[at : at + COLUMNS * ROWS] for at in range(0, len(case_ids), COLUMNS * ROWS)]
    folder = home / FOLDER
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    return [_write(folder / f"{number:03d}.png", home, page, template) for number, page in enumerate(pages, start=1)]


def _write(path: Path, home: Path, case_ids: Sequence[str], template: Template) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(case_ids) // COLUMNS)
    columns = min(COLUMNS, len(case_ids))
    figure = Figure(figsize=(5.4 * columns, 2.3 * rows + 0.4), facecolor="black", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 3 * columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for at, case_id in enumerate(case_ids):
        row, first = at // columns, 3 * (at % columns)
        _draw(list(axes[row, first : first + 3]), home, case_id, template)
    figure.suptitle("brain mask cyan, lesion red, ignored violet, template yellow", color="white", fontsize=9)
    figure.savefig(path, dpi=100)
    return path


def _draw(axes: "Sequence[Axes]", home: Path, case_id: str, template: Template) -> None:
    name = f"{case_id}.nii.gz"
    sequence = next(kind for kind in ("t1", "t2", "flair", "t1ce") if (home / kind / name).exists())
    image = read_volume(home / sequence / name, as_stored=True)
    brain, lesion, ignored = (
        read_volume(path, as_stored=True).data > 0 if path.exists() else np.zeros(image.data.shape, dtype=bool)
        for path in (home / kind / name for kind in MASKS)
    )
    outline = resample_mask(Volume(template.image.data > 0, template.image.affine), image.lattice)
    high = float(np.percentile(image.data[brain], 99.5)) if brain.any() else 1.0
    axes[0].set_title(f"{case_id} {sequence}", color="white", fontsize=8, loc="left")
    for axis, (across, at) in zip(axes, _cuts(lesion), strict=True):
        axis.imshow(_upright(image.data, across, at), cmap="gray", vmin=0, vmax=high, origin="lower")
        for mask, colour in ((outline, TEMPLATE), (brain, BRAIN), (ignored, IGNORED), (lesion, LESION)):
            cut = _upright(mask, across, at)
            if cut.any():
                axis.contour(cut.astype(float), [0.5], colors=colour, linewidths=0.6)


def _cuts(lesion: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Axis and index of an axial, a coronal and a sagittal slice."""
    x, y, z = (length // 2 for length in lesion.shape)
    if lesion.any():
        z = int(lesion.sum(axis=(0, 1)).argmax())
    return [(2, z), (1, y), (0, x)]


def _upright(data: NDArray[Any], across: int, at: int) -> NDArray[Any]:
    """A slice with superior or anterior up; the picture's left is the patient's left."""
    return np.asarray(data.take(at, axis=across).T)
