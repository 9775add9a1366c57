"""Figures of a published study: steps between methods, noise levels, histograms, cases and guided slices."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.image_similarity import BINS, density
from benchmark.replication.comparison import TierResults
from benchmark.replication.measured import Step, SweepPoint, shown_cohorts
from benchmark.replication.published_study import Item, TierRun
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_reconstruction
from benchmark.storage.run_record import has_maps, kept_cells, reopen
from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import Case, shown_slice
from datasets.io.atomic import written_whole
from datasets.loading import load_case
from reports.content.blocks import Picture
from reports.figures.charts import BASELINE, COLOURS, INK, Spec, write_chart

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plane = NDArray[np.float32]
Guided = tuple[Case, Mapping[tuple[int, float, float], tuple[Plane, Plane]]]
"""A case, and by noise level, crop and contrast the conditioning image and the reconstruction of one slice."""
MOST_SCANS = 20  # that a mean histogram is of
MERGED = 5  # bins drawn as one


def steps_chart(found: Sequence[Step], labels: Mapping[str, str]) -> Spec:
    """A waterfall for each way to decide: the first method from 0, each further one from the one before."""
    bars: list[Spec] = []
    for way in dict.fromkeys(one.way for one in found):
        dice = [(labels[one.row], one.dice) for one in found if one.way == way]
        for place, (label, after) in enumerate(dice):
            before = dice[place - 1][1] if place else 0.0
            change = after - before
            text = f"{change:+.3f}".replace("-", "\N{MINUS SIGN}") if place else f"{after:.3f}"
            kind = ("gain" if change >= 0 else "loss") if place else "first"
            ends = {"from": before, "to": after, "top": max(before, after)}
            bars.append({"way": way, "step": label, "kind": kind, "text": text, **ends})
    x = {"field": "step", "type": "nominal", "sort": list(labels.values()), "title": None,
         "axis": {"labelAngle": -30, "labelLimit": 160}}  # fmt: skip
    y = {"field": "from", "type": "quantitative", "title": "Dice"}
    colour = {"field": "kind", "type": "nominal", "legend": None,
              "scale": {"domain": ["first", "gain", "loss"], "range": [BASELINE, COLOURS[2], COLOURS[1]]}}  # fmt: skip
    return {
        "data": {"values": bars},
        "facet": {"field": "way", "type": "nominal", "sort": list(dict.fromkeys(one["way"] for one in bars)),
                  "title": None},
        "columns": 2,
        "spec": {
            "width": 190,
            "height": 170,
            "layer": [
                {"mark": {"type": "bar"}, "encoding": {"x": x, "y": y, "y2": {"field": "to"}, "color": colour}},
                {"mark": {"type": "text", "dy": -6, "fontSize": 11},
                 "encoding": {"x": x, "y": {**y, "field": "top"}, "text": {"field": "text"}}},
            ],
        },
    }  # fmt: skip


def sweep_chart(points: Sequence[SweepPoint], axis: str) -> Spec:
    """Dice against what a sweep runs over, a panel a cohort; rows beside it are dashed lines."""
    values = [
        {"cohort": f"{one.dataset} {one.run.sequence.upper()}", "method": one.method, "t": one.value, "dice": one.dice}
        for one in points
    ]
    methods = list(dict.fromkeys(one.method for one in points))
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(methods))]
    scale = {"domain": methods, "range": colours}
    colour = {"field": "method", "type": "nominal", "sort": methods, "scale": scale}
    y = {"field": "dice", "type": "quantitative", "title": "Dice"}
    known = [one.value for one in points if one.value is not None]
    ends = [min(known), max(known)] if known else [0, 1]
    x = {"field": "t", "type": "quantitative", "title": axis, "scale": {"domain": ends}, "axis": {"tickCount": 5}}
    swept, beside = ({"transform": [{"filter": f"{mark}isValid(datum.t)"}]} for mark in ("", "!"))
    return {
        "data": {"values": values},
        "facet": {"field": "cohort", "type": "nominal", "title": None},
        "columns": 2,
        "resolve": {"scale": {"y": "independent"}},
        "spec": {
            "width": 300,
            "height": 200,
            "layer": [
                {**swept, "mark": {"type": "line", "point": True}, "encoding": {"x": x, "y": y, "color": colour}},
                {**beside, "mark": {"type": "rule", "strokeDash": [6, 3]}, "encoding": {"y": y, "color": colour}},
            ],
        },
    }  # fmt: skip


def write_histograms(results: TierResults, item: Item, figures: Path, data: Path) -> Iterator[Picture]:
    """Mean histograms of input and reconstruction, a panel for each method and contrast, a figure a cohort."""
    for run, dataset in shown_cohorts(results, item):
        folder = results.runs[run.name].run
        study = reopen(folder, data)
        values: list[dict[str, Any]] = []
        for row in item.rows:
            for contrast in item.contrasts:
                cell = _cell(results, run, row, dataset, contrast)
                if cell is not None:
                    panel = {"method": results.study.label(row), "contrast": f"contrast {contrast:g}"}
                    values += [{**panel, **one} for one in _mean_histograms(folder, study, cell)]
        if values:
            path = figures / f"{item.name}-{dataset}-{run.sequence}.svg"
            write_chart(_histogram_spec(values), path)
            alt = f"Histograms of input and reconstruction on {dataset} {run.sequence.upper()}"
            yield Picture(path, alt, f"{alt}: healthy brain voxels, mean over at most {MOST_SCANS} test scans.")


def _histogram_spec(values: Sequence[Spec]) -> Spec:
    contrasts = list(dict.fromkeys(one["contrast"] for one in values))
    colour = {
        "field": "of",
        "type": "nominal",
        "scale": {"domain": ["input", "reconstruction"], "range": [INK, COLOURS[1]]},
    }
    return {
        "data": {"values": list(values)},
        "facet": {"row": {"field": "method", "type": "nominal", "title": None},
                  "column": {"field": "contrast", "type": "nominal", "sort": contrasts, "title": None}},
        "spec": {
            "width": 220,
            "height": 110,
            "mark": {"type": "line", "strokeWidth": 1.3},
            "encoding": {
                "x": {"field": "intensity", "type": "quantitative", "title": "intensity", "scale": {"domain": [0, 1]}},
                "y": {"field": "density", "type": "quantitative", "title": "part of voxels", "axis": {"tickCount": 3}},
                "color": colour,
            },
        },
    }  # fmt: skip


def _mean_histograms(folder: RunFolder, study: Study, cell: Cell) -> Iterator[Spec]:
    """Lines of both histograms over the healthy voxels of a cell's first test scans."""
    files = [one for one in study.mapped_cases(cell) if one.split == "test"][:MOST_SCANS]
    found: dict[str, list[NDArray[np.float64]]] = {"input": [], "reconstruction": []}
    for one in files:
        reconstruction = read_reconstruction(folder, cell, one.case_id)
        if reconstruction is not None:
            case = load_case(one, cell.fit.grid, cell.shift)
            healthy = case.brain_mask if case.lesion_mask is None else case.brain_mask & ~case.lesion_mask
            found["input"].append(density(case.image[0][healthy]))
            found["reconstruction"].append(density(reconstruction[healthy]))
    for name, each in found.items():
        if each:
            mean = np.mean(each, axis=0)[1:-1].reshape(-1, MERGED).mean(axis=1)  # without what lies beyond [0, 1]
            for place, value in enumerate(mean):
                yield {
                    "of": name,
                    "intensity": round((place + 0.5) * MERGED / BINS, 4),
                    "density": round(float(value), 6),
                }


