"""NIfTI files: read_volume, which refuses what is damaged and says why, and the two writers."""

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import DTypeLike, NDArray

from datasets.errors import BadVolume
from datasets.io.files import check_file, is_gzip
from datasets.words import count_text

Array = NDArray[Any]
Matrix = NDArray[np.float64]
Float32 = NDArray[np.float32]
MANTISSA_BITS = 23  # of a float32, the hidden first one not counted
FINE_BITS = 14  # kept of intensities: an error of 3e-5 of each
MOST_VOXELS = 2**29  # 800 x 800 x 800: a header that declares more is refused before memory is taken
ENDING = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
GZIP_MAGIC = b"\x1f\x8b"
SHEAR = 0.01  # cosine between two voxel axes: 0.6 degrees off the right angle
MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""By the code of a header's unit of length (unknown, m, mm, um) how many mm it is; the unknown is taken as mm."""
APART = 1.0  # mm between the places of a corner by sform and qform
INTACT = "an intact NIfTI volume"
LEVEL = 1  # of ISA-L's gzip, the second fastest of four


@dataclass(frozen=True)
class Lattice:
    """Where voxels lie: `shape` `(X, Y, Z)` and the `(4, 4)` affine from voxel index to mm."""

    shape: tuple[int, int, int]
    affine: Matrix

    @property
    def spacing(self) -> Matrix:
        """Voxel edge lengths in mm, `(3,)`."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0), dtype=np.float64)

    @property
    def voxel_ml(self) -> float:
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000


@dataclass(frozen=True)
class Volume:
    """Data `(X, Y, Z)` and the `(4, 4)` affine, float64, from voxel index to mm."""

    data: Array
    affine: Matrix

    @property
    def lattice(self) -> Lattice:
        x, y, z = self.data.shape
        return Lattice((x, y, z), self.affine)

    @property
    def spacing(self) -> Matrix:
        """Voxel edge lengths in mm, `(3,)`."""
        return self.lattice.spacing


@dataclass(frozen=True)
class StoredVolume(Volume):
    """A volume read from a file; real numbers, all finite.

    Attributes:
        header: of the file, before any axes were turned, in its own unit of length.
    """

    path: Path
    header: Any


@dataclass(frozen=True)
class Disagreement:
    """Where a header's sform and qform put the voxels: axis codes such as RAS, and mm between them at a corner."""

    sform: str
    qform: str
    apart: float

    def __str__(self) -> str:
        return f"sform {self.sform} and qform {self.qform}, up to {self.apart:.1f} mm apart"


def stem(path: Path) -> str | None:
    """A scan's name without `.nii` or `.nii.gz`, in whatever capitals; None for a file of another kind."""
    match = ENDING.search(path.name)
    return path.name[: match.start()] if match else None


def mm_per_unit(header: Any) -> float:
    """How many mm the unit of a header's lengths is; NaN for one that NIfTI has not."""
    return MM.get(int(header["xyzt_units"]) % 8, float("nan"))


