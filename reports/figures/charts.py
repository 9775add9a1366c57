"""Charts: Vega-Lite specifications of a report's figures, and their SVG files.

Text and axes have the colour of the page's text, so that one drawing serves light and dark pages and paper.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from textwrap import wrap
from typing import Any

import pandas as pd

from benchmark.metrics.lesionwise import ALL_SIZES, STRATA
from datasets.io.atomic import write_text

Spec = dict[str, Any]

INK = "currentColor"
# Okabe and Ito's colours, black as the page's text; a shape each, so that no colour has to be seen.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, "#999999")
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")
METHOD, BASELINE = COLOURS[0], "#8c8c8c"
TITLE = 20  # letters of a line beside a small panel
MOST_DRAWN = len(COLOURS)  # methods in a chart that tells them apart by colour
FOREST_LINES = 40  # of a forest plot; more are read from the table
FONT = "system-ui, Segoe UI, Roboto, Helvetica, Arial, sans-serif"
ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
"""Of the parts of a drawing, which have no names; it is named as a whole where it stands."""
OF_METHOD = re.compile(r' aria-label="method=([^"]*)"')
"""A mark that a page's script may hide with the rows of its method."""
CONFIG: Spec = {
    "font": FONT,
    "background": "transparent",
    # A browser's letters may be wider than those that the drawing was laid out with.
    "padding": {"left": 24, "right": 12, "top": 5, "bottom": 5},
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "tickColor": INK, "domainColor": INK, "gridColor": INK,
        "gridOpacity": 0.15, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "orient": "bottom", "columns": 4,
               "labelLimit": 260, "title": None, "symbolStrokeWidth": 2},
    "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12},
    "title": {"color": INK, "fontSize": 12, "fontWeight": "normal", "anchor": "start"},
    "text": {"color": INK, "fontSize": 12},
}  # fmt: skip


def write_chart(spec: Spec, path: Path) -> None:
    """Draw a specification into an SVG."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg({"config": CONFIG, **spec})
    write_text(path, ROLES.sub("", OF_METHOD.sub(r' data-method="\1"', svg)))


def remove_others(figures: Path, pattern: str, drawn: Collection[Path]) -> None:
    """Delete the figures of a pattern that an earlier report drew and this one did not."""
    for path in {*figures.glob(pattern)} - {*drawn}:
        path.unlink()


def forest_chart(lines: Sequence[Mapping[str, Any]], title: str, limit: float | None = None, width: int = 420) -> Spec:
    """A line a method: mean and interval, its rank set at the right.

    Args:
        lines: best first, each with "method", "mean", "low", "high", "rank", "baseline" and "ranked"; None where there
            is no number.
        title: of the axis.
        limit: what a perfect map has, drawn as a dotted line; None for none.
    """
    order = [line["method"] for line in lines]
    y: Spec = {"field": "method", "type": "nominal", "sort": order, "title": None}
    y["axis"] = {"grid": False, "ticks": False, "domain": False, "labelPadding": 8}
    colour: Spec = {"condition": {"test": "datum.baseline", "value": BASELINE}, "value": METHOD}
    x: Spec = {
        "field": "mean",
        "type": "quantitative",
        "title": title,
        "scale": {"zero": True},
        "axis": {"tickCount": 6},
    }
    tooltip = [{"field": name, "type": "nominal", "title": name} for name in ("method", "mean", "low", "high", "rank")]
    marks: list[Spec] = [
        {
            "transform": [{"filter": "isValid(datum.low)"}],
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "mark": {"type": "point", "size": 70, "opacity": 1, "strokeWidth": 2},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "fill": {"condition": {"test": "!datum.ranked", "value": "transparent"}, **_fill(colour)},
                "shape": {"condition": {"test": "datum.baseline", "value": "square"}, "value": "circle"},
                "tooltip": tooltip,
            },
        },
    ]
    if limit is not None:
        perfect = {"data": {"values": [{"limit": limit, "text": "perfect map"}]}}
        marks += [
            {**perfect, "mark": {"type": "rule", "strokeDash": [2, 3], "color": INK},
             "encoding": {"x": {**x, "field": "limit"}}},
            {**perfect, "mark": {"type": "text", "align": "right", "dx": -4, "baseline": "top", "y": -12},
             "encoding": {"x": {**x, "field": "limit"}, "text": {"field": "text"}}},
        ]  # fmt: skip
    ranks: Spec = {
        "width": 50,
        "height": {"step": 22},
        "title": {"text": "ranks", "anchor": "middle"},
        "mark": {"type": "text", "align": "center"},
        "encoding": {"y": {**y, "axis": None}, "text": {"field": "rank", "type": "nominal"}},
    }
    left: Spec = {"width": width, "height": {"step": 22}, "layer": marks}
    return {"data": {"name": "lines", "values": list(lines)}, "hconcat": [left, ranks], "spacing": 4,
            "resolve": {"scale": {"y": "shared"}}}  # fmt: skip


def _fill(colour: Spec) -> Spec:
    """The same colour as a fill; a second condition cannot stand beside the first, so it is a signal's expression."""
    return {"value": {"expr": f"datum.baseline ? '{BASELINE}' : '{METHOD}'"}} if colour else {}


