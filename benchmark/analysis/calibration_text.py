"""What a calibration says: its guarantee, each method's threshold and power as text, and calibration.csv."""

import csv
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path

from benchmark.analysis.calibration import Calibrated, Power
from benchmark.statistics.conformal import detection_interval, rate_given_scans, scans_needed, split_rates
from datasets.io.atomic import written_whole

COLUMNS = (
    "method", "seed", "postprocessing", "alpha", "scans", "rank", "guaranteed", "threshold", "dataset", "people",
    "with_lesion", "alarmed", "hit", "dice", "recall", "voxel_recall",
)  # fmt: skip
MOST_SPLITS = 1000


def guarantee_text(one: Calibrated, healthy: str, chain: str) -> str:
    """What holds for every method alike."""
    found = one.threshold
    low, high = rate_given_scans(found)
    return (
        f"Calibrated on {found.scans} healthy people of {healthy}, chain {chain}: a new healthy scan like these raises "
        f"any alarm with probability at most {found.guaranteed:.3f} (asked: {found.alpha:g}), whatever the method. "
        f"That is over the draw of these {found.scans}; of one calibration the true rate lies between {low:.3f} and "
        f"{high:.3f} in 95 of 100 cases. It holds for scans of this site and protocol, and for no other."
    )


def power_table(found: Sequence[Calibrated]) -> str:
    """A line a fit and other cohort: how many people are alarmed and hit at the threshold, and how much of a lesion."""
    from tabulate import tabulate

    body = [
        [f"{one.method}, seed {one.seed}", f"{one.threshold.threshold:.4g}", *_power_cells(power)]
        for one in found
        for power in one.powers or (None,)
    ]
    headers = ["Fit", "Threshold", "Cohort", "Any alarm", "Lesion touched", "Dice", "Recall", "Voxel p <= alpha"]
    return tabulate(body, headers, tablefmt="simple", disable_numparse=True, maxcolwidths=[26, *[None] * 7])


def split_text(found: Sequence[Calibrated], healthy: str, alpha: float) -> str:
    """The same tried out: half of the healthy people calibrate, the other half are counted."""
    half = found[0].threshold.scans // 2
    if not half:
        return f"{healthy} is too few to be split in two."
    if half < scans_needed(alpha):
        tried = 1 / (half + 1)
        said = f"Half of {healthy} ({half}) is too few for {alpha:g}; tried at {tried:.4f} instead. "
    else:
        tried, said = alpha, ""
    rates = [f"{one.method} seed {one.seed} {split_rates(one.levels, tried).mean():.3f}" for one in found]
    return (
        f"{said}{healthy} split in two at random {MOST_SPLITS} times, one half calibrating, the other counted: mean "
        f"alarm rate (at most {tried:.4f} is promised): {', '.join(rates)}."
    )


def write_calibration(path: Path, found: Sequence[Calibrated], chain: str) -> None:
    """A line a fit and other cohort; a fit without other cohorts has one line too."""
    with written_whole(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(line for one in found for line in _lines(one, chain))


def _lines(one: Calibrated, chain: str) -> Iterator[list[object]]:
    found = one.threshold
    start = [one.method, one.seed, chain, found.alpha, found.scans, found.rank, found.guaranteed, found.threshold]
    if not one.powers:
        yield [*start, *[""] * (len(COLUMNS) - len(start))]
    for power in one.powers:
        numbers = (power.dice, power.recall, power.voxel_recall)
        counts = (power.dataset, power.people, power.with_lesion, power.alarmed, power.hit)
        yield [*start, *counts, *("" if isnan(number) else number for number in numbers)]


def _power_cells(power: Power | None) -> list[str]:
    if power is None:
        return ["-"] * 6
    lesions = ["healthy", "-", "-", "-"]
    if power.with_lesion:
        shares = (power.dice, power.recall, power.voxel_recall)
        lesions = [_share(power.hit, power.with_lesion), *(f"{share:.3f}" for share in shares)]
    return [power.dataset, _share(power.alarmed, power.people), *lesions]


def _share(found: int, of: int) -> str:
    low, high = detection_interval(found, of)
    return f"{found}/{of} ({100 * low:.0f}-{100 * high:.0f} %)"
