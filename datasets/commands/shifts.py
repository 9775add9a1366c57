"""Commands about shifts: `shifts` lists them, `doses` measures and calibrates their levels."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datasets.cohorts.catalog import dataset
from datasets.errors import BadValue, UnknownName, UserError
from datasets.grid import GRIDS
from datasets.shift_requests import AskedShift, parse_shifts
from datasets.shifts.registry import BUILT_IN, COMMON_DOSES, kind, names

if TYPE_CHECKING:
    from datasets.case import CaseFiles
    from datasets.commands.shift_doses import Dose
    from datasets.grid import Grid

app = typer.Typer()
Data = Annotated[Path, typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts.", file_okay=False)]
ON_FEW = 32  # cases that levels are searched on; the doses of those found are measured on all


@app.command("shifts")
def list_shifts(as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False) -> None:
    """List the kinds of shifts with their five levels and doses; a broken plugin is told on stderr."""
    facts = []
    for name in names():
        try:
            one = kind(name)
        except UserError as error:
            typer.echo(str(error), err=True)
            continue
        facts.append({key: getattr(one, key) for key in ("name", "title", "stage", "unit", "levels", "doses", "what")})
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for fact in facts:
        levels = ", ".join(f"{level:g}" for level in fact["levels"])
        typer.echo(f"{fact['name']:10} {fact['stage']:14} {fact['title']}: {levels} ({fact['unit']}; {fact['what']})")


@app.command("doses")
def doses(
    data: Data,
    shifts: Annotated[str | None, typer.Option(help="As of `benchmark run`; default: all built-in ones.")] = None,
    healthy: Annotated[str, typer.Option(help="Healthy cohort whose training cases are shifted.")] = "ixi",
    sequence: Annotated[str, typer.Option(help="Its sequence.")] = "t1",
    preset: Annotated[str, typer.Option(help="Grid: paper or quick.")] = "paper",
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Search the levels of the common doses anew.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many cases, spread over the cohort.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False,
) -> None:
    """Measure how far shifts move healthy tissue, and calibrate their levels to the common doses."""
    if preset not in GRIDS:
        raise UnknownName("preset", preset, GRIDS)
    files = [one for one in dataset(healthy).files(data, sequence) if one.split == "train" and one.healthy]
    files = _spread(files, limit)
    if not files:
        raise BadValue(f"--healthy {healthy}: got no healthy training case, wanted some to shift.")
    asked = _all() if shifts is None else parse_shifts(shifts)
    for one in _measured(asked, files, GRIDS[preset], data, sequence, calibrate):
        typer.echo(json.dumps(_fact(one)) if as_json else _line(one))


def _measured(
    asked: "Sequence[AskedShift]",
    files: "Sequence[CaseFiles]",
    grid: "Grid",
    data: Path,
    sequence: str,
    calibrate: bool,
) -> "Iterator[Dose]":
    from datasets.commands.shift_doses import calibrate as levels_for
    from datasets.commands.shift_doses import measure
    from datasets.shift_requests import landmarks_of

    if not calibrate:
        landmarks = {one.cohort: landmarks_of(one.cohort, data, sequence, grid) for one in asked if one.cohort}
        yield from (measure(one, files, grid, landmarks.get(one.cohort, ())) for one in asked)
        return
    for found in {one.kind.name: one.kind for one in asked if one.kind.calibrated}.values():
        levels = levels_for(found, _spread(files, ON_FEW), grid, COMMON_DOSES)
        for level, wanted in zip(levels, COMMON_DOSES, strict=True):
            yield measure(AskedShift(found, level), files, grid, aimed_at=wanted)


def _all() -> list[AskedShift]:
    """Every built-in kind at its five levels, but those that need a cohort to go to."""
    return parse_shifts(",".join(name for name, one in BUILT_IN.items() if not one.to_cohort))


def _spread(files: "Sequence[CaseFiles]", limit: int | None) -> "list[CaseFiles]":
    step = max(len(files) // limit, 1) if limit else 1
    return list(files[::step])[:limit]


def _fact(one: "Dose") -> dict[str, object]:
    facts = {"shift": one.asked.name, "level": one.asked.level, "dose": one.mean, "sd": one.sd}
    return facts if one.aimed_at is None else {**facts, "aimed_at": one.aimed_at, "reached": one.reached}


def _line(one: "Dose") -> str:
    text = f"{one.asked.name:16} {one.asked.level:<8g} dose {one.mean:.4f} (sd {one.sd:.4f})"
    if one.aimed_at is not None:
        text += f" for {one.aimed_at:g}" + ("" if one.reached else ": NOT REACHED")
    return text
