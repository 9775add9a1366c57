"""Section of implanted lesions: contrast-detail curves, controls, and agreement of ranks with real cohorts."""

from collections.abc import Callable
from dataclasses import replace
from math import isinf, isnan
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.analysis.implants import AGREEMENT, AUDIOGRAM, CONTROLS, read_trials_table
from benchmark.metrics import METRICS
from benchmark.storage.folder import RunFolder
from datasets.io.atomic import written_whole
from datasets.spec import folder_name
from reports.markup.markdown import escape, github_table, plain
from reports.model.ranking import headline_pipelines
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import markdown_table, metric_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Written = Callable[[str], str]
"""How a name is written: as Markdown or as it is."""

RULES = {"found_tenth": "a tenth of its voxels is alarmed", "found": "any of its voxels is alarmed"}
"""In the order shown; the first is drawn."""
EXPLAINED = (
    "Lesions of known size and contrast in real healthy scans (docs/implants.md). Of every volume, the contrast at "
    "which half of the lesions are found at one false alarm a scan, with its 95 % interval over subjects; lower is "
    "better. Contrast is the mean change of intensity in units of the host's difference between grey and white "
    "matter, dark and bright apart. `> 2`: half are not found at the highest contrast tried, and nothing is "
    "extrapolated; `< 0.25`: more than half at the lowest one; `chance`: half of them at contrast 0 already. Each "
    "subject's threshold comes from the other subjects' scans without lesion. Lesions without a voxel on the grid are "
    "left out: [n]."
)
CONTROLS_EXPLAINED = (
    "What has to be at chance: `zero`, where the mask is new and no voxel is, and `seam`, where the subject's own "
    "tissue is transplanted with the lesions' blending. Chance is a lift of 0, and for `seam` the share found of "
    "`zero`: what is alarmed anyway. In brackets the 95 % interval over subjects."
)
AGREEMENT_EXPLAINED = (
    "Kendall's tau of the methods' order on implants and on real cohorts (mean AUPRC lift there), with its 95 % "
    "interval over the patients of both. The methods are those of this run: with few, one changed pair moves it much."
)
RESTORED_EXPLAINED = (
    "Restoration: mean |healthy scan - reconstruction|, intensities in [0, 1]. A copy of the image has the change by "
    "the lesion as its error, and 0 outside."
)


def implanted_lesions(results: RunResults) -> str:
    """Markdown; "" for a run without implants. Draws a figure for each cohort of implants and pipeline."""
    if results.validation or not (results.run.root / AUDIOGRAM).exists():
        return ""
    points = _unshifted(results.run, AUDIOGRAM)
    pipelines = [name for name in headline_pipelines(results) if name in set(points["postprocessing"])]
    parts = [results.heading("Lesion audiogram"), EXPLAINED]
    for name in dict.fromkeys(points["dataset"]):
        parts.append(results.heading(cohort_title(name), 3))
        for pipeline in pipelines:
            own = points[(points["dataset"] == name) & (points["postprocessing"] == pipeline)]
            parts += _of_pipeline(results.run, name, pipeline, own)
        parts += _restored(results, name)
    return "\n\n".join([*parts, *_more(results.run)])


def _of_pipeline(run: RunFolder, name: str, pipeline: str, points: pd.DataFrame) -> list[str]:
    path = run.root / "figures" / f"audiogram-{folder_name(name)}-{pipeline}.png"
    draw_audiogram(points[points["rule"] == next(iter(RULES))], path)
    tables = [f"Post-processing `{pipeline}`; a lesion is found if {rule}.\n\n{table}" for rule, table in _both(points)]
    return [f"![Lesion audiogram, {pipeline}](figures/{path.name})", *tables]


def audiogram_text(run: RunFolder) -> str:
    """The same tables as plain text, for a terminal."""
    points = _unshifted(run, AUDIOGRAM)
    parts = [plain(EXPLAINED)]
    for (name, pipeline), own in points.groupby(["dataset", "postprocessing"], sort=False):
        tables = _both(own, written=str)
        parts += [f"{name}, post-processing {pipeline}; a lesion is found if {rule}\n{table}" for rule, table in tables]
    parts += [plain(part) if "|" not in part else part for part in _more(run, written=str)]
    return "\n\n".join(part if "|" in part else fill(part, 100) for part in parts)


