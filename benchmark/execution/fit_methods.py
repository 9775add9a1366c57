"""load_or_fit: the detector of a fit, loaded from the run folder if it is there, else trained and stored."""

import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.methods.card import card_of, covariates_of
from benchmark.methods.declared import declared
from benchmark.methods.detector import Detector
from benchmark.methods.hyperparameters import build_detector
from benchmark.methods.registry import BUILT_IN_TARGET, Method, load
from benchmark.methods.weights import load_weights, save_weights
from benchmark.storage.environment import environment
from benchmark.storage.fits import DataCard, check_fit_files, read_fit, training_stages, write_card, write_fit
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import check_data
from benchmark.study.cells import Fit, as_stored
from benchmark.study.study import Study
from datasets.errors import BadFile, BadValue, UserError, one_line
from datasets.io.atomic import read_json, write_json
from datasets.loading import Cases

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitContext:
    """What fitting needs beside the fit itself.

    Attributes:
        run: where fits are stored.
        device: of the detectors.
    """

    study: Study
    run: RunFolder
    device: str


def load_or_fit(context: FitContext, fit: Fit, *, mend: bool) -> Detector:
    """The detector of a fit. `fit.json` is written last into its folder, so an interrupted fit resumes.

    Args:
        mend: fit again if stored weights cannot be loaded.

    Raises:
        BadFile: stored weights cannot be loaded, and `mend` is False.
    """
    folder = context.run.fit(fit)
    detector = unfitted(context, fit)
    if (folder / "fit.json").exists():
        try:
            check_fit_files(folder, fit)
            load_weights(detector, folder)
            return detector
        except BadFile as error:
            if not mend:
                raise
            log.info("  fitting anew: %s", error)
            delete_fit(folder)
    folder.mkdir(parents=True, exist_ok=True)
    same = find_same_training(context.run, fit)
    return _train(context, fit, detector) if same is None else _copy_weights(context, fit, detector, same)


def check_fit(context: FitContext, fit: Fit) -> None:
    """Build the detector of a built-in method once, so that unusable hyper-parameters are refused before any fit.

    Methods of plugins are not checked: errors in their code fail their own cells, not the run.

    Raises:
        BadValue: the detector cannot be built, or does not work with its config on this grid.
    """
    if not Method(fit.method, fit.target, "").is_built_in:
        return
    try:
        unfitted(context, fit).check(fit.grid.shape)
    except Exception as error:
        reason = str(error) if isinstance(error, (ValueError, UserError)) else f"cannot be built ({one_line(error)})."
        raise BadValue(f"Method '{fit.method}': {reason}") from error


def training_seconds(context: FitContext, preset: str) -> dict[str, float]:
    """By built-in method: estimated seconds of training the study's unfinished fits, one by one, on this CPU.

    Args:
        preset: in place of each fit's own hyper-parameters, one that its class names; "" for its own.
    """
    seconds: dict[str, float] = {}
    for fit in {training_key(fit): fit for fit in context.study.fits}.values():
        method = Method(fit.method, fit.target, "")
        if not method.is_built_in or (context.run.fit(fit) / "fit.json").exists():
            continue
        planned = replace(fit, config=load(method).presets[preset]) if preset else fit
        own = unfitted(context, planned).training_seconds()
        if own is not None:
            seconds[fit.method] = seconds.get(fit.method, 0.0) + own
    return seconds


def delete_fit(folder: Path) -> None:
    """Delete a fit, or what an interrupted one has left, checkpoints included."""
    with suppress(OSError):  # first: without it nothing in the folder counts as done
        (folder / "fit.json").unlink()
    shutil.rmtree(folder, ignore_errors=True)


def find_same_training(run: RunFolder, fit: Fit) -> Path | None:
    """Folder of a finished fit of `run` that was trained alike: it differs in name and test-time fields only.

    None without one.
    """
    training = training_key(fit)
    for record in sorted((run.root / "fits").glob("*/fit.json")):
        try:
            source = read_fit(record.parent).fit
            if training_key(source) == training:
                check_fit_files(record.parent, source)
                return record.parent
        except UserError as error:  # damaged: trained anew instead, and named where it is used itself
            log.info("  not taken: %s", error)
    return None


def training_key(fit: Fit) -> str:
    """Equal for two fits if one may take the weights of the other; unique if the method cannot be loaded."""
    return _training_key(as_stored(fit), fit.key)


