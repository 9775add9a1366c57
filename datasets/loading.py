"""`load_case`: the one place where scans are oriented, cropped, scaled and brought onto the common grid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from datasets.case import BINARY, MASKS, Case, CaseFiles, Labels, Masks
from datasets.case_cache import find_case, kept_case
from datasets.errors import BadVolume
from datasets.grid import Grid
from datasets.io.files import file_facts
from datasets.io.labels import split_labels, union
from datasets.io.nifti import StoredVolume, check_same_grid, read_volume
from datasets.sampling import Mask, Place, Sampler, bounding_box
from datasets.shifts import Shift
from datasets.shifts.application import CaseShift, dose

Array = NDArray[Any]
Stamps = tuple[tuple[int, ...], ...]
INSIDE_ABOVE = 0.5  # a mask's values above this are inside; above 0, an interpolated mask would be dilated
KEPT = 192  # unshifted cases in memory while shifts are made: up to 3 MB each on the published grid


class Cases(Sequence[Case]):
    """Cases of a cohort under one shift, with these covariates; each is read from disk on every access."""

    def __init__(
        self, files: Sequence[CaseFiles], grid: Grid, shift: Shift = Shift(), covariates: Sequence[str] = ()
    ) -> None:
        self.files = tuple(files)
        self.grid = grid
        self.shift = shift
        self.covariates = tuple(covariates)

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> "Cases": ...
    def __getitem__(self, index: int | slice) -> "Case | Cases":
        if isinstance(index, slice):
            return Cases(self.files[index], self.grid, self.shift, self.covariates)
        return self._case(self.files[index])

    def __iter__(self) -> Iterator[Case]:
        return map(self._case, self.files)

    def _case(self, files: CaseFiles) -> Case:
        case = load_case(files, self.grid, self.shift)
        return replace(case, covariates=covariates_of(files, self.covariates)) if self.covariates else case


def covariates_of(files: CaseFiles, names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """What is known of a case, as `Case.covariates` has it."""
    known = {
        "age": lambda: (np.nan if files.person.age is None else files.person.age,),
        "sex": lambda: ({"F": 0.0, "M": 1.0}.get(files.person.sex, np.nan),),
        "spacing": lambda: tuple(read_volume(files.image).spacing.tolist()),
    }
    return {name: known[name]() for name in names}


def load_case(files: CaseFiles, grid: Grid, shift: Shift = Shift()) -> Case:
    """Read one scan and bring it onto `grid` under `shift`, which changes the image and nothing else.

    Each sequence is scaled by itself, and shifted at the same level with random numbers of its own.
    Intensities are clipped to the grid's percentiles over the brain inside the box and scaled to [0, 1] at the scan's
    own resolution; then image and masks are sampled from the same places, see `datasets.sampling.Sampler`. Where a
    voxel is lesion and ignored, it is lesion.

    Raises:
        MissingData: a file is not there.
        BadVolume: a file is torn, not 3-D, not finite, or off the image's grid (see `datasets.io.nifti`), or holds a
            label that is not declared.
    """
    channels = files.channels
    cases = [_channel(one, grid, shift.of(place, len(channels)), place) for place, one in enumerate(channels)]
    if len(cases) == 1:
        return cases[0]
    return replace(
        cases[0],
        image=np.concatenate([one.image for one in cases]),
        shift_dose=float(np.mean([one.shift_dose for one in cases])),
    )


def _channel(files: CaseFiles, grid: Grid, shift: Shift, place: int) -> Case:
    """One sequence of a scan, the `place`-th."""
    if shift.is_none:
        return _unshifted(files, grid)
    case = _kept(files, grid, _stamps(files))
    image, applied = case.image[0], CaseShift(shift, files.case_id, place)
    if applied.stage == "acquisition":
        scan = _scan(files, grid)
        image = scan.on_grid(applied.acquired(scan.image, scan.brain, scan.volume.spacing), case.brain_mask)
    elif applied.stage == "representation":
        image = applied.represented(
            image, case.brain_mask, grid.spacing, grid.percentiles, partial(_rescaled, files, grid, case.brain_mask)
        )
    abnormal = union(case.lesion_mask, case.ignore_mask)
    healthy = case.brain_mask if abnormal is None else case.brain_mask & ~abnormal
    return replace(
        case,
        image=applied.matched(image, case.brain_mask)[None],
        shift_dose=0.0 if applied.stage is None else dose(image, case.image[0], healthy),
    )


def masks_of(files: CaseFiles, grid: Grid) -> Masks:
    """The masks of `load_case`, kept in memory as bits, and much faster: no image is sampled.

    Raises:
        MissingData, BadVolume: as `load_case`, but for what is wrong with the image's intensities.
    """
    files = files.channels[0]
    bits, known = _kept_masks(files, grid, _stamps(files))
    unpacked = np.unpackbits(bits, axis=1, count=int(np.prod(grid.shape))).view(bool).reshape(-1, *grid.shape)
    there = iter(unpacked)
    return replace(known, **{name: next(there) for name in MASKS if getattr(known, name) is not None})


def load_host(files: CaseFiles, grid: Grid) -> NDArray[np.float32] | None:
    """The image `(C, X, Y, Z)` of the same scan without its lesion, on the scale of `load_case(files, grid).image`.

    Equal to it wherever the lesion's image is the host's. None where the host is not known.

    Raises:
        MissingData, BadVolume: as `load_case`, or the host is off the image's grid.
    """
    hosts = [_host(one, grid) for one in files.channels]
    known = [host for host in hosts if host is not None]
    return np.concatenate(known) if len(known) == len(hosts) else None


def _host(files: CaseFiles, grid: Grid) -> NDArray[np.float32] | None:
    if files.host is None:
        return None
    scan, host = _scan(files, grid), read_volume(files.host)
    check_same_grid(host, scan.volume)
    window = scan.window(scan.image, grid.percentiles)
    return scan.sampled(host.data, scan.sampler.mask(scan.brain), window)[None]


def intensity_window(
    image: Array, brain: Mask, inside: Place, percentiles: tuple[float, float], files: CaseFiles
) -> tuple[float, float]:
    """The intensities that become 0 and 1.

    Raises:
        BadVolume: there is no brain inside the box, or no contrast in it.
    """
    values = _voxels(image, brain, inside)
    if values.size == 0:
        raise BadVolume(files.brain_mask, "no-brain-in-box", "no brain voxel inside the grid's box", "a brain")
    low, high = np.percentile(values, percentiles)
    if high <= low:
        raise BadVolume(files.image, "constant-image", f"one intensity ({low:g}) throughout the brain", "contrast")
    return float(low), float(high)


def _voxels(image: Array, brain: Mask, place: Place) -> NDArray[np.float64]:
    """The brain's intensities, in the order in which NIfTI files hold them."""
    return np.asarray(image[place].T[brain[place].T], dtype=np.float64)


