"""DataCard: a method's card together with what a fit of it was made of; kept as `card.json` beside the weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.methods.card import Card
from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Fit
from datasets.errors import BadFile
from datasets.io.atomic import read_json, write_json

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
