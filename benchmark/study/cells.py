"""Fit, Cell and Evaluation: what is to be run, each containing the one before, each with a key.

A key is a hash of everything that can change a number. What changes it by rounding only (device, batch size, workers)
is recorded beside the result and is not part of the key; the number of devices that share the batches of a training is,
since each of them draws from a generator of its own.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

from benchmark.postprocessing.pipelines import Pipeline
from benchmark.study.protocols import Protocol
from datasets.case import AND, Split
from datasets.grid import Grid
from datasets.shifts import Shift

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Precision = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
PERFECT_MAP = "perfect-map"
"""What tables call a `Reference` in place of a method."""
NO_HEALTHY = "none"
"""What stands in place of a healthy cohort in a study without one."""
NOT_AVAILABLE = "not available: no healthy scans of this sequence"
"""What is said of all that needs healthy scans in a study without any."""


@dataclass(frozen=True)
class Cohort:
    """The scans of a dataset; `digest` stands for their splits and voxels.

    Attributes:
        sequence: theirs, or several such as `t1+flair`, which a method sees as the channels of one image.
    """

    dataset: str
    sequence: str
    digest: str


@dataclass(frozen=True)
class Fit:
    """A method fitted on healthy cases.

    Attributes:
        healthy: the cohort that it is fitted on, called `NO_HEALTHY` where there is none; of several the first.
        method: the name in tables, overrides included.
        target: `builtin:NAME`, or where a plugin's class is: `module:attribute` or `FILE.py:name@digest`.
        config: every hyper-parameter, resolved.
        origin: a plugin's distribution and version, so that another version is another fit; "" for a built-in.
        folds: number of folds of the healthy subjects; `seed` is then the fold used for validation. 0: no folds.
        revision: of the method.
        devices: that share each batch of the training; 1 for a method that cannot use several.
        covariates: stands for those of the healthy cohort that the method is handed; "" for a method that uses none.
        also_healthy: further cohorts that it is fitted on.
        training_scans: at most so many of their training scans, those of a smaller number first; None for all.
    """

    method: str
    target: str
    config: Mapping[str, Any]
    healthy: Cohort
    grid: Grid
    seed: int
    origin: str = ""
    folds: int = 0
    revision: int = 1
    devices: int = 1
    covariates: str = ""
    also_healthy: tuple[Cohort, ...] = ()
    training_scans: int | None = None

    @cached_property
    def key(self) -> str:
        return key_of(self)

    @property
    def name(self) -> str:
        return f"{_plain(self.method)}-{self.key}"

    @cached_property
    def _stored(self) -> dict[str, Any]:
        """Made once: it is part of each of its cells' keys."""
        return _fields_of(self)

    @property
    def channels(self) -> int:
        """Sequences of the images."""
        return len(self.healthy.sequence.split(AND))

    @property
    def healthy_cohorts(self) -> tuple[Cohort, ...]:
        """Whose scans it learns from and takes thresholds from; () without any."""
        return () if self.healthy.dataset == NO_HEALTHY else (self.healthy, *self.also_healthy)

    @property
    def fitted_on(self) -> str:
        """The names of these cohorts as tables have them; `NO_HEALTHY` without any."""
        return "+".join(cohort.dataset for cohort in self.healthy_cohorts) or NO_HEALTHY


@dataclass(frozen=True)
class Cell:
    """A fitted method's anomaly maps of one cohort under one shift.

    Attributes:
        splits: which cases are mapped; without "test" the test split stays closed.
        limit: at most so many cases of each split; None for all.
        covariates: stands for those of the cohort that the method is handed; "" for a method that uses none.
        flags: what qualifies every number of it: `leak`, `partial`; see `benchmark.storage.admission`.
    """

    fit: Fit
    cohort: Cohort
    shift: Shift = Shift()
    sampling_seed: int = 0
    precision: Precision = "fp32"
    splits: tuple[Split, ...] = ("val", "test")
    limit: int | None = None
    flags: tuple[str, ...] = ()
    covariates: str = ""

    @cached_property
    def key(self) -> str:
        return key_of(self)

    @property
    def name(self) -> str:
        return f"{_plain(self.fit.method)}-{_plain(self.cohort.dataset)}-{_plain(self.shift.label)}-{self.key}"

    @property
    def scoring(self) -> str:
        """What the cells of a fit under one shift have in common: they are scored together."""
        return f"{self.fit.name}-{_plain(self.shift.text)}"

    @property
    def where(self) -> str:
        """The cohort, and the shift if there is one, as text."""
        return self.cohort.dataset if self.shift.is_none else f"{self.cohort.dataset} under {self.shift.text}"

    @property
    def unshifted(self) -> "Cell":
        """The cell that thresholds are frozen from: the same without shift, its histograms matched if these are."""
        return replace(self, shift=Shift(matched=self.shift.matched))

    @property
    def label(self) -> tuple[str, str, str, float, int, int]:
        """What tells this cell from the others of one study: two cells of a label are rivals."""
        shift = self.shift
        return (
            self.fit.method,
            self.cohort.dataset,
            shift.label,
            shift.severity,
            self.fit.seed,
            self.sampling_seed,
        )


