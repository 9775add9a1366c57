"""Commands about methods and lists: `list`, `show`, `import`, `plugin new`, `plugin check`."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from benchmark.api.options import Plugins
from benchmark.commands.common import AsJson, text_width, user_mistakes_in_one_line, warn_of_shadowed
from datasets.errors import BadValue, check_name
from datasets.grid import PUBLISHED

if TYPE_CHECKING:
    from benchmark.methods.hyperparameters import Variant
    from benchmark.methods.registry import Method
    from datasets.registry import Registry
    from datasets.shifts.shift import ShiftKind
    from datasets.spec import DatasetSpec


Item = TypeVar("Item")
OneMethod = Annotated[str, typer.Argument(metavar="NAME", help="A method, or name[field=value].")]

app = typer.Typer()
plugin = typer.Typer(help="Write a method of your own, and hold it to the contract.", no_args_is_help=True)
app.add_typer(plugin, name="plugin")


@app.command(name="list")
@user_mistakes_in_one_line
def list_known(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="methods, datasets, shifts, metrics, protocols, scores, postprocessing, sections or formats.",
        ),
    ],
    as_json: AsJson = False,
    plugins: Plugins = None,
    check: Annotated[bool, typer.Option("--check", help="Import every method and report the broken ones.")] = False,
    data: Annotated[
        Path, typer.Option(envvar="UADBENCH_DATA", help="For datasets: the folder to look for prepared cohorts in.")
    ] = Path("data"),
) -> None:
    """List methods, datasets, metrics and so on: the built-in ones and those of installed plugins."""
    from benchmark.methods.registry import usable_plugin_files

    check_name("list of", kind, LISTS)
    if kind == "methods":
        warn_of_shadowed()
        usable, troubles = usable_plugin_files(plugins or ())
        for trouble in troubles:
            typer.echo(f"Left out: {trouble}", err=True)
        known = methods(usable, check=check)
    elif plugins or check:
        raise BadValue(f"list {kind}: got --plugin or --check, expected them with methods only.")
    else:
        known = datasets(data) if kind == "datasets" else LISTS[kind]()
    if as_json:
        typer.echo(json.dumps(known, indent=1))
        return
    name, title = (max(len(str(one[column])) for one in known) for column in ("name", "title"))
    lines = [f"{one['name']:<{name}}  {one['title']:<{title}}  {one.get('what', '')}".rstrip() for one in known]
    if sys.stdout.isatty() and max(map(len, lines)) > text_width():  # one column under the names, not two beside them
        told = (f"{one['name']:<{name}}  {one['title']}; {one.get('what', '')}".rstrip("; ") for one in known)
        indent = " " * (name + 2)
        lines = [fill(line, text_width(), subsequent_indent=indent, break_on_hyphens=False) for line in told]
    typer.echo("\n".join(lines))


@app.command()
@user_mistakes_in_one_line
def show(name: OneMethod, as_json: AsJson = False, plugins: Plugins = None) -> None:
    """Show a method's data card, hyper-parameters, parameters and memory."""
    from benchmark.methods.describe import describe, lines

    shown = describe(_variant(name, plugins))
    if as_json:
        typer.echo(json.dumps(asdict(shown), indent=1))
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
    """Extract the weights of a published checkpoint; only tensors are read, nothing is executed."""
    from benchmark.methods.registry import ask, method

    path = ask(method(name), _imported, method(name), checkpoint, out, remembered=False)
    typer.echo(f'Weights: {path}\nUse them: python -m benchmark run --methods "{name}[weights={path}]" ...')


def _imported(named: "Method", checkpoint: Path, out: Path) -> str:
    """Where the weights are, written by a class that may be imported in this process."""
    from benchmark.methods.registry import load

    importer = getattr(load(named), "import_published", None)
    if importer is None:
        raise BadValue(f"import: got method '{named.name}', of which no checkpoint is published, expected e.g. cddpm.")
    return str(importer(checkpoint, out))


@plugin.command()
@user_mistakes_in_one_line
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The method's name, in lower case with hyphens.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: uadbench-NAME. Must not exist.")] = None,
    kind: Annotated[str, typer.Option(help="Template: volume, reconstruction or features.")] = "volume",
) -> None:
    """Write an installable package with a small detector to start from, its test and its README."""
    from benchmark.methods.registry import methods
    from benchmark.methods.scaffold import write_package

    package = write_package(name, out or Path(f"uadbench-{name}"), methods(), kind=kind)
    for line in package.lines():
        typer.echo(line)


@plugin.command()
@user_mistakes_in_one_line
def check(name: OneMethod, plugins: Plugins = None) -> None:
    """Check a method against every rule of the contract, on small simulated brains; takes seconds to a minute."""
    from benchmark.methods.contract.check import check_method

    report = check_method(_variant(name, plugins))
    for line in report.lines():
        typer.echo(line)
    if not report.passed:
        raise typer.Exit(1)