def _cell(results: TierResults, run: TierRun, row: str, dataset: str, contrast: float) -> Cell | None:
    """The mapped cell of a printed row's method with the lowest seed; None where there is none."""
    name, folder = results.name_in(run, results.study.rows[row].methods[0]), results.runs[run.name].run
    shift = ("none", 0.0) if contrast == 1 else ("gamma", contrast)
    cells = [
        cell
        for cell in kept_cells(folder)
        if (cell.fit.method, cell.cohort.dataset) == (name, dataset)
        and (cell.shift.label, cell.shift.severity) == shift
        and has_maps(folder, cell)
    ]
    return min(cells, key=lambda cell: cell.fit.seed) if cells else None


def write_cases(
    results: TierResults, item: Item, figures: Path, data: Path, pictures: Sequence[str] | None
) -> Iterator[Picture]:
    """A test case of each cohort that may be shown: image, reconstructions, and below each its histogram."""
    for run, dataset in shown_cohorts(results, item):
        if pictures is not None and dataset not in pictures:
            continue
        found = {row: cell for row in item.rows if (cell := _cell(results, run, row, dataset, 1.0)) is not None}
        if not found:
            continue
        folder, cell = results.runs[run.name].run, next(iter(found.values()))
        files = [one for one in reopen(folder, data).mapped_cases(cell) if one.split == "test"]
        if not files:
            continue
        case = load_case(files[0], cell.fit.grid)
        kept = {results.study.label(row): read_reconstruction(folder, one, case.case_id) for row, one in found.items()}
        made = {label: volume for label, volume in kept.items() if volume is not None}
        path = figures / f"{item.name}-{dataset}-{run.sequence}.png"
        _save(_case_figure(case, made), path)
        alt = f"{dataset} {run.sequence.upper()}, {case.case_id}: image, reconstructions, and their histograms"
        yield Picture(path, alt, f"{alt} over the healthy brain voxels of the whole case; black is the image's.")