@dataclass(frozen=True)
class Reference:
    """The ground truth sent through the pipelines, in place of a method's maps: what a perfect map would score."""

    cohort: Cohort
    grid: Grid
    splits: tuple[Split, ...]
    limit: int | None
    flags: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        return key_of(self)

    @property
    def name(self) -> str:
        return f"{PERFECT_MAP}-{_plain(self.cohort.dataset)}-{self.key}"


@dataclass(frozen=True)
class Evaluation:
    """The rows that one post-processing and one threshold protocol make of a cell's maps.

    The key holds the steps with their values and the protocol's fields, revisions included, and neither name: renaming
    changes no key, and another definition under an old name does.

    Attributes:
        protocol: None for what needs no threshold.
        source: stands for the cases of another cohort that the protocol looks at; "" where it looks at none.
    """

    cell: Cell | Reference
    pipeline: Pipeline
    protocol: Protocol | None = None
    source: str = ""

    @cached_property
    def key(self) -> str:
        protocol = None if self.protocol is None else self.protocol.in_key
        return _digest(["Evaluation", as_stored(self.cell), self.pipeline.in_key, protocol, self.source])


def key_of(what: Fit | Cell | Reference) -> str:
    """Twelve hexadecimal digits of the hash of all that `what` contains."""
    return _digest([type(what).__name__, as_stored(what)])


OPTIONAL = {"covariates": "", "also_healthy": (), "training_scans": None}
"""Fields that stand in keys and records only where they are not at this default."""


def as_stored(what: Fit | Cell | Reference) -> dict[str, Any]:
    """What keys hash and records keep: all fields, without those of `OPTIONAL` that are at their default."""
    return _fields_of(what)


def _fields_of(what: Any) -> dict[str, Any]:
    """As `dataclasses.asdict` without its deep copies: a run has ten thousand cells."""
    known = ((name, getattr(what, name)) for name in _field_names(what.__class__))
    return {name: _as_json(value) for name, value in known if name not in OPTIONAL or value != OPTIONAL[name]}


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_as_json, value))
    if isinstance(value, Fit):
        return value._stored
    return _fields_of(value) if is_dataclass(value) else value


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def cells_from_json(stored: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """The cells that were stored; those of one fit share it, so that its key is computed once."""
    read, fits = reader_of(Cell).validate_python, dict[str, Fit]()
    cells = []
    for one in stored:
        known = json.dumps(one.get("fit"))
        fits[known] = fits.get(known) or reader_of(Fit).validate_python(one.get("fit"))
        cells.append(read({**one, "fit": fits[known]}))
    return cells


def reference_from_json(stored: Mapping[str, Any]) -> Reference:
    """The reference that was stored."""
    reference: Reference = reader_of(Reference).validate_python(dict(stored))
    return reference


@cache
def reader_of(kind: type[Any]) -> "TypeAdapter[Any]":
    """What validates such a record; made once, which takes longer than to read a cell, fit or card."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _digest(whole: object) -> str:
    return hashlib.sha256(json.dumps(whole, sort_keys=True, allow_nan=False).encode()).hexdigest()[:12]


@lru_cache(maxsize=1000)
def _plain(name: str) -> str:
    """A method's or dataset's name as part of a folder's name."""
    return re.sub(r"[^\w.=-]+", "_", name).strip("_")
