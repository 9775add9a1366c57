"""What a scanner sees of an anatomy: signal equations, texture, bias field and Rician noise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.lattice import Volume, smooth_field

Tissue = Literal["grey", "white", "csf", "lesion"]


@dataclass(frozen=True)
class Relaxation:
    """Proton density (1 = water) and relaxation times in ms at 3 T."""

    density: float
    t1: float
    t2: float


@dataclass(frozen=True)
class Protocol:
    """Times of a sequence in ms; `inversion` None means no inversion pulse."""

    repetition: float
    echo: float
    inversion: float | None = None


RELAXATION: Mapping[Tissue, Relaxation] = {
    "grey": Relaxation(0.82, 1331, 110),
    "white": Relaxation(0.70, 832, 80),
    "csf": Relaxation(1.00, 4000, 1500),
    "lesion": Relaxation(0.92, 1700, 170),
}
PROTOCOLS: Mapping[str, Protocol] = {
    "t1": Protocol(repetition=2300, echo=4, inversion=1200),
    "t2": Protocol(repetition=4000, echo=90),
    "flair": Protocol(repetition=9000, echo=90, inversion=2500),
}
VARIATION = 0.02  # of density and relaxation times between subjects
TEXTURE = 0.025  # of the signal, within a tissue
BIAS = 0.05  # of the signal, across the head
NOISE = 0.025  # of white matter's signal
GREY_LEVEL = 170  # of the brightest healthy tissue, which leaves room for lesions and the bias field


def signal(tissue: Relaxation, protocol: Protocol) -> float:
    """Magnitude of a spin echo with or without inversion, 1 for water in full equilibrium.

    `|density (1 - 2 exp(-TI/T1) + exp(-TR/T1)) exp(-TE/T2)|`; without inversion the 2 exp(-TI/T1)
    falls away and the last sign turns. Relaxation times are Wansapura et al. 1999's,
    doi:10.1002/(SICI)1522-2586(199904)9:4<531::AID-JMRI4>3.0.CO;2-L.
    """
    recovered = np.exp(-protocol.repetition / tissue.t1)
    if protocol.inversion is None:
        longitudinal = 1 - recovered
    else:
        longitudinal = 1 - 2 * np.exp(-protocol.inversion / tissue.t1) + recovered
    return float(abs(tissue.density * longitudinal * np.exp(-protocol.echo / tissue.t2)))


def acquire(anatomy: Anatomy, lesion: Volume, seed: np.random.SeedSequence) -> dict[str, NDArray[np.uint8]]:
    """One image `(X, Y, Z)` for every sequence of `PROTOCOLS`; 0 outside the brain.

    Args:
        lesion: `(X, Y, Z)` in [0, 1], how far the lesions replace what is grey or white in a voxel.
        seed: gives tissue properties, texture, bias field and noise. Nothing of them depends on
            `lesion`: the same seed gives the same scan of the same subject with and without it.
    """
    tissues = _subject_tissues(_generator(seed, 0))
    return {
        sequence: _image(anatomy, lesion, tissues, protocol, _generator(seed, number))
        for number, (sequence, protocol) in enumerate(PROTOCOLS.items(), start=1)
    }


def _generator(seed: np.random.SeedSequence, number: int) -> np.random.Generator:
    """The child `number` of `seed`; unlike `seed.spawn` the same at every call."""
    return np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, number)))


def _subject_tissues(rng: np.random.Generator) -> dict[Tissue, Relaxation]:
    tissues: dict[Tissue, Relaxation] = {}
    for name, mean in RELAXATION.items():
        density, t1, t2 = np.exp(rng.normal(0, VARIATION, 3))
        tissues[name] = Relaxation(mean.density * density, mean.t1 * t1, mean.t2 * t2)
    return tissues


def _image(
    anatomy: Anatomy,
    lesion: Volume,
    tissues: Mapping[Tissue, Relaxation],
    protocol: Protocol,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    signals = {name: signal(tissue, protocol) for name, tissue in tissues.items()}
    solid = anatomy.grey + anatomy.white
    clean = anatomy.grey * signals["grey"] + anatomy.white * signals["white"]
    clean = clean * (1 - lesion) + solid * lesion * signals["lesion"] + anatomy.csf * signals["csf"]
    clean *= np.exp(TEXTURE * smooth_field(rng, anatomy.lattice, 4) + BIAS * smooth_field(rng, anatomy.lattice, 60))
    noisy = _rician(clean, NOISE * signals["white"], rng)
    brightest = max(signals["grey"], signals["white"], signals["csf"])
    levels = np.clip(np.round(noisy * (GREY_LEVEL / brightest)), 1, 255)
    return np.asarray(np.where(anatomy.brain_mask, levels, 0), dtype=np.uint8)


def _rician(clean: Volume, deviation: float, rng: np.random.Generator) -> Volume:
    """Magnitude of the signal with Gaussian noise in both channels."""
    real, imaginary = deviation * rng.standard_normal((2, *clean.shape), dtype=np.float32)
    return np.asarray(np.hypot(clean + real, imaginary), dtype=np.float32)
