"""PublishedStudy: a study's items, methods, cohorts and printed values, read from its two files in `studies/`."""

import csv
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmark.methods.hyperparameters import parse_variant
from datasets.errors import BadFile, BadValue, check_name
from datasets.grid import Sampling

FOLDER = Path(__file__).with_name("studies")
PUBLISHED_SAMPLING, DEFAULT_SAMPLING = "spline", "average"
Kind = Literal["table", "ratio", "picture", "histogram", "sweep"]


class _Strict:
    """A misspelt key of a data file is an error."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid"}


@dataclass(frozen=True)
class Value(_Strict):
    """A printed number.

    Attributes:
        version: of the publication.
        table, row: where it stands there, as printed.
        postprocessing: the pipeline behind it; "" where none enters.
        metric: a quantity of the study.
        mean, std: as printed, the std NaN where there is none.
        digits: behind the point.
    """

    version: str
    table: str
    row: str
    postprocessing: str
    dataset: str
    metric: str
    unit: str
    mean: float
    std: float
    digits: int


@dataclass(frozen=True)
class StudyRow(_Strict):
    """What a printed row is called here.

    Attributes:
        methods: ours; several where the print does not tell which, the likeliest first.
        label: "" for the printed name.
    """

    methods: tuple[str, ...]
    label: str = ""


@dataclass(frozen=True)
class StudyCohort(_Strict):
    """A cohort.

    Attributes:
        sequences: in the order in which a run of one is looked for.
        patients: that the printed numbers are of.
    """

    sequences: tuple[str, ...]
    patients: int


@dataclass(frozen=True)
class Quantity(_Strict):
    """A printed quantity as a metric of ours.

    Attributes:
        metric: "" where there is none.
        factor: from our unit to the printed one.
        threshold: whether its threshold is the study's protocol; without, none enters.
        absent: why there is none of ours.
    """

    metric: str
    factor: float
    threshold: bool = False
    absent: str = ""


@dataclass(frozen=True)
class Ratio(_Strict):
    """A printed ratio of one row's number to another's."""

    of: str
    to: str
    published: float
    contrast: float = 1.0


@dataclass(frozen=True)
class Item(_Strict):
    """A table or figure of the study.

    Attributes:
        table: of a table's values.
        rows: that a figure shows.
        pairs: rows that are tested against each other.
        steps: rows of which each adds something to the one before.
        sweeps: requests of methods whose `field` runs over several values.
        metric: of ratios.
        contrasts: levels c of x -> x ** c.
        crops: parts of the width that a conditioning image keeps.
        levels: noise levels of it.
    """

    name: str
    kind: Kind
    title: str
    table: str = ""
    note: str = ""
    rows: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    steps: tuple[str, ...] = ()
    ratios: tuple[Ratio, ...] = ()
    sweeps: tuple[str, ...] = ()
    field: str = ""
    metric: str = ""
    contrasts: tuple[float, ...] = ()
    crops: tuple[float, ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def place(self) -> str:
        """Where it stands in print, such as `Table 2`."""
        return self.title.partition(":")[0]

    @property
    def what(self) -> str:
        """What it shows."""
        return self.title.partition(":")[2].strip()


@dataclass(frozen=True)
class TierRun(_Strict):
    """One run folder of a tier: a model of one sequence, under one sampling.

    Attributes:
        healthy: "" for the study's.
        items: that it serves; () for all.
        training_scans: that are trained on; None for all.
    """

    name: str
    sequence: str
    sampling: Sampling
    datasets: tuple[str, ...]
    healthy: str = ""
    items: tuple[str, ...] = ()
    training_scans: int | None = None


@dataclass(frozen=True)
class Tier(_Strict):
    """How much is computed.

    Attributes:
        says: a sentence on what it can and cannot show.
        device: without which nothing is computed unless another is asked for; "" for any.
        limit: cases of each split; None for all.
        hyperparameters: by method the fields of its Config to change.
        fits: run folders whose finished fits are taken where they are the same.
    """

    says: str
    preset: str
    seeds: str
    runs: tuple[TierRun, ...]
    device: str = ""
    limit: int | None = None
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    fits: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Ambiguity(_Strict):
    """What a study leaves open, and how it is decided here."""

    what: str
    published: str
    decided: str


@dataclass(frozen=True)
class PublishedStudy(_Strict):
    """A study.

    Attributes:
        trainings: behind each printed mean.
        postprocessing, plain: the printed pipeline, and one without any step.
        protocol, label_free: the printed threshold, and one that sees no lesion.
        values: all that its tables print.
    """

    title: str
    reference: str
    healthy: str
    trainings: int
    postprocessing: str
    plain: str
    protocol: str
    label_free: str
    rows: Mapping[str, StudyRow]
    cohorts: Mapping[str, StudyCohort]
    quantities: Mapping[str, Quantity]
    items: tuple[Item, ...]
    ambiguities: tuple[Ambiguity, ...]
    tiers: Mapping[str, Tier]
    name: str = ""
    values: tuple[Value, ...] = field(default=(), repr=False)

    def label(self, row: str) -> str:
        """What a printed row is called here."""
        return self.rows[row].label or row

    def values_of(self, item: Item) -> list[Value]:
        return [value for value in self.values if item.table and value.table == item.table]

    def rows_of(self, item: Item) -> list[str]:
        """Every row that an item needs, in the study's order."""
        needed = {value.row for value in self.values_of(item)} | {*item.rows, *item.steps}
        needed |= {row for pair in item.pairs for row in pair} | {
            row for one in item.ratios for row in (one.of, one.to)
        }
        return [row for row in self.rows if row in needed]

    def methods_of(self, item: Item) -> list[str]:
        """As they are asked for of a run."""
        rows = [method for row in self.rows_of(item) for method in self.rows[row].methods]
        return list(dict.fromkeys([*rows, *item.sweeps]))

    @property
    def pipelines(self) -> tuple[str, ...]:
        """Every pipeline that a printed value or a figure needs."""
        printed = [value.postprocessing for value in self.values if value.postprocessing]
        return tuple(dict.fromkeys([self.postprocessing, self.plain, *printed]))

    def chosen(self, names: Iterable[str]) -> "PublishedStudy":
        """The study with some of its items; all of them where none is named.

        Raises:
            UnknownName: it has no item of a name.
        """
        wanted = list(names)
        for name in wanted:
            check_name(f"item of {self.name} called", name, [item.name for item in self.items])
        return replace(self, items=tuple(item for item in self.items if not wanted or item.name in wanted))

    def tier(self, name: str) -> Tier:
        """Raise UnknownName where there is none of that name."""
        check_name(f"tier of {self.name} called", name, self.tiers)
        return self.tiers[name]


