"""Methods by name: built in, installed under the entry points `uadbench.methods`, or defined in a plugin file.

No method is imported to be listed, so that listing is quick and a broken optional dependency costs only whoever asks
for that method.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.methods.plugin_file import TARGET, TOML, detector_at, detectors, file_digest, target_of
from benchmark.methods.told import KINDS, NoAnswer, told
from datasets.errors import BadValue, UnknownName
from datasets.local_code import module_digest
from datasets.registry import Entry, Registry, import_failure

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector

BUILT_IN_ORIGIN = "builtin"
BUILT_IN_TARGET = f"{BUILT_IN_ORIGIN}:{{}}"
_NOTHING, _HEALTHY, _LABELS = "nothing", "healthy scans", "lesion masks of other patients"
_NETWORK = "healthy scans; under the preset paper a GPU"
# Module and class, title, what it needs, and CPU seconds of a fit under `quick`, by `Detector.training_seconds` on one
# core of an EPYC that other work shared.
_BUILT_IN = {
    "thresh": (
        *("baselines.simple.thresh:Thresh", "Histogram-equalised intensity as anomaly map (simple baseline)"),
        *(_NOTHING, 0),
    ),
    "edge": ("baselines.simple.edge:Edge", "Distance to the brain's edge (simple baseline)", _NOTHING, 0),
    "prior": (
        *("baselines.simple.prior:Prior", "Where other patients' lesions lie: uses lesion labels (simple baseline)"),
        *(_LABELS, 0),
    ),
    "smooth": (
        *("baselines.simple.smooth:Smooth", "Residual to the smoothed mean of healthy brains (simple baseline)"),
        *(_HEALTHY, 1),
    ),
    "zscore": (
        *("baselines.simple.zscore:ZScore", "Smoothed voxel-wise Gaussian of healthy brains (simple baseline)"),
        *(_HEALTHY, 1),
    ),
    "lowrank": (
        "baselines.simple.lowrank:LowRank",
        "Residual to a 3-D linear low-rank model of healthy brains (simple baseline)",
        *(_HEALTHY, 1),
    ),
    "ae": ("baselines.autoencoders.ae:AE", "Convolutional auto-encoder with a dense latent", _NETWORK, 110),
    "vae": ("baselines.autoencoders.vae:VAE", "Variational auto-encoder", _NETWORK, 90),
    "svae": ("baselines.autoencoders.svae:SVAE", "Variational auto-encoder over sequences of slices", _NETWORK, 90),
    "dae": ("baselines.autoencoders.dae:DAE", "Denoising auto-encoder, coarse foreground noise", _NETWORK, 130),
    "disyre": (
        *("baselines.autoencoders.disyre:DISYRE", "Restoration of gradually corrupted slices (synthetic anomalies)"),
        *(_NETWORK, 130),
    ),
    "fanogan": (
        *("baselines.gan.fanogan:FAnoGAN", "Generative adversarial network and its encoder (f-AnoGAN)"),
        *(_NETWORK, 260),
    ),
    "ddpm": (
        *("baselines.diffusion.ddpm:DDPM", "Denoising diffusion model, one-step reconstruction"),
        *(_NETWORK, 250),
    ),
    "autoddpm": (
        *("baselines.diffusion.autoddpm:AutoDDPM", "The diffusion model's weights: mask, stitch, re-sample (AutoDDPM)"),
        *(_NETWORK, 230),
    ),
    "pddpm": ("baselines.diffusion.pddpm:PDDPM", "Patched diffusion model", _NETWORK, 240),
    "cddpm": ("cddpm.detector:CDDPM", "Conditioned diffusion model", _NETWORK, 270),
    "padim": (
        *("baselines.features.padim:PaDiM", "Gaussian of patch features for every place (PaDiM)"),
        *(_NETWORK, 150),
    ),
    "patchcore": (
        *("baselines.features.patchcore:PatchCore", "Nearest of a coreset of patch features (PatchCore)"),
        *(_NETWORK, 100),
    ),
}
_CLASSES: Registry[type] = Registry(
    "method",
    "uadbench.methods",
    type,
    {name: target for name, (target, *_) in _BUILT_IN.items()},
    reserved="perfect-map",  # under which rows hold what the ground truth itself scores
)


class UnusableMethod(BadValue):
    """A method that no hyper-parameter could make work: its package is at fault, not the caller."""


KINDS[UnusableMethod.__name__] = UnusableMethod


@dataclass(frozen=True)
class Method:
    """What is known of a method before its class is imported.

    Attributes:
        target: `builtin:NAME`, a plugin's `module:attribute`, or `FILE.py:name@digest` for a method of a file. Keys
            hold it: with the name of a built-in method instead of its place, modules can move.
        title: what it is, in a line.
        origin: a plugin's distribution and version, or its file; None for a built-in.
        trouble: why it cannot be used, as far as that is known without an import.
        needs: what a study has to hold for it; "" where unknown.
        quick_seconds: about how many CPU seconds a fit takes under the preset `quick`; None where unknown.
    """

    name: str
    target: str
    title: str
    origin: str | None = None
    trouble: str | None = None
    needs: str = ""
    quick_seconds: int | None = None

    def __str__(self) -> str:
        """As errors name it."""
        place = ", ".join(filter(None, (self.place, self.origin)))
        return f"Method '{self.name}' ({place})"

    @property
    def place(self) -> str:
        """`module:attribute` of its class, or the file that holds it."""
        origin, _, name = self.target.partition(":")
        return _CLASSES.entry(name).target if origin == BUILT_IN_ORIGIN else self.target

    @property
    def is_built_in(self) -> bool:
        return self.target.startswith(f"{BUILT_IN_ORIGIN}:")


BUILT_IN = tuple(
    Method(name, BUILT_IN_TARGET.format(name), title, needs=needs, quick_seconds=seconds)
    for name, (_, title, needs, seconds) in _BUILT_IN.items()
)


def methods(files: Iterable[Path] = ()) -> dict[str, Method]:
    """Every known method by name, including those of plugin files.

    Raises:
        BadValue: a file cannot be imported, or defines a name that is taken.
    """
    known = {one.name: one for one in BUILT_IN}
    known |= {name: _installed(_CLASSES.entry(name)) for name in _CLASSES if name not in known}
    for file in {file.resolve(): file for file in files}.values():
        for one in in_file(file):
            if one.name in known:
                expected = 'a name of its own, such as METHODS = {"NAME": Class}'
                owner = known[one.name].origin or "this package"
                raise BadValue(f"--plugin {file}: got method '{one.name}', which {owner} has; expected {expected}.")
            known[one.name] = one
    return known


def method(name: str, known: Mapping[str, Method] | None = None) -> Method:
    """The method registered as `name`, among `known` or all.

    Raises:
        UnknownName: there is none.
    """
    known = methods() if known is None else known
    if name not in known:
        raise UnknownName("method", name, known)
    return known[name]


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
        raise UnusableMethod(f"{method} cannot be imported: {import_failure(error)}.") from error
    if not (isinstance(cls, type) and issubclass(cls, Detector)):
        raise UnusableMethod(f"{method}: got {cls!r}, expected a subclass of Detector.")
    return cls


def ask(method: Method, question: Callable[..., Any], *arguments: Any, remembered: bool = True) -> Any:
    """What `question(*arguments)` returns where the method's class may be imported: here only if it is built in.

    Args:
        question: importable; returns what JSON can hold.
        remembered: whether an earlier answer about the same code will do.

    Raises:
        UserError: that the question raises.
        UnusableMethod: the process that imports a plugin ends without an answer.
    """
    if not runs_apart(method.target):
        return question(*arguments)
    file = TARGET.fullmatch(method.target)
    content = method.target if file else f"{method.target} {method.origin} {_module_digest(method.target)}"
    try:
        return told(content if remembered else "", question, *arguments)
    except NoAnswer as error:
        raise UnusableMethod(f"{method} cannot be asked: {error}") from error


def known_methods(plugins: Iterable[str]) -> dict[str, Method]:
    """The methods that this machine runs for a stranger's study, by `identity`: built-in, and what `plugins` name.

    Args:
        plugins: files FILE.py and FILE.toml, and names of installed methods.

    Raises:
        UnknownName: no installed method is called so.
        BadValue: a file cannot be imported.
    """
    found = list(BUILT_IN)
    for plugin in plugins:
        found += in_file(Path(plugin)) if Path(plugin).suffix in (".py", TOML) else [method(plugin)]
    return {identity(one.target): one for one in found}


def identity(target: str) -> str:
    """What of a target is the same on every machine: a file's method and digest, or the target itself."""
    match = TARGET.fullmatch(target)
    return f"{match['name']}@{match['digest']}" if match else target


