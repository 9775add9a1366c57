"""`python -m benchmark predict`: anomaly maps of anybody's scans."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import user_mistakes_in_one_line
from datasets.cores import usable_cores
from datasets.errors import BadValue, Missing, MissingData, UserError, need
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.api.scans import FittedDetector
    from benchmark.storage.fits import FitFolder
    from datasets.preparation.scan import Setup

app = typer.Typer()

DEEPBET = "deepbet"


@app.command()
@user_mistakes_in_one_line
def predict(
    fit: Annotated[
        str,
        typer.Argument(
            metavar="METHOD-FIT",
            help="A fit's folder, RUN/fits/ddpm-<key>; with --run, its name or that of its method.",
        ),
    ],
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN.nii.gz...", help="Scans, in any orientation.")],
    run: Annotated[Path | None, typer.Option(help="Run folder in which to look for the fit.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Sequence of the scans; must be that of the fit.")] = None,
    brain_mask: Annotated[
        Path | None, typer.Option(help="Brain mask of the scan, on its own voxels; one scan only.")
    ] = None,
    prepared: Annotated[bool, typer.Option("--prepared", help="The scans are in the prepared layout already.")] = False,
    stripper: Annotated[str, typer.Option(help="Tool that finds the brain: deepbet, hd-bet or none.")] = DEEPBET,
    stripper_command: Annotated[
        str | None, typer.Option(help="A program of your own instead, e.g. 'prog {image} {mask}'.", show_default=False)
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="SRI24 T1, skull-stripped; default: UADBENCH_TEMPLATE, or below UADBENCH_DATA.")
    ] = None,
    spacing: Annotated[float, typer.Option(help="Voxel edge in mm of prepared scans.")] = 1.0,
    threshold: Annotated[
        float | None, typer.Option(help="Also write a mask of what is above it, and outline it in the picture.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the maps.")] = Path("predictions"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed, for methods that draw random numbers.")] = 0,
) -> None:
    """Map anomalies in scans; write each map on its scan's own voxels, and a picture of it. Research use only."""
    from benchmark.api.scans import DetectorApart, load_detector
    from benchmark.inference.scan import output_names
    from benchmark.methods.registry import runs_apart
    from benchmark.storage.fits import find_fit
    from datasets.errors import one_line

    folder = find_fit(fit, run)
    if sequence is not None and sequence != folder.sequence:
        raise BadValue(f"--sequence: got {sequence}, expected {folder.sequence}, which {folder.fit.name} has learnt.")
    if brain_mask is not None and len(scans) > 1:
        raise BadValue(f"--brain-mask: got one mask for {count_text(len(scans), 'scan')}, expected one scan with it.")
    names = output_names(scans)
    setup = None if prepared else _setup(stripper, stripper_command, template, spacing, needs_tool=brain_mask is None)
    failed = 0
    with ExitStack() as stack:
        if runs_apart(folder.fit.target):
            detector: DetectorApart | FittedDetector = stack.enter_context(closing(DetectorApart(folder.path, device)))
        else:
            detector = load_detector(folder.path, device=device)
        for scan, name in zip(scans, names, strict=True):
            try:
                written = detector.predict(
                    scan, out=out, name=name, brain_mask=brain_mask, setup=setup, threshold=threshold, seed=seed
                )
            except UserError as error:
                reason = str(error)
            except Exception as error:  # a scan costs itself, whatever a method raises over its voxels
                reason = one_line(error)
            else:
                typer.echo(f"{scan}: {written['anomaly_map']}, picture {written['picture']}")
                continue
            failed += 1
            typer.echo(f"{scan} FAILED: {reason}", err=True)
    if failed < len(scans) and threshold is None:
        _tell_thresholds(folder)
    if failed:
        typer.echo(f"{failed} of {count_text(len(scans), 'scan')} failed.", err=True)
        raise typer.Exit(1)


def _tell_thresholds(folder: "FitFolder") -> None:
    """How to choose a threshold: those that the fit's run has chosen, or how to get them."""
    from benchmark.api.scans import chosen_thresholds
    from benchmark.study.protocols import PROTOCOLS

    known = chosen_thresholds(folder)
    if not known:
        typer.echo(
            "--threshold T writes what is above T as a mask. To choose T, map healthy scans, too: a value that 1 % of "
            "their brain voxels exceed is a start. A run that has scored this method lists its own here."
        )
        return
    typer.echo("--threshold T writes what is above T as a mask. On maps of this fit its run has chosen:")
    for name, value in known.items():
        typer.echo(f"  --threshold {value:<10.4g} {name}: {PROTOCOLS[name].what}")


def _setup(stripper: str, command: str | None, template: Path | None, spacing: float, *, needs_tool: bool) -> "Setup":
    from datasets.preparation.registration import set_threads
    from datasets.preparation.scan import Parameters, Setup
    from datasets.preparation.stripping import Stripper, find_stripper
    from datasets.preparation.template import find_template, load_template

    missing = Missing()
    with missing:
        need("SimpleITK", "Preparing scans")
    with missing:
        path = find_template(template, None)
    with missing:
        tool = find_stripper(stripper, command) if needs_tool else Stripper("none")
    if missing.errors and (template, stripper, command) == (None, DEEPBET, None):  # perhaps nobody meant to prepare it
        missing.errors.append(MissingData("A scan in the prepared layout needs none of this: --prepared."))
    missing.tell()
    if tool.name == "mask" and needs_tool:
        raise BadValue("--stripper mask: got no --brain-mask, expected one.")
    threads = usable_cores()
    set_threads(threads)
    return Setup(load_template(path), tool, Parameters(spacing=spacing), threads)
