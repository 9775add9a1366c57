"""Method: what is known of a method before it is imported; and `load`, which imports its class."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from benchmark.methods.plugin_file import detector_at, one_line
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
