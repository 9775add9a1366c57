"""Implanted lesions' trials, and what is made of them: audiogram, controls and rank agreement, as tables of a run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.scoring.implant_trials import RULES, Trial, trials_of
from benchmark.statistics.panel import FEWEST_PATIENTS
from benchmark.statistics.psychometric_curve import HalfFound, Trials, half_found
from benchmark.statistics.rank_stability import Agreement, rank_agreement
from benchmark.storage.fits import stands_aside
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import Row, read_rows, write_lines
from benchmark.storage.run_record import table_of
from benchmark.storage.run_tables import run_table
from benchmark.study.cells import PERFECT_MAP, Cell
from benchmark.study.protocols import ONE_ALARM
from datasets.case import CaseFiles
from datasets.io.tables import join_tables

if TYPE_CHECKING:
    import pandas as pd

TRIALS, AUDIOGRAM, CONTROLS, AGREEMENT = "implants.csv", "audiogram.csv", "controls.csv", "agreement.csv"
TABLES = (TRIALS, AUDIOGRAM, CONTROLS, AGREEMENT)
BY = ["method", "dataset", "sequence", "shift", "severity", "postprocessing"]
CONTROL_ROUNDS = 2000


def with_trials(run: RunFolder, cell: Cell, rows: Iterable[Row], files: Sequence[CaseFiles]) -> Iterator[Row]:
    """The same rows; a cell's `implants.csv`, where it has any trial, is written when the last one has gone by."""
    known = list[Row]()
    for row in rows:
        if row.protocol == ONE_ALARM.name or row.metric == "auprc_lift":
            known.append(row)
        yield row
    write_lines(run.cell(cell) / TRIALS, map(asdict, trials_of(known, files)))


def join_trials(run: RunFolder, cells: Sequence[Cell]) -> None:
    """Join the cells' trials into a run's tables; a run without trials has none of them."""
    parts = [path for cell in cells if (path := table_of(run, cell, TRIALS)) is not None]
    if not parts:
        for name in TABLES:
            (run.root / name).unlink(missing_ok=True)
        return
    join_tables(parts, run.root / TRIALS, [field.name for field in fields(Trial)])
    trials = read_trials(run.root / TRIALS)
    fits = {cell.fit.key: cell.fit for cell in cells}
    aside = {fit.method for fit in fits.values() if stands_aside(run, fit)}
    write_lines(run.root / AUDIOGRAM, audiogram(trials))
    write_lines(run.root / CONTROLS, controls(trials))
    write_lines(run.root / AGREEMENT, agreements(trials, read_rows(run.root / "rows.csv"), aside))


def read_trials_table(run: RunFolder, name: str) -> "pd.DataFrame":
    """One of `TABLES`, which has to be there; raises what `run_table` raises."""
    return read_trials(run_table(run, name))


def read_trials(path: Path) -> "pd.DataFrame":
    import pandas as pd

    text = dict.fromkeys(("method", "dataset", "postprocessing", "case_id", "subject_id", "shape"), str)
    frame: pd.DataFrame = pd.read_csv(path, dtype=text, na_values=["nan"], keep_default_na=False)
    return frame


def audiogram(trials: "pd.DataFrame") -> Iterator[dict[str, object]]:
    """A line for each method, pipeline, rule, sign of contrast and volume; contrasts are magnitudes.

    Zero-contrast controls of the same volume inform the guess rate of both signs. Lesions without a voxel on the grid
    are left out and counted.
    """
    for keys, group in trials.groupby(BY, sort=False):
        for sign, name in ((-1, "dark"), (1, "bright")):
            lesions = group[((group["kind"] == "lesion") & (group["contrast"] * sign > 0)) | (group["kind"] == "zero")]
            for volume, part in lesions.groupby("volume_ml"):
                for rule in RULES:
                    known = part.dropna(subset=rule)
                    line = dict(zip(BY, keys, strict=True)) | {"rule": rule, "sign": name, "volume_ml": volume}
                    if (known["contrast"] != 0).any():
                        yield line | _half(known, rule) | {"off_grid": len(part) - len(known)}


