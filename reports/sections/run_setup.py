"""What stands first in a report: what qualifies all its numbers; and what was run, on what."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import cell_state
from benchmark.study.cells import Fit
from benchmark.study.study import Study
from datasets.io.atomic import read_json
from reports.markup.markdown import escape
from reports.model.run_results import Findings, cohort_title
from reports.sections.notes import badges


def opening(findings: Findings) -> str:
    """The title and the badges."""
    title = findings.heading(f"Run {escape(findings.run.root.resolve().name)}", 1)
    return "\n\n".join([title, *(f"> {badge}" for badge in badges(findings))])


def facts(findings: Findings, study: Study | None) -> str:
    """A list of what was run, on what, with what.

    Args:
        study: None where the data are not there any more; then nothing is said of their number.
    """
    lines = [f"- **{name}**: {text}" for name, text in _facts(findings, study)]
    return "\n".join([findings.heading("What was run"), "", *lines])


def _facts(findings: Findings, study: Study | None) -> Iterator[tuple[str, str]]:
    fit, settings, whole = findings.fits[0], findings.settings, findings.whole
    yield "Methods", ", ".join(whole.label(method) for method in whole.seeds)
    yield "Fitted on", f"{cohort_title(fit.healthy.dataset)}, {fit.healthy.sequence}{_sizes(findings, study)}"
    yield "Scored on", ", ".join(cohort_title(name) for name in findings.cohorts if name not in findings.empty)
    yield "Grid", _grid(findings)
    yield _fits_told(findings)
    version = read_json(findings.run.study)["version"]
    yield "Computed", f"by uadbench {version} on {_devices(findings)}, inference in {settings['precision']}"
    yield from _environment(findings)
    if settings["limit"] is not None:
        yield "Limit", f"at most {settings['limit']} healthy and as many lesion cases of each split"
    if sorted(settings["splits"]) != ["test", "val"]:
        yield "Splits", ", ".join(settings["splits"])
    done = sum(cell_state(findings.run, cell, findings.scoring) == "done" for cell in findings.cells)
    yield "Cells", f"{done} of {len(findings.cells)} done"
    if findings.shifted:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(cell.shift.label for cell in findings.shifted))
        yield "Shifts", f"{names}: {len(findings.shifted)} more cells, under Under shift"


def _fits_told(findings: Findings) -> tuple[str, str]:
    seeds = ", ".join(map(str, sorted({one.seed for one in findings.fits})))
    folds = findings.fits[0].folds
    if not folds:
        return "Training seeds", seeds
    return "Folds", f"{seeds} of {folds}, each validated on in turn and trained with its number as seed"


def _sizes(findings: Findings, study: Study | None) -> str:
    if study is None:
        return ""
    train, val = (len(study.training_cases(findings.fits[0], split)) for split in ("train", "val"))
    return f": {train} healthy cases to train on, {val} to validate on"


def _grid(findings: Findings) -> str:
    grid = findings.fits[0].grid
    lowest, highest = grid.percentiles
    return (
        f"{' x '.join(map(str, grid.shape))} voxels of {grid.spacing:g} mm; "
        f"intensities from percentile {lowest:g} to {highest:g} of the brain"
    )


def _devices(findings: Findings) -> str:
    records = [findings.run.cell(cell) / "cell.json" for cell in findings.cells]
    inferences = [read_json(path).get("inference") for path in records if path.exists()]
    return ", ".join(sorted({inference["device"] for inference in inferences if inference})) or "an unknown device"


def _environment(findings: Findings) -> Iterator[tuple[str, str]]:
    path = findings.run.root / "environment.json"
    if path.is_file():
        yield "Environment", "; ".join(escape(f"{name} {value}") for name, value in read_json(path).items())


def configurations(findings: Findings) -> str:
    """TOML tables of what each method was run with, then where each fit's keys."""
    fence = "```"
    tables = "\n\n".join(_tables(findings))
    keys = "\n".join(_keys(findings))
    return "\n\n".join(
        [
            findings.heading("Resolved configuration"),
            "Defaults, preset, TOML file and command line resolved; equal for all seeds of a method.",
            f"{fence}toml\n{tables}\n{fence}",
            f"<details><summary>Keys of {len(findings.fits)} fits and {len(findings.cells)} cells</summary>",
            keys,
            "</details>",
        ]
    )


def toml(value: Any) -> str:
    """A value as TOML writes it; None, which TOML has not, as a comment behind an empty string."""
    if value is None:
        return '"" # none'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _tables(findings: Findings) -> Iterator[str]:
    settings = {"precision": findings.settings["precision"], "splits": findings.settings["splits"],
                "postprocessing": list(findings.scoring.postprocessing),
                "protocols": list(findings.scoring.protocols)}  # fmt: skip
    yield _table("run", settings)
    yield _table("grid", findings.settings["grid"])
    for fit in {fit.method: fit for fit in findings.fits}.values():
        yield _table(fit.method, fit.config)


def _table(name: str, fields: Mapping[str, Any]) -> str:
    return "\n".join(
        [f"[{json.dumps(name, ensure_ascii=False)}]", *(f"{key} = {toml(fields[key])}" for key in sorted(fields))]
    )


def _keys(findings: Findings) -> Iterator[str]:
    for fit in findings.fits:
        keys = [f"{cell.cohort.dataset} `{cell.key}`" for cell in findings.cells if cell.fit == fit]
        yield (
            f"- **{escape(fit.method)}**, seed {fit.seed}{_training(findings.run, fit)}: fit `{fit.key}`; cells "
            f"{', '.join(keys)}"
        )


def _training(run: RunFolder, fit: Fit) -> str:
    path = run.fit(fit) / "fit.json"
    if not path.exists():
        return ""
    record = read_json(path)
    return f", {record['parameters']:,} parameters, fitted in {record['seconds']:.0f} s on {record['device']}"
