"""The long tables of a run: `summary.csv`, one method a line, and `comparisons.csv`, two methods a line.

With `rows.csv` they are all that reports, the terminal and leaderboards read. What is undefined is an empty cell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.statistics.pairwise.paired_difference import Comparison
from benchmark.storage.checksums import checked, digests_of
from datasets.errors import BadFile
from datasets.io.atomic import read_json, write_json
from datasets.io.tables import write_table

if TYPE_CHECKING:
    import pandas as pd

NO_INTERVAL = "no interval"


@dataclass(frozen=True, kw_only=True)
class SummaryLine:
    """One number of one method.

    Attributes:
        sequence, healthy: of the scans, and the cohort that the method was fitted on.
        cases: "lesion" or "healthy", which of the cohort's cases are averaged; "" for numbers of a whole cohort.
        score: which anomaly score of the maps; "map" for the one that the method gives.
        group: "site=...", "age_band=..." or "sex=..." for a part of the patients; the side of the identity of an area;
            "... a scan" for a rate of false positives; "seed ..." for a number of one training seed.
        stratum: a range of lesion sizes.
        shift: label of the acquisition shift, "none" without one; `severity` its level and `dose` what that level
            moves healthy tissue by (for areas the highest).
        kind: "mean" over patients; "cohort" of all voxels and "lesions" of all lesions, mean over seeds; "median",
            "lower quartile", "upper quartile", "maximum" and "share" of the patients above 0; "change", paired, from
            unshifted; "area", "area change", means over doses; "universe", "universe tau", "calibration"; "ablation";
            "patient auroc", of a patient-level score, `group` saying against which healthy cohort.
        question: "this trained model" or "this training procedure"; "" where there is no interval.
        endpoint: "first", "second" or "exploratory".
        order: 1 for the choice that the cohort's methods are ranked by, 2 and up for what else has intervals, else 0.
        endpoints: how many endpoints the cohort has where this is one of several, else 1; their `order` is the lowest.
        unranked: why the cohort's methods have no ranks although they could be tested; else "".
        unavailable: why there can be no number, of any patient; else "".
        n, left_out: patients with a number under every seed, and those without; n of "lesions" counts lesions.
        controls: healthy people that the patients are told from.
        scans: of all the patients.
        seeds, planned: training seeds with numbers, and how many were planned.
        sd: over patients, mean over seeds.
        lowest_seed, highest_seed: of the means of single training seeds.
        interval: how it was made or the cost was measured; "no interval", and why if one was tried.
        coverage: how often its like held the truth in simulations; NaN if unknown.
        rank_low, rank_high: NaN where nothing is tested. Of costs: 1 where no ranked method is at least as good in both
            cost and quality and better in one.
        rank_level: with what confidence the ranks of all methods hold at once.
        rivals: methods that were ranked together.
    """

    dataset: str
    sequence: str
    healthy: str
    grid: str
    split: str
    cases: str
    metric: str
    postprocessing: str
    score: str = "map"
    protocol: str
    group: str = ""
    stratum: str = ""
    shift: str = "none"
    severity: float = 0.0
    dose: float = nan
    kind: str = "mean"
    question: str = ""
    method: str
    endpoint: str = "exploratory"
    order: int = 0
    endpoints: int = 1
    unranked: str = ""
    unavailable: str = ""
    n: int
    left_out: int = 0
    controls: int = 0
    scans: int = 0
    seeds: int
    planned: int
    mean: float
    sd: float = nan
    lowest_seed: float = nan
    highest_seed: float = nan
    low: float = nan
    high: float = nan
    level: float = nan
    interval: str = NO_INTERVAL
    coverage: float = nan
    rank_low: float = nan
    rank_high: float = nan
    rank_level: float = nan
    rivals: int = 0


@dataclass(frozen=True, kw_only=True)
class ComparisonLine:
    """One pair of methods under one choice and question; see `Comparison` for what each number is.

    Attributes:
        seeds: the common training seeds, apart by blanks.
        interval: how it was made, or why there is none.
        margin: NaN where none was fixed in advance.
    """

    dataset: str
    split: str
    metric: str
    postprocessing: str
    protocol: str
    endpoint: str
    endpoints: int
    question: str
    a: str
    b: str
    state: str
    better: str
    n: int
    left_out: int
    seeds: str
    difference: float
    low: float
    high: float
    level: float
    interval: str
    coverage: float
    se: float
    sd: float
    test: str
    p: float
    p_adjusted: float
    p_alone: float
    correction: str
    comparisons: int
    margin: float
    p_equivalent: float
    p_equivalent_adjusted: float
    p_equivalent_alone: float
    detectable: float
    power: float
    p_false_claim: float
    p_false_claim_winner: float
    methods: int
    p_published_unpaired: float


def summary_path(folder: Path) -> Path:
    return folder / "summary.csv"


def comparisons_path(folder: Path) -> Path:
    return folder / "comparisons.csv"


def participants_path(folder: Path) -> Path:
    return folder / "participants.csv"


def summary_record(folder: Path) -> dict[str, Any]:
    """What the tables were made of, and their digests; empty where they or their record are missing or damaged."""
    try:
        record: dict[str, Any] = read_json(folder / "summary.json")
        for name in record["files"]:
            checked(folder, name, record["files"], "")
    except (BadFile, KeyError):
        return {}
    return record


def keep_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write what the tables were made of, with their digests."""
    names = [path.name for path in (participants_path(folder), summary_path(folder), comparisons_path(folder))]
    write_json(folder / "summary.json", {**record, "files": digests_of(folder, names)})


