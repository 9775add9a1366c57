"""Pictures of a cohort's cases: each method's map, and what its threshold makes of it, beside image and truth."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import AND, Case, shown_slice
from datasets.errors import MissingData
from datasets.io.atomic import written_whole
from reports.model.decisions import (
    BRIGHTEST,
    DecidedMap,
    Mask,
    ShownCase,
    Volume,
    decided_map,
    deciding_choice,
    method_title,
    shown_cases,
    shown_cells,
)
from reports.model.run_results import RunResults

Picture = NDArray[np.float64]  # (rows, columns, 3) in [0, 1]
PANEL, SMALL, GAP, SIDE, BAR = 190, 96, 6, 96, 78  # pixels
LETTERS, LINE = 11, 14  # pixels
TRUE, FALSE, MISSED, IGNORED, OUTLINE = "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#00e5ff"
COLOURS = "inferno"
OPACITY = 0.75  # of what a prediction is coloured with
PALETTE = 256


@dataclass(frozen=True)
class MapPlane:
    """What is shown of one method on a case's slice, all `(X, Y)`.

    Attributes:
        shares: scores as shares of the one that is drawn brightest.
        note: beside the prediction.
    """

    shares: Volume
    prediction: Mask
    reconstructions: Sequence[Volume | None]
    has_threshold: bool
    note: str = ""


@dataclass(frozen=True)
class CasePlane:
    """A case on its slice, all `(X, Y)`.

    Attributes:
        images: one a sequence.
        methods: in the order of the columns; None for a map that is not kept.
    """

    label: Sequence[str]
    images: Sequence[Volume]
    lesion: Mask
    ignored: Mask
    methods: Sequence[MapPlane | None]


@dataclass(frozen=True)
class Planes:
    """What pictures of a cohort are drawn from.

    Attributes:
        titles: of the methods.
        case_ids: of the cases.
    """

    titles: Sequence[str]
    cases: Sequence[CasePlane]
    case_ids: Sequence[str]
    sequences: Sequence[str]


def read_planes(
    results: RunResults, study: Study, cohort: str, methods: Sequence[str] | None = None, most_cases: int | None = None
) -> Planes:
    """Read what is shown of a cohort.

    Args:
        methods: those to be shown; None for all that a gallery has room for.

    Raises:
        MissingData: no maps of any case in the split are kept.
        BadFile: a scan or map is torn.
    """
    cells = [one for one in shown_cells(results, study, cohort) if methods is None or one.fit.method in methods]
    shown = shown_cases(results, study, cohort, cells[0])[:most_cases] if cells else []
    if not shown:
        raise MissingData(f"No maps of {cohort}, split {results.split}, are kept in {results.run.root}.")
    box = _brain_box([one.case.brain_mask for one in shown])
    return Planes(
        [method_title(results, cell) for cell in cells],
        [_case_plane(results, one, cells, deciding_choice(results, cohort), box) for one in shown],
        [one.case.case_id for one in shown],
        cells[0].cohort.sequence.split(AND),
    )


def _case_plane(
    results: RunResults, shown: ShownCase, cells: Sequence[Cell], choice: tuple[str, str], box: tuple[slice, slice]
) -> CasePlane:
    place = (*box, shown_slice(shown.case))
    volume = f"{shown.positives * shown.case.voxel_ml:.1f} ml" if shown.positives else ""
    height = f"z = {_height_mm(shown.case, place[2]):+.0f} mm"
    label = [line for line in (shown.role.upper(), shown.case.case_id, volume, height) if line]
    methods = [_map_plane(decided_map(results, cell, shown, choice), shown, place) for cell in cells]
    return CasePlane(
        label, [image[place] for image in shown.case.image], shown.lesion[place], shown.ignored[place], methods
    )


def _map_plane(decided: DecidedMap | None, shown: ShownCase, place: tuple[slice, slice, int]) -> MapPlane | None:
    if decided is None:
        return None
    kept = [None if volume is None else volume[place] for volume in decided.reconstructions]
    prediction = decided.prediction
    note = f"Dice {shown.dice(prediction):.2f}" if decided.has_threshold and shown.positives else ""
    return MapPlane(decided.scores[place] / decided.highest, prediction[place], kept, decided.has_threshold, note)


def draw_gallery(planes: Planes) -> Image.Image:
    """A column a method; for each case reconstructions where any is kept, maps on one scale, and decisions.

    Axial slices through the most lesion (without lesion the brain's middle): anterior up, left on the left.
    """
    kept = any(
        volume is not None for case in planes.cases for one in case.methods if one for volume in one.reconstructions
    )
    above = len(planes.sequences) if kept or len(planes.sequences) > 1 else 0
    sheet = Sheet(planes, rows=above + 2, titles=["image", *planes.titles], panel=PANEL, right=BAR)
    for number, case in enumerate(planes.cases):
        first = number * (above + 2)
        for row, image in enumerate(case.images[:above], first):
            sheet.place(row, 0, _grey(image))
            for column, one in enumerate(case.methods, 1):
                reconstruction = one.reconstructions[row - first] if one is not None else None
                if reconstruction is not None:
                    sheet.place(row, column, _grey(reconstruction))
        below = first + above
        _truth(sheet, below, 0, case)
        if not above:
            sheet.place(below + 1, 0, _grey(case.images[0]))
        for column, one in enumerate(case.methods, 1):
            if one is None:
                sheet.write(below, column, "not kept")
                continue
            sheet.place(below, column, _coloured(one.shares))
            sheet.place(below + 1, column, _decided(case, one))
            sheet.write(below + 1, column, one.note if one.has_threshold else "no threshold")
        sheet.label(first, above + 2, case.label)
        sheet.bar(below, any(one is not None and one.has_threshold for one in case.methods))
    sheet.sides(0, 0)
    sheet.key()
    return sheet.image


def draw_examples(planes: Planes) -> Image.Image:
    """A row a case: image, truth, and what each method decides."""
    sheet = Sheet(planes, rows=1, titles=["image", "truth", *planes.titles], panel=SMALL)
    for row, case in enumerate(planes.cases):
        sheet.place(row, 0, _grey(case.images[0]))
        _truth(sheet, row, 1, case)
        for column, one in enumerate(case.methods, 2):
            if one is not None:
                sheet.place(row, column, _decided(case, one))
                sheet.write(row, column, one.note if one.has_threshold else "no threshold")
        sheet.label(row, 1, case.label)
    sheet.sides(0, 0)
    sheet.key()
    return sheet.image


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG of few colours, which look the same at a third of the bytes."""
    with written_whole(path) as beside:
        picture.quantize(PALETTE, dither=Image.Dither.NONE).save(beside, format="PNG")


def _truth(sheet: "Sheet", row: int, column: int, case: CasePlane) -> None:
    """The image with the outline of its lesion, and of what is ignored."""
    sheet.place(row, column, _grey(case.images[0]))
    sheet.outline(row, column, case.ignored, IGNORED)
    sheet.outline(row, column, case.lesion, OUTLINE)


class Sheet:
    """Panels of one size below each other for each case, with titles above them and labels at their left."""

    def __init__(self, planes: Planes, rows: int, titles: Sequence[str], panel: int, right: int = 0) -> None:
        """Make an empty one.

        Args:
            rows: of each case.
            titles: one a column.
            panel: its width in pixels, nearly.
            right: pixels for bars.
        """
        width, height = planes.cases[0].lesion.shape
        self._zoom = max(1, round(panel / width))
        self._wide, self._tall = width * self._zoom, height * self._zoom
        lines = [_wrapped(title, self._wide) for title in titles]
        self._left = SIDE + GAP
        self._top = LINE * max(map(len, lines)) + GAP
        self._ignored = any(case.ignored.any() for case in planes.cases)
        size = (
            self._left + len(titles) * (self._wide + GAP) + right,
            self._top + rows * len(planes.cases) * (self._tall + GAP) + LINE + GAP,
        )
        self.image = Image.new("RGB", size, "white")
        self._pen = ImageDraw.Draw(self.image)
        for column, title in enumerate(lines):
            self._write((self._panel(0, column)[0] + self._wide / 2, self._top - GAP), title, "md")

    def place(self, row: int, column: int, picture: Picture) -> None:
        """Show `(X, Y, 3)` with anterior up and the patient's left on the left."""
        upright = np.round(255 * picture.transpose(1, 0, 2)[::-1]).astype(np.uint8)
        panel = Image.fromarray(upright.repeat(self._zoom, 0).repeat(self._zoom, 1))
        self.image.paste(panel, self._panel(row, column))

    def outline(self, row: int, column: int, mask: Mask, colour: str) -> None:
        """Draw the inner rim of a mask `(X, Y)`."""
        large = mask.T[::-1].repeat(self._zoom, 0).repeat(self._zoom, 1)
        rim = large & ~ndimage.binary_erosion(large, iterations=min(2, self._zoom))
        self.image.paste(colour, self._panel(row, column), Image.fromarray(np.where(rim, 255, 0).astype(np.uint8)))

    def write(self, row: int, column: int, text: str) -> None:
        """Write at the top left of a panel."""
        left, top = self._panel(row, column)
        self._pen.rectangle((left, top, left + _length(text) + 4, top + LINE), "black")
        self._write((left + 2, top + 1), [text], "la", "white")

    def sides(self, row: int, column: int) -> None:
        """Mark the patient's left and right."""
        left, top = self._panel(row, column)
        self._write((left + 3, top + self._tall - 2), ["L"], "ld", "white")
        self._write((left + self._wide - 3, top + self._tall - 2), ["R"], "rd", "white")

    def label(self, row: int, rows: int, lines: Sequence[str]) -> None:
        """Write at the left of a case's rows, beginning at their top."""
        told = [part for line in lines for part in _wrapped(line, SIDE)]
        room = ((rows - 1) * (self._tall + GAP) + self._tall) // LINE
        self._write((GAP / 2, self._panel(row, 0)[1]), told[:room], "la")

    def bar(self, row: int, has_threshold: bool) -> None:
        """Draw the scale of a row of maps at its right."""
        left, top = self.image.width - BAR, self._panel(row, 0)[1]
        ramp = np.linspace(1, 0, self._tall, dtype=np.float32)[:, None].repeat(10, axis=1)
        self.image.paste(Image.fromarray(np.round(255 * _coloured(ramp)).astype(np.uint8)), (left, top))
        marks = ("0", "threshold", "2 \N{MULTIPLICATION SIGN}") if has_threshold else ("0", "", f"{BRIGHTEST} %")
        for share, mark in zip((0.0, 0.5, 1.0), marks, strict=True):
            self._write((left + 13, top + round((1 - share) * (self._tall - LINE))), [mark], "la")

    def key(self) -> None:
        """Say below what the colours of decisions are."""
        left, top = self._left, self.image.height - LINE - 2
        known = {"true positive": TRUE, "false positive": FALSE, "missed": MISSED}
        for what, colour in {**known, **({"ignored": IGNORED} if self._ignored else {})}.items():
            self._pen.rectangle((left, top + 2, left + 10, top + LINE - 4), colour)
            self._write((left + 14, top), [what], "la")
            left += _length(what) + 26

    def _write(self, place: tuple[float, float], lines: Sequence[str], anchor: str, colour: str = "black") -> None:
        """Write lines, above `place` or below it."""
        upwards = anchor.endswith("d")
        for number, line in enumerate(reversed(lines) if upwards else lines):
            down = -number * LINE if upwards else number * LINE
            self._pen.text((place[0], place[1] + down), line, colour, _font(), anchor)

    def _panel(self, row: int, column: int) -> tuple[int, int]:
        """Its left and upper edge."""
        return self._left + column * (self._wide + GAP), self._top + row * (self._tall + GAP)


@cache
def _font() -> ImageFont.FreeTypeFont:
    """The one that charts of this package are drawn with, which has all European letters."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", LETTERS)


def _length(text: str) -> int:
    return ceil(_font().getlength(text))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many pixels: broken behind brackets, commas and blanks, else anywhere."""
    lines = [""]
    for part in re.findall(r"[^\[,_ ]*[\[,_ ]?", text):
        if lines[-1] and _length((lines[-1] + part).rstrip()) > width:
            lines.append("")
        for letter in part:
            if _length(lines[-1] + letter.rstrip()) > width:
                lines.append("")
            lines[-1] += letter
    return [line.rstrip() for line in lines]


def _grey(plane: Volume) -> Picture:
    return np.clip(plane, 0, 1).astype(np.float64)[..., None].repeat(3, axis=2)


def _coloured(shares: Volume) -> Picture:
    from matplotlib import colormaps

    return np.asarray(colormaps[COLOURS](np.clip(shares, 0, 1)))[..., :3]


def _decided(case: CasePlane, one: MapPlane) -> Picture:
    """The image with true positives, false positives, misses and what is ignored in their colours."""
    picture = _grey(case.images[0])
    parts = {
        TRUE: one.prediction & case.lesion,
        FALSE: one.prediction & ~case.lesion,
        MISSED: case.lesion & ~one.prediction,
        IGNORED: case.ignored,
    }
    for colour, where in parts.items():
        picture[where] = (1 - OPACITY) * picture[where] + OPACITY * _rgb(colour)
    return picture


def _rgb(colour: str) -> NDArray[np.float64]:
    return np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])


def _brain_box(brains: Sequence[Mask]) -> tuple[slice, slice]:
    """Where any of the brains lies in-plane, with a margin of two voxels."""
    anywhere = np.any([brain.any(axis=2) for brain in brains], axis=0)
    if not anywhere.any():
        return slice(0, anywhere.shape[0]), slice(0, anywhere.shape[1])
    x, y = (np.flatnonzero(anywhere.any(axis=other)) for other in (1, 0))
    return slice(max(x[0] - 2, 0), x[-1] + 3), slice(max(y[0] - 2, 0), y[-1] + 3)


def _height_mm(case: Case, z: int) -> float:
    middle = [(size - 1) / 2 for size in case.brain_mask.shape[:2]]
    return float(case.affine[2] @ [*middle, z, 1])