def disagreement(header: Any) -> Disagreement | None:
    """How sform and qform differ by more than `APART`; None where they do not, or one is not set or not finite."""
    if not (int(header["qform_code"]) and int(header["sform_code"])):
        return None
    sform, qform = header.get_sform(), header.get_qform()
    if not (np.isfinite(sform).all() and np.isfinite(qform).all()):
        return None
    corners = np.array([[x, y, z, 1.0] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    corners[:, :3] *= np.asarray(header.get_data_shape()[:3]) - 1
    apart = float(np.abs(corners @ (sform - qform).T).max()) * mm_per_unit(header)
    first, second = ("".join(map(str, nibabel.aff2axcodes(form))) for form in (sform, qform))
    return Disagreement(first, second, apart) if apart > APART else None


def read_volume(
    path: Path, *, as_stored: bool = False, dtype: DTypeLike | None = None, shape: tuple[int, ...] | None = None
) -> StoredVolume:
    """Read a NIfTI-1 or NIfTI-2 file, its axes turned to the closest RAS+ and its lengths brought to mm.

    Trailing dimensions of one voxel are dropped.

    Args:
        as_stored: keep the voxel axes in the file's own order, and accept sheared ones.
        dtype: that voxels are scaled in; None for the type of the file, or float64 if it has a slope.
        shape: that the header must declare, so that no more is unpacked; None for any.

    Raises:
        MissingData: there is no such file, or it may not be read.
        BadVolume: it is torn, not what its name says, not 3-D, not finite, without real voxel axes, its header
            disagrees with the voxels that follow, or its sform and qform differ in where left or another side is.
    """
    check_file(path)
    header, content = _content(path, shape)
    try:
        affine = np.diag([*[mm_per_unit(header)] * 3, 1.0]) @ header.get_best_affine()
        _check_axes(path, header, affine, sheared=as_stored)
        _check_sides(path, header)
        data = _voxels(header, content, dtype)
        if not as_stored:
            turns = nibabel.orientations.io_orientation(affine)
            affine = affine @ nibabel.orientations.inv_ornt_aff(turns, data.shape)
            data = nibabel.orientations.apply_orientation(data, turns)
    except BadVolume:
        raise
    except Exception as error:  # nibabel has no base class for what it cannot read
        raise _unreadable(path, str(error)) from error
    _check_finite(path, data)
    return StoredVolume(data, np.asarray(affine, dtype=np.float64), path, header)


def write_volume(path: Path, volume: Volume, dtype: DTypeLike | None = None) -> None:
    """Write a volume in its own type, a mask as bytes; or as `dtype`."""
    kind = np.uint8 if dtype is None and volume.data.dtype == bool else dtype
    content = _nifti(volume.data if kind is None else volume.data.astype(kind), volume.affine).to_bytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(igzip.compress(content, LEVEL, mtime=0) if path.suffix == ".gz" else content)


def write_rounded(path: Path, volume: Volume, bits: int = FINE_BITS) -> None:
    """Write as float32 with each value rounded to `bits` mantissa bits, which packs to about 16 bits a voxel.

    Precision is relative to each value, so no outlier costs the others theirs; 0 is kept exactly.
    """
    write_volume(path, Volume(round_mantissa(volume.data.astype(np.float32), bits), volume.affine))


def round_mantissa(values: Float32, bits: int) -> Float32:
    """The nearest numbers with `bits` bits of mantissa, from halfway the even one; order is kept, though not strictly.

    The error is at most a part in 2^(bits + 1) of each value, of a denormal one as much as of the smallest normal one.
    Values within half a step of the largest float32 become infinite.
    """
    drop = np.uint32(MANTISSA_BITS - bits)
    if not drop:
        return values
    raw = np.ascontiguousarray(values).view(np.uint32)  # sign, exponent, mantissa: magnitudes in their order
    half = (np.uint32(1) << (drop - np.uint32(1))) - np.uint32(1) + ((raw >> drop) & np.uint32(1))
    return ((raw + half) >> drop << drop).view(np.float32)


def check_same_grid(mask: StoredVolume, image: StoredVolume) -> None:
    """Refuse a mask that is not on its image's grid.

    Raises:
        BadVolume: its shape or affine differs.
    """
    if mask.data.shape != image.data.shape:
        raise BadVolume(
            mask.path, "mask-off-grid", f"shape {mask.data.shape}", f"{image.data.shape} as in {image.path}"
        )
    if not np.allclose(mask.affine, image.affine, atol=1e-3):
        got, there = (one.affine[:3].round(3).tolist() for one in (mask, image))
        raise BadVolume(mask.path, "mask-off-grid", f"affine {got}", f"{there} as in {image.path}")


def _unreadable(path: Path, why: str) -> BadVolume:
    return BadVolume(path, "unreadable-file", f"a file that cannot be read ({why})", INTACT)


def _content(path: Path, shape: tuple[int, ...] | None) -> tuple[Any, bytes]:
    """The header and the unpacked file; unpacking stops at the size that the header declares."""
    packed = path.read_bytes()
    _check_name(path, packed)
    unpacking = _Unpacking(packed) if is_gzip(path) else None
    most = nibabel.nifti2.Nifti2Header.sizeof_hdr
    try:
        header = _header(path, _Unpacking(packed).take(most) if unpacking else packed[:most])
        expected = _declared_bytes(path, header)
        declared = tuple(int(size) for size in header["dim"][1:4])
        if shape is not None and declared != tuple(shape):
            raise BadVolume(path, "bad-shape", f"shape {declared}", f"{tuple(shape)}")
        content = unpacking.take(expected + 1) if unpacking else packed
        whole = unpacking is None or unpacking.ended or len(content) > expected
    except zlib.error as error:
        raise _unreadable(path, str(error)) from error
    if len(content) != expected or not whole:
        amount = "more" if len(content) > expected else f"{len(content)}"
        torn = "" if whole else "; the gzip stream is torn"
        raise _unreadable(path, f"its header declares {expected} bytes and there are {amount}{torn}")
    return header, content


def _voxels(header: Any, content: bytes, dtype: DTypeLike | None) -> Array:
    """`(X, Y, Z)`, scaled by the header's slope and intercept; a view of the file's content where it has none."""
    count, offset = int(np.prod(header["dim"][1:4], dtype=np.int64)), int(header["vox_offset"])
    stored = np.frombuffer(content, header.get_data_dtype(), count, offset)
    slope, intercept = header.get_slope_inter()
    if slope is not None:
        stored = apply_read_scaling(stored, slope, intercept)
    data = stored.reshape(header["dim"][1:4], order="F")
    return data if dtype is None else data.astype(dtype, copy=False)


class _Unpacking:
    """A gzip file unpacked piece by piece; its checksum is known only at its end."""

    def __init__(self, packed: bytes) -> None:
        self._rest, self._stream = packed, zlib.decompressobj(31)

    @property
    def ended(self) -> bool:
        return self._stream.eof and not self._rest.strip(b"\0")

    def take(self, most: int) -> bytes:
        """The next bytes, at most `most`."""
        pieces, missing = list[bytes](), most
        while missing > 0 and (self._rest or not self._stream.eof):
            piece = self._stream.decompress(self._rest, missing)
            self._rest = self._stream.unconsumed_tail or self._stream.unused_data
            pieces.append(piece)
            missing -= len(piece)
            if self._stream.eof and self._rest.startswith(GZIP_MAGIC):  # a further member
                self._stream = zlib.decompressobj(31)
            elif self._stream.eof or not (piece or self._rest):
                break
        return b"".join(pieces)


def _check_name(path: Path, packed: bytes) -> None:
    """Refuse a file whose content does not match its name."""
    zipped, start = packed.startswith(GZIP_MAGIC), packed[:512].lstrip().lower()
    if not packed:
        raise _unreadable(path, "it is empty")
    if start.startswith((b"<!doctype", b"<html")):
        raise _unreadable(path, "it is a web page, perhaps an error that was downloaded in its place")
    if zipped and not is_gzip(path):
        raise _unreadable(path, "it is packed with gzip and its name does not end in .gz")
    if not zipped and is_gzip(path):
        known = "a plain NIfTI volume" if b"n+1" in packed[344:348] or b"n+2" in packed[4:8] else _content_kind(packed)
        raise _unreadable(path, f"it is {known} and not packed with gzip, as its name says")


def _content_kind(content: bytes) -> str:
    text = content[:512]
    readable = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in text)
    return "text" if readable else "of an unknown kind"


def _header(path: Path, start: bytes) -> Any:
    kind = nibabel.nifti2.Nifti2Header if start[4:8] == b"n+2\0" else nibabel.nifti1.Nifti1Header
    if len(start) < kind.sizeof_hdr:
        raise _unreadable(
            path, f"it ends after {count_text(len(start), 'byte')}, within the header of {kind.sizeof_hdr}"
        )
    try:
        header = kind(start[: kind.sizeof_hdr], check=False)
    except Exception as error:  # nibabel has no base class for what it cannot read
        raise _unreadable(path, str(error)) from error
    magic = bytes(header["magic"])
    if magic[:3] not in (b"n+1", b"n+2"):
        raise _unreadable(path, f"its header holds no NIfTI-1 mark (n+1) but {magic!r}")
    return header


def _declared_bytes(path: Path, header: Any) -> int:
    """The size that the file must have; refuses dimensions and types that no volume has."""
    rank = int(header["dim"][0])
    shape = tuple(int(size) for size in header["dim"][1 : 1 + max(0, min(rank, 7))])
    if not 1 <= rank <= 7 or min(shape) < 1:
        raise BadVolume(path, "bad-shape", f"dimensions {shape} of {rank} declared", "three positive ones")
    if rank < 3 or any(size > 1 for size in shape[3:]):
        raise BadVolume(path, "bad-shape", f"{rank}-D data {shape}", "a 3-D volume")
    if min(shape[:3]) < 2:
        raise BadVolume(path, "bad-shape", f"{shape} with a single slice", "a volume of several along every axis")
    voxels = int(np.prod(shape, dtype=object))
    if voxels > MOST_VOXELS:
        raise BadVolume(path, "too-large", f"{shape} declared, {voxels} voxels", f"at most {MOST_VOXELS}")
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or not header.sizeof_hdr + 4 <= offset < 2**24 or offset % 1:
        raise _unreadable(path, f"its header says that voxels begin at byte {offset:g}")
    return int(offset) + voxels * _check_type(path, header).itemsize


def _check_type(path: Path, header: Any) -> "np.dtype[Any]":
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except Exception as error:  # a code that nibabel does not know
        code = int(header["datatype"])
        raise BadVolume(path, "bad-type", f"voxels of the unknown type {code}", "one real number a voxel") from error
    if dtype.kind not in "biuf" or dtype.itemsize == 0:
        raise BadVolume(path, "bad-type", f"voxels of type {dtype}", "one real number a voxel")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if np.isinf([slope, intercept]).any() or (np.isfinite(slope) and slope and not np.isfinite(intercept)):
        raise BadVolume(
            path, "bad-scaling", f"scl_slope {slope:g} and scl_inter {intercept:g}", "finite numbers or none"
        )
    return dtype


def _check_axes(path: Path, header: Any, affine: Any, *, sheared: bool) -> None:
    """Refuse voxel edges and axes that no scanner makes."""
    zooms = [float(one) for one in header["pixdim"][1:4]]
    if not all(np.isfinite(one) and one > 0 for one in zooms):
        raise BadVolume(path, "bad-spacing", f"spacing {zooms} in the header", "positive mm")
    if np.isnan(mm_per_unit(header)):
        unit = int(header["xyzt_units"]) % 8
        raise BadVolume(path, "bad-units", f"the unit {unit} of length in the header", "1 (m), 2 (mm) or 3 (um)")
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise BadVolume(path, "bad-affine", "an affine that cannot be inverted", "voxel axes in mm")
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    slant = np.abs(axes.T @ axes - np.eye(3)).max()
    if slant > SHEAR and not sheared:
        angle = np.degrees(np.arccos(min(slant, 1.0)))
        raise BadVolume(path, "sheared", f"voxel axes at {angle:.1f} degrees to each other", "right angles")


def _check_sides(path: Path, header: Any) -> None:
    """Refuse a header whose two places of the voxels differ in which side is which."""
    found = disagreement(header)
    if found is not None and found.sform != found.qform:
        raise BadVolume(path, "forms-disagree", str(found), "one place")


def _check_finite(path: Path, data: Array) -> None:
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        bad = int(np.size(data) - np.isfinite(data).sum())
        raise BadVolume(path, "not-finite", f"{count_text(bad, 'NaN or infinite voxel')}", "finite intensities")


def _nifti(data: Array, affine: Matrix) -> Any:
    nifti = nibabel.nifti1.Nifti1Image(data, affine)
    nifti.header.set_xyzt_units("mm")
    return nifti