def comparison_line(one: Comparison) -> ComparisonLine:
    choice, effect = one.choice, one.effect
    return ComparisonLine(
        dataset=choice.dataset, split=choice.split, metric=choice.metric, postprocessing=choice.postprocessing,
        protocol=choice.protocol, endpoint=one.endpoint, endpoints=one.endpoints, question=one.question,
        a=one.a, b=one.b, state=one.state, better=one.better, n=one.n, left_out=one.left_out,
        seeds=" ".join(map(str, one.seeds)), difference=effect.mean, low=effect.low, high=effect.high,
        level=effect.level, interval=effect.method or effect.why_none, coverage=effect.coverage, se=one.se, sd=one.sd,
        test=one.test, p=one.p, p_adjusted=one.p_adjusted, p_alone=one.p_alone, correction=one.correction,
        comparisons=one.comparisons, margin=nan if one.margin is None else one.margin, p_equivalent=one.p_equivalent,
        p_equivalent_adjusted=one.p_equivalent_adjusted, p_equivalent_alone=one.p_equivalent_alone,
        detectable=one.detectable, power=one.power, p_false_claim=one.p_false_claim,
        p_false_claim_winner=one.p_false_claim_winner, methods=one.methods, p_published_unpaired=one.p_published,
    )  # fmt: skip


def write_summary_lines(path: Path, kind: type[Any], lines: Iterable[Any]) -> None:
    """Write lines of one dataclass, every digit kept; without a line only the header is there."""
    columns = [field.name for field in fields(kind)]
    write_table(path, columns, (list(vars(line).values()) for line in lines))


def add_lines(path: Path, kind: type[Any], lines: Sequence[Any], same: Sequence[str]) -> None:
    """Add lines to a table; those of it that have the `same` columns as one of them give way."""
    told, kept = {tuple(getattr(line, name) for name in same) for line in lines}, list[Any]()
    types, record = {field.name: field.type for field in fields(kind)}, summary_record(path.parent)
    sound = bool(record) or not (path.parent / "summary.json").exists()  # what is damaged, the next report makes anew
    for stored in read_lines(path, kind).to_dict("records") if sound else ():
        line = kind(**{str(name): int(value) if types[str(name)] is int else value for name, value in stored.items()})
        kept += [line] if tuple(getattr(line, name) for name in same) not in told else []
    write_summary_lines(path, kind, [*kept, *lines])
    if record:
        keep_record(path.parent, record)


def read_lines(path: Path, kind: type[Any]) -> "pd.DataFrame":
    """The columns of `kind`: text is never NaN, numbers are where undefined; no line where there is no file."""
    import pandas as pd

    columns = [field.name for field in fields(kind)]
    text = {field.name: str for field in fields(kind) if field.type is str}
    if not path.is_file():
        return pd.DataFrame({column: pd.Series(dtype=text.get(column, float)) for column in columns})
    types = {column: text.get(column, float) for column in columns}
    numbers = {column: ["", "nan"] for column in columns if column not in text}
    return pd.read_csv(path, dtype=types, na_values=numbers, keep_default_na=False)
