"""Names of methods to their classes: built in, installed under `uadbench.methods`, or of a file.

Nothing is imported until a method is named, so that listing is quick and a broken optional
dependency costs only the one who asks for it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmark.methods.registry import BUILT_IN as BUILT_IN_ORIGIN
from benchmark.methods.registry import Method, in_file, installed
from datasets.errors import BadValue, UnknownName


def _built_in(name: str, title: str) -> Method:
    return Method(name, f"{BUILT_IN_ORIGIN}:{name}", title)


BUILT_IN = (
    _built_in("thresh", "Histogram-equalised intensity as anomaly map (floor)"),
    _built_in("edge", "Distance to the brain's edge (floor)"),
    _built_in("prior", "Where other patients' lesions lie: uses lesion labels (floor)"),
    _built_in("smooth", "Residual to the smoothed mean of healthy brains (floor)"),
    _built_in("zscore", "Smoothed voxel-wise Gaussian of healthy brains (floor)"),
    _built_in("ae", "Convolutional auto-encoder with a dense latent"),
    _built_in("vae", "Variational auto-encoder"),
    _built_in("svae", "Variational auto-encoder over sequences of slices"),
    _built_in("dae", "Denoising auto-encoder, coarse foreground noise"),
    _built_in("fanogan", "Generative adversarial network and its encoder (f-AnoGAN)"),
    _built_in("ddpm", "Denoising diffusion model, one-step reconstruction"),
    _built_in("pddpm", "Patched diffusion model"),
    _built_in("cddpm", "Conditioned diffusion model"),
)


def methods(files: Iterable[Path] = ()) -> dict[str, Method]:
    """Every known method by name, those of plugin files too.

    Raises:
        BadValue: a file that cannot be imported, or that defines a name once more.
    """
    built_in = {one.name: one for one in BUILT_IN}
    known = built_in | {one.name: one for one in installed() if one.name not in built_in}
    for file in {file.resolve(): file for file in files}.values():
        for one in in_file(file):
            if one.name in known:
                wanted = 'a name of its own, such as METHODS = {"NAME": Class}'
                owner = known[one.name].origin or "this package"
                raise BadValue(f"--plugin {file}: got method '{one.name}', which {owner} has; wanted {wanted}.")
            known[one.name] = one
    return known


def shadowed() -> list[str]:
    """A line for each installed method that is refused, since a built-in one has its name."""
    names = {one.name for one in BUILT_IN}
    return [
        f"Method '{one.name}' of {one.origin} is refused: the name is a built-in method's."
        for one in installed()
        if one.name in names
    ]


def method(name: str, known: Mapping[str, Method] | None = None) -> Method:
    """The method registered as `name`, among `known` or all.

    Raises:
        UnknownName: nothing is.
    """
    known = methods() if known is None else known
    if name not in known:
        raise UnknownName("method", name, known)
    return known[name]