def _half(known: "pd.DataFrame", rule: str) -> dict[str, object]:
    contrast = known["contrast"].abs().to_numpy(dtype=np.float64)
    point: HalfFound = half_found(Trials(known["subject_id"].tolist(), contrast, known[rule].to_numpy(np.float64)))
    curve = point.curve
    return {
        "state": point.state,
        "contrast": point.contrast,
        "low": point.low,
        "high": point.high,
        "guess": curve.guess,
        "lapse": curve.lapse,
        "midpoint": curve.midpoint,
        "slope": curve.slope,
        "lowest": float(contrast[contrast > 0].min()),
        "highest": float(contrast.max()),
        "trials": point.trials,
        "subjects": point.subjects,
    }


def controls(trials: "pd.DataFrame") -> Iterator[dict[str, object]]:
    """What should be at chance: a line for each method, pipeline and control, all volumes together.

    The lift of a random ranking is 0. At one alarm a scan chance is what the zero control finds: alarms that were there
    before. Intervals are percentiles over subjects.
    """
    for keys, group in trials[trials["kind"] != "lesion"].groupby([*BY, "kind"], sort=False):
        line = dict(zip([*BY, "kind"], keys, strict=True)) | {"cases": group["case_id"].nunique()}
        line["subjects"] = group["subject_id"].nunique()
        for name in (*RULES, "auprc_lift"):
            mean, low, high = _mean_over_subjects(group.groupby("subject_id")[name].agg(["sum", "count"]))
            line |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        yield line


def _mean_over_subjects(sums: "pd.DataFrame") -> tuple[float, float, float]:
    """Mean over cases, and its percentile interval when whole subjects are drawn."""
    total, count = sums["sum"].to_numpy(np.float64), sums["count"].to_numpy(np.float64)
    if not count.sum():
        return np.nan, np.nan, np.nan
    mean = float(total.sum() / count.sum())
    if len(total) < FEWEST_PATIENTS:
        return mean, np.nan, np.nan
    drawn = np.random.default_rng(0).multinomial(len(total), np.full(len(total), 1 / len(total)), CONTROL_ROUNDS)
    low, high = np.quantile(drawn @ total / np.maximum(drawn @ count, 1), [0.025, 0.975])
    return mean, float(low), float(high)


def agreements(trials: "pd.DataFrame", rows: "pd.DataFrame", unranked: Iterable[str]) -> Iterator[dict[str, object]]:
    """Kendall's tau of the methods' order on implants and on each other lesion cohort of the run, a line a pipeline.

    On implants a method's score is its mean lift, or the share of lesions that it finds; on a cohort it is its mean
    lift over patients. Methods that are ranked with no other take no part.
    """
    aside = {PERFECT_MAP, *unranked}
    lesions = trials[(trials["kind"] == "lesion") & (trials["shift"] == "none") & ~trials["method"].isin(aside)]
    chosen = (rows["metric"] == "auprc_lift") & (rows["shift"] == "none") & (rows["split"] == "test")
    real = rows[chosen & ~rows["method"].isin(aside) & ~rows["dataset"].isin(set(trials["dataset"]))]
    for (implants, pipeline), group in lesions.groupby(["dataset", "postprocessing"], sort=False):
        for cohort, others in real[real["postprocessing"] == pipeline].groupby("dataset", sort=False):
            methods = [name for name in group["method"].unique() if name in set(others["method"])]
            patients = _by_patient(others, "value", methods)
            for score in ("auprc_lift", "found", "found_tenth"):
                own = _by_patient(group, score, methods)
                result: Agreement = rank_agreement(own, patients)
                yield {
                    "implants": implants,
                    "cohort": cohort,
                    "postprocessing": pipeline,
                    "score": score,
                    **asdict(result),
                    "subjects": len(own),
                    "patients": len(patients),
                }


def _by_patient(frame: "pd.DataFrame", value: str, methods: Sequence[str]) -> NDArray[np.float64]:
    """`(P, M)` means over a patient's cases and the seeds."""
    table = frame.pivot_table(index="subject_id", columns="method", values=value, aggfunc="mean", dropna=False)
    return np.asarray(table.reindex(columns=list(methods)).to_numpy(dtype=np.float64))