def _styled(methods: Sequence[str]) -> Spec:
    """Colour and shape of each method, the same in every chart of a report."""
    colours = [COLOURS[place % len(COLOURS)] for place in range(len(methods))]
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(methods))]
    field = {"field": "method", "type": "nominal", "sort": list(methods)}
    return {
        "color": {**field, "scale": {"domain": list(methods), "range": colours}},
        "shape": {**field, "scale": {"domain": list(methods), "range": shapes}},
    }


def drawn(methods: Sequence[str]) -> list[str]:
    """The methods that a chart which tells them apart by colour has room for."""
    return list(methods[:MOST_DRAWN])


def part_text(shown: int, methods: int, others: str = "") -> str:
    """Which methods a chart shows, where these are not all; `others` says where the rest are."""
    return f" The first {shown} of {methods} methods{others}." if methods > shown else ""


def curves_chart(pr: pd.DataFrame, froc: pd.DataFrame, methods: Sequence[str]) -> Spec:
    """Precision against recall, and lesions found against false positives a scan; a line a training seed."""
    shown = drawn([name for name in methods if name in {*pr["method"], *froc["method"]}])
    panels = []
    if not pr.empty:
        panels.append(
            _steps(_thinned(pr, shown, "recall", "precision"), "recall (voxels)", "precision", shown, "step-before")
        )
    if not froc.empty:
        lines = froc[froc["stratum"] == ALL_SIZES]
        # False positives that have grown together are not few again: what was allowed once stays allowed.
        keys = ["method", "seed"]
        kept = lines.assign(
            rate=lines.groupby(keys)["false_alarms_a_scan"].cummax(),
            found=lines.groupby(keys)["lesion_recall"].cummax(),
        )
        panel = _steps(
            _thinned(kept, shown, "rate", "found"), "false positives a scan", "lesions found", shown, "step-after"
        )
        panel["encoding"]["x"]["scale"] = {"type": "symlog", "constant": 1}
        panel["encoding"]["x"]["axis"] = {"values": [0, 1, 3, 10, 30, 100]}
        panels.append(panel)
    return {"hconcat": panels}


STEPS_A_LINE = 120


def _thinned(lines: pd.DataFrame, methods: Sequence[str], x: str, y: str) -> list[Spec]:
    made: list[Spec] = []
    for (method, seed), own in lines[lines["method"].isin(list(methods))].groupby(["method", "seed"], sort=False):
        steps = own.sort_values(x, kind="stable")
        every = max(1, len(steps) // STEPS_A_LINE)
        kept = pd.concat([steps.iloc[::every], steps.iloc[-1:]])
        pairs = zip(kept[x].round(4), kept[y].round(4), strict=True)
        made += [{"method": method, "seed": seed, "x": left, "y": up} for left, up in pairs]
    return made


def _steps(values: list[Spec], x: str, y: str, methods: Sequence[str], interpolate: str) -> Spec:
    styled = _styled(methods)
    return {
        "width": 270,
        "height": 240,
        "data": {"values": values},
        "mark": {"type": "line", "interpolate": interpolate, "strokeWidth": 1.5},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "title": x},
            "y": {"field": "y", "type": "quantitative", "title": y, "scale": {"domain": [0, 1]}},
            "color": styled["color"],
            "detail": {"field": "seed"},
            "order": {"field": "x", "type": "quantitative"},
        },
    }


