"""Method: what is known of a method before it is imported; and `load`, which imports its class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.methods.plugin_file import detector_at, detectors, one_line, target_of
from datasets.errors import BadValue

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector


# Classes of the built-in methods. Keys hold a method's name, never its place here, so that a module can move.
BUILT_IN_CLASSES = {
    "thresh": "baselines.simple.thresh:Thresh",
    "edge": "baselines.simple.edge:Edge",
    "prior": "baselines.simple.prior:Prior",
    "smooth": "baselines.simple.smooth:Smooth",
    "zscore": "baselines.simple.zscore:ZScore",
    "ae": "baselines.autoencoders.ae:AE",
    "vae": "baselines.autoencoders.vae:VAE",
    "svae": "baselines.autoencoders.svae:SVAE",
    "dae": "baselines.autoencoders.dae:DAE",
    "fanogan": "baselines.gan.fanogan:FAnoGAN",
    "ddpm": "baselines.diffusion.ddpm:DDPM",
    "pddpm": "baselines.diffusion.pddpm:PDDPM",
    "cddpm": "cddpm.detector:CDDPM",
}
BUILT_IN = "builtin"


class UnusableMethod(BadValue):
    """A method that no hyper-parameter could make work: its package is at fault, not the caller."""


@dataclass(frozen=True)
class Method:
    """A name and where its class is.

    Attributes:
        target: `builtin:NAME`, a plugin's `module:attribute`, or `FILE.py:name@digest` for a method of a file.
        title: what it is, in a line.
        origin: a plugin's distribution and version, or its file; None for a built-in.
        trouble: why it cannot be used, as far as that is known without an import.
    """

    name: str
    target: str
    title: str
    origin: str | None = None
    trouble: str | None = None

    def __str__(self) -> str:
        """As errors name it."""
        place = ", ".join(filter(None, (self.place, self.origin)))
        return f"Method '{self.name}' ({place})"

    @property
    def place(self) -> str:
        """`module:attribute` of its class, or the file that holds it."""
        origin, _, name = self.target.partition(":")
        return BUILT_IN_CLASSES.get(name, self.target) if origin == BUILT_IN else self.target

    @property
    def is_built_in(self) -> bool:
        return self.target.startswith(f"{BUILT_IN}:")


def load(method: Method) -> type["Detector"]:
    """Import a method's class.

    Raises:
        UnusableMethod: it cannot be imported, or is no Detector.
    """
    from benchmark.methods.detector import Detector

    if method.trouble is not None:
        raise UnusableMethod(f"Method '{method.name}': {method.trouble}")
    try:
        cls = detector_at(method.target) or _attribute(method.place)
    except (Exception, SystemExit) as error:  # whatever a plugin raises while it is imported costs only itself
        raise UnusableMethod(f"{method} cannot be imported: {one_line(error)}.") from error
    if not (isinstance(cls, type) and issubclass(cls, Detector)):
        raise UnusableMethod(f"{method}: got {cls!r}, wanted a subclass of Detector.")
    return cls


def _attribute(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


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
