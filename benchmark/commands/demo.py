"""`python -m benchmark demo`: a whole study on simulated brains, in minutes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import bold, print_line, progress_lines, text_width, user_mistakes_in_one_line
from benchmark.commands.evaluate import exit_for

if TYPE_CHECKING:
    from benchmark.api.study import PlannedRun

app = typer.Typer()

HEALTHY, PATIENTS = 30, 32
SPACING = 4.0  # mm, of the preset `quick`
STUDY = {"methods": "thresh,zscore,lowrank,dae", "datasets": "phantom-glioma", "sequence": "t1", "preset": "quick"}


@app.command()
@user_mistakes_in_one_line
@progress_lines()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the simulated brains and the run.")] = Path("demo"),
) -> None:
    """Simulate brains, train a network, rank it against simple baselines, write the report; minutes on two cores."""
    from benchmark.api.options import options_of
    from benchmark.api.study import compute, plan_run
    from reports.api import terminal_text, write_report

    _simulate(out / "data")
    planned = plan_run(options_of({**STUDY, "data": out / "data", "out": out / "run"}))
    failed, _ = compute(planned, planned.job())
    (page,) = write_report(planned.folder, planned.options.data, formats=("html",))
    print_line(f"\n{terminal_text(planned.folder, text_width(), bold)}\n")
    _tell(planned, page)
    exit_for(planned.folder, failed)


def _simulate(data: Path) -> None:
    from datasets.simulation.phantom import GLIOMA, PHANTOM, write_phantom

    if not PHANTOM.folder(data).exists():
        print_line(f"Simulating {HEALTHY} healthy brains below {data}")
        write_phantom(data, healthy=HEALTHY, lesion=0, spacing=SPACING)
    if not GLIOMA.folder(data).exists():
        print_line(f"Simulating {PATIENTS} brains with a glioma below {data}")
        write_phantom(data, variant="glioma", lesion=PATIENTS, spacing=SPACING)


def _tell(planned: "PlannedRun", page: Path) -> None:
    """What to open, what to do next, and last what the tests say of the trained network."""
    from reports.api import verdicts

    data, root = planned.options.data, planned.folder.root
    scan = data / "phantom-glioma" / "t1" / "glioma-001.nii.gz"
    print_line(f"Open the report: {page.resolve().as_uri()}")
    print_line(f"Map one scan: python -m benchmark predict dae --run {root} {scan} --prepared")
    for said in verdicts(planned.folder).values():
        print_line(str(said.sentences))
