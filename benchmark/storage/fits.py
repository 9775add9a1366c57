"""What the folder of a fit says: `fit.json`, found by name, and `card.json`, the data card of fit and method."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.methods.card import Card
from benchmark.storage import checksums
from benchmark.storage.checksums import checked, digests_of, read_checksums, write_checksums
from benchmark.storage.folder import FORMAT, RunFolder, check_format, open_run
from benchmark.study.cells import Fit, as_stored, reader_of
from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.io.atomic import flush_to_disk, read_json, write_json
from datasets.words import count_text

LABELS = "lesion labels"
FORMATS = (5, FORMAT)
"""Run formats of fits that can be read; only since 6 does a record name the digest of the SHA256SUMS beside it."""
NEEDED = ("weights.safetensors", "config.json", "card.json")
FILES = (*NEEDED, "training.json")
MEND = "Restore the fit's folder, or fit anew: the command that made it, with --rerun failed"
SPEEDS = ("steps_per_second", "data_wait_fraction")


@dataclass(frozen=True)
class FitFolder:
    """A finished fit and where it is kept."""

    path: Path
    fit: Fit

    @property
    def sequence(self) -> str:
        """The MRI contrast that the detector has learnt."""
        return self.fit.healthy.sequence


def find_fit(named: str, run: Path | None) -> FitFolder:
    """Find a fit in the folder `named`; within `run`, by the name of its folder, or of a method that has one fit.

    Raises:
        MissingData: there is no such folder, or the run is none.
        UnknownName: the run has no such fit; the message lists those it has.
        BadValue: a method's name stands for several fits.
        BadFile: the fit's record cannot be read.
    """
    if run is None:
        return read_fit(Path(named))
    fits = {path.parent.name: path.parent for path in sorted(open_run(run).root.glob("fits/*/fit.json"))}
    if named in fits:
        return read_fit(fits[named])
    alike = [path for name, path in fits.items() if read_fit(path).fit.method == named]
    if len(alike) > 1:
        names = ", ".join(path.name for path in alike)
        raise BadValue(
            f"Fit '{named}': got {count_text(len(alike), 'fit')} of this method in {run}, expected one of {names}."
        )
    if not alike:
        raise UnknownName(f"finished fit in {run} called", named, fits)
    return read_fit(alike[0])


def read_fit(folder: Path) -> FitFolder:
    """Read `fit.json` of a finished fit.

    Raises:
        MissingData: the folder holds none.
        BadFile: this version cannot read it.
    """
    record = folder / "fit.json"
    if not record.is_file():
        raise MissingData(
            f"No finished fit at {folder}: looked for {record}. Name a folder such as RUN/fits/ddpm-<key>, "
            "or a fit's name with --run RUN."
        )
    content = read_json(record)
    check_format(record, content, FORMATS)
    return FitFolder(folder, _fit_in(record, content))


def _fit_in(record: Path, content: Mapping[str, Any]) -> Fit:
    from pydantic import ValidationError

    try:
        fit: Fit = reader_of(Fit).validate_python(content.get("fit"))
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise BadFile(f"{record}: got a record that this version cannot read ({reason}), expected a fit.") from error
    return fit


def write_fit(folder: Path, fit: Fit, made: Mapping[str, Any]) -> None:
    """Write the digests of a fit's files, then its record with how it was `made`, by which it counts as finished.

    The files are on the disk before the record: training may have taken days.
    """
    for path in (folder / name for name in FILES if (folder / name).is_file()):
        flush_to_disk(path)
    write_checksums(folder, FILES)
    record = {"format": FORMAT, "version": __version__, "fit": as_stored(fit), **made}
    write_json(folder / "fit.json", {**record, "files": digests_of(folder, [checksums.NAME])})


def fit_record(folder: Path, fit: Fit) -> dict[str, Any]:
    """What `fit.json` says of a finished fit; empty before.

    Raises:
        BadFile: it is damaged or of another fit, or the SHA256SUMS beside it is not the one that it names.
    """
    path = folder / "fit.json"
    if not (path.exists() or path.is_symlink()):
        return {}
    record: dict[str, Any] = read_json(path, mend=MEND)
    check_format(path, record, FORMATS)
    if _fit_in(path, record).key != fit.key:
        raise BadFile(f"{path}: got the record of another fit, expected that of {fit.name}. {MEND}")
    if "files" in record:  # not of fits of run format 5
        checked(path.parent, checksums.NAME, record["files"], MEND)
    return record


def check_fit_files(folder: Path, fit: Fit) -> None:
    """Check every file of a finished fit, and that they are of this fit: by its record, config and data card.

    Raises:
        MissingData: there is no finished fit.
        BadFile: one is damaged, missing or another's.
    """
    record = fit_record(folder, fit)
    if not record:
        raise MissingData(f"no finished fit at {folder}")
    digests = read_checksums(folder)
    for name in dict.fromkeys((*NEEDED, *digests)):
        checked(folder, name, digests, MEND)
    config, card = (read_json(folder / name, mend=MEND) for name in ("config.json", "card.json"))
    kept = {"config": config, "seed": card.get("seed"), "healthy": card.get("healthy"), "grid": card.get("grid")}
    for name, value in {**record["fit"], "healthy": fit.fitted_on}.items():
        if kept.get(name, value) != value:
            raise BadFile(f"{folder}: got a fit with {name} {kept[name]}, expected {value} by its record. {MEND}")


@dataclass(frozen=True)
class DataCard:
    """What a reader has to know of one fit: the card of its method, and what it was fitted on.

    Attributes:
        card: of the method; None for a plugin without one.
        healthy, sequence: the cohort that it was fitted on.
        grid: as `asdict` of a Grid.
        train, val: healthy cases to train on and to validate on.
        steps: of training in all its stages; None for a method that takes none.
        seconds: of the fit.
        training: one record a stage, written by the training; empty where nothing was trained in steps.
        weights_of: folder of the fit whose weights these are, where this one differs at test time only.
    """

    card: Card | None
    healthy: str
    sequence: str
    grid: Mapping[str, Any]
    train: int
    val: int
    seed: int
    steps: int | None
    parameters: int
    seconds: float
    training: tuple[Mapping[str, Any], ...] = ()
    weights_of: str | None = None

    @property
    def is_simple_baseline(self) -> bool:
        """Whether any other method should beat it."""
        return self.card is not None and self.card.simple_baseline

    @property
    def is_transductive(self) -> bool:
        """Whether its maps depend on the scans that were mapped together."""
        return self.card is not None and self.card.transductive

    @property
    def supervision(self) -> str:
        """The most that its maps have seen; "" for a method without a card."""
        return self.card.supervision if self.card is not None else ""

    @property
    def speed(self) -> str:
        """Steps a second and the share of time that waited for data, stage by stage; "" where unknown."""
        timed = [stage for stage in self.training if {"name", *SPEEDS} <= stage.keys()]
        return "; ".join(
            f"{stage['name']} at {stage[SPEEDS[0]]:.1f} steps/s, {100 * stage[SPEEDS[1]]:.0f} % waiting for data"
            for stage in timed
        )


def training_stages(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """The stages in a fit's `training.json`; empty where the training wrote none."""
    path = folder / "training.json"
    if not path.is_file():
        return ()
    content = json.loads(path.read_text(encoding="utf-8"))
    return tuple(stage for stage in content if isinstance(stage, dict)) if isinstance(content, list) else ()


