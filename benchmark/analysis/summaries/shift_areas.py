"""Areas under shift dose-response curves: what a method keeps on average on the way to the highest dose."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import people_choices
from benchmark.statistics.intervals.mean import interval
from benchmark.statistics.panel import Choice, Question
from benchmark.storage.run_record import kept_cells
from benchmark.study.protocols import on_shifted
from datasets.shifts.shift import Shift

IDENTITY = {"gamma": 1.0}
"""The level of a shift that goes two ways at which it changes nothing: its sides are two curves."""
QUESTION: Question = "these weights"


@dataclass(frozen=True)
class AreaLine:
    """The area under one method's curve, divided by the highest dose: its mean over doses.

    Attributes:
        side: "below" or "above" the identity of a shift that goes two ways, else "".
        arm: "frozen", "re-tuned" or "matched": which threshold, and whether histograms are matched.
        levels: how many, the unshifted one left out.
        dose: the highest.
        unshifted: the mean without shift, of the same people.
        change: mean - unshifted, with its interval over people, seeds as they are.
    """

    dataset: str
    split: str
    shift: str
    side: str
    arm: str
    metric: str
    postprocessing: str
    protocol: str
    method: str
    n: int
    seeds: int
    levels: int
    dose: float
    mean: float
    unshifted: float
    change: float
    low: float
    high: float
    level: float


def area_lines(comparable: Comparable) -> Iterator[AreaLine]:
    """Of Dice and AUPRC in lesion cohorts, of the alarmed share in healthy scans."""
    shifts = _shifts(comparable)
    if not shifts:
        return
    rows = comparable.rows[comparable.rows["split"] == comparable.split]
    for dataset in comparable.seeds:
        own = rows[rows["dataset"] == dataset]
        for choice in people_choices(comparable, dataset):
            for arm in ("frozen", "re-tuned", "matched"):
                table = _table(own, choice, arm)
                for curve in _curves(shifts, own, arm) if not table.empty else ():
                    for method in comparable.all_seeds(dataset):
                        yield from _line(comparable, choice, arm, curve, table, method)


@dataclass(frozen=True)
class _Curve:
    """One side of one shift; `doses` by severity."""

    shift: str
    side: str
    doses: dict[float, float]


def _shifts(comparable: Comparable) -> list[Shift]:
    return list(dict.fromkeys(cell.shift for cell in kept_cells(comparable.run) if cell.shift.name != "none"))


def _curves(shifts: list[Shift], rows: pd.DataFrame, arm: str) -> Iterator[_Curve]:
    doses = rows[rows["metric"] == "shift_dose"].groupby(["shift", "severity"])["value"].mean()
    for name in dict.fromkeys(shift.name for shift in shifts):
        label = f"{name}+match" if arm == "matched" else name
        found = doses[doses.index.get_level_values("shift") == label].droplevel("shift")
        at = IDENTITY.get(name)
        sides = {"": found} if at is None else {"below": found[found.index < at], "above": found[found.index > at]}
        for side, some in sides.items():
            if not some.empty:
                yield _Curve(name, side, dict(zip(some.index.tolist(), some.tolist(), strict=True)))


def _table(rows: pd.DataFrame, choice: Choice, arm: str) -> pd.DataFrame:
    """People's values: a line a method, person and seed, a column a shift and severity."""
    shifted = on_shifted(choice.protocol) if arm == "re-tuned" and choice.protocol else choice.protocol
    chosen = rows[(rows["metric"] == choice.metric) & (rows["postprocessing"] == choice.postprocessing)]
    chosen = chosen[(chosen["case_id"] != "") & chosen["seed"].notna()]
    matched = chosen["shift"].str.endswith("+match")
    clean = chosen["shift"].str.startswith("none")
    wanted = np.where(clean, choice.protocol, shifted)
    chosen = chosen[(matched == (arm == "matched")) & (chosen["protocol"] == wanted)]
    if arm == "re-tuned" and not choice.protocol:  # a metric without threshold has nothing to re-tune
        chosen = chosen[:0]
    return chosen.pivot_table(
        index=["method", "subject_id", "seed"], columns=["shift", "severity"], values="value", aggfunc="mean"
    )


def _line(
    comparable: Comparable, choice: Choice, arm: str, curve: _Curve, table: pd.DataFrame, method: str
) -> Iterator[AreaLine]:
    suffix = "+match" if arm == "matched" else ""
    columns = [(f"none{suffix}", 0.0), *((curve.shift + suffix, severity) for severity in curve.doses)]
    if method not in table.index.get_level_values("method") or not set(columns) <= set(table.columns):
        return
    whole = table.loc[method][columns]
    doses = np.array([0.0, *curve.doses.values()])
    area = pd.Series(mean_over_dose(doses, whole.to_numpy(dtype=np.float64)), whole.index)
    changes = (area - whole[columns[0]]).unstack("seed")
    kept = changes.dropna().to_numpy(dtype=np.float64)
    found = interval(kept, QUESTION, "difference", alpha=comparable.endpoint.alpha)
    areas = area.unstack("seed").dropna().to_numpy(dtype=np.float64)
    mean = float(areas.mean()) if areas.size else nan
    yield AreaLine(
        choice.dataset, choice.split, curve.shift, curve.side, arm, choice.metric, choice.postprocessing,
        choice.protocol, method, found.n, kept.shape[1], len(curve.doses), float(doses.max()),
        mean, mean - found.mean, found.mean, found.low, found.high, found.level,
    )  # fmt: skip


Values = NDArray[np.float64]


def mean_over_dose(doses: Values, values: Values) -> Values:
    """Trapezoid area from dose 0 to the highest, over the highest: in the unit of the values.

    Args:
        doses: `(L,)`, in any order; one of them is 0, that of the unshifted cell.
        values: `(..., L)` at these doses.

    Returns:
        `(...)`; NaN where a value is, and where no dose is above 0.

    Example:
        >>> float(mean_over_dose(np.array([0.0, 0.1, 0.3]), np.array([0.6, 0.4, 0.0])))
        0.3
    """
    order = np.argsort(doses, kind="stable")
    doses, values = doses[order], values[..., order]
    if not doses[-1] > 0:
        return np.full(values.shape[:-1], np.nan)
    return np.asarray(np.trapezoid(values, doses, axis=-1) / doses[-1])