def study_names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_study(name: str) -> PublishedStudy:
    """A study by the name of its files.

    Raises:
        UnknownName: there is none of that name.
        BadFile: one of its files does not hold what it should.
    """
    check_name("published study called", name, study_names())
    return study_from(FOLDER / f"{name}.toml", FOLDER / f"{name}.csv")


def study_from(facts: Path, table: Path) -> PublishedStudy:
    """A study from its two files.

    Raises:
        BadFile: one of them does not hold what it should.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        content: dict[str, Any] = tomllib.loads(facts.read_text(encoding="utf-8"))
        study = TypeAdapter(PublishedStudy).validate_python({**content, "name": facts.stem})
        study = replace(study, values=_read_values(table))
    except (ValidationError, ValueError, KeyError) as error:
        raise BadFile(f"{facts.with_suffix('')}: got a study that cannot be read: {error}") from error
    _check(study, facts)
    return study


def table_names(method: str, tier: Tier, run: TierRun) -> list[str]:
    """What tables may call a method that is asked for: a preset and fewer training scans stand in the names of some."""
    variant = parse_variant(method)
    scans = ("", f"-{run.training_scans}-scans")
    return [one.name + part for one in (variant, replace(variant, preset=tier.preset)) for part in scans]


def _read_values(path: Path) -> tuple[Value, ...]:
    with path.open(newline="", encoding="utf-8") as stream:
        return tuple(_value(line) for line in csv.DictReader(stream))


def _value(line: Mapping[str, str]) -> Value:
    mean, std = line["mean"], line["std"]
    text = {name: line[name] for name in ("version", "table", "row", "postprocessing", "dataset", "metric", "unit")}
    digits = len(mean.partition(".")[2])
    return Value(**text, mean=float(mean), std=float(std) if std else nan, digits=digits)


def _check(study: PublishedStudy, facts: Path) -> None:
    """Refuse a study whose files name what is not in them."""
    for value in study.values:
        check_name(f"{facts.stem}: row called", value.row, study.rows)
        check_name(f"{facts.stem}: cohort called", value.dataset, study.cohorts)
        check_name(f"{facts.stem}: quantity called", value.metric, study.quantities)
    shown = [item.table for item in study.items if item.table]
    missing = {value.table for value in study.values} - {*shown}
    if missing or len(set(shown)) < len(shown):
        raise BadValue(f"{facts}: got items of tables {shown}, expected each of the study's once.")
