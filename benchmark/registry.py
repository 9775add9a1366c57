"""Names of methods to their classes: built in, installed under `uadbench.methods`, or of a file.

Nothing is imported until a method is named, so that listing is quick and a broken optional
dependency costs only the one who asks for it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmark.method import Method
from benchmark.plugins import in_file, installed
from datasets.errors import BadValue, UnknownName

BUILT_IN = (
    Method("thresh", "baselines.thresh:Thresh", "Histogram-equalised intensity as anomaly map (floor)"),
    Method("edge", "baselines.edge:Edge", "Distance to the brain's edge (floor)"),
    Method("prior", "baselines.prior:Prior", "Where other patients' lesions lie: uses lesion labels (floor)"),
    Method("smooth", "baselines.smooth:Smooth", "Residual to the smoothed mean of healthy brains (floor)"),
    Method("zscore", "baselines.zscore:ZScore", "Smoothed voxel-wise Gaussian of healthy brains (floor)"),
    Method("ae", "baselines.ae:AE", "Convolutional auto-encoder with a dense latent"),
    Method("vae", "baselines.vae:VAE", "Variational auto-encoder"),
    Method("svae", "baselines.svae:SVAE", "Variational auto-encoder over sequences of slices"),
    Method("dae", "baselines.dae:DAE", "Denoising auto-encoder, coarse foreground noise"),
    Method("fanogan", "baselines.fanogan:FAnoGAN", "Generative adversarial network and its encoder (f-AnoGAN)"),
    Method("ddpm", "baselines.ddpm:DDPM", "Denoising diffusion model, one-step reconstruction"),
    Method("pddpm", "baselines.pddpm:PDDPM", "Patched diffusion model"),
    Method("cddpm", "cddpm.detector:CDDPM", "Conditioned diffusion model"),
)


def methods(files: Iterable[Path] = ()) -> dict[str, Method]:
    """Every known method by name, those of plugin files too.

    Raises:
        BadValue: a file that cannot be imported, or that defines another plugin's name once more.
    """
    built_in = {one.name: one for one in BUILT_IN}
    known = built_in | {one.name: one for one in installed() if one.name not in built_in}
    for file in {file.resolve(): file for file in files}.values():
        for one in in_file(file):
            if one.name in known.keys() - built_in:
                wanted = 'a name of its own, such as METHODS = {"NAME": Class}'
                owner = known[one.name].origin
                raise BadValue(f"--plugin {file}: got method '{one.name}', which {owner} has; wanted {wanted}.")
            known.setdefault(one.name, one)
    return known


def shadowed(files: Iterable[Path] = ()) -> list[str]:
    """A line for each third party's method that is ignored, since a built-in one has its name."""
    names = {one.name for one in BUILT_IN}
    return [
        f"Method '{one.name}' of {one.origin} is ignored: the built-in one is used."
        for one in (*installed(), *(one for file in files for one in in_file(file)))
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
