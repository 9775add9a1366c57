"""The command `audiogram`: what a run's implanted lesions say, in the terminal."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.commands.common import user_mistakes_in_one_line
from datasets.errors import MissingData

app = typer.Typer()


@app.command()
@user_mistakes_in_one_line
def audiogram(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run with implant[COHORT] among its datasets.")],
) -> None:
    """Print the contrast at which half of the implanted lesions of each volume are found."""
    from benchmark.analysis.implants import AUDIOGRAM
    from benchmark.storage.folder import open_run
    from reports.sections.implants import audiogram_text

    run = open_run(folder)
    if not (run.root / AUDIOGRAM).exists():
        raise MissingData(
            f"{folder}: got a run without implanted lesions, looked for {run.root / AUDIOGRAM}. Map some: "
            'python -m benchmark run --datasets "implant[COHORT]"'
        )
    typer.echo(audiogram_text(run))
