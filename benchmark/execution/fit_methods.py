"""fitted: a fit's detector, from its folder where it is kept, else fitted now and kept."""

import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmark.methods.card import Card
from benchmark.methods.detector import AT_TEST, Detector
from benchmark.methods.hyperparameters import build
from benchmark.methods.plugin_file import one_line
from benchmark.methods.registry import Method, load
from benchmark.methods.weights import NAME, load_weights, save_weights
from benchmark.storage.checksums import write_checksums
from benchmark.storage.fits import DataCard, training_stages, write_card
from benchmark.storage.folder import FORMAT, RunFolder
from benchmark.study.cells import Fit
from benchmark.study.study import Study
from datasets.errors import BadFile, BadValue, UserError
from datasets.grid import Cases
from datasets.io.atomic import read_json, write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workplace:
    """Where fits are made and kept.

    Attributes:
        device: that detectors are on.
        devices: GPUs that one fit may train on, where the method can use several.
    """

    study: Study
    run: RunFolder
    device: str
    devices: int


def fitted(place: Workplace, fit: Fit, *, mend: bool) -> Detector:
    """The detector of a fit; `fit.json` comes last in its folder, so that a fit that was killed is gone on with.

    Args:
        mend: fit anew where kept weights cannot be loaded.

    Raises:
        BadFile: kept weights cannot be loaded, and are not to be mended.
    """
    folder = place.run.fit(fit)
    detector = _at(place, fit)
    if (folder / "fit.json").exists():
        try:
            load_weights(detector, folder)
            return detector
        except BadFile:
            if not mend:
                raise
            log.info("  the kept weights cannot be loaded: fitting anew")
            forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    alike = trained_alike(place.run, fit, detector)
    if alike is not None:
        return _taken_over(place, fit, detector, alike)
    return _trained(place, fit, detector)


def check_fit(place: Workplace, fit: Fit) -> None:
    """Build a detector once, to know before hours are spent on others that its hyper-parameters can work.

    What a third party's class raises is not the caller's slip: it costs that method its cells later.

    Raises:
        BadValue: a built-in method cannot be built, or cannot do what its config says on this grid.
    """
    if not Method(fit.method, fit.target, "").is_built_in:
        return
    try:
        _at(place, fit).check(fit.grid.shape)
    except Exception as error:
        reason = str(error) if isinstance(error, (ValueError, UserError)) else f"cannot be built ({one_line(error)})."
        raise BadValue(f"Method '{fit.method}': {reason}") from error


def forget(folder: Path) -> None:
    """Take back a fit and all that an interrupted one has left, checkpoints too, so that the next starts anew."""
    (folder / "fit.json").unlink(missing_ok=True)  # first: without it nothing in the folder counts as done
    shutil.rmtree(folder, ignore_errors=True)


def _at(place: Workplace, fit: Fit) -> Detector:
    """The detector, unfitted, on the devices it is to have."""
    detector = build(fit.method, fit.target, fit.config).to(place.device)
    if hasattr(detector, "devices"):
        detector.devices = place.devices  # type: ignore[assignment]
    return detector


def _trained(place: Workplace, fit: Fit, detector: Detector) -> Detector:
    train, val = (Cases(place.study.training_cases(fit, split), fit.grid) for split in ("train", "val"))
    log.info("  fitting on %d healthy cases of %s (%d for validation)", len(train), fit.healthy.dataset, len(val))
    begin = time.perf_counter()
    detector.fit(train, val, seed=fit.seed, workdir=place.run.fit(fit))
    card = _keep(place, fit, detector, seconds=time.perf_counter() - begin)
    log.info("  fitted in %.0f s%s", card.seconds, f" ({card.speed})" if card.speed else "")
    return detector.eval()


def _taken_over(place: Workplace, fit: Fit, detector: Detector, alike: Path) -> Detector:
    """With the weights of a fit that was trained alike."""
    load_weights(detector, alike)
    _keep(place, fit, detector, seconds=read_json(alike / "fit.json")["seconds"], weights_of=alike.name)
    log.info("  takes the weights of %s, which was trained alike", alike.name)
    return detector.eval()


def _keep(place: Workplace, fit: Fit, detector: Detector, *, seconds: float, weights_of: str | None = None) -> DataCard:
    """Weights, config, data card and record of a finished fit, in this order."""
    folder = place.run.fit(fit)
    save_weights(detector, folder)
    write_json(folder / "config.json", dict(fit.config))
    card = _card(place, fit, detector, seconds, weights_of)
    write_card(folder, card)
    write_checksums(folder, (NAME, "config.json", "card.json"))
    devices = getattr(detector, "devices", 1)
    record = {"format": FORMAT, "fit": asdict(fit), "seconds": seconds, "parameters": card.parameters}
    record |= {"device": place.device, "devices": devices}
    write_json(folder / "fit.json", record if weights_of is None else {**record, "weights_of": weights_of})
    return card


def _card(place: Workplace, fit: Fit, detector: Detector, seconds: float, weights_of: str | None) -> DataCard:
    card = getattr(detector, "card", None)
    trained_in = place.run.fit(fit) if weights_of is None else place.run.fit(fit).with_name(weights_of)
    training, taken = training_stages(trained_in), bool(fit.config.get("weights"))
    return DataCard(
        card=card if isinstance(card, Card) else None,
        healthy=fit.healthy.dataset,
        sequence=fit.healthy.sequence,
        grid=asdict(fit.grid),
        train=0 if taken else len(place.study.training_cases(fit, "train")),
        val=0 if taken else len(place.study.training_cases(fit, "val")),
        seed=fit.seed,
        steps=_steps(fit, training, taken=taken),
        parameters=sum(parameter.numel() for parameter in detector.parameters()),
        seconds=seconds,
        training=training,
        weights_of=weights_of,
    )


def _steps(fit: Fit, training: Sequence[Mapping[str, Any]], *, taken: bool) -> int | None:
    """Taken in all stages, as far as the training tells, else those of the config; None for weights from a file."""
    told = [stage["steps"] for stage in training if isinstance(stage.get("steps"), int)]
    asked = fit.config.get("steps")
    if taken or not (told or isinstance(asked, int)):
        return None
    return sum(told) if told else asked


def trained_alike(run: RunFolder, fit: Fit, detector: Detector) -> Path | None:
    """Folder of a finished fit of this run whose training was that of `fit`, name and test-time fields apart."""
    at_test = _at_test(detector.Config)
    wanted = _training(asdict(fit), at_test)
    for record in sorted((run.root / "fits").glob("*/fit.json")):
        if _training(read_json(record)["fit"], at_test) == wanted:
            return record.parent
    return None


def training_mark(fit: Fit) -> str:
    """The same for two fits exactly where one may take the other's weights; an unusable method has its own."""
    try:
        config = load(Method(fit.method, fit.target, "")).Config
        return json.dumps(_training(asdict(fit), _at_test(config)), sort_keys=True)
    except (Exception, SystemExit):  # whatever is wrong with a plugin is told where it is fitted
        return fit.key


def _at_test(config: type) -> set[str]:
    return {field.name for field in fields(config) if field.metadata.get(AT_TEST)}


def _training(fit: Mapping[str, Any], at_test: set[str]) -> Mapping[str, Any]:
    """What decides a fit's weights, as it comes back from a file."""
    config = {name: value for name, value in fit["config"].items() if name not in at_test}
    return json.loads(json.dumps({**fit, "method": None, "config": config}))
