"""What acquisition shifts cost: means and paired changes at each level, and over all doses, of a few choices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import shift_choices
from benchmark.analysis.summaries.lines import line
from benchmark.statistics.pairing import aligned, difference
from benchmark.statistics.panel import TRAINED_MODEL, Choice, Panel
from benchmark.storage.summary_tables import SummaryLine
from benchmark.study.protocols import on_shifted
from datasets.shifts.shift import MATCHED

Values = NDArray[np.float64]
IDENTITY = {"gamma": 1.0}
"""The level of a shift that goes two ways at which it changes nothing: its sides are two curves."""
AREAS = ("dice", "auprc", "alarm_fraction")
"""Metrics whose area under the curve is given, with an interval of its change."""


@dataclass(frozen=True)
class Curve:
    """One side of one shift.

    Attributes:
        shift: its label, matched or not.
        side: "below" or "above" the identity of a shift that goes two ways, else "".
        doses: by severity.
    """

    shift: str
    side: str
    doses: Mapping[float, float]


def shift_lines(comparable: Comparable) -> Iterator[SummaryLine]:
    """Of a few choices: the threshold frozen and chosen anew, histograms as they are and matched."""
    for dataset in comparable.seeds if comparable.shifts else ():
        doses = _doses(comparable, dataset)
        for choice, cases in shift_choices(comparable, dataset):
            for suffix in ("", MATCHED):
                curves = [curve for name in comparable.shifts for curve in _curves(name, suffix, doses)]
                protocols = [choice.protocol]
                if choice.protocol and not suffix:
                    protocols.append(on_shifted(choice.protocol))
                for protocol in protocols:
                    yield from _responses(comparable, choice, cases, suffix, protocol, curves)


def mean_over_dose(doses: Values, values: Values) -> Values:
    """Trapezoid area from dose 0 to the highest, over the highest: in the unit of the values.

    Args:
        doses: `(L,)`, in any order; one of them is 0, that of the unshifted cell.
        values: `(..., L)` at these doses.

    Returns:
        `(...)`; NaN where a value is, and where no dose is above 0.

    Examples:
        >>> float(mean_over_dose(np.array([0.0, 0.1, 0.3]), np.array([0.6, 0.4, 0.0])))
        0.3
    """
    order = np.argsort(doses, kind="stable")
    doses, values = doses[order], values[..., order]
    if not doses[-1] > 0:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(np.trapezoid(values, doses, axis=-1) / doses[-1])


def _doses(comparable: Comparable, dataset: str) -> dict[tuple[str, float], float]:
    """By label and severity, how far a level moves healthy tissue; the same for all methods."""
    rows = comparable.grouped.frame
    own = rows[(rows["dataset"] == dataset) & (rows["metric"] == "shift_dose") & (rows["split"] == comparable.split)]
    means = own.groupby(["shift", "severity"])["value"].mean()
    levels = (means.index.get_level_values(name).tolist() for name in ("shift", "severity"))
    return dict(zip(zip(*levels, strict=True), means.tolist(), strict=True))


def _curves(name: str, suffix: str, doses: Mapping[tuple[str, float], float]) -> Iterator[Curve]:
    label, at = name + suffix, IDENTITY.get(name)
    found = {severity: dose for (shift, severity), dose in doses.items() if shift == label}
    sides = {"": found}
    if at is not None:
        sides = {
            "below": {severity: dose for severity, dose in found.items() if severity < at},
            "above": {severity: dose for severity, dose in found.items() if severity > at},
        }
    for side, some in sides.items():
        if some:
            yield Curve(label, side, some)


def _responses(
    comparable: Comparable, choice: Choice, cases: str, suffix: str, protocol: str, curves: Sequence[Curve]
) -> Iterator[SummaryLine]:
    """The lines of one choice with one way to choose the threshold."""
    base = replace(choice, shift=f"none{suffix}")
    unshifted = _panels(comparable, base)
    if suffix:
        yield from (line(comparable, base, panel, cases) for panel in unshifted.values())
    for curve in curves:
        levels = []
        for severity, dose in curve.doses.items():
            level = replace(choice, protocol=protocol, shift=curve.shift, severity=severity)
            levels.append(_panels(comparable, level))
            for method, panel in levels[-1].items():
                yield replace(line(comparable, level, panel, cases), dose=dose)
                if method in unshifted:
                    change = difference(panel, unshifted[method])
                    yield replace(line(comparable, level, change, cases), kind="change", dose=dose)
        for method, panel in unshifted.items() if choice.metric in AREAS else ():
            if all(method in found for found in levels):
                place = replace(choice, protocol=protocol, shift=curve.shift)
                yield from _areas(comparable, place, cases, curve, [panel, *(found[method] for found in levels)])


def _areas(
    comparable: Comparable, choice: Choice, cases: str, curve: Curve, levels: Sequence[Panel]
) -> Iterator[SummaryLine]:
    """The mean over doses, and its paired change from the first of `levels`, the unshifted one, with an interval."""
    panels = aligned(levels)
    doses = np.array([0.0, *curve.doses.values()])
    values = mean_over_dose(doses, np.stack([panel.values for panel in panels], axis=-1))
    area = replace(panels[0], values=values, repeats=values[..., None], single=None)
    change = line(comparable, choice, difference(area, panels[0]), cases, question=TRAINED_MODEL, of="difference")
    for kind, one in (("area", line(comparable, choice, area, cases)), ("area change", change)):
        yield replace(one, kind=kind, group=curve.side, dose=float(doses.max()), severity=nan)


def _panels(comparable: Comparable, choice: Choice) -> dict[str, Panel]:
    """Those of the methods that have any number."""
    if comparable.grouped.of(choice).empty:
        return {}
    found = comparable.grouped.panels(choice, comparable.all_seeds(choice.dataset))
    return {method: panel for method, panel in found.items() if not panel.is_empty}
