"""Sections of detection: precision against recall, lesions found against false positives, Dice by lesion size."""

from math import nan

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.metrics.lesionwise import ALL_SIZES, STRATA
from benchmark.storage.rows import read_cell_lines
from reports.content.blocks import Block, Picture
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import prose
from reports.figures.charts import MOST_DRAWN, curves_chart, part_text, remove_others, sizes_chart, write_chart
from reports.model.cohort_results import select
from reports.model.example_cases import shown_pipeline
from reports.model.ranking import ranking_of
from reports.model.run_results import RunResults, cohort_title

EXPLAINED = (
    "Left: precision against recall over the voxels of all patients together, steps as they are. Right: share of "
    "lesions found against false positives a scan, after the whole post-processing (FROC), read before the rate first "
    "exceeds what is allowed: false positives that merge do not count as few. A line a training seed. Recall ends "
    "below 1 where lesion lies outside the box or the brain mask. Pooled over voxels large lesions decide."
)
SHOWN = {"dice": "patients", "auprc": "patients", "lesion_recall": "lesions"}
"""Metrics given by lesion size, and what n counts."""
TITLES = {"patients": "by the case's whole lesion volume", "lesions": "by the volume of each lesion"}


def by_size(results: RunResults) -> list[Block]:
    """A picture a cohort of Dice against lesion volume, then a table a metric."""
    parts: list[Block] = []
    drawn = set()
    for name in results.testable:
        own: list[Block] = [*_size_figure(results, name), *_stratum_tables(results, name)]
        drawn |= {one.path for one in own if isinstance(one, Picture)}
        if own:
            parts += [results.heading(cohort_title(name), 4), *results.lesion[name].caution_lines, *own]
    remove_others(results.run.root / "figures", "sizes-*.svg", drawn)
    return [results.heading("By lesion size"), *parts] if parts else []


def detection(results: RunResults) -> list[Block]:
    """Curves of each cohort, and the numbers that can be read off them."""
    figures, drawn = results.run.root / "figures", set()
    parts: list[Block] = []
    for name in results.lesion:
        pipeline = shown_pipeline(results, name)
        pr, froc = (_curves(results, name, pipeline, file) for file in ("pr", "froc"))
        if pr.empty and froc.empty:
            continue
        path = figures / f"curves-{name}.svg"
        write_chart(curves_chart(pr, froc, list(map(str, results.lesion[name].ordered))), path)
        drawn.add(path)
        part = part_text(MOST_DRAWN, len(_ordered(results, name)))
        caption = prose("{}, post-processing `{}`. {}{}", cohort_title(name), pipeline, EXPLAINED, part)
        parts.append(Picture(path, f"Precision-recall and FROC curves, {name}", caption))
        parts += _froc_table(results, name, pipeline)
    remove_others(figures, "curves-*.svg", drawn)
    return [results.heading("Detection curves"), *parts] if parts else []


def _curves(results: RunResults, cohort: str, pipeline: str, name: str) -> pd.DataFrame:
    """The curves that scoring left in the unshifted cells of a cohort, after one pipeline."""
    cells = [cell for cell in results.cells if cell.cohort.dataset == cohort]
    lines = read_cell_lines(results.run, cells, name)
    return lines[(lines["split"] == results.split) & (lines["postprocessing"] == pipeline)]


def _froc_table(results: RunResults, cohort: str, pipeline: str) -> list[Table]:
    """Share of lesions found at a few rates of false positives, for whoever cannot see the curves."""
    lines = results.summary.froc
    chosen = (lines["dataset"] == cohort) & (lines["split"] == results.split)
    own = lines[chosen & (lines["postprocessing"] == pipeline)]
    if own.empty:
        return []
    rates = list(dict.fromkeys(own["group"]))
    shares = own.set_index(["method", "group"])["mean"].to_dict()
    counts = {line["method"]: f"{line['n']:.0f} in {line['scans']:.0f}" for _, line in own.iterrows()}
    rows = [
        [
            said(results.whole.label(method)),
            said(counts[method]),
            *(Cell(shares.get((method, rate), nan)) for rate in rates),
        ]
        for method in _ordered(results, cohort)
        if method in counts
    ]
    columns = [*text_columns("Method", "Lesions in scans"), *(Column(rate, "", True, 2) for rate in rates)]
    caption = prose("{}: share of lesions found, by false positives.", cohort_title(cohort))
    return [Table(f"{cohort}-froc", caption, columns, rows, stamp="exploratory")]


def _ordered(results: RunResults, cohort: str) -> list[str]:
    return [str(method) for method in results.lesion[cohort].ordered if method in results.whole.seeds]


def _protocol(results: RunResults, cohort: str) -> str:
    ranking = ranking_of(results, cohort)
    return str(ranking.first["protocol"]) if ranking is not None else ""


def _strata(results: RunResults, cohort: str) -> pd.DataFrame:
    lines = results.summary.strata
    lines = lines[(lines["dataset"] == cohort) & (lines["split"] == results.split)]
    chosen = lines["postprocessing"] == shown_pipeline(results, cohort)
    return lines[chosen & lines["protocol"].isin(["", _protocol(results, cohort)])]


def _stratum_tables(results: RunResults, cohort: str) -> list[Table]:
    lines = _strata(results, cohort)
    tables = (
        _stratum_table(results, cohort, metric, unit, lines[lines["metric"] == metric])
        for metric, unit in SHOWN.items()
    )
    return [table for table in tables if table]


def _stratum_table(results: RunResults, cohort: str, metric: str, unit: str, own: pd.DataFrame) -> Table:
    strata = [name for name in STRATA if name in set(own["stratum"])]
    sizes = own.groupby("stratum")["n"].max()
    means = own.set_index(["method", "stratum"])["mean"].to_dict()
    rows = [
        [said(results.whole.label(method)), *(Cell(means.get((method, stratum), nan)) for stratum in strata)]
        for method in _ordered(results, cohort)
        if method in set(own["method"])
    ]
    title = METRICS[metric].title if metric in METRICS else metric
    caption = prose("{} {}; in brackets n of {}, means over training seeds.", title, TITLES[unit], unit)
    columns = [*text_columns("Method"), *(Column(f"{one} [{sizes[one]:.0f}]", "", True) for one in strata)]
    return Table(f"{cohort}-sizes-{metric}", caption, columns, rows, stamp="exploratory").without_doubles()


def _size_figure(results: RunResults, cohort: str) -> list[Picture]:
    pipeline, protocol = shown_pipeline(results, cohort), _protocol(results, cohort)
    rows = results.lesion[cohort].rows
    sizes = select(rows, "lesion_ml").drop_duplicates("case_id").set_index("case_id")["value"]
    dice = results.lesion[cohort].by_case("dice", pipeline, protocol) if protocol else pd.DataFrame()
    if dice.empty or sizes[sizes > 0].empty:
        return []
    strata = _strata(results, cohort)
    means = strata[(strata["metric"] == "dice") & (strata["stratum"] != ALL_SIZES)]
    path = results.run.root / "figures" / f"sizes-{cohort}.svg"
    write_chart(sizes_chart(dice, sizes, means, _ordered(results, cohort)), path)
    told = "A mark a case, seeds averaged; lines: each method's mean over a stratum's patients."
    told += part_text(MOST_DRAWN, len(_ordered(results, cohort)))
    return [Picture(path, f"Dice of each case against its lesion volume, {cohort}", told)]
