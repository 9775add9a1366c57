"""Gallery figure of one cohort: methods side by side, cases below each other, reconstructions above maps."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.storage.fits import sees_labels
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_map, read_reconstruction
from benchmark.storage.run_record import has_maps
from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import Case, CaseFiles, Split, shown_slice
from datasets.errors import MissingData
from datasets.io.atomic import written_whole
from datasets.loading import load_case

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Volume = NDArray[np.float32]
PANEL, GAP, MARGIN = 1.3, 0.05, 0.4  # inches
OUTLINE = "#00e5ff"
BRIGHTEST = 99.5  # percentile of the brain's scores that has the last colour


@dataclass(frozen=True)
class Strip:
    """What is shown of every case in one way.

    Attributes:
        volumes: `(X, Y, Z)`, one a case; None where it is not kept.
        colours: name of matplotlib's colour map.
        highest: the value that has the last colour; 0 has the first.
        outlined: whether the lesion's outline is drawn.
        notes: what is written into the corner of each case's panel.
    """

    volumes: Sequence[Volume | None]
    colours: str = "gray"
    highest: float = 1.0
    outlined: bool = False
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class CaseFacts:
    """What is known of a cohort's cases beside their voxels.

    Attributes:
        lesion_ml: lesion volume of each lesion case.
        named: what the cases to be shown are, by case id and in their order; empty to choose by size.
        scores: a method's number of a case, to stand on its map.
    """

    lesion_ml: Mapping[str, float]
    named: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], float] = field(default_factory=dict)


@dataclass(frozen=True)
class MethodColumn:
    """A method's two strips: what it reconstructs above, what it marks below; or the image above the truth."""

    title: str
    above: Strip | None = None
    below: Strip | None = None


def write_gallery(run: RunFolder, study: Study, dataset: str, split: Split, shown: CaseFacts, path: Path) -> list[str]:
    """Draw a few cases of a cohort into a PNG; their case ids, top down, are returned.

    Raises:
        MissingData: no maps of any case in the split are kept.
        BadFile: a scan or map is torn.
    """
    cells = shown_cells(run, study, dataset)
    mapped = [one for one in _mapped(study, cells) if one.split == split]
    by_id = {one.case_id: one for one in mapped}
    files = [by_id[name] for name in shown.named if name in by_id] or choose_cases(mapped, shown.lesion_ml)
    if not files:
        raise MissingData(f"No maps of {dataset}, split {split}, are kept in {run.root}.")
    cases = [load_case(one, cells[0].fit.grid) for one in files]
    labels = [_label(case, shown) for case in cases]
    figure = draw(cases, labels, columns(run, cells, cases, shown.scores))
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=150, facecolor="white", bbox_inches="tight", pad_inches=0.05)
    return [one.case_id for one in files]