def write_card(folder: Path, card: DataCard) -> None:
    write_json(folder / "card.json", asdict(card))


def read_card(run: RunFolder, fit: Fit) -> DataCard | None:
    """The card of a fit; None before the fit is finished.

    Raises:
        BadFile: the card cannot be read.
    """
    from pydantic import ValidationError

    path = run.fit(fit) / "card.json"
    if fit_record(path.parent, fit):
        checked(path.parent, path.name, read_checksums(path.parent), MEND)
    elif not path.is_file():
        return None
    try:
        card: DataCard = reader_of(DataCard).validate_python(read_json(path))
    except ValidationError as error:
        raise BadFile(
            f"{path}: got a data card that cannot be read ({error.errors()[0]['msg']}), expected one of this version."
        ) from error
    return card


def card_of_finished(run: RunFolder, fit: Fit) -> DataCard:
    """The card of a fit whose maps are kept.

    Raises:
        BadFile: it or the fit's record is missing or damaged.
    """
    card = read_card(run, fit) if fit_record(run.fit(fit), fit) else None
    if card is None:
        raise BadFile(f"{run.fit(fit) / 'fit.json'}: missing, expected the record of a finished fit. {MEND}")
    return card


def sees_labels(run: RunFolder, fit: Fit) -> bool:
    """Whether a fit's maps are made from lesion labels; they then hold no information about healthy scans."""
    card = read_card(run, fit)
    return card is not None and card.supervision == LABELS


def stands_aside(run: RunFolder, fit: Fit) -> bool:
    """Whether it is ranked with no other method: it sees lesion labels, or is transductive."""
    card = read_card(run, fit)
    return card is not None and (card.supervision == LABELS or card.is_transductive)
