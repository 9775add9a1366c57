"""Section of implanted lesions: contrast-detail curves, controls, and agreement of ranks with real cohorts."""

from math import isinf, isnan
from typing import Any

import pandas as pd

from benchmark.analysis.implants import AGREEMENT, AUDIOGRAM, CONTROLS, read_trials_table
from benchmark.metrics import METRICS
from benchmark.storage.folder import RunFolder
from datasets.spec import folder_name
from reports.content.blocks import Block, Paragraph, Picture
from reports.content.table import UNDEFINED, Cell, Column, Table, said, text_columns
from reports.content.text import prose
from reports.figures.charts import audiogram_chart, write_chart
from reports.model.ranking import headline_pipelines
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import measured, metric_measure

RULES = {"found_tenth": "a tenth of its voxels is alarmed", "found": "any of its voxels is alarmed"}
"""In the order shown; the first is drawn."""
EXPLAINED = prose(
    "Lesions of known size and contrast in real healthy scans (docs/implants.md). Of every volume, the contrast at "
    "which half of the lesions are found at one false alarm a scan, with its 95 % interval over subjects; lower is "
    "better. Contrast is the mean change of intensity in units of the host's difference between grey and white "
    "matter, dark and bright apart. `> 2`: half are not found at the highest contrast tried, and nothing is "
    "extrapolated; `< 0.25`: more than half at the lowest one; `chance`: half of them at contrast 0 already. Each "
    "subject's threshold comes from the other subjects' scans without lesion. Lesions without a voxel on the grid are "
    "left out: [n]."
)
CHART_EXPLAINED = (
    "Bars: 95 % intervals. Triangles: half are not found at the highest contrast tried (up), or more than half at the "
    "lowest (down); crosses: half are found by chance."
)
CONTROLS_EXPLAINED = prose(
    "What has to be at chance: `zero`, where the mask is new and no voxel is, and `seam`, where the subject's own "
    "tissue is transplanted with the lesions' blending. Chance is a lift of 0, and for `seam` the share found of "
    "`zero`: what is alarmed anyway. In brackets the 95 % interval over subjects."
)
AGREEMENT_EXPLAINED = prose(
    "Kendall's tau of the methods' order on implants and on real cohorts (mean AUPRC lift there), with its 95 % "
    "interval over the patients of both. The methods are those of this run: with few, one changed pair moves it much."
)
RESTORED_EXPLAINED = prose(
    "Restoration: mean |healthy scan - reconstruction|, intensities in [0, 1]. A copy of the image has the change by "
    "the lesion as its error, and 0 outside."
)


def implanted_lesions(results: RunResults) -> list[Block]:
    """Draws a figure for each cohort of implants and pipeline; nothing for a run without implants."""
    if results.validation or not (results.run.root / AUDIOGRAM).exists():
        return []
    points = _unshifted(results.run, AUDIOGRAM)
    pipelines = [name for name in headline_pipelines(results) if name in set(points["postprocessing"])]
    parts: list[Block] = [results.heading("Lesion audiogram"), Paragraph(EXPLAINED)]
    for name in dict.fromkeys(points["dataset"]):
        for pipeline in pipelines:
            own = points[(points["dataset"] == name) & (points["postprocessing"] == pipeline)]
            path = results.run.root / "figures" / f"audiogram-{folder_name(name)}-{pipeline}.svg"
            first = own[own["rule"] == next(iter(RULES))]
            write_chart(audiogram_chart(list(map(_drawn, first.to_dict("records"))), *_ends(first)), path)
            caption = prose("{}, post-processing `{}`. {}", cohort_title(name), pipeline, CHART_EXPLAINED)
            parts += [Picture(path, f"Lesion audiogram, {name}, {pipeline}", caption), *_tables(name, pipeline, own)]
        parts += _restored(results, name)
    return [*parts, *_more(results.run)]


def audiogram_blocks(run: RunFolder) -> list[Block]:
    """The same tables without the pictures."""
    points = _unshifted(run, AUDIOGRAM)
    groups = points.groupby(["dataset", "postprocessing"], sort=False)
    tables = [table for (name, pipeline), own in groups for table in _tables(str(name), str(pipeline), own)]
    return [Paragraph(EXPLAINED), *tables, *_more(run)]


def half_text(point: "pd.Series[Any]") -> str:
    """One point: the contrast at half with its interval, or why there is none."""
    off = f" [{point['off_grid']}]" if point["off_grid"] else ""
    if point["state"] == "chance":
        return "chance" + off
    edges = {"not reached": f"> {point['highest']:g}", "below": f"< {point['lowest']:g}"}
    value = edges.get(point["state"]) or f"{point['contrast']:.2f}"
    return f"{value}{_interval(point)}{off}"


def _interval(point: "pd.Series[Any]") -> str:
    """Its ends, where they lie among the contrasts tried, else on which side; "" where both lie on the same one."""
    low, high = point["low"], point["high"]
    if isnan(low) or isnan(high) or (low == high and (low == 0 or isinf(low))):
        return ""
    shown = [
        f"< {point['lowest']:g}" if end == 0 else f"> {point['highest']:g}" if isinf(end) else f"{end:.2f}"
        for end in (low, high)
    ]
    return f" ({shown[0]} to {shown[1]})"