def choose_cases(files: Sequence[CaseFiles], lesion_ml: Mapping[str, float]) -> list[CaseFiles]:
    """The largest, the median and the smallest lesion; without lesions the first, middle and last case."""
    lesions = [one for one in files if not one.healthy]
    ordered = sorted(lesions, key=lambda one: -lesion_ml.get(one.case_id, 0.0)) or list(files)
    places = sorted({0, len(ordered) // 2, len(ordered) - 1} if ordered else ())
    return [ordered[place] for place in places]


def columns(
    run: RunFolder, cells: Sequence[Cell], cases: Sequence[Case], scores: Mapping[tuple[str, str], float] | None = None
) -> list[MethodColumn]:
    """The image above the lesion's outline, then what each cell kept of each case, with its method's score."""
    known = scores or {}
    images = [case.image[0] for case in cases]
    with_lesion = any(case.lesion_mask is not None for case in cases)
    made = [MethodColumn("image", Strip(images), Strip(images, outlined=True) if with_lesion else None)]
    for cell in cells:
        reconstructions = [read_reconstruction(run, cell, case.case_id) for case in cases]
        maps = [read_map(run, cell, case.case_id) for case in cases]
        reconstructs = any(volume is not None for volume in reconstructions)
        above = Strip(reconstructions) if reconstructs else None
        values = [known.get((cell.fit.method, case.case_id), np.nan) for case in cases]
        notes = ["" if np.isnan(value) else f"{value:.2f}" for value in values]
        below = replace(Strip(maps, "inferno", brightest(maps, cases)), notes=notes)
        made.append(MethodColumn(_title(run, cell), above, below))
    return made


def draw(cases: Sequence[Case], labels: Sequence[str], columns: Sequence[MethodColumn]) -> "Figure":
    """Axial slices through the most lesion (without lesion the brain's middle): anterior up, left on the left."""
    box = _brain_box(cases)
    figure, grid = _empty_panels(2 * len(cases), len(columns), box)
    for row, case in enumerate(cases):
        z = shown_slice(case)
        for place, column in enumerate(columns):
            for axes, strip in zip(grid[2 * row : 2 * row + 2, place], (column.above, column.below), strict=True):
                _panel(axes, strip, None if strip is None else strip.volumes[row], case, box, z)
                if strip is not None and strip.notes:
                    _note(axes, strip.notes[row])
        grid[2 * row, 0].set_ylabel(f"{labels[row]}\nz = {_height_mm(case, z):+.0f} mm", fontsize=8, parse_math=False)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(_wrapped(column.title), fontsize=9, parse_math=False)
    for axes, column in zip(grid[-1], columns, strict=True):
        if column.below is not None and column.below.colours != "gray":
            axes.set_xlabel(f"0 to {column.below.highest:.2g}", fontsize=8)
    _mark_sides(grid[0, 0])
    return figure


def shown_cells(run: RunFolder, study: Study, dataset: str) -> list[Cell]:
    """For each method the unshifted cell with maps of its lowest seed; what uses lesion labels stands last."""
    kept = [
        cell
        for cell in study.cells
        if cell.cohort.dataset == dataset and cell.shift.name == "none" and has_maps(run, cell)
    ]
    by_seed = sorted(kept, key=lambda cell: (cell.fit.seed, cell.sampling_seed), reverse=True)
    lowest = {cell.fit.method: cell for cell in by_seed}
    cells = [lowest[method] for method in dict.fromkeys(cell.fit.method for cell in kept)]
    return sorted(cells, key=lambda cell: sees_labels(run, cell.fit))


def _mapped(study: Study, cells: Sequence[Cell]) -> list[CaseFiles]:
    return study.mapped_cases(cells[0]) if cells else []


def _title(run: RunFolder, cell: Cell) -> str:
    return f"{cell.fit.method} (uses labels)" if sees_labels(run, cell.fit) else cell.fit.method


def _label(case: Case, shown: CaseFacts) -> str:
    volume = "" if case.lesion_mask is None else f"{shown.lesion_ml.get(case.case_id, np.nan):.1f} ml"
    return "\n".join(filter(None, [shown.named.get(case.case_id, "").upper(), case.case_id, volume]))


def brightest(maps: Sequence[Volume | None], cases: Sequence[Case]) -> float:
    """One scale for all cases, so that they can be compared; 1 where every score is 0."""
    scores = [volume[case.brain_mask] for volume, case in zip(maps, cases, strict=True) if volume is not None]
    together = np.concatenate([*scores, np.zeros(1)])
    return float(np.percentile(together, BRIGHTEST)) or 1.0


def _brain_box(cases: Sequence[Case]) -> tuple[slice, slice]:
    """Where any of the brains lies in-plane, with a margin of two voxels."""
    anywhere = np.any([case.brain_mask.any(axis=2) for case in cases], axis=0)
    if not anywhere.any():
        return slice(0, anywhere.shape[0]), slice(0, anywhere.shape[1])
    x, y = (np.flatnonzero(anywhere.any(axis=other)) for other in (1, 0))
    return slice(max(x[0] - 2, 0), x[-1] + 3), slice(max(y[0] - 2, 0), y[-1] + 3)


def _empty_panels(rows: int, columns: int, box: tuple[slice, slice]) -> "tuple[Figure, NDArray[np.object_]]":
    """A figure and its axes `(rows, columns)`, each of the box's proportions."""
    from matplotlib.figure import Figure

    width, height = (part.stop - part.start for part in box)
    tall = PANEL * height / width
    figure = Figure(figsize=(columns * (PANEL + GAP) + 2 * MARGIN, rows * (tall + GAP) + 2 * MARGIN), facecolor="white")
    sides, ends = (MARGIN / inches for inches in figure.get_size_inches())
    figure.subplots_adjust(
        left=sides, right=1 - sides, bottom=ends, top=1 - ends, wspace=GAP / PANEL, hspace=GAP / tall
    )
    return figure, figure.subplots(rows, columns, squeeze=False)


def _panel(
    axes: "Axes", strip: Strip | None, volume: Volume | None, case: Case, box: tuple[slice, slice], z: int
) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if strip is None:
        return
    if volume is None:
        axes.text(0.5, 0.5, "not kept", ha="center", va="center", fontsize=7, transform=axes.transAxes)
        return
    plane = volume[(*box, z)].T  # (Y, X): rows of a picture run along y
    axes.imshow(plane, cmap=strip.colours, vmin=0, vmax=strip.highest, origin="lower", interpolation="nearest")
    lesion = case.lesion_mask
    if strip.outlined and lesion is not None and lesion[(*box, z)].any():
        axes.contour(lesion[(*box, z)].T, levels=[0.5], colors=OUTLINE, linewidths=0.9)


def _height_mm(case: Case, z: int) -> float:
    middle = [(size - 1) / 2 for size in case.brain_mask.shape[:2]]
    return float(case.affine[2] @ [*middle, z, 1])


def _wrapped(title: str, width: int = 17) -> str:
    """Long names of variants, and what is said of a method, go over several lines."""
    return re.sub(r"(?<=[\[,])| (?=\()", "\n", title) if max(map(len, title.split("\n"))) > width else title


def _note(axes: "Axes", text: str) -> None:
    axes.text(0.03, 0.97, text, ha="left", va="top", fontsize=7, color="white", transform=axes.transAxes)


def _mark_sides(axes: "Axes") -> None:
    for place, side in ((0.03, "L"), (0.97, "R")):
        align = "left" if side == "L" else "right"
        axes.text(place, 0.02, side, ha=align, va="bottom", fontsize=7, color="white", transform=axes.transAxes)
