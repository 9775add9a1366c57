"""Commands that draw conclusions from a run: `compare`, `multiverse`, `calibrate`, `audiogram`."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import RunArgument, user_mistakes_in_one_line
from datasets.errors import BadValue, MissingData

if TYPE_CHECKING:
    from benchmark.analysis.compare_methods import Comparable, Standing

app = typer.Typer()

WIDTH = 100


@app.command()
@user_mistakes_in_one_line
def compare(
    folder: RunArgument,
    a: Annotated[str, typer.Argument(metavar="A", help="A method of the run.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The method that it is compared with.")],
    dataset: Annotated[str | None, typer.Option(help="A cohort; default: all in which both have numbers.")] = None,
    metric: Annotated[str | None, typer.Option(help="Default: that of the endpoints.")] = None,
    postprocessing: Annotated[str | None, typer.Option(help="A pipeline; default: the endpoint's.")] = None,
    protocol: Annotated[str | None, typer.Option(help="A threshold protocol; default: all endpoints.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the table and the picture; default: RUN.")] = None,
) -> None:
    """Compare two methods patient by patient, corrected for all pairs; write comparisons.csv and a picture."""
    from benchmark.analysis.compare_methods import Comparable, pooled
    from benchmark.analysis.summaries.make import add_standings, summarise
    from benchmark.postprocessing.pipelines import idle_text
    from benchmark.statistics.panel import QUESTIONS, TRAINED_MODEL
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.storage.folder import open_run
    from reports.api import pooled_text

    comparable = Comparable(open_run(folder), read_endpoint())
    found = _standings(comparable, dataset, metric, postprocessing, protocol)
    if told := idle_text([postprocessing] if postprocessing else comparable.fixed.pipelines, comparable.edge):
        typer.echo(fill(told, WIDTH, break_on_hyphens=False) + "\n")
    for standings in found:
        both = [one for one in standings if {a, b} <= one.panels.keys()]
        if not both or a == b:
            standings[0].of(TRAINED_MODEL, a, b)  # says which name is unknown
        without = [name for name in comparable.seeds if name not in {one.choice.dataset for one in both}]
        if without and dataset is None:
            typer.echo(f"Without numbers under {both[0].choice.what}: {', '.join(without)}.", err=True)
        for standing in both:
            for text in _texts(standing, comparable, a, b):
                typer.echo(fill(text, WIDTH, break_on_hyphens=False) + "\n")
        for question in QUESTIONS if len(standings) > 1 else ():
            text = pooled_text(pooled(standings, question, a, b), question)
            typer.echo(fill(text, WIDTH, break_on_hyphens=False) + "\n")
    if out is None:
        summarise(comparable.run, None)
    table = add_standings(comparable, [one for standings in found for one in standings], out or folder)
    pictures = [f"Picture: {_draw(standings, a, b, out or folder)}" for standings in found]
    typer.echo("\n".join([f"All pairs: {table}", *pictures]))


def _standings(
    comparable: "Comparable", dataset: str | None, metric: str | None, pipeline: str | None, protocol: str | None
) -> "list[list[Standing]]":
    """Those of each choice that is asked for, by default of each endpoint."""
    protocols = comparable.endpoint.protocols if protocol is None else (protocol,)
    names = list(comparable.seeds) if dataset is None else [dataset]
    choices = dict.fromkeys(comparable.choice(names[0], metric, pipeline, one) for one in protocols)
    found: list[list[Standing]] = []
    missing: list[str] = []
    for choice in choices:
        standings: list[Standing] = []
        for name in names:
            try:
                standings.append(comparable.standing(replace(choice, dataset=name)))
            except MissingData as error:
                missing.append(str(error))
        found += [standings] if standings else []
    if not found:
        raise MissingData(missing[0])
    return found


def _texts(standing: "Standing", comparable: "Comparable", a: str, b: str) -> Iterator[str]:
    """A cohort's paragraph, each method's parts of variance, and the ranks that are open."""
    from benchmark.statistics.intervals.crossed_effects import variance_parts
    from benchmark.statistics.panel import QUESTIONS
    from reports.api import paragraph, parts_text, ranks_text

    weights, recipe = (standing.of(question, a, b) for question in QUESTIONS)
    one = standing.pair(a, b)
    yield paragraph(weights, recipe, one.means, standing.panels[a].scans, comparable.endpoint)
    level = 1 - comparable.endpoint.alpha
    for method in (a, b):
        parts = variance_parts(standing.panels[method], alpha=comparable.endpoint.alpha)
        yield parts_text(method, parts, level)
    for question in QUESTIONS:
        if any(one.state != "not testable" for one in standing.comparisons[question]):
            yield ranks_text(standing.ranks(question), question, level)


def _draw(standings: "Sequence[Standing]", a: str, b: str, folder: Path) -> Path:
    from benchmark.statistics.panel import QUESTIONS
    from reports.api import PairDifferences, write_differences

    shown = [
        PairDifferences(standing.pair(a, b).differences, [standing.of(question, a, b) for question in QUESTIONS])
        for standing in standings
        if {a, b} <= standing.panels.keys() and standing.pair(a, b).n
    ]
    if not shown:
        raise MissingData(f"No patient has a number of both {a} and {b}: nothing to draw.")
    choice = standings[0].choice
    where = choice.dataset if len(shown) == 1 else "all"
    parts = (a, b, where, choice.metric, choice.postprocessing, choice.protocol)
    name = "-".join(re.sub(r"[^\w.=]+", "_", part).strip("_") for part in parts if part)
    path = folder / "figures" / f"differences-{name}.png"
    write_differences(path, shown)
    return path


@app.command()
@user_mistakes_in_one_line
def multiverse(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="A run; further ones under another normalisation.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of summary.csv; default: the first RUN.")] = None,
) -> None:
    """Rank the methods under every choice of a fixed list; describe how far the rankings agree, test nothing."""
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
        typer.echo(fill(told, WIDTH, break_on_hyphens=False) + "\n")
    for each in found:
        for text in multiverse_text(each):
            typer.echo(fill(text, WIDTH, break_on_hyphens=False))
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
        str, typer.Option(help="Healthy cohort of one site whose maps the run keeps: its name, or its folder.")
    ],
    alpha: Annotated[float, typer.Option(help="Share of healthy scans that may raise any alarm.")] = 0.05,
    postprocessing: Annotated[
        str | None, typer.Option(help="Post-processing of the maps; default: what one would deploy.")
    ] = None,
    p_maps: Annotated[
        bool, typer.Option("--p-maps", help="Write a map of voxel p-values of every other scan, too.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are now; default: where they were.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the p-maps; default: RUN/calibration/<healthy>.")] = None,
) -> None:
    """Find thresholds with a guaranteed alarm rate on one site's healthy scans, and the power left at them."""
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
    typer.echo(fill(guarantee_text(found[0], name, pipeline.name), WIDTH) + "\n")
    typer.echo(power_table(found))
    typer.echo("\n" + fill(split_text(found, name, alpha), WIDTH, break_on_hyphens=False))
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
    typer.echo(audiogram_text(run))