def _tables(name: str, pipeline: str, points: pd.DataFrame) -> list[Table]:
    """A table a rule by which a lesion is found."""
    return [_table(name, pipeline, rule, said_of, points[points["rule"] == rule]) for rule, said_of in RULES.items()]


def _table(name: str, pipeline: str, rule: str, told: str, points: pd.DataFrame) -> Table:
    volumes = sorted(points["volume_ml"].unique())
    rows = []
    for (method, sign), own in points.groupby(["method", "sign"], sort=False):
        by_volume = {line["volume_ml"]: line for _, line in own.iterrows()}
        cells = [_half(by_volume[volume]) if volume in by_volume else Cell() for volume in volumes]
        rows.append([said(method), said(sign), *cells])
    columns = [*text_columns("Method", "Contrast"), *(Column(f"{volume:g} ml", "", False, 2) for volume in volumes)]
    caption = prose("{}, post-processing `{}`; a lesion is found if {}.", cohort_title(name), pipeline, told)
    return Table(f"audiogram-{name}-{pipeline}-{rule}", caption, columns, rows, headers=2, stamp="exploratory")


def _half(point: "pd.Series[Any]") -> Cell:
    return said(half_text(point), point["contrast"])


def _restored(results: RunResults, name: str) -> list[Table]:
    """What reconstructions make of the lesions; nothing where no method reconstructs."""
    cohort = results.lesion.get(name)
    if cohort is None or "restoration_l1" not in cohort.metrics:
        return []
    known = ("restoration_l1", "lesion_l1", "restoration_l1_outside")
    measures = [metric_measure(cohort, METRICS[metric].title, metric, marked=False) for metric in known]
    restored = cohort.numbers("restoration_l1")
    methods = [method for method in cohort.seeds if restored[method].defined]
    return [measured(f"{name}-restored", RESTORED_EXPLAINED, methods, {"Method": cohort.label}, measures)]


def _more(run: RunFolder) -> list[Block]:
    parts: list[Block] = []
    if (run.root / CONTROLS).exists():
        parts.append(_controls(_unshifted(run, CONTROLS)))
    if (run.root / AGREEMENT).exists():
        parts.append(_agreement(read_trials_table(run, AGREEMENT)))
    return parts


def _controls(frame: pd.DataFrame) -> Table:
    rows = [
        [
            *map(said, (line["method"], line["dataset"], line["postprocessing"], line["kind"])),
            said(f"{line['cases']} in {line['subjects']}"),
            *(_with_interval(line, name) for name in (*RULES, "auprc_lift")),
        ]
        for _, line in frame.iterrows()
    ]  # fmt: skip
    columns = [*text_columns("Method", "Implants", "Post-processing", "Control", "Cases"),
               Column("Found to a tenth", digits=2), Column("Found", digits=2), Column("AUPRC lift")]  # fmt: skip
    return Table("audiogram-controls", CONTROLS_EXPLAINED, columns, rows, headers=4, stamp="exploratory")


def _agreement(frame: pd.DataFrame) -> Table:
    rows = [
        [
            *map(said, (line["implants"], line["cohort"], line["postprocessing"], line["score"])),
            Cell(line["methods"]), said(f"{line['subjects']} and {line['patients']}"), _with_interval(line, "tau", ""),
        ]
        for _, line in frame.iterrows()
    ]  # fmt: skip
    columns = [*text_columns("Implants", "Cohort", "Post-processing", "Score on implants"), Column("Methods", digits=0),
               *text_columns("Subjects and patients"), Column("tau", digits=2)]  # fmt: skip
    return Table("audiogram-agreement", AGREEMENT_EXPLAINED, columns, rows, headers=4, stamp="exploratory")


def _with_interval(line: "pd.Series[Any]", name: str, before: str | None = None) -> Cell:
    ends = f"{name}_" if before is None else before
    return Cell(line[name], line[f"{ends}low"], line[f"{ends}high"], absent=UNDEFINED)


def _unshifted(run: RunFolder, name: str) -> pd.DataFrame:
    frame = read_trials_table(run, name)
    return frame[frame["shift"] == "none"]


def _ends(points: pd.DataFrame) -> tuple[float, float]:
    """The lowest and the highest contrast tried."""
    return float(points["lowest"].min()), float(points["highest"].max())


def _drawn(point: dict[Any, Any]) -> dict[str, Any]:
    """One point of the chart: what is no contrast stands just outside those tried, as does an open end."""
    lowest, highest, state = point["lowest"], point["highest"], point["state"]
    outside = {"not reached": highest * 1.25, "below": lowest / 1.25, "chance": lowest / 1.25}
    low, high = point["low"], point["high"]
    known = not isnan(low) and state != "chance"
    return {
        "method": point["method"], "sign": point["sign"], "volume_ml": point["volume_ml"], "state": state,
        "contrast": outside.get(state, point["contrast"]),
        "low": max(min(low, highest * 1.2), lowest / 1.2) if known else None,
        "high": min(max(high, lowest / 1.2), highest * 1.2) if known else None,
    }  # fmt: skip