def half_text(point: pd.Series) -> str:
    """One point: the contrast at half with its interval, or why there is none."""
    off = f" [{point['off_grid']}]" if point["off_grid"] else ""
    if point["state"] == "chance":
        return "chance" + off
    edges = {"not reached": f"> {point['highest']:g}", "below": f"< {point['lowest']:g}"}
    value = edges.get(point["state"]) or f"{point['contrast']:.2f}"
    return f"{value}{_interval(point)}{off}"


def _interval(point: pd.Series) -> str:
    """Its ends, where they lie among the contrasts tried, else on which side; "" where both lie on the same one."""
    low, high = point["low"], point["high"]
    if isnan(low) or isnan(high) or (low == high and (low == 0 or isinf(low))):
        return ""
    shown = [
        f"< {point['lowest']:g}" if end == 0 else f"> {point['highest']:g}" if isinf(end) else f"{end:.2f}"
        for end in (low, high)
    ]
    return f" ({shown[0]} to {shown[1]})"


def _both(points: pd.DataFrame, written: Written = escape) -> list[tuple[str, str]]:
    """What each rule says, and its table."""
    return [(said, _table(points[points["rule"] == rule], written)) for rule, said in RULES.items()]


def _table(points: pd.DataFrame, written: Written) -> str:
    volumes = sorted(points["volume_ml"].unique())
    body = []
    for (method, sign), own in points.groupby(["method", "sign"], sort=False):
        by_volume = own.set_index("volume_ml")
        cells = [half_text(by_volume.loc[volume]) if volume in by_volume.index else "-" for volume in volumes]
        body.append([written(str(method)), str(sign), *cells])
    return github_table(["Method", "Contrast", *(f"{volume:g} ml" for volume in volumes)], body, 2)


def _restored(results: RunResults, name: str) -> list[str]:
    """What reconstructions make of the lesions; nothing where no method reconstructs."""
    cohort = results.lesion.get(name)
    if cohort is None or "restoration_l1" not in cohort.metrics:
        return []
    known = ("restoration_l1", "lesion_l1", "restoration_l1_outside")
    columns = [replace(metric_column(cohort, METRICS[metric].title, metric), higher_is_better=None) for metric in known]
    restored = cohort.numbers("restoration_l1")
    methods = [method for method in cohort.seeds if restored[method].defined]
    return [RESTORED_EXPLAINED, markdown_table(methods, {"Method": cohort.label}, columns)]


def _more(run: RunFolder, written: Written = escape) -> list[str]:
    parts = []
    if (run.root / CONTROLS).exists():
        parts += [CONTROLS_EXPLAINED, _controls(_unshifted(run, CONTROLS), written)]
    if (run.root / AGREEMENT).exists():
        parts += [AGREEMENT_EXPLAINED, _agreement(read_trials_table(run, AGREEMENT), written)]
    return parts


def _controls(frame: pd.DataFrame, written: Written) -> str:
    body = [
        [
            written(line["method"]), written(line["dataset"]), line["postprocessing"], line["kind"],
            f"{line['cases']} in {line['subjects']}",
            *(_with_interval(line, name, 2) for name in RULES), _with_interval(line, "auprc_lift", 3),
        ]
        for _, line in frame.iterrows()
    ]  # fmt: skip
    headers = ["Method", "Implants", "Post-processing", "Control", "Cases", "Found to a tenth", "Found", "AUPRC lift"]
    return github_table(headers, body, 4)


def _agreement(frame: pd.DataFrame, written: Written) -> str:
    body = [
        [
            written(line["implants"]), written(line["cohort"]), line["postprocessing"], line["score"],
            str(line["methods"]), f"{line['subjects']} and {line['patients']}", _tau(line),
        ]
        for _, line in frame.iterrows()
    ]  # fmt: skip
    headers = ["Implants", "Cohort", "Post-processing", "Score on implants", "Methods", "Subjects and patients", "tau"]
    return github_table(headers, body, 4)


def _tau(line: pd.Series) -> str:
    if isnan(line["tau"]):
        return "n/a"
    return f"{line['tau']:.2f}" + ("" if isnan(line["low"]) else f" ({line['low']:.2f} to {line['high']:.2f})")


