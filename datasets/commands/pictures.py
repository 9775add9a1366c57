"""Pictures of scans: with their masks, and under shifts; axial slices, anterior up, the patient's left on the left."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from datasets.case import Case, CaseFiles
from datasets.errors import UnknownName
from datasets.grid import Grid, load_case
from datasets.shifts import Shift

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL = 1.5  # inches
BRAIN, LESION = "#56b4e9", "#e69f00"  # told apart by all who see colours otherwise
BORDER = 3  # voxels around a brain


def shown_cases(files: Sequence[CaseFiles], wanted: Sequence[str], most: int) -> list[CaseFiles]:
    """The wanted cases, else the first few.

    Raises:
        UnknownName: a case is not among `files`.
    """
    known = {one.case_id: one for one in files}
    for name in wanted:
        if name not in known:
            raise UnknownName("case", name, known)
    return [known[name] for name in wanted] or list(files[:most])


def draw_scans(files: Sequence[CaseFiles], grid: Grid, path: Path) -> None:
    """A row a case: its image, and the image with the outlines of the brain mask and of the lesion mask."""
    panels, titles = _panels(len(files), 2)
    for row, one in zip(panels, files, strict=True):
        case = load_case(one, grid)
        for axes, outlined in zip(row, (False, True), strict=True):
            _draw(axes, case, shown_slice(case), outlined=outlined)
        row[0].set_ylabel(one.case_id, fontsize=7, parse_math=False)
    titles(["image", "brain (blue), lesion (orange)"])
    _save(panels, path)


def draw_shifts(files: Sequence[CaseFiles], grid: Grid, shifts: Sequence[Shift], path: Path) -> None:
    """A row a case and kind of shift: unshifted, then every level with its dose below."""
    kinds: dict[str, list[Shift]] = {}
    for shift in shifts:
        kinds.setdefault(shift.name, []).append(shift)
    widest = max(map(len, kinds.values()))
    panels, titles = _panels(len(files) * len(kinds), widest + 1)
    lines = [(one, name, levels) for name, levels in kinds.items() for one in files]
    for row, (one, name, levels) in zip(panels, lines, strict=True):
        unshifted = load_case(one, grid)
        z = shown_slice(unshifted)
        for axes, shift in zip(row, [Shift(), *levels], strict=False):
            case = load_case(one, grid, shift)
            _draw(axes, case, z, outlined=False)
            label = "" if shift.is_none else f"{shift.severity:g}: dose {case.shift_dose:.3f}"
            axes.set_xlabel(label, fontsize=7, parse_math=False)
        row[0].set_ylabel(f"{name}\n{one.case_id}", fontsize=7, parse_math=False)
    titles(["unshifted"])
    _save(panels, path)


def shown_slice(case: Case) -> int:
    """Index of the axial slice with the most lesion; without lesion the brain's middle one."""
    if case.lesion_mask is not None and case.lesion_mask.any():
        return int(case.lesion_mask.sum(axis=(0, 1)).argmax())
    with_brain = np.flatnonzero(case.brain_mask.any(axis=(0, 1)))
    return int(with_brain[len(with_brain) // 2]) if with_brain.size else case.brain_mask.shape[2] // 2


def _panels(rows: int, columns: int) -> tuple[NDArray[np.object_], Callable[[Sequence[str]], None]]:
    """Axes `(rows, columns)`, and what puts titles above the first columns."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * PANEL + 0.4, rows * (PANEL * 1.25 + 0.2) + 0.3), facecolor="white")
    figure.subplots_adjust(left=0.4 / figure.get_figwidth(), right=1, bottom=0.02, top=1 - 0.3 / figure.get_figheight())
    figure.subplots_adjust(wspace=0.02, hspace=0.12)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)

    def titles(texts: Sequence[str]) -> None:
        for axes, text in zip(panels[0], texts, strict=False):
            axes.set_title(text, fontsize=8)

    return panels, titles


def _draw(axes: "Axes", case: Case, z: int, *, outlined: bool) -> None:
    box = _brain_box(case.brain_mask)
    axes.imshow(case.image[0][(*box, z)].T, cmap="gray", vmin=0, vmax=1, origin="lower", interpolation="nearest")
    if not outlined:
        return
    for mask, colour in ((case.brain_mask, BRAIN), (case.lesion_mask, LESION)):
        if mask is not None and mask[(*box, z)].any():
            axes.contour(mask[(*box, z)].T, levels=[0.5], colors=colour, linewidths=0.8)


def _brain_box(brain_mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    x, y = (np.flatnonzero(brain_mask.any(axis=other)) for other in ((1, 2), (0, 2)))
    if not x.size:
        return slice(None), slice(None)
    return slice(max(x[0] - BORDER, 0), x[-1] + BORDER + 1), slice(max(y[0] - BORDER, 0), y[-1] + BORDER + 1)


def _save(panels: NDArray[np.object_], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    panels[0, 0].figure.savefig(beside, format="png", dpi=150, facecolor="white", bbox_inches="tight", pad_inches=0.05)
    beside.replace(path)
