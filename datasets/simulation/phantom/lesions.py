"""The lesions of a case: their table of truth, their voxels and the tissues they consist of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import Relaxation, TissueMaps
from datasets.simulation.phantom.lattice import FloatArray, SamplingLattice

Window = tuple[slice, slice, slice]
EVERYWHERE: Window = (slice(None), slice(None), slice(None))


@dataclass(frozen=True)
class Layer:
    """A diseased tissue, and the share of grey and white matter it replaces in each voxel, `(X, Y, Z)` in [0, 1]."""

    tissue: Relaxation
    share: FloatArray


@dataclass(frozen=True)
class Lesion:
    """The truth of one lesion.

    Attributes:
        volume_ml: of its part of the lesion mask.
        contrast: share of grey and white matter replaced at its core, in (0, 1].
        centre: centre of mass in mm (RAS+).
        place: in the brain, in terms of its disease.
        displacement_mm: largest displacement of any tissue.
    """

    volume_ml: float
    contrast: float
    centre: tuple[float, float, float]
    place: str = "white matter"
    displacement_mm: float = 0.0


@dataclass(frozen=True)
class Lesions:
    """All lesions of a case.

    Attributes:
        layers: painted over each other in this order.
        labels: `(X, Y, Z)` uint16, the 1-based row of `table` to which a voxel belongs, 0 for none; a lesion is one
            26-connected component of the voxels that are more than half lesion.
        regions: `(X, Y, Z)` uint8, parts of a lesion, 0 outside; None for lesions without parts.
    """

    table: tuple[Lesion, ...]
    layers: tuple[Layer, ...]
    labels: NDArray[np.uint16]
    regions: NDArray[np.uint8] | None = None

    @property
    def lesion_mask(self) -> NDArray[np.bool_]:
        return self.labels > 0

    @property
    def second_largest(self) -> int | None:
        """Its label; None for fewer than two lesions."""
        falling = sorted(range(len(self.table)), key=lambda row: -self.table[row].volume_ml)
        return falling[1] + 1 if len(falling) > 1 else None

    def pushing(self, displacement_mm: float) -> "Lesions":
        """The same lesions with this displacement in their table."""
        table = tuple(replace(lesion, displacement_mm=displacement_mm) for lesion in self.table)
        return replace(self, table=table)


@dataclass(frozen=True)
class LesionDraft:
    """Lesions of one kind, before they are combined with the others of the case.

    Attributes:
        layers, lesion_mask: inside `window` only.
    """

    layers: tuple[Layer, ...]
    lesion_mask: NDArray[np.bool_]
    contrast: float
    place: str
    window: Window = EVERYWHERE


def no_lesions(anatomy: TissueMaps) -> Lesions:
    return Lesions((), (), np.zeros(anatomy.lattice.shape, dtype=np.uint16))


def combine_lesions(lattice: SamplingLattice, drawn: Sequence[LesionDraft], tissues: Sequence[Relaxation]) -> Lesions:
    """Combine the lesions of a case; those of `drawn` must not touch each other.

    Args:
        tissues: of all layers, in painting order.
    """
    labels = np.zeros(lattice.shape, dtype=np.uint16)
    table: list[Lesion] = []
    for one in drawn:
        parts, count = scipy.ndimage.label(one.lesion_mask, structure=np.ones((3, 3, 3)))
        labels[one.window] = np.where(parts > 0, parts + len(table), labels[one.window])
        table += [_describe(parts == part, one, lattice) for part in range(1, count + 1)]
    layers = [Layer(tissue, _share(lattice, drawn, tissue)) for tissue in tissues]
    return Lesions(tuple(table), tuple(layer for layer in layers if layer.share.any()), labels)


def _share(lattice: SamplingLattice, drawn: Sequence[LesionDraft], tissue: Relaxation) -> FloatArray:
    share = np.zeros(lattice.shape, dtype=np.float32)
    for one in drawn:
        for layer in one.layers:
            if layer.tissue == tissue:
                share[one.window] = np.maximum(share[one.window], layer.share)
    return share


def _describe(part: NDArray[np.bool_], drawn: LesionDraft, lattice: SamplingLattice) -> Lesion:
    first = np.array([window.start or 0 for window in drawn.window])
    x, y, z = lattice.affine[:3, :3] @ (np.argwhere(part).mean(axis=0) + first) + lattice.affine[:3, 3]
    volume_ml = float(np.count_nonzero(part) * lattice.voxel_ml)
    return Lesion(volume_ml, drawn.contrast, (float(x), float(y), float(z)), drawn.place)