def unfitted(context: FitContext, fit: Fit) -> Detector:
    """A detector without weights, on its devices."""
    detector = build_detector(fit.method, fit.target, fit.config, fit.revision, channels=fit.channels)
    detector = detector.to(context.device)
    if hasattr(detector, "devices"):
        detector.devices = fit.devices  # type: ignore[assignment]
    return detector


def _train(context: FitContext, fit: Fit, detector: Detector) -> Detector:
    train, val = (
        Cases(context.study.training_cases(fit, split), fit.grid, covariates=covariates_of(detector))
        for split in ("train", "val")
    )
    if fit.healthy_cohorts:
        log.info("  fitting on %d healthy cases of %s (%d for validation)", len(train), fit.fitted_on, len(val))
    begin = time.perf_counter()
    detector.fit(train, val, seed=fit.seed, workdir=context.run.fit(fit))
    spent = time.perf_counter() - begin
    for cohort in fit.healthy_cohorts:
        check_data(context.run, context.study, cohort)
    card = _store(context, fit, detector, {"seconds": spent, "environment": environment(context.device)})
    if fit.healthy_cohorts:
        log.info("  fitted in %.0f s%s", card.seconds, f" ({card.speed})" if card.speed else "")
    return detector.eval()


def _copy_weights(context: FitContext, fit: Fit, detector: Detector, source: Path) -> Detector:
    """Take the weights of the fit in the folder `source`, whose training was the same."""
    load_weights(detector, source)
    trained = read_json(source / "fit.json")
    spent = {"seconds": trained["seconds"], "environment": trained["environment"], "weights_of": source.name}
    _store(context, fit, detector, spent)
    log.info("  takes the weights of %s, which was trained alike", source.name)
    return detector.eval()


def _store(context: FitContext, fit: Fit, detector: Detector, training: Mapping[str, Any]) -> DataCard:
    """Write weights, config, data card and record of a finished fit, in this order.

    Args:
        training: for the record: the seconds that it took, where, and whose weights these are if not the fit's own.
    """
    folder = context.run.fit(fit)
    save_weights(detector, folder)
    write_json(folder / "config.json", dict(fit.config))
    card = _card(context, fit, detector, training["seconds"], training.get("weights_of"))
    write_card(folder, card)
    write_fit(folder, fit, {"device": context.device, "parameters": card.parameters, **training})
    return card


def _card(context: FitContext, fit: Fit, detector: Detector, seconds: float, weights_of: str | None) -> DataCard:
    trained_in = context.run.fit(fit) if weights_of is None else context.run.fit(fit).with_name(weights_of)
    training, imported = training_stages(trained_in), bool(fit.config.get("weights"))
    return DataCard(
        card=card_of(detector),
        healthy=fit.fitted_on,
        sequence=fit.healthy.sequence,
        grid=asdict(fit.grid),
        train=0 if imported else len(context.study.training_cases(fit, "train")),
        val=0 if imported else len(context.study.training_cases(fit, "val")),
        seed=fit.seed,
        steps=_steps(fit, training, imported=imported),
        parameters=sum(parameter.numel() for parameter in detector.parameters()),
        seconds=seconds,
        training=training,
        weights_of=weights_of,
    )


def _steps(fit: Fit, training: Sequence[Mapping[str, Any]], *, imported: bool) -> int | None:
    """Training steps of all stages, else the steps of the config; None for weights from a file."""
    steps = [stage["steps"] for stage in training if isinstance(stage.get("steps"), int)]
    configured = fit.config.get("steps")
    if imported or not (steps or isinstance(configured, int)):
        return None
    return sum(steps) if steps else configured


def _training_key(fit: Mapping[str, Any], unique: str) -> str:
    """All that the weights of a fit depend on, as text; `unique` if its method cannot be loaded in its revision."""
    try:
        own = declared(Method(fit["method"], fit["target"], "", fit.get("origin")))
    except UserError:  # a broken plugin is reported when it is fitted
        return unique
    if fit["revision"] != own.revision:
        return unique
    trained_as = own.trained_as
    target = BUILT_IN_TARGET.format(trained_as) if trained_as else fit["target"]
    revision = declared(Method(trained_as, target, "")).revision if trained_as else own.revision
    config = {name: value for name, value in fit["config"].items() if name not in own.at_test}
    return json.dumps({**fit, "method": None, "target": target, "config": config, "revision": revision}, sort_keys=True)
