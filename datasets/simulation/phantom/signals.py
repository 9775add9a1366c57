"""Simulated acquisition: signal equations, texture, bias field and Rician noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import RELAXATION, Relaxation, Tissue, TissueMaps
from datasets.simulation.phantom.lattice import FloatArray, smooth_field
from datasets.simulation.phantom.lesions import Layer, Lesions


@dataclass(frozen=True)
class Protocol:
    """Times of a sequence in ms; `inversion` None means no inversion pulse."""

    repetition: float
    echo: float
    inversion: float | None = None


PROTOCOLS: Mapping[str, Protocol] = {
    "t1": Protocol(repetition=2300, echo=4, inversion=1200),
    "t2": Protocol(repetition=4000, echo=90),
    "flair": Protocol(repetition=9000, echo=90, inversion=2500),
}
VARIATION = 0.02  # of density and relaxation times between subjects
TEXTURE = 0.025  # of the signal, within a tissue
BIAS = 0.05  # of the signal, across the head
NOISE = 0.025  # of white matter's signal
GREY_LEVEL = 170  # of the brightest healthy tissue; leaves room for lesions and the bias field


def signal(tissue: Relaxation, protocol: Protocol) -> float:
    """Magnitude of a spin echo with or without inversion, 1 for water in full equilibrium.

    `|density (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)|`; without inversion
    `|density (1 - exp(-TR/T1)) exp(-TE/T2)|`. Relaxation times are from Wansapura et al. 1999,
    doi:10.1002/(SICI)1522-2586(199904)9:4<531::AID-JMRI4>3.0.CO;2-L.
    """
    recovered = np.exp(-protocol.repetition / tissue.t1)
    if protocol.inversion is None:
        longitudinal = 1 - recovered
    else:
        longitudinal = 1 - 2 * np.exp(-protocol.inversion / tissue.t1) + recovered
    return float(abs(tissue.density * longitudinal * np.exp(-protocol.echo / tissue.t2)))


def acquire(anatomy: TissueMaps, layers: Sequence[Layer], seed: np.random.SeedSequence) -> dict[str, NDArray[np.uint8]]:
    """One image `(X, Y, Z)` for every sequence of `PROTOCOLS`; 0 outside the brain.

    Args:
        layers: of the lesions.
        seed: of tissue properties, texture, bias field and noise. None of them depends on `layers`: the same seed gives
            the same scan of the same subject with and without lesions.
    """
    variations = _subject_variations(seed)
    return {
        sequence: _image(anatomy, layers, variations, protocol, _generator(seed, number))
        for number, (sequence, protocol) in enumerate(PROTOCOLS.items(), start=1)
    }


def lesion_to_white(anatomy: TissueMaps, lesions: Lesions, seed: np.random.SeedSequence) -> list[dict[str, float]]:
    """For every lesion and sequence its mean signal relative to this subject's white matter.

    Pure signals, without texture, bias field and noise.
    """
    variations = _subject_variations(seed)
    numbers = range(1, len(lesions.table) + 1)
    ratios = {}
    for sequence, protocol in PROTOCOLS.items():
        clean = _clean(anatomy, lesions.layers, variations, protocol)
        white = signal(_varied(RELAXATION["white"], variations["white"]), protocol)
        ratios[sequence] = scipy.ndimage.mean(clean, lesions.labels, numbers) / white
    return [{sequence: float(ratio[number]) for sequence, ratio in ratios.items()} for number in range(len(numbers))]


Variation = tuple[float, float, float]


def _generator(seed: np.random.SeedSequence, number: int) -> np.random.Generator:
    """The child `number` of `seed`; unlike `seed.spawn` the same at every call."""
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number)))


def _subject_variations(seed: np.random.SeedSequence) -> dict[Tissue, Variation]:
    """Factors of density, T1 and T2 for each healthy tissue, and one set for all diseased tissues."""
    rng = _generator(seed, 0)
    variations: dict[Tissue, Variation] = {}
    for name in RELAXATION:
        density, t1, t2 = np.exp(rng.normal(0, VARIATION, 3))
        variations[name] = (density, t1, t2)
    return variations


def _varied(tissue: Relaxation, variation: Variation) -> Relaxation:
    density, t1, t2 = variation
    return Relaxation(tissue.density * density, tissue.t1 * t1, tissue.t2 * t2)


def _clean(
    anatomy: TissueMaps, layers: Sequence[Layer], variations: Mapping[Tissue, Variation], protocol: Protocol
) -> FloatArray:
    """The signal of every voxel's mixture of tissues, `(X, Y, Z)`."""
    signals = {name: signal(_varied(tissue, variations[name]), protocol) for name, tissue in RELAXATION.items()}
    solid = anatomy.grey + anatomy.white
    clean = anatomy.grey * signals["grey"] + anatomy.white * signals["white"]
    for layer in layers:
        diseased = signal(_varied(layer.tissue, variations["lesion"]), protocol)
        clean = clean * (1 - layer.share) + solid * layer.share * diseased
    return np.asarray(clean + anatomy.csf * signals["csf"], dtype=np.float32)


def _image(
    anatomy: TissueMaps,
    layers: Sequence[Layer],
    variations: Mapping[Tissue, Variation],
    protocol: Protocol,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    signals = {name: signal(_varied(RELAXATION[name], variations[name]), protocol) for name in RELAXATION}
    clean = _clean(anatomy, layers, variations, protocol)
    clean *= np.exp(TEXTURE * smooth_field(rng, anatomy.lattice, 4) + BIAS * smooth_field(rng, anatomy.lattice, 60))
    noisy = _rician(clean, NOISE * signals["white"], rng)
    brightest = max(signals["grey"], signals["white"], signals["csf"])
    levels = np.clip(np.round(noisy * (GREY_LEVEL / brightest)), 1, 255)
    return np.asarray(np.where(anatomy.brain_mask, levels, 0), dtype=np.uint8)


def _rician(clean: FloatArray, deviation: float, rng: np.random.Generator) -> FloatArray:
    """Magnitude of the signal with Gaussian noise in both channels."""
    real, imaginary = deviation * rng.standard_normal((2, *clean.shape), dtype=np.float32)
    return np.asarray(np.hypot(clean + real, imaginary), dtype=np.float32)
