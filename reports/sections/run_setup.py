"""Sections of the set-up: title and badges, what was run on what, and every hyper-parameter and key."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmark.storage.environment import mixtures
from benchmark.storage.fits import fit_record
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import cell_record, cell_state
from benchmark.storage.run_tables import read_run_record
from benchmark.study.cells import Fit
from datasets.cohorts.catalog import dataset
from datasets.io.atomic import read_json
from datasets.words import count_text
from reports.content.blocks import Block, Bullets, Folded, Listing, Notice, Paragraph
from reports.content.text import Text, code, joined, prose
from reports.model.run_results import RunResults, cohort_title
from reports.sections.notes import badges

NOTHING = "nothing: no healthy scans, and methods that need no training"
MOST_NAMED = 4  # fits and cells of one environment


def opening(results: RunResults) -> list[Block]:
    """The title and the badges."""
    count = len(results.whole.seeds)
    cohorts = "; ".join(dataset(name).title for name in results.lesion or results.healthy)
    title = count_text(count, "method") + (f" on {cohorts}" if cohorts else "")
    return [results.heading(title, 1), *map(Notice, badges(results))]


def facts(results: RunResults) -> list[Block]:
    """A list of what was run, on what, with what."""
    return [results.heading("What was run"), Bullets([prose("**{}**: {}", *one) for one in _facts(results)])]


def _facts(results: RunResults) -> Iterator[tuple[str, Text | str]]:
    fit, settings, whole = results.fits[0], results.settings, results.whole
    yield "Methods", joined([whole.label(method) for method in whole.seeds], ", ")
    fitted = joined(map(cohort_title, results.fitted_on), ", ")
    yield "Fitted on", prose("{}, {}{}", fitted, fit.healthy.sequence, _sizes(results)) if fitted else NOTHING
    yield "Scored on", joined([cohort_title(name) for name in results.cohorts if name not in results.empty], ", ")
    yield "Grid", _grid(results)
    yield "Post-processing", joined([prose("`{}`: {}", *one) for one in results.pipelines.items()], "; ")
    yield _fits_text(results)
    version = read_json(results.run.study)["version"]
    yield "Computed", f"by uadbench {version} on {_devices(results)}, inference in {settings['precision']}"
    yield from _environment(results)
    if settings["limit"] is not None:
        yield "Limit", f"at most {settings['limit']} healthy and as many lesion cases of each split"
    if sorted(settings["splits"]) != ["test", "val"]:
        yield "Splits", ", ".join(settings["splits"])
    done = sum(cell_state(results.run, cell, results.scoring) == "done" for cell in results.cells)
    yield "Cells", f"{done} of {len(results.cells)} done"
    if results.shifted:
        names = joined([code(name) for name in dict.fromkeys(cell.shift.label for cell in results.shifted)], ", ")
        yield "Shifts", prose("{}: {} more cells, under Under shift", names, len(results.shifted))


def _fits_text(results: RunResults) -> tuple[str, str]:
    seeds = ", ".join(map(str, sorted({one.seed for one in results.fits})))
    folds = results.fits[0].folds
    if not folds:
        return "Training seeds", seeds
    return "Folds", f"{seeds} of {folds}, each validated on in turn and trained with its number as seed"


def _sizes(results: RunResults) -> str:
    """How many cases were fitted on; nothing where the data are not there any more."""
    study = results.scans.study
    if study is None:
        return ""
    sizes = {tuple(len(study.training_cases(fit, split)) for split in ("train", "val")) for fit in results.fits}
    told = (f"{count_text(train, 'healthy case')} to train on, {val} to validate on" for train, val in sorted(sizes))
    return f": {' or '.join(told)}"


def _grid(results: RunResults) -> str:
    grid = results.grid
    lowest, highest = grid.percentiles
    return f"{grid.text}; intensities from percentile {lowest:g} to {highest:g} of the brain"


def _devices(results: RunResults) -> str:
    inferences = [cell_record(results.run, cell).get("inference") for cell in results.cells]
    return ", ".join(sorted({inference["device"] for inference in inferences if inference})) or "an unknown device"


def _environment(results: RunResults) -> Iterator[tuple[str, Text | str]]:
    if known := read_run_record(results.run, "environment.json"):
        yield "Environment", "; ".join(f"{name} {value}" for name, value in known.items())
    for field, values in mixtures(results.run, results.cells).items():
        told = joined([prose("{} in {}", value, _listed(names)) for value, names in values.items()], "; ")
        yield f"Mixed {field}", prose("{}. Compute one of them anew, so that all rows have one origin.", told)


def _listed(names: Sequence[str]) -> Text:
    rest = len(names) - MOST_NAMED
    listed = joined(map(code, names[:MOST_NAMED]), ", ")
    return listed + f" and {rest} more" if rest > 0 else listed


def configurations(results: RunResults) -> list[Block]:
    """TOML tables of what each method was run with, then where each fit's keys."""
    keys = f"Keys of {count_text(len(results.fits), 'fit')} and {count_text(len(results.cells), 'cell')}"
    return [
        results.heading("Resolved configuration"),
        Paragraph("Defaults, preset, TOML file and command line resolved; equal for all seeds of a method."),
        Listing("\n\n".join(_tables(results)), "toml"),
        Folded(keys, [Bullets(list(_keys(results)))]),
    ]


def toml(value: Any) -> str:
    """A value as TOML writes it; None, which TOML has not, as a comment behind an empty string."""
    if value is None:
        return '"" # none'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _tables(results: RunResults) -> Iterator[str]:
    settings = {"precision": results.settings["precision"], "splits": results.settings["splits"],
                "postprocessing": list(results.scoring.postprocessing),
                "protocols": list(results.scoring.protocols)}  # fmt: skip
    yield _table("run", settings)
    yield _table("grid", results.settings["grid"])
    for fit in {fit.method: fit for fit in results.fits}.values():
        yield _table(fit.method, fit.config)


def _table(name: str, fields: Mapping[str, Any]) -> str:
    return "\n".join(
        [f"[{json.dumps(name, ensure_ascii=False)}]", *(f"{key} = {toml(fields[key])}" for key in sorted(fields))]
    )


def _keys(results: RunResults) -> Iterator[Text]:
    cells: dict[str, list[Text]] = {}
    for cell in results.cells:
        cells.setdefault(cell.fit.key, []).append(prose("{} `{}`", cell.cohort.dataset, cell.key))
    for fit in results.fits:
        told = _training(results.run, fit)
        keys = joined(cells[fit.key], ", ")
        yield prose("**{}**, seed {}{}: fit `{}`; cells {}", fit.method, fit.seed, told, fit.key, keys)


def _training(run: RunFolder, fit: Fit) -> str:
    record = fit_record(run.fit(fit), fit)
    if not record:
        return ""
    return f", {record['parameters']:,} parameters, fitted in {record['seconds']:.0f} s on {record['device']}"
