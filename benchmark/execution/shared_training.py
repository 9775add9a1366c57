"""trained_alike: variants of a method that differ at test time only are trained once in a run."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from benchmark.methods.detector import AT_TEST, Detector
from benchmark.methods.registry import Method, load
from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Fit
from datasets.io.atomic import read_json


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