def sizes_chart(dice: pd.DataFrame, sizes: "pd.Series[float]", means: pd.DataFrame, methods: Sequence[str]) -> Spec:
    """Dice of each case against its lesion volume, and each method's mean over a stratum as a line.

    Args:
        dice: a line a case, a column a method.
        sizes: ml by case.
        means: lines of `summary.csv` by stratum.
    """
    shown = drawn([name for name in methods if name in dice.columns])
    known: dict[Any, float] = sizes[sizes > 0].to_dict()
    smallest, largest = min(known.values()), max(known.values())
    points = [
        {"method": name, "ml": known[case], "dice": float(value)}
        for name in shown
        for case, value in dice[name].dropna().items()
        if case in known
    ]
    ends = {name: (max(low, smallest), min(high, largest)) for name, (low, high) in STRATA.items()}
    lines = [
        {"method": method, "low": ends[stratum][0], "high": ends[stratum][1], "dice": mean}
        for method, stratum, mean in zip(means["method"], means["stratum"], means["mean"], strict=True)
        if method in shown and ends[stratum][0] < ends[stratum][1] and not isnan(mean)
    ]
    styled = _styled(shown)
    x = {"field": "ml", "type": "quantitative", "scale": {"type": "log", "nice": False}, "title": "lesion volume (ml)",
         "axis": {"format": "~g", "tickCount": 6}}  # fmt: skip
    y = {"field": "dice", "type": "quantitative", "scale": {"domain": [0, 1]}, "title": "Dice"}
    return {
        "width": 560,
        "height": 260,
        "layer": [
            {"data": {"values": points}, "mark": {"type": "point", "filled": True, "opacity": 0.6, "size": 28},
             "encoding": {"x": x, "y": y, **styled}},
            {"data": {"values": lines}, "mark": {"type": "rule", "strokeWidth": 2},
             "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": styled["color"]}},
        ],
    }  # fmt: skip