@dataclass(frozen=True)
class _Scan:
    """A scan and its brain at their own resolution, and the grid that samples them."""

    files: CaseFiles
    grid: Grid
    volume: StoredVolume
    brain: Mask

    @property
    def image(self) -> Array:
        return self.volume.data

    @cached_property
    def sampler(self) -> Sampler:
        return Sampler.of(self.image.shape, self.volume.spacing, self.grid)

    @cached_property
    def extent(self) -> Place:
        """The brain's bounding box."""
        return bounding_box(self.brain)

    @property
    def affine(self) -> NDArray[np.float64]:
        """`(4, 4)` from the grid's voxels to mm."""
        return self.volume.affine @ self.sampler.to_source

    def window(self, magnitudes: Array, percentiles: tuple[float, float]) -> tuple[float, float]:
        return intensity_window(magnitudes, self.brain, self.sampler.inside, percentiles, self.files)

    def on_grid(
        self, magnitudes: Array, new_brain: Mask, percentiles: tuple[float, float] | None = None
    ) -> NDArray[np.float32]:
        """Scale and sample; `percentiles` replace the grid's own."""
        return self.sampled(magnitudes, new_brain, self.window(magnitudes, percentiles or self.grid.percentiles))

    def sampled(self, magnitudes: Array, new_brain: Mask, window: tuple[float, float]) -> NDArray[np.float32]:
        """Scale by a window and sample; 0 outside the brain."""
        low, high = window
        values = (_voxels(magnitudes, self.brain, self.extent) - low) / (high - low)
        brain = self.brain[self.extent]
        scaled = np.zeros(brain.shape, dtype=np.float32, order="F")
        scaled.T[brain.T] = values.clip(0, 1, out=values)
        image = self.sampler.scan(scaled, self.extent).clip(0, 1)
        image[~new_brain] = 0
        return image