def _variant(name: str, plugins: Sequence[Path] | None) -> "Variant":
    from benchmark.methods.hyperparameters import parse_variant
    from benchmark.methods.registry import methods

    return parse_variant(name, methods(plugins or ()))


Listing = list[dict[str, object]]


def methods(plugins: Iterable[Path] = (), *, check: bool = False) -> Listing:
    """Every method; plugins say where they come from, and with `check` broken ones what is wrong with them."""
    from benchmark.methods.registry import methods as known

    return [_method(one, check) for one in known(plugins).values()]


def datasets(data: Path = Path("data")) -> Listing:
    """Every cohort, with what lies of it below a data folder."""
    from datasets.cohorts.catalog import COHORTS

    return _listed(COHORTS, lambda spec: _dataset(spec, data))


def metrics() -> Listing:
    from benchmark.metrics import METRICS

    return _listed(
        METRICS,
        lambda one: {
            "title": one.title,
            "what": one.what,
            "over": one.over,
            "undefined": one.undefined,
            "unit": one.unit,
            "range": one.range,
            "higher_is_better": one.higher_is_better,
        },
    )


def protocols() -> Listing:
    from benchmark.study.protocols import PROTOCOLS

    return _listed(PROTOCOLS, lambda one: {"title": one.title, "what": one.what, "uses": one.uses})


def scores() -> Listing:
    from benchmark.postprocessing.scores import SCORES

    return _listed(SCORES, lambda one: {"title": one.title, "what": one.what})


def postprocessing() -> Listing:
    from benchmark.postprocessing.pipelines import PIPELINES
    from datasets.grid import GRIDS

    return _listed(
        PIPELINES,
        lambda one: {
            "title": one.title,
            "what": one.what,
            "at": {f"{grid.spacing:g} mm": one.what_at(grid.spacing) for grid in GRIDS.values()},
        },
    )


def shifts() -> Listing:
    from datasets.shifts.registry import SHIFTS

    return _listed(SHIFTS, _shift)


def sections() -> Listing:
    from reports.api import SECTIONS

    return _listed(SECTIONS, lambda one: {"title": one.title})


def formats() -> Listing:
    from reports.api import FORMATS

    return _listed(FORMATS, lambda one: {"title": one.title, "file": one.file})


LISTS: Mapping[str, Callable[[], Listing]] = {
    "methods": methods,
    "datasets": datasets,
    "metrics": metrics,
    "protocols": protocols,
    "scores": scores,
    "postprocessing": postprocessing,
    "shifts": shifts,
    "sections": sections,
    "formats": formats,
}


def _listed(registry: "Registry[Item]", describe: Callable[[Item], dict[str, object]]) -> Listing:
    """Every object of a registry; one that cannot be used says so in its title, a plugin's where it comes from."""
    for line in registry.refused():
        typer.echo(f"Warning: {line}", err=True)
    lines: Listing = []
    for name in registry:
        entry = registry.entry(name)
        origin = {"origin": entry.origin} if entry.origin else {}
        try:
            lines.append({"name": name, **describe(registry[name]), **origin})
        except BadValue as error:
            lines.append({"name": name, "title": f"BROKEN: {error}", **origin})
    return lines


def _method(method: "Method", check: bool) -> dict[str, object]:
    listed: dict[str, object] = {"name": method.name, "title": method.title, "target": method.target}
    if method.quick_seconds is not None:
        listed |= {"needs": method.needs, "quick_seconds": method.quick_seconds}
        trains = f"; trains for {method.quick_seconds} CPU s under quick" if method.quick_seconds else ""
        listed["what"] = f"needs {method.needs}{trains}"
    if method.origin is not None:
        listed |= {"what": f"plugin: {method.origin}", "origin": method.origin}
    trouble = _trouble(method) if check else method.trouble
    return listed if trouble is None else listed | {"title": f"BROKEN: {trouble}"}


def _trouble(method: "Method") -> str | None:
    from benchmark.methods.hyperparameters import Variant, resolve_config
    from benchmark.methods.registry import UnusableMethod

    try:
        resolve_config(Variant(method, {}), PUBLISHED, {})
    except UnusableMethod as error:
        return str(error)
    return None


def _shift(kind: "ShiftKind") -> dict[str, object]:
    levels = ", ".join(f"{level:g}" for level in kind.levels)
    return {
        "title": kind.title,
        "what": f"{kind.stage}; {levels} ({kind.unit}): {kind.what}",
        "stage": kind.stage,
        "unit": kind.unit,
        "levels": kind.levels,
        "doses": kind.doses,
    }


def _dataset(spec: "DatasetSpec", data: Path) -> dict[str, object]:
    from datasets.spec import lying_there

    here = lying_there(spec, data)
    state = {True: "healthy", False: "with lesions", None: "healthy and with lesions"}[spec.healthy]
    return {
        "title": spec.title,
        "what": f"{state}; {', '.join(spec.sequences)}; {f'here: {here}' if here else 'not here'}",
        "here": here,
        "sequences": spec.sequences,
        "healthy": spec.healthy,
        "url": spec.url,
    }
