"""PublishedStudy: a study's items, methods, cohorts and printed values, read from its two files in `studies/`."""

import csv
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite, isinf, nan
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmark.methods.hyperparameters import parse_variant
from benchmark.metrics import METRICS
from datasets.errors import BadFile, BadValue, MissingData, UnknownName, check_name, one_line
from datasets.grid import Sampling

FOLDER = Path(__file__).with_name("studies")
COLUMNS = ("version", "table", "row", "postprocessing", "dataset", "metric", "unit", "mean", "std")
PLAIN = re.compile(r"[\w-]+", re.ASCII)
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

    @property
    def place(self) -> tuple[str, ...]:
        """What tells it from every other value of the study."""
        return self.table, self.row, self.postprocessing, self.dataset, self.metric


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
    """A printed ratio of one row's number to another's.

    Attributes:
        version: of the publication.
    """

    of: str
    to: str
    published: float
    version: str
    contrast: float = 1.0


@dataclass(frozen=True)
class Item(_Strict):
    """A table or figure of the study.

    Attributes:
        table: of a table's values.
        rows: that a figure shows.
        pairs: rows that are tested against each other.
        steps: rows of which each adds something to the one before.
        sweeps: requests of methods whose `field` runs over several values, of one training each.
        axis: what a chart calls that field.
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
    axis: str = ""
    metric: str = ""
    contrasts: tuple[float, ...] = ()
    crops: tuple[float, ...] = ()
    levels: tuple[int, ...] = ()

    @property
    def prints_numbers(self) -> bool:
        """Whether there are printed numbers of it."""
        return bool(self.table or self.ratios)

    @property
    def named_rows(self) -> list[str]:
        """The rows that it names itself, beside those of its table's values."""
        pairs = [*self.pairs, *((one.of, one.to) for one in self.ratios)]
        return [*self.rows, *self.steps, *(row for pair in pairs for row in pair)]

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

    def serves(self, item: Item) -> bool:
        return not self.items or item.name in self.items


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

    @property
    def argument(self) -> str:
        """What `replicate` is given for it."""
        return self.name if self.name in study_names() else f"{self.name}.toml"

    def label(self, row: str) -> str:
        """What a printed row is called here."""
        return self.rows[row].label or row

    def values_of(self, item: Item) -> list[Value]:
        return [value for value in self.values if item.table and value.table == item.table]

    def rows_of(self, item: Item) -> list[str]:
        """Every row that an item needs, in the study's order."""
        needed = {*(value.row for value in self.values_of(item)), *item.named_rows}
        return [row for row in self.rows if row in needed]

    def methods_of(self, item: Item) -> list[str]:
        """Of its rows, as they are asked for of a run; its sweeps are asked for apart."""
        return list(dict.fromkeys(method for row in self.rows_of(item) for method in self.rows[row].methods))

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
    """A study by the name of its files, or by its file `NAME.toml`, beside which `NAME.csv` lies.

    Raises:
        UnknownName: there is none of that name.
        MissingData, BadFile: one of its files is not there, or does not hold what it should.
    """
    if name.endswith(".toml"):
        return study_from(Path(name), Path(name).with_suffix(".csv"))
    check_name("published study called", name, study_names())
    return study_from(FOLDER / f"{name}.toml", FOLDER / f"{name}.csv")


def study_from(facts: Path, table: Path) -> PublishedStudy:
    """A study from its two files.

    Raises:
        MissingData: one of them is not there.
        BadFile: one of them does not hold what it should.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        content: dict[str, Any] = tomllib.loads(_text(facts))
        study = TypeAdapter(PublishedStudy).validate_python({**content, "name": facts.stem})
        study = replace(study, values=_read_values(_text(table)))
        _check(study)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadFile(f"{facts}: got {place} = {first['input']!r}, expected another: {first['msg']}.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadFile(f"{facts}: got a file that is not TOML: {one_line(error)}.") from error
    except (BadValue, UnknownName) as error:
        raise BadFile(f"{facts.with_suffix('')}: {error}") from error
    return study


def table_names(method: str, tier: Tier, run: TierRun) -> list[str]:
    """What tables may call a method that is asked for: a preset and fewer training scans stand in the names of some."""
    variant = parse_variant(method)
    scans = ("", f"-{run.training_scans}-scans")
    return [one.name + part for one in (variant, replace(variant, preset=tier.preset)) for part in scans]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingData(f"{path}: no file that can be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: got a file that is not UTF-8.") from error


def _read_values(text: str) -> tuple[Value, ...]:
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise BadValue(f"got the columns {','.join(reader.fieldnames or ())}, expected {','.join(COLUMNS)}.")
    return tuple(_value(line, reader.line_num) for line in reader)


def _value(line: Mapping[str, str], number: int) -> Value:
    try:
        mean, std = float(line["mean"]), float(line["std"] or nan)
        text = {name: line[name].strip() for name in COLUMNS[:-2]}
    except (ValueError, TypeError, AttributeError):
        mean, std, text = inf, nan, {}
    if not isfinite(mean) or isinf(std) or std < 0 or None in line:
        got = ",".join(str(part) for part in line.values())
        raise BadValue(f"line {number} of its table: got {got}, expected {','.join(COLUMNS)}, the last two numbers.")
    return Value(**text, mean=mean, std=std, digits=len(line["mean"].strip().partition(".")[2]))


def _check(study: PublishedStudy) -> None:
    """Refuse a study whose files name what is not in them, or that would write elsewhere than below its page."""
    known = {item.name for item in study.items}
    runs = [run for tier in study.tiers.values() for run in tier.runs]
    for name in (study.name, *known, *(run.name for run in runs)):
        if not PLAIN.fullmatch(name):
            raise BadValue(f"got the name {name!r}, expected letters, digits, '-' and '_', since files are called so.")
    for cohort in (study.healthy, *(value.dataset for value in study.values)):
        check_name("cohort called", cohort, study.cohorts)
    for value in study.values:
        check_name("quantity called", value.metric, study.quantities)
    for row in (*(value.row for value in study.values), *(row for item in study.items for row in item.named_rows)):
        check_name("row called", row, study.rows)
    for metric in (*(one.metric for one in study.quantities.values()), *(item.metric for item in study.items)):
        check_name("metric called", metric, ("", *METRICS))
    for item_name in (one for run in runs for one in run.items):
        check_name("item called", item_name, known)
    for what, names in (
        ("items called", [item.name for item in study.items]),
        ("items of table", [item.table for item in study.items if item.table]),
        ("values of", [", ".join(filter(None, one.place)) for one in study.values]),
        *((f"runs of tier {name} called", [run.name for run in tier.runs]) for name, tier in study.tiers.items()),
    ):
        twice = [one for one, count in Counter(names).items() if count > 1]
        if twice:
            raise BadValue(f"got several {what} {twice[0]}, expected one.")
    shown = [item.table for item in study.items]
    for table in dict.fromkeys(value.table for value in study.values if value.table not in shown):
        raise BadValue(f"got values of table {table}, expected an item that shows it.")
    if any(item.steps or item.sweeps for item in study.items):
        check_name("quantity called", "dice", study.quantities)
