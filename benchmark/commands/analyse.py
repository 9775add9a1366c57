"""Commands that draw conclusions from a run: `compare`, `multiverse`, `calibrate`, `audiogram`."""

import sys
from pathlib import Path
from textwrap import fill, wrap
from typing import Annotated

import typer

from benchmark.commands.common import RunArgument, bold, text_width, user_mistakes_in_one_line
from datasets.errors import BadValue, MissingData

app = typer.Typer()


@app.command()
@user_mistakes_in_one_line
def compare(
    folder: RunArgument,
    a: Annotated[str | None, typer.Argument(metavar="A", help="A method of the run, or the start of its name.")] = None,
    b: Annotated[str | None, typer.Argument(metavar="B", help="The method that it is compared with.")] = None,
    dataset: Annotated[str | None, typer.Option(help="A cohort; default: all in which both have numbers.")] = None,
    metric: Annotated[str | None, typer.Option(help="A metric; default: that of the endpoints.")] = None,
    postprocessing: Annotated[str | None, typer.Option(help="A pipeline; default: the endpoint's.")] = None,
    protocol: Annotated[str | None, typer.Option(help="A threshold protocol; default: all endpoints.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table and the picture; default: RUN.")] = None,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Also print tests, intervals, variance components and ranks, in sentences."
        ),
    ] = False,
) -> None:
    """Compare two methods patient by patient, corrected for all pairs; write comparisons.csv and a picture.

    Example: python -m benchmark compare first cddpm zscore --dataset phantom-ms
    """
    from benchmark.api.comparison import compare as compared

    if a is None or b is None:
        raise _two_methods_needed(folder, a)
    found = compared(
        folder, a, b, dataset=dataset, metric=metric, postprocessing=postprocessing, protocol=protocol, out=out
    )
    for text in found.verdicts:
        typer.echo("\n".join(map(bold, _lines(text))) if sys.stdout.isatty() else text)
    for text in found.remarks:
        typer.echo("\n".join(_lines(text)))
    if verbose:
        typer.echo()
        for text in found.paragraphs:
            typer.echo(fill(text, text_width(), break_on_hyphens=False) + "\n")
    pictures = [f"Picture: {path}" for path in found.pictures]
    typer.echo("\n".join([f"All pairs: {found.table}", *pictures]))


def _two_methods_needed(folder: Path, a: str | None) -> BadValue:
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import kept_cells

    there = dict.fromkeys(cell.fit.method for cell in kept_cells(open_run(folder)))
    got = f"'{a}' alone" if a else "no method"
    return BadValue(f"compare: got {got}, expected two methods. Available: {', '.join(there)}.")


def _lines(text: str) -> list[str]:
    return wrap(text, text_width(), break_on_hyphens=False, subsequent_indent="  ")


@app.command()
@user_mistakes_in_one_line
def multiverse(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="A run, and optionally others with another normalisation.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of summary.csv; default: the first RUN.")] = None,
) -> None:
    """Rank the methods under a fixed list of choices, and describe how far the rankings agree; nothing is tested."""
    from benchmark.analysis.compare_methods import Comparable, normalisation_of
    from benchmark.analysis.multiverse import multiverse_text, multiverses, universe_lines
    from benchmark.analysis.summaries.make import summarise
    from benchmark.postprocessing.pipelines import idle_text
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.statistics.rank_stability import read_choices
    from benchmark.storage.folder import open_run
    from benchmark.storage.summary_tables import SummaryLine, add_lines, summary_path

    runs: dict[str, Comparable] = {}
    for folder in folders:
        one = Comparable(open_run(folder), read_endpoint())
        name = normalisation_of(one.run)
        if name in runs:
            raise BadValue(f"{folder}: got normalisation {name} twice, expected runs that differ in it.")
        runs[name] = one
    choices = read_choices()
    found = multiverses(runs, choices)
    if told := idle_text(choices.postprocessing, next(iter(runs.values())).edge):
        typer.echo(fill(told, text_width(), break_on_hyphens=False) + "\n")
    for each in found:
        for text in multiverse_text(each):
            typer.echo(fill(text, text_width(), break_on_hyphens=False))
        typer.echo("")
    if out is None:
        summarise(runs[next(iter(runs))].run, None)
    path = summary_path(out or folders[0])
    add_lines(path, SummaryLine, list(universe_lines(found, runs)), ("kind",))
    typer.echo(f"Described, not tested: the universes share patients and maps.\nAll universes: {path}")


@app.command()
@user_mistakes_in_one_line
def calibrate(
    folder: RunArgument,
    healthy: Annotated[
        str, typer.Option(help="Healthy cohort of one site that the run has mapped: its name or folder.")
    ],
    alpha: Annotated[float, typer.Option(help="Share of healthy scans that may have any false positive.")] = 0.05,
    postprocessing: Annotated[
        str | None, typer.Option(help="Post-processing of the maps; default: that of the endpoints.")
    ] = None,
    p_maps: Annotated[
        bool, typer.Option("--p-maps", help="Also write a map of voxel p-values for every other scan.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are now; default: where they were.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the p-maps; default: RUN/calibration/<healthy>.")] = None,
) -> None:
    """Find thresholds with a guaranteed false-positive rate on one site's healthy scans, and the power at them."""
    from benchmark.analysis.calibration import (
        calibrate_run,
        calibration_lines,
        check_folder,
        guarantee_text,
        power_table,
        split_text,
    )
    from benchmark.analysis.compare_methods import Comparable
    from benchmark.analysis.summaries.make import summarise
    from benchmark.postprocessing.pipelines import DEPLOYED, pipeline_on
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import reopen
    from benchmark.storage.summary_tables import SummaryLine, add_lines, summary_path

    run = open_run(folder)
    study = reopen(run, data)
    pipeline = pipeline_on(postprocessing or DEPLOYED.name, study.grid.spacing)
    if pipeline.score is not None:
        raise BadValue(f"--postprocessing: got '{pipeline.name}', expected a pipeline on the methods' own maps.")
    name = check_folder(study, healthy)
    maps = (out or folder / "calibration" / name) / "p-maps" if p_maps else None
    found = list(calibrate_run(run, study, name, pipeline, alpha=alpha, p_maps=maps))
    typer.echo(fill(guarantee_text(found[0], name, pipeline.name), text_width()) + "\n")
    typer.echo(power_table(found))
    typer.echo("\n" + fill(split_text(found, name, alpha), text_width(), break_on_hyphens=False))
    summarise(run, data)
    comparable = Comparable(run, read_endpoint())
    lines = [line for one in found for line in calibration_lines(comparable, one, name, pipeline.name)]
    add_lines(summary_path(folder), SummaryLine, lines, ("kind", "protocol", "postprocessing"))
    typer.echo(f"\nThresholds: {summary_path(folder)}" + (f"\np-maps: {maps}" if maps else ""))


@app.command()
@user_mistakes_in_one_line
def audiogram(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run with implant[COHORT] among its datasets.")],
) -> None:
    """Print the contrast at which half of the implanted lesions of each volume are found."""
    from benchmark.analysis.implants import AUDIOGRAM
    from benchmark.storage.folder import open_run
    from reports.api import audiogram_text

    run = open_run(folder)
    if not (run.root / AUDIOGRAM).exists():
        raise MissingData(
            f"{folder}: got a run without implanted lesions, looked for {run.root / AUDIOGRAM}. Map some: "
            'python -m benchmark run --datasets "implant[COHORT]"'
        )
    typer.echo(audiogram_text(run, text_width()))