def _scan(files: CaseFiles, grid: Grid) -> _Scan:
    volume = read_volume(files.image)
    return _Scan(files, grid, volume, _read_mask(files.brain_mask, volume))


def _read_mask(path: Path, image: StoredVolume) -> Mask:
    mask = read_volume(path)
    check_same_grid(mask, image)
    return np.asarray(mask.data > INSIDE_ABOVE)


def _unshifted(files: CaseFiles, grid: Grid) -> Case:
    return kept_case(files, grid, partial(_made, files, grid))


def _made(files: CaseFiles, grid: Grid) -> Case:
    scan = _scan(files, grid)
    masks = _masks(scan)
    return Case(
        case_id=files.case_id,
        image=scan.on_grid(scan.image, masks.brain_mask)[None],
        brain_mask=masks.brain_mask,
        lesion_mask=masks.lesion_mask,
        affine=scan.affine,
        lesion_outside_grid_ml=masks.lesion_outside_grid_ml,
        ignore_mask=masks.ignore_mask,
        lost_lesions_ml=masks.lost_lesions_ml,
    )


def _masks(scan: _Scan) -> Masks:
    lesion, ignored = (None if mask is None else scan.sampler.components(mask) for mask in _labelled(scan))
    ml = float(np.prod(scan.volume.spacing)) / 1000
    x, y, z = np.linalg.norm(scan.affine[:3, :3], axis=0).tolist()
    return Masks(
        brain_mask=scan.sampler.mask(scan.brain),
        lesion_mask=None if lesion is None else lesion.mask,
        spacing=(x, y, z),
        voxel_ml=x * y * z / 1000,
        lesion_outside_grid_ml=0.0 if lesion is None else lesion.outside * ml,
        ignore_mask=None if ignored is None else ignored.mask if lesion is None else ignored.mask & ~lesion.mask,
        lost_lesions_ml=() if lesion is None else tuple(one.volume * ml for one in lesion.components if not one.voxels),
    )


def _labelled(scan: _Scan) -> tuple[Mask | None, Mask | None]:
    """What is lesion, and what is to be ignored by its label or by the mask of its own; None for nothing."""
    files = scan.files
    lesion, by_label = _split(files.lesion_mask, files.labels, scan.volume)
    by_mask, _ = _split(files.ignore_mask, BINARY, scan.volume)
    return lesion, union(by_label, by_mask)


def _split(path: Path | None, labels: Labels, image: StoredVolume) -> tuple[Mask | None, Mask | None]:
    if path is None:
        return None, None
    mask = read_volume(path)
    check_same_grid(mask, image)
    return split_labels(path, mask.data, labels, mask.lattice.voxel_ml)


def _masks_of(case: Case) -> Masks:
    return Masks(
        case.brain_mask, case.lesion_mask, case.spacing, case.voxel_ml, case.lesion_outside_grid_ml, case.ignore_mask,
        case.lost_lesions_ml,
    )  # fmt: skip


def _rescaled(files: CaseFiles, grid: Grid, brain_mask: Mask, percentiles: tuple[float, float]) -> NDArray[np.float32]:
    scan = _scan(files, grid)
    return scan.on_grid(scan.image, brain_mask, percentiles)


def _stamps(files: CaseFiles) -> Stamps:
    """Facts of a case's files, none of one that is missing: a case in memory is stale once they differ."""
    return tuple(file_facts(path) if path.is_file() else () for path in files.paths.values())


@lru_cache(maxsize=KEPT)
def _kept_masks(files: CaseFiles, grid: Grid, stamps: Stamps) -> tuple[NDArray[np.uint8], Masks]:
    """Each mask that there is as bits `(masks, bytes)`, and Masks with empty arrays in their places."""
    case, nothing = find_case(files, grid), np.zeros(0, dtype=bool)
    masks = _masks(_scan(files, grid)) if case is None else _masks_of(case)
    there = {name: mask for name in MASKS if (mask := getattr(masks, name)) is not None}
    bits = np.packbits([mask.ravel() for mask in there.values()], axis=1)
    empty: dict[str, Any] = dict.fromkeys(there, nothing)
    return bits, replace(masks, **empty)


@lru_cache(maxsize=KEPT)
def _kept(files: CaseFiles, grid: Grid, stamps: Stamps) -> Case:
    """Cached, since a case is shifted many times."""
    return _unshifted(files, grid)
