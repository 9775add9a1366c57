"""A fit by its folder, outside of any study: found, and its detector loaded from config.json, fit.json and weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.methods.card import Card
from benchmark.methods.hyperparameters import build
from benchmark.storage.folder import RunFolder, check_format, open_run
from benchmark.study.cells import Fit
from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.io.atomic import read_json, write_json

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector


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
    """The fit in the folder `named`; in a run it can be named by its folder's name, or by its method's if that is one.

    Raises:
        MissingData: there is no such folder, or the run is none.
        UnknownName: the run has no such fit; the message says which it has.
        BadValue: a method's name stands for several fits.
        BadFile: the fit's record cannot be read.
    """
    if run is None:
        return read_fit(Path(named))
    fits = {path.parent.name: path.parent for path in sorted(open_run(run).root.glob("fits/*/fit.json"))}
    if named in fits:
        return read_fit(fits[named])
    meant = [path for name, path in fits.items() if read_fit(path).fit.method == named]
    if len(meant) > 1:
        names = ", ".join(path.name for path in meant)
        raise BadValue(f"Fit '{named}': got {len(meant)} fits of this method in {run}, wanted one of {names}.")
    if not meant:
        raise UnknownName(f"finished fit in {run} called", named, fits)
    return read_fit(meant[0])


def read_fit(folder: Path) -> FitFolder:
    """What `fit.json` says of a finished fit.

    Raises:
        MissingData: there is none in the folder.
        BadFile: it is not one that this version reads.
    """
    from pydantic import TypeAdapter, ValidationError

    record = folder / "fit.json"
    if not record.is_file():
        raise MissingData(
            f"No finished fit at {folder}: looked for {record}. Name a folder such as RUN/fits/ddpm-<key>, "
            "or a fit's name with --run RUN."
        )
    content = read_json(record)
    check_format(record, content)
    try:
        fit = TypeAdapter(Fit).validate_python(content.get("fit"))
    except ValidationError as error:
        raise BadFile(f"{record}: got no fit of this version ({error.errors()[0]['msg']}), wanted one.") from error
    return FitFolder(folder, fit)


def load_detector(folder: FitFolder, device: str) -> "Detector":
    """The fitted detector on a device.

    Raises:
        BadFile: its weights cannot be loaded.
        BadValue: it is one that has to be told where other patients' lesions lie.
    """
    from benchmark.methods.detector import LabelledDetector
    from benchmark.methods.weights import load_weights

    detector = build(folder.fit.method, folder.fit.target, folder.fit.config).to(device)
    if isinstance(detector, LabelledDetector):
        raise BadValue(
            f"{folder.path.name}: got a method that is told where the lesions of a cohort's other patients lie, "
            "wanted one that maps a scan by itself."
        )
    load_weights(detector, folder.path)
    return detector


LABELS = "lesion labels"
SPEEDS = ("steps_per_second", "data_wait_fraction")


@dataclass(frozen=True)
class DataCard:
    """What a reader has to know of one fit.

    Attributes:
        card: None for a plugin without one.
        healthy, sequence: the cohort that it was fitted on.
        grid: as `asdict` of a Grid.
        train, val: healthy cases to train on and to validate on.
        steps: of training in all its stages; None for a method that takes none.
        seconds: of the fit.
        training: what the training said of itself, a record a stage; empty where nothing was trained in steps.
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
    def supervision(self) -> str:
        """What its map has seen; "" where nobody says."""
        return self.card.supervision if self.card is not None else ""

    @property
    def speed(self) -> str:
        """Steps a second and the share of time that waited for data, stage by stage; "" where unknown."""
        timed = [stage for stage in self.training if {"name", *SPEEDS} <= stage.keys()]
        return "; ".join(
            f"{stage['name']} at {stage[SPEEDS[0]]:.1f} steps/s, {100 * stage[SPEEDS[1]]:.0f} % waiting for data"
            for stage in timed
        )


def training_told(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """The records of stages in `training.json` of a fit's folder; empty where its training left none."""
    path = folder / "training.json"
    if not path.is_file():
        return ()
    told = json.loads(path.read_text(encoding="utf-8"))
    return tuple(stage for stage in told if isinstance(stage, dict)) if isinstance(told, list) else ()


def write_card(folder: Path, card: DataCard) -> None:
    write_json(folder / "card.json", asdict(card))


def read_card(run: RunFolder, fit: Fit) -> DataCard | None:
    """The card of a fit; None where it was never written, as in run folders of earlier versions.

    Raises:
        BadFile: it is not one of ours.
    """
    from pydantic import TypeAdapter, ValidationError

    path = run.fit(fit) / "card.json"
    if not path.is_file():
        return None
    try:
        return TypeAdapter(DataCard).validate_python(read_json(path))
    except ValidationError as error:
        raise BadFile(f"{path}: got a data card that cannot be read ({error.errors()[0]['msg']}).") from error


def sees_labels(run: RunFolder, fit: Fit) -> bool:
    """Whether a fit's maps are made of lesion labels: of healthy scans they then say nothing."""
    card = read_card(run, fit)
    return card is not None and card.supervision == LABELS