def _case_figure(case: Case, made: Mapping[str, NDArray[np.float32]]) -> "Figure":
    from matplotlib.figure import Figure

    healthy = case.brain_mask if case.lesion_mask is None else case.brain_mask & ~case.lesion_mask
    z, own = shown_slice(case), density(case.image[0][healthy])
    shown = {"image": case.image[0], **made}
    figure = Figure(figsize=(1.9 * len(shown), 3.4), facecolor="white", layout="constrained")
    grid = figure.subplots(2, len(shown), squeeze=False, height_ratios=[3, 1.4])
    bins = (np.arange(BINS // MERGED) + 0.5) * MERGED / BINS
    for place, (label, volume) in enumerate(shown.items()):
        above, below = grid[:, place]
        above.imshow(volume[..., z].T, cmap="gray", vmin=0, vmax=1, origin="lower", interpolation="nearest")
        if case.lesion_mask is not None and case.lesion_mask[..., z].any():
            above.contour(case.lesion_mask[..., z].T, levels=[0.5], colors="#00e5ff", linewidths=0.8)
        above.set_title(label, fontsize=9, parse_math=False)
        above.axis("off")
        below.plot(bins, own[1:-1].reshape(-1, MERGED).mean(axis=1), color="black", linewidth=0.8)
        if label != "image":
            mine = density(volume[healthy])[1:-1].reshape(-1, MERGED).mean(axis=1)
            below.plot(bins, mine, color=COLOURS[1], linewidth=0.8)
        below.set_xlim(0, 1)
        below.set_yticks([])
        below.tick_params(labelsize=7)
        below.set_xlabel("intensity", fontsize=7)
    return figure


def write_guided(guided: Guided, item: Item, path: Path) -> Picture:
    """The noised image's slice, and a row for each noise level and crop: under each contrast what is reconstructed."""
    from matplotlib.figure import Figure

    case, made = guided
    image = case.image[0][..., shown_slice(case)]
    rows: list[tuple[str, list[Plane]]] = [
        (f"condition, {crop:.0%}", [made[item.levels[0], crop, contrast][0] for contrast in item.contrasts])
        for crop in item.crops
    ]
    rows += [
        (
            f"noise {level / 10:.0f} %\ncondition {crop:.0%}",
            [made[level, crop, contrast][1] for contrast in item.contrasts],
        )
        for level in item.levels
        for crop in item.crops
    ]
    figure = Figure(
        figsize=(1.4 * (len(item.contrasts) + 1) + 0.8, 1.5 * len(rows)), facecolor="white", layout="constrained"
    )
    grid = figure.subplots(len(rows), len(item.contrasts) + 1, squeeze=False)
    for row, (label, planes) in enumerate(rows):
        for place, plane in enumerate([image, *planes]):
            axes = grid[row, place]
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
            if place or not row:
                axes.imshow(plane.T, cmap="gray", vmin=0, vmax=1, origin="lower", interpolation="nearest")
        grid[row, 1].set_ylabel(label, fontsize=8)
    grid[0, 0].set_title("noised image", fontsize=9)
    for axes, contrast in zip(grid[0, 1:], item.contrasts, strict=True):
        axes.set_title(f"contrast {contrast:g}", fontsize=9)
    _save(figure, path)
    alt = f"Reconstructions of one slice of {case.case_id} under other conditioning images"
    return Picture(path, alt, f"{alt}: cropped to a part of the width, raised to the contrast; from the same noise.")


def _save(figure: "Figure", path: Path) -> None:
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=110, facecolor="white")
