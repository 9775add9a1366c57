"""Methods of third parties: installed under the entry-point group `uadbench.methods`, or defined in a file."""

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from benchmark.methods.plugin_file import detectors, target_of
from benchmark.methods.registry import Method
from datasets.errors import BadValue

GROUP = "uadbench.methods"


def installed() -> list[Method]:
    """Every method of an installed distribution; nothing is imported.

    A name that two distributions claim stands once, as one that cannot be used: which of them is
    meant would hang on the order of folders.
    """
    named: dict[str, list[Method]] = {}
    for point in entry_points(group=GROUP):
        named.setdefault(point.name, []).append(_method(point))
    return [_only(rivals) for rivals in named.values()]


def in_file(path: Path) -> list[Method]:
    """The methods of a file, which is imported for it.

    Raises:
        BadValue: the file cannot be imported or holds no Detector.
    """
    return [
        Method(name, target_of(path, name), _first_line(cls.__doc__) or f"{cls.__name__} of {path.name}", str(path))
        for name, cls in detectors(path).items()
    ]


def importable(files: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """The files, each once, that hold methods; and a line for each that cannot be used.

    Raises:
        BadValue: there is no such file, which is the caller's slip.
    """
    usable, troubles = list[Path](), list[str]()
    for file in {file.resolve(): file for file in files}.values():
        if not file.is_file():
            raise BadValue(f"--plugin {file}: no file that can be read.")
        try:
            in_file(file)
            usable.append(file)
        except BadValue as error:
            troubles.append(str(error))
    return usable, troubles


def _method(point: EntryPoint) -> Method:
    if point.dist is None:
        return Method(point.name, point.value, f"plugin {point.value}", "an unknown distribution")
    metadata = point.dist.metadata
    title = str(metadata["Summary"]) if "Summary" in metadata else f"plugin {point.value}"
    return Method(point.name, point.value, title, f"{point.dist.name} {point.dist.version}")


def _only(rivals: Sequence[Method]) -> Method:
    first = rivals[0]
    if len(rivals) == 1:
        return first
    owners = " and ".join(sorted(f"{one.origin} ({one.target})" for one in rivals))
    trouble = f"got it from {owners}, wanted one of them: uninstall the other."
    return Method(first.name, first.target, f"claimed by {owners}", owners, trouble)


def _first_line(doc: str | None) -> str:
    return doc.strip().partition("\n")[0].rstrip(".") if doc else ""
