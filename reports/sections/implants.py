"""The report's section of implanted lesions: audiogram, controls and rank agreement."""

from collections.abc import Callable
from dataclasses import replace
from math import isinf, isnan
from textwrap import fill

import pandas as pd

from benchmark.analysis.implants import AGREEMENT, AUDIOGRAM, CONTROLS, read_table
from benchmark.metrics import METRICS
from benchmark.storage.folder import RunFolder
from datasets.spec import folder_name
from reports.figures.audiogram import draw_audiogram
from reports.markup.markdown import escape, github_table, plain
from reports.model.headline import headline_chains
from reports.model.run_results import Findings, cohort_title
from reports.sections.columns import markdown_table
from reports.sections.tables import metric_column

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


def implanted_lesions(findings: Findings) -> str:
    """Markdown; "" for a run without implants. Draws a figure for each cohort of implants and chain."""
    if findings.validation or not (findings.run.root / AUDIOGRAM).exists():
        return ""
    points = _unshifted(findings.run, AUDIOGRAM)
    chains = [name for name in headline_chains(findings) if name in set(points["postprocessing"])]
    parts = [findings.heading("Lesion audiogram"), EXPLAINED]
    for name in dict.fromkeys(points["dataset"]):
        parts.append(findings.heading(cohort_title(name), 3))
        for chain in chains:
            own = points[(points["dataset"] == name) & (points["postprocessing"] == chain)]
            parts += _of_chain(findings.run, name, chain, own)
        parts += _restored(findings, name)
    return "\n\n".join([*parts, *_more(findings.run)])


def _of_chain(run: RunFolder, name: str, chain: str, points: pd.DataFrame) -> list[str]:
    path = run.root / "figures" / f"audiogram-{folder_name(name)}-{chain}.png"
    draw_audiogram(points[points["rule"] == next(iter(RULES))], path)
    tables = [f"Post-processing `{chain}`; a lesion is found if {rule}.\n\n{table}" for rule, table in _both(points)]
    return [f"![Lesion audiogram, {chain}](figures/{path.name})", *tables]


def audiogram_text(run: RunFolder) -> str:
    """The same tables as plain text, for a terminal."""
    points = _unshifted(run, AUDIOGRAM)
    parts = [plain(EXPLAINED)]
    for (name, chain), own in points.groupby(["dataset", "postprocessing"], sort=False):
        tables = _both(own, written=str)
        parts += [f"{name}, post-processing {chain}; a lesion is found if {rule}\n{table}" for rule, table in tables]
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


def _restored(findings: Findings, name: str) -> list[str]:
    """What reconstructions make of the lesions; nothing where no method reconstructs."""
    board = findings.lesion.get(name)
    if board is None or not any(board.rows["metric"] == "restoration_l1"):
        return []
    known = ("restoration_l1", "lesion_l1", "restoration_l1_outside")
    columns = [replace(metric_column(board, METRICS[metric].title, metric), higher_is_better=None) for metric in known]
    methods = [method for method in board.seeds if any(board.of(method)["metric"] == "restoration_l1")]
    return [RESTORED_EXPLAINED, markdown_table(methods, {"Method": board.label}, columns)]


def _more(run: RunFolder, written: Written = escape) -> list[str]:
    parts = []
    if (run.root / CONTROLS).exists():
        parts += [CONTROLS_EXPLAINED, _controls(_unshifted(run, CONTROLS), written)]
    if (run.root / AGREEMENT).exists():
        parts += [AGREEMENT_EXPLAINED, _agreement(read_table(run, AGREEMENT), written)]
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
    headers = ["Method", "Implants", "Chain", "Control", "Cases", "Found to a tenth", "Found", "AUPRC lift"]
    return github_table(headers, body, 4)


def _agreement(frame: pd.DataFrame, written: Written) -> str:
    body = [
        [
            written(line["implants"]), written(line["cohort"]), line["postprocessing"], line["score"],
            str(line["methods"]), f"{line['subjects']} and {line['patients']}", _tau(line),
        ]
        for _, line in frame.iterrows()
    ]  # fmt: skip
    headers = ["Implants", "Cohort", "Chain", "Score on implants", "Methods", "Subjects and patients", "tau"]
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
    frame = read_table(run, name)
    return frame[frame["shift"] == "none"]
