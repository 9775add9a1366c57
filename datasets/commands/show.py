"""`python -m datasets show`: a picture of a cohort's scans with their masks, or of what shifts make of them.

Axial slices, anterior up, the patient's left on the left.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from datasets.case import Case, CaseFiles, shown_slice
from datasets.cohorts.catalog import dataset_argument
from datasets.commands.common import Data, Preset, preset_grid
from datasets.errors import BadValue, UnknownName
from datasets.grid import PUBLISHED, Grid
from datasets.io.atomic import written_whole
from datasets.loading import load_case
from datasets.shift_requests import landmarks_of, parse_shifts
from datasets.shifts import Shift

if TYPE_CHECKING:
    from matplotlib.axes import Axes

app = typer.Typer()
DEFAULT_CASES = 3
PANEL = 1.5  # inches
BRAIN, LESION, IGNORED = "#56b4e9", "#e69f00", "#cc79a7"  # distinguishable with any colour vision
BORDER = 3  # voxels around a brain


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A cohort, or NAME=FOLDER for one of your own.")],
    data: Data,
    shift: Annotated[
        str | None, typer.Option(help="Shifts as for `benchmark run --shifts`, e.g. gamma=0.5; default: none.")
    ] = None,
    case: Annotated[list[str] | None, typer.Option(help="A case id; repeatable. Default: the first three.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Default: the cohort's first.")] = None,
    preset: Preset = PUBLISHED,
    out: Annotated[Path | None, typer.Option(help="The picture; default: NAME.png or NAME-shifts.png.")] = None,
) -> None:
    """Draw scans with their masks, or under shifts with the dose of each."""
    grid, spec = preset_grid(preset), dataset_argument(name)
    sequence = sequence or spec.sequences[0]
    files = choose_cases(spec.files(data, sequence), case or (), DEFAULT_CASES)
    requests = parse_shifts(shift or "")
    if shift and not requests:
        raise BadValue(f"--shift: got '{shift}', expected one or more names; see: python -m datasets shifts")
    path = out or Path(f"{spec.name}-shifts.png" if requests else f"{spec.name}.png")
    if requests:
        cohorts = dict.fromkeys(one.cohort for one in requests if one.cohort)
        landmarks = {cohort: landmarks_of(cohort, data, sequence, grid) for cohort in cohorts}
        draw_shifts(files, grid, [one.shift(landmarks.get(one.cohort, ())) for one in requests], path)
    else:
        draw_scans(files, grid, path)
    typer.echo(f"Picture: {path}")


def choose_cases(files: Sequence[CaseFiles], names: Sequence[str], most: int) -> list[CaseFiles]:
    """The cases of these names; without names the first few.

    Raises:
        UnknownName: a case is not among `files`.
    """
    known = {one.case_id: one for one in files}
    for name in names:
        if name not in known:
            raise UnknownName("case", name, known)
    return [known[name] for name in names] or list(files[:most])


def draw_scans(files: Sequence[CaseFiles], grid: Grid, path: Path) -> None:
    """A row a case: its image, and the image with the outlines of brain, lesion and what is to be ignored."""
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
    for mask, colour in ((case.brain_mask, BRAIN), (case.ignore_mask, IGNORED), (case.lesion_mask, LESION)):
        if mask is not None and mask[(*box, z)].any():
            axes.contour(mask[(*box, z)].T, levels=[0.5], colors=colour, linewidths=0.8)


def _brain_box(brain_mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    x, y = (np.flatnonzero(brain_mask.any(axis=other)) for other in ((1, 2), (0, 2)))
    if not x.size:
        return slice(None), slice(None)
    return slice(max(x[0] - BORDER, 0), x[-1] + BORDER + 1), slice(max(y[0] - BORDER, 0), y[-1] + BORDER + 1)


def _save(panels: NDArray[np.object_], path: Path) -> None:
    with written_whole(path) as beside:
        panels[0, 0].figure.savefig(
            beside, format="png", dpi=150, facecolor="white", bbox_inches="tight", pad_inches=0.05
        )
