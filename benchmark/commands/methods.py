"""Commands about methods and lists: `list`, `show`, `import`, `plugin new`, `plugin check`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import AsJson, Plugins, check_name, user_mistakes_in_one_line, warn_of_shadowed
from benchmark.commands.listing import LISTS
from datasets.errors import BadValue

if TYPE_CHECKING:
    from benchmark.methods.variant_syntax import Choice

OneMethod = Annotated[str, typer.Argument(metavar="NAME", help="A method, or name[field=value].")]

app = typer.Typer()
plugin = typer.Typer(help="Write a method of your own, and hold it to the contract.", no_args_is_help=True)
app.add_typer(plugin, name="plugin")


@app.command(name="list")
@user_mistakes_in_one_line
def list_known(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="methods, datasets, metrics, protocols or shifts.")],
    as_json: AsJson = False,
    plugins: Plugins = None,
    check: Annotated[bool, typer.Option("--check", help="Import every method and say which are broken.")] = False,
) -> None:
    """List methods, datasets, metrics, threshold protocols or shifts."""
    from benchmark.commands.listing import methods
    from benchmark.methods.installed_plugins import importable

    check_name("list of", kind, LISTS)
    if kind == "methods":
        warn_of_shadowed()
        usable, troubles = importable(plugins or ())
        for trouble in troubles:
            typer.echo(f"Left out: {trouble}", err=True)
        known = methods(usable, check=check)
    elif plugins or check:
        raise BadValue(f"list {kind}: got --plugin or --check, wanted them with methods only.")
    else:
        known = LISTS[kind]()
    if as_json:
        typer.echo(json.dumps(known, indent=1))
        return
    name, title = (max(len(str(one[column])) for one in known) for column in ("name", "title"))
    for one in known:
        typer.echo(f"{one['name']:<{name}}  {one['title']:<{title}}  {one.get('what', '')}".rstrip())


@app.command()
@user_mistakes_in_one_line
def show(name: OneMethod, as_json: AsJson = False, plugins: Plugins = None) -> None:
    """Show a method's data card, hyper-parameters, parameters and memory."""
    from benchmark.methods.describe import as_json as jsonable
    from benchmark.methods.describe import lines, sheet

    shown = sheet(_choice(name, plugins))
    if as_json:
        typer.echo(json.dumps(jsonable(shown), indent=1))
        return
    for line in lines(shown):
        typer.echo(line)


@app.command(name="import")
@user_mistakes_in_one_line
def import_checkpoint(
    name: Annotated[str, typer.Argument(metavar="METHOD", help="A method with published weights, such as cddpm.")],
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="A published Lightning checkpoint.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights, as safetensors.")] = Path("weights"),
) -> None:
    """Take the weights out of a published checkpoint; nothing in it is executed, only tensors are read."""
    from benchmark.methods.built_in import method
    from benchmark.methods.registry import load

    importer = getattr(load(method(name)), "import_published", None)
    if importer is None:
        raise BadValue(f"import: got method '{name}', of which no checkpoint is published, wanted e.g. cddpm.")
    path = importer(checkpoint, out)
    typer.echo(f'Weights: {path}\nUse them: python -m benchmark run --methods "{name}[weights={path}]" ...')


@plugin.command()
@user_mistakes_in_one_line
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The method's name, in lower-case kebab.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: uadbench-NAME. Must not exist.")] = None,
) -> None:
    """Write an installable package with a small detector to start from, its test and its README."""
    from benchmark.methods.built_in import methods
    from benchmark.methods.scaffold import write_package

    package = write_package(name, out or Path(f"uadbench-{name}"), methods())
    for line in package.lines():
        typer.echo(line)


@plugin.command()
@user_mistakes_in_one_line
def check(name: OneMethod, plugins: Plugins = None) -> None:
    """Hold a method to every rule of the contract, on small simulated brains; seconds to a minute."""
    from benchmark.methods.contract.checkup import check_up

    checkup = check_up(_choice(name, plugins))
    for line in checkup.lines():
        typer.echo(line)
    if not checkup.passed:
        raise typer.Exit(1)


def _choice(name: str, plugins: Sequence[Path] | None) -> "Choice":
    from benchmark.methods.built_in import methods
    from benchmark.methods.variant_syntax import only_choice

    return only_choice(name, methods(plugins or ()))
