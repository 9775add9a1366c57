"""`python -m datasets`: list, prepare, audit, split and show cohorts, shift scans, write phantoms and implants."""

import json
import sys
from pathlib import Path
from typing import Any

import typer

from datasets.cohorts.catalog import COHORTS, dataset
from datasets.commands import audit, cache, prepare, shifts, show, simulate, splits
from datasets.commands.common import Data, Json, print_mistake
from datasets.errors import UserError
from datasets.spec import DatasetSpec, lying_there

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("splits")(splits.splits)
app.command("audit")(audit.audit)
app.command("cache")(cache.cache)
for group in (shifts, show, simulate, prepare):
    app.add_typer(group.app)


@app.callback()
def about() -> None:
    """Prepare, check, show and simulate cohorts of brain MRI."""


@app.command("list")
def list_cohorts(data: Data = Path("data"), as_json: Json = False) -> None:
    """List all known cohorts and what there is of them below --data."""
    facts = [_facts(spec, data) for spec in _readable_specs()]
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for one in facts:
        there = f"here: {one['here']}" if one["here"] else "not here"
        what = f"{one['title']}: {', '.join(one['sequences'])}; {one['cases']}; {one['licence']}"
        typer.echo(f"{one['name']:14} {what}; {there}")
    typer.echo("implant[NAME]: lesions of known size and contrast in NAME's healthy test scans; docs/implants.md")


def _readable_specs() -> list[DatasetSpec]:
    specs = []
    for name in COHORTS:
        try:
            specs.append(dataset(name))
        except UserError as error:
            typer.echo(str(error), err=True)
    return specs


def _facts(spec: DatasetSpec, data: Path) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.title,
        "sequences": list(spec.sequences),
        "cases": {True: "healthy", False: "lesions", None: "healthy and lesions"}[spec.healthy],
        "healthy": spec.healthy,
        "licence": spec.licence,
        "here": lying_there(spec, data),
    }


def main() -> None:
    """Run the program; a mistake of the user is one line on stderr and exit code 2."""
    try:
        app(prog_name="python -m datasets")
    except UserError as error:
        print_mistake(error)
        sys.exit(2)


if __name__ == "__main__":
    main()
