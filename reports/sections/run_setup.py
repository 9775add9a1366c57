"""What stands first in a report: what qualifies all its numbers; and what was run, on what."""

from collections.abc import Iterator

from benchmark.storage.run_record import cell_state
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