def cost_chart(lines: Iterable[Mapping[str, Any]], axes: Mapping[str, str], title: str, methods: Sequence[str]) -> Spec:
    """Quality against each cost, a panel a cost; a grey line joins what nothing else beats in both.

    Methods without a colour of their own are small grey dots.

    Args:
        lines: each with "method", "quality", and for each cost its value and "<cost>_first".
        axes: titles by cost.
    """
    values = list(lines)
    shown = drawn([name for name in methods if name in {line["method"] for line in values}])
    styled = _styled(shown)
    panels = []
    for cost, named in axes.items():
        known = [line for line in values if line[cost] is not None]
        if not known:
            continue
        wide = max(line[cost] for line in known) > 20 * max(min(line[cost] for line in known), 1e-9)
        scale = {"type": "log"} if wide else {"zero": True}
        x = {"field": cost, "type": "quantitative", "title": named, "scale": scale,
             "axis": {"format": "~g", "tickCount": 5}}  # fmt: skip
        y = {"field": "quality", "type": "quantitative", "title": title}
        front = [line for line in known if line[f"{cost}_first"]]
        panels.append({
            "width": 260, "height": 230,
            "layer": [
                {"data": {"values": front}, "mark": {"type": "line", "color": "#999999", "strokeWidth": 1},
                 "encoding": {"x": x, "y": y}},
                {"data": {"values": [line for line in known if line["method"] not in shown]},
                 "mark": {"type": "point", "filled": True, "size": 20, "color": BASELINE},
                 "encoding": {"x": x, "y": y, "tooltip": {"field": "method"}}},
                {"data": {"values": [line for line in known if line["method"] in shown]},
                 "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                 "encoding": {"x": x, "y": y, **styled, "tooltip": {"field": "method"}}},
            ],
        })  # fmt: skip
    return {"hconcat": panels}


def scatter_chart(lines: Sequence[Mapping[str, Any]], axes: tuple[str, str], named: Collection[str]) -> Spec:
    """Quality against false positives; the larger a mark, the longer a scan takes. Each mark is labelled by its method.

    Args:
        lines: each with "method", "quality", "flagged", "seconds" or None, and "baseline".
        axes: titles of false positives and of quality.
        named: methods whose names stand beside their marks.
    """
    position: Spec = {
        "x": {"field": "flagged", "type": "quantitative", "title": axes[0], "axis": {"format": "~r", "tickCount": 5}},
        "y": {"field": "quality", "type": "quantitative", "title": axes[1], "scale": {"zero": False}},
        "description": {"value": {"expr": "'method=' + datum.method"}},
    }
    seconds = [line["seconds"] for line in lines if line["seconds"]]
    wide = bool(seconds) and max(seconds) > 20 * min(seconds)
    size: Spec = {"field": "seconds", "type": "quantitative", "title": "seconds a scan",
                  "scale": {"type": "log" if wide else "linear", "zero": False, "range": [40, 500]},
                  "legend": {"orient": "bottom", "direction": "horizontal", "tickCount": 3}}  # fmt: skip
    marks: Spec = {
        "mark": {"type": "point", "opacity": 0.9, "strokeWidth": 2},
        "encoding": {
            **position,
            "size": size if seconds else {"value": 80},
            "color": {"condition": {"test": "datum.baseline", "value": BASELINE}, "value": METHOD},
            "shape": {"condition": {"test": "datum.baseline", "value": "square"}, "value": "circle"},
        },
    }
    names: Spec = {
        "transform": [{"filter": {"field": "method", "oneOf": list(named)}}],
        "mark": {"type": "text", "align": "left", "dx": 12, "fontSize": 11},
        "encoding": {**position, "text": {"field": "method"}},
    }
    return {"data": {"values": list(lines)}, "width": 460, "height": 280, "layer": [marks, names]}


def responses_chart(
    values: Sequence[Mapping[str, Any]], panels: Sequence[str], title: str, methods: Sequence[str]
) -> Spec:
    """A number against dose, a panel a shift: solid frozen, dashed re-tuned, dotted matched.

    Args:
        values: each with "panel", "method", "arm", "dose" and "value".
    """
    shown = drawn([name for name in methods if name in {one["method"] for one in values}])
    styled = _styled(shown)
    arms = {"frozen": [1, 0], "re-tuned": [5, 3], "matched": [1, 3]}
    there = [arm for arm in arms if any(one["arm"] == arm for one in values)]
    return {
        "data": {"values": [one for one in values if one["method"] in shown]},
        "facet": {"field": "panel", "type": "nominal", "sort": list(panels), "title": None},
        "columns": 4,
        "spec": {
            "width": 150,
            "height": 140,
            "mark": {"type": "line", "strokeWidth": 1.5},
            "encoding": {
                "x": {"field": "dose", "type": "quantitative", "title": "dose", "axis": {"tickCount": 2}},
                "y": {"field": "value", "type": "quantitative", "title": wrap(title, TITLE), "axis": {"tickCount": 4}},
                "color": styled["color"],
                "strokeDash": {"field": "arm", "type": "nominal",
                               "scale": {"domain": there, "range": [arms[arm] for arm in there]}},
            },
        },
    }  # fmt: skip


def audiogram_chart(points: Sequence[Mapping[str, Any]], lowest: float, highest: float) -> Spec:
    """Contrast at which half of the lesions are found, against their volume; a panel a method.

    Args:
        points: each with "method", "sign", "volume_ml", "contrast", "low", "high" and "state"; contrasts are drawn
            within the ones tried, which lie between `lowest` and `highest`.
    """
    sign = {"field": "sign", "type": "nominal",
            "scale": {"domain": ["dark", "bright"], "range": [COLOURS[0], COLOURS[1]]}}  # fmt: skip
    scale = {"type": "log", "domain": [lowest / 1.6, highest * 1.6], "nice": False}
    y = {"field": "contrast", "type": "quantitative", "scale": scale, "title": "contrast at which half are found",
         "axis": {"format": "~g", "tickCount": 4}}  # fmt: skip
    x = {"field": "volume_ml", "type": "quantitative", "scale": {"type": "log", "nice": False, "padding": 12},
         "title": "lesion volume (ml)",
         "axis": {"format": "~g", "values": sorted({one["volume_ml"] for one in points})}}  # fmt: skip
    states = ["reached", "not reached", "below", "chance"]
    shape = {"field": "state", "type": "nominal",
             "scale": {"domain": states, "range": ["circle", "triangle-up", "triangle-down", "cross"]}}  # fmt: skip
    reached: Spec = {"transform": [{"filter": "datum.state === 'reached'"}]}
    return {
        "data": {"values": list(points)},
        "facet": {"field": "method", "type": "nominal", "sort": list(dict.fromkeys(one["method"] for one in points)),
                  "title": None},
        "columns": 4,
        "spec": {
            "width": 150,
            "height": 140,
            "layer": [
                {"transform": [{"filter": "isValid(datum.low)"}], "mark": {"type": "rule", "opacity": 0.7},
                 "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": sign}},
                {**reached, "mark": {"type": "line", "strokeWidth": 1}, "encoding": {"x": x, "y": y, "color": sign}},
                {"mark": {"type": "point", "size": 40, "strokeWidth": 1.5},
                 "encoding": {"x": x, "y": y, "color": sign, "shape": shape}},
            ],
        },
    }  # fmt: skip
