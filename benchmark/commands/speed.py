"""`python -m benchmark speed`: how fast methods map volumes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.api.options import Plugins
from benchmark.commands.common import (
    AsJson,
    progress_lines,
    user_mistakes_in_one_line,
    warn_of_shadowed,
)
from datasets.errors import BadFile, BadValue, check_name
from datasets.grid import PUBLISHED, SMALL

if TYPE_CHECKING:
    from benchmark.inference.settings import Inference
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.rows import Row

app = typer.Typer()

SWEEP = (1, 2, 4, 8, 16, 32, 64)
GPU_SWEEP = (*SWEEP, 128, 256)


@app.command()
@user_mistakes_in_one_line
@progress_lines(err=True)
def speed(
    methods: Annotated[str, typer.Option(help="Names, comma-separated; name[field=value] makes a variant.")],
    datasets: Annotated[str, typer.Option(help="Cohorts whose scans are mapped, comma-separated.")] = "phantom",
    data: Annotated[Path, typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts.")] = Path("data"),
    sequence: Annotated[str | None, typer.Option(help="As for run.")] = None,
    preset: Annotated[
        str,
        typer.Option(
            help=f"{PUBLISHED}: as published; {SMALL}: narrow networks; quick: narrow networks and voxels of 4 mm."
        ),
    ] = PUBLISHED,
    volumes: Annotated[int, typer.Option(min=1, help="Map at most this many scans of each cohort.")] = 4,
    precision: Annotated[str, typer.Option(help="fp32, bf16 or fp16, or several, comma-separated.")] = "fp32",
    slice_batch: Annotated[int, typer.Option(min=1, help="Slices processed at once.")] = 32,
    batch_sweep: Annotated[
        bool, typer.Option("--batch-sweep", help="Try 1, 2, 4, ... slices at once, up to 64, on a GPU up to 256.")
    ] = False,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile networks if there is a compiler.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    run: Annotated[
        Path | None,
        typer.Option(help="A run whose fits provide the weights; also reports how precision changes the maps."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write rows in the format of timing.csv; default: none, with --run its speed.csv."),
    ] = None,
    as_json: AsJson = False,
    plugins: Plugins = None,
) -> None:
    """Measure seconds, throughput, memory and energy of mapping real scans, from disk to kept maps."""
    from benchmark.inference.settings import pick_device
    from benchmark.speed.sweep import SweepRequest, measure_speed
    from benchmark.speed.tables import timings_as_json, timings_as_text, write_timings
    from benchmark.storage.environment import environment
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.run_tables import keep_digests
    from benchmark.study.planning import plan
    from benchmark.study.study import Request

    precisions = _precisions(precision)
    before: list[Row] = []
    if csv is None and run is not None:  # a run keeps what was measured of its methods one after the other
        csv = RunFolder(run).speed
        before = _measured_before(RunFolder(run))
    warn_of_shadowed()
    request = Request(methods, datasets, data, sequence=sequence, preset=preset, plugins=tuple(plugins or ()))
    study, where = plan(request), pick_device(device)
    inferences = _inferences(where, precisions, slice_batch, sweep=batch_sweep, compiled=compiled)
    timings = []
    for timing in measure_speed(SweepRequest(study, inferences, volumes, run)):
        timings.append(timing)
        if csv is not None:
            write_timings(csv, timings, before)
            if run is not None and csv == RunFolder(run).speed:
                keep_digests(RunFolder(run), [csv.name])
        if not as_json:
            typer.echo(timings_as_text([timing]) + "\n")
    if as_json:
        typer.echo(json.dumps(timings_as_json(timings, environment(where)), indent=1))
    if csv is not None:
        typer.echo(f"Rows: {csv}", err=True)


def _measured_before(run: "RunFolder") -> "list[Row]":
    """What earlier calls have left in a run; a damaged table is said and made anew."""
    from benchmark.storage.run_tables import has_table, kept_run_rows

    try:
        return kept_run_rows(run, run.speed.name) if has_table(run, run.speed.name) else []
    except BadFile as error:
        typer.echo(f"Warning: {error}", err=True)
        return []


def _precisions(text: str) -> list[str]:
    """Each once; fp32 first, since others are compared with it."""
    from benchmark.study.cells import PRECISIONS

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        check_name("value of --precision called", name, PRECISIONS)
    if not names:
        raise BadValue(f"--precision: got '{text}', expected one or more of {', '.join(PRECISIONS)}.")
    return sorted(set(names), key=PRECISIONS.index)


def _inferences(
    device: str, precisions: list[str], slice_batch: int, *, sweep: bool, compiled: bool
) -> "list[Inference]":
    from benchmark.inference.settings import Inference, can_compile

    batches = (GPU_SWEEP if device.startswith("cuda") else SWEEP) if sweep else (slice_batch,)
    compiled = compiled and can_compile(device)
    return [
        Inference(device, name, batch, compiled=compiled)  # type: ignore[arg-type]
        for batch in batches
        for name in precisions
    ]