def _with_interval(line: pd.Series, name: str, digits: int) -> str:
    if isnan(line[name]):
        return "n/a"
    low, high = line[f"{name}_low"], line[f"{name}_high"]
    return f"{line[name]:.{digits}f}" + ("" if isnan(low) else f" ({low:.{digits}f} to {high:.{digits}f})")


def _unshifted(run: RunFolder, name: str) -> pd.DataFrame:
    frame = read_trials_table(run, name)
    return frame[frame["shift"] == "none"]


# Told apart by everybody, and in grey: Okabe and Ito's blue and vermilion, and two markers.
STYLES = {"dark": ("#0072B2", "o", 0.94), "bright": ("#D55E00", "s", 1.06)}
COLUMNS = 4
PANEL = (2.7, 2.5)  # inches


def draw_audiogram(points: pd.DataFrame, path: Path) -> None:
    """Write a PNG.

    A filled marker is a contrast at which half are found, its bar the interval; an open triangle that points up
    stands where half are not found at the highest contrast tried, one that points down where more than half are
    found at the lowest, a cross where half are found by chance.

    Args:
        points: lines of `audiogram.csv` of one cohort, pipeline and rule.
    """
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(points["method"]))
    columns = min(COLUMNS, len(methods))
    rows = -(-len(methods) // columns)
    figure = Figure(figsize=(PANEL[0] * columns + 0.6, PANEL[1] * rows + 0.5), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for panel, method in zip(panels, methods, strict=False):
        _draw_panel(panel, points[points["method"] == method], str(method))
    for panel in panels[len(methods) :]:
        panel.set_visible(False)
    figure.supxlabel("lesion volume (ml)")
    figure.supylabel("contrast at which half are found\n(grey-white steps; lower is better)", fontsize="medium")
    panels[0].legend(fontsize="small", loc="lower left")
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=110)


def _draw_panel(panel: "Axes", points: pd.DataFrame, title: str) -> None:
    lowest, highest = points["lowest"].min(), points["highest"].max()
    for sign, (colour, marker, aside) in STYLES.items():
        own = points[points["sign"] == sign].sort_values("volume_ml")
        for _, point in own.iterrows():
            _draw_point(panel, point, colour, marker, aside)
        reached = own[own["state"] == "reached"]
        panel.plot(
            reached["volume_ml"] * aside, reached["contrast"], color=colour, lw=1, marker=marker, ms=5, label=sign
        )
    panel.axhline(lowest, color="0.8", lw=0.8, zorder=0)
    panel.axhline(highest, color="0.8", lw=0.8, zorder=0)
    panel.set(xscale="log", yscale="log", ylim=(lowest / 1.6, highest * 1.6))
    volumes, levels = sorted(points["volume_ml"].unique()), np.geomspace(lowest, highest, 4)
    panel.set_xticks(volumes, [f"{volume:g}" for volume in volumes], minor=False)
    panel.set_yticks(levels, [f"{level:.2g}" for level in levels], minor=False)
    panel.minorticks_off()
    panel.set_title(title, fontsize="medium")


def _draw_point(panel: "Axes", point: pd.Series, colour: str, marker: str, aside: float) -> None:
    """The interval's bar, which ends outside the contrasts tried where the interval does; and what is no contrast."""
    at = point["volume_ml"] * aside
    if not isnan(point["low"]) and point["state"] != "chance":
        low = point["lowest"] / 1.2 if point["low"] == 0 else min(point["low"], point["highest"] * 1.2)
        high = point["highest"] * 1.2 if isinf(point["high"]) else max(point["high"], point["lowest"] / 1.2)
        panel.plot([at, at], [low, high], color=colour, lw=1, alpha=0.7)
    signs = {
        "not reached": ("^", point["highest"] * 1.25),
        "below": ("v", point["lowest"] / 1.25),
        "chance": ("x", point["lowest"] / 1.25),
    }
    if point["state"] in signs:
        shape, height = signs[point["state"]]
        face = colour if shape == "x" else "none"
        panel.plot([at], [height], marker=shape, ls="", ms=6, mec=colour, mfc=face, color=colour)
