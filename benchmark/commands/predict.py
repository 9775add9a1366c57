"""`python -m benchmark predict`: anomaly maps of anybody's scans."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import user_mistakes_in_one_line
from datasets.cores import usable_cores
from datasets.errors import BadValue, Missing, UserError

if TYPE_CHECKING:
    from datasets.preparation.scan import Setup

app = typer.Typer()


@app.command()
@user_mistakes_in_one_line
def predict(
    fit: Annotated[
        str, typer.Argument(metavar="METHOD-FIT", help="A fit's folder, RUN/fits/ddpm-<key>, or its name with --run.")
    ],
    scans: Annotated[list[Path], typer.Argument(metavar="SCAN.nii.gz...", help="Scans, in whatever orientation.")],
    run: Annotated[Path | None, typer.Option(help="The run folder that the fit's name is looked up in.")] = None,
    sequence: Annotated[str | None, typer.Option(help="What the scans are; has to be what the fit has learnt.")] = None,
    brain_mask: Annotated[Path | None, typer.Option(help="The brain of the one scan, on its own voxels.")] = None,
    prepared: Annotated[bool, typer.Option("--prepared", help="The scans are prepared already.")] = False,
    stripper: Annotated[str, typer.Option(help="What finds the brain: deepbet, hd-bet or none.")] = "deepbet",
    stripper_command: Annotated[
        str | None, typer.Option(help="An own program instead, e.g. 'prog {image} {mask}'.", show_default=False)
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="SRI24 T1, skull-stripped; default: UADBENCH_TEMPLATE, or below UADBENCH_DATA.")
    ] = None,
    spacing: Annotated[float, typer.Option(help="Voxel edge in mm that scans are prepared at.")] = 1.0,
    threshold: Annotated[float | None, typer.Option(help="Write what is above it as a mask, too.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the maps.")] = Path("predictions"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of methods that draw random numbers.")] = 0,
) -> None:
    """Map anomalies in scans, and write the maps in each scan's own space. Research use only."""
    from benchmark.inference.predict import load_single_scan_detector
    from benchmark.inference.scan import ScanSettings, output_names, predict_scan
    from benchmark.inference.settings import Inference, pick_device
    from benchmark.storage.fits import find_fit
    from datasets.errors import one_line

    folder = find_fit(fit, run)
    if sequence is not None and sequence != folder.sequence:
        raise BadValue(f"--sequence: got {sequence}, expected {folder.sequence}, which {folder.fit.name} has learnt.")
    if brain_mask is not None and len(scans) > 1:
        raise BadValue(f"--brain-mask: got one mask for {len(scans)} scans, expected one scan with it.")
    names = output_names(scans)
    setup = None if prepared else _setup(stripper, stripper_command, template, spacing, needs_tool=brain_mask is None)
    inference = Inference(device=pick_device(device))
    detector = load_single_scan_detector(folder, inference.device)
    request = ScanSettings(folder, setup, brain_mask, threshold, out, seed)
    failed = 0
    for scan, name in zip(scans, names, strict=True):
        try:
            written = predict_scan(scan, name, detector, request, inference)
        except UserError as error:
            reason = str(error)
        except Exception as error:  # a scan costs itself, whatever a method raises over its voxels
            reason = one_line(error)
        else:
            typer.echo(f"{scan}: {written[0]}")
            continue
        failed += 1
        typer.echo(f"{scan} FAILED: {reason}", err=True)
    if failed:
        typer.echo(f"{failed} of {len(scans)} scans failed.", err=True)
        raise typer.Exit(1)


def _setup(stripper: str, command: str | None, template: Path | None, spacing: float, *, needs_tool: bool) -> "Setup":
    from datasets.preparation.registration import set_threads
    from datasets.preparation.scan import Parameters, Setup
    from datasets.preparation.stripping import Stripper, find_stripper
    from datasets.preparation.template import find_template, load_template

    missing = Missing()
    with missing:
        path = find_template(template, None)
    with missing:
        tool = find_stripper(stripper, command) if needs_tool else Stripper("none")
    missing.tell()
    if tool.name == "mask" and needs_tool:
        raise BadValue("--stripper mask: got no --brain-mask, expected one.")
    threads = usable_cores()
    set_threads(threads)
    return Setup(load_template(path), tool, Parameters(spacing=spacing), threads)