def runs_apart(target: str) -> bool:
    """Whether a method is a plugin's code, for a process of its own; the program of a TOML file is one already."""
    match = TARGET.fullmatch(target)
    return not target.startswith(f"{BUILT_IN_ORIGIN}:") and not (match and match["path"].endswith(TOML))


def refused_plugins() -> list[str]:
    """A line for each installed method that is refused, since a built-in one has its name."""
    return _CLASSES.refused()


def in_file(path: Path) -> list[Method]:
    """The methods of a plugin file, which is imported by another process.

    Raises:
        BadValue: the file cannot be imported, holds no Detector or gives one a reserved name.
    """
    try:
        found = _titles(path) if path.suffix == TOML else told(f"{path.resolve()}@{file_digest(path)}", _titles, path)
    except NoAnswer as error:
        raise BadValue(f"--plugin {path} cannot be imported: {error}") from error
    for name in found:
        if trouble := _CLASSES.trouble_with(name):
            raise BadValue(f"--plugin {path}: method '{name}': {trouble}")
    return [Method(name, target_of(path, name), title, str(path)) for name, title in found.items()]


def _titles(path: Path) -> dict[str, str]:
    """The methods of a file that may be imported here, with the first line of each class's docstring."""
    return {name: _first_line(cls.__doc__) or f"{cls.__name__} of {path.name}" for name, cls in detectors(path).items()}


def usable_plugin_files(files: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """The plugin files, each once, that hold methods; and a line for each that cannot be used.

    Raises:
        BadValue: a file does not exist, which is the caller's mistake.
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


def _module_digest(target: str) -> str:
    """Of the local code behind a module; that of an installed package its version stands for."""
    try:
        return module_digest(target.partition(":")[0])
    except OSError:  # named where it is imported
        return ""


def _installed(entry: Entry) -> Method:
    return Method(entry.name, entry.target, entry.title, entry.origin, entry.trouble or None)


def _attribute(target: str) -> object:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _first_line(doc: str | None) -> str:
    return doc.strip().partition("\n")[0].rstrip(".") if doc else ""
