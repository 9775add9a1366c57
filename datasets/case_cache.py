"""Cases on their grid, kept on disk: made again only when their files, the grid or this program has changed."""

import os
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.case import MASKS, Case, CaseFiles
from datasets.grid import Grid
from datasets.io.atomic import written_whole
from datasets.io.contents import cache_folder
from datasets.io.files import file_facts, is_settled

NO_CACHE = "UADBENCH_NO_CACHE"
MOST_BYTES = 4 * 2**30  # 2000 cases of the published grid; those that have been unused for longest give way
OF_NO_INFLUENCE = ("subject_id", "site", "split", "host", "person", "further")  # on what one sequence on its grid holds
OTHERS = ("image", "affine", "lesion_outside_grid_ml", "lost_lesions_ml")


def cases_folder() -> Path:
    return cache_folder() / "cases"


def find_case(files: CaseFiles, grid: Grid) -> Case | None:
    """The case, if it is kept."""
    place = _place(files, grid)
    return None if place is None else _read(place, files.case_id)


def kept_case(files: CaseFiles, grid: Grid, make: Callable[[], Case]) -> Case:
    """What `make` returns, or returned before for the same files, as told by their size, times of change and inode.

    Nothing is kept where UADBENCH_NO_CACHE is set, where the folder cannot be written, and of files that changed less
    than a second ago.
    """
    place = _place(files, grid)
    if place is None:
        return make()
    case = _read(place, files.case_id)
    if case is None:
        case = make()
        with suppress(OSError):
            _write(place, case)
            _make_room(place.parent)
    return case


def _place(files: CaseFiles, grid: Grid) -> Path | None:
    """Where a case is kept; None where it is not."""
    if os.environ.get(NO_CACHE):
        return None
    known = {name: value for name, value in vars(files).items() if name not in OF_NO_INFLUENCE}
    paths = {name: path.resolve() for name, path in files.paths.items() if name in known}
    now = time.time_ns()
    try:
        facts = [file_facts(path) for path in paths.values()]
    except OSError:
        return None
    if not all(is_settled(one, now) for one in facts):
        return None
    key = repr((sorted((known | paths).items()), facts, grid, _program()))
    return cases_folder() / f"{sha256(key.encode()).hexdigest()[:32]}.npz"


@cache
def _program() -> str:
    """The code that makes a case of its files, and the libraries that it computes with."""
    here = Path(__file__).parent
    code = [path.read_bytes() for path in sorted([*here.glob("*.py"), *here.glob("io/*.py")])]
    libraries = [library.__version__.encode() for library in (nibabel, np, scipy)]
    return sha256(b"\0".join([*code, *libraries])).hexdigest()


def _read(place: Path, case_id: str) -> Case | None:
    """The case; None where it is not there, or damaged."""
    try:
        with place.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            if not {*arrays.files} <= {*MASKS, *OTHERS}:  # a damaged name would hide a mask
                return None
            image = arrays["image"]
            masks = {name: _unpacked(arrays[name], image.shape[1:]) for name in MASKS if name in arrays}
            case = Case(
                case_id,
                image,
                masks["brain_mask"],
                masks.get("lesion_mask"),
                arrays["affine"],
                lesion_outside_grid_ml=float(arrays["lesion_outside_grid_ml"]),
                ignore_mask=masks.get("ignore_mask"),
                lost_lesions_ml=tuple(arrays["lost_lesions_ml"].tolist()),
            )
        os.utime(place)  # when it was used
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        return None
    return case


def _write(place: Path, case: Case) -> None:
    arrays: dict[str, Any] = {name: getattr(case, name) for name in OTHERS}
    arrays |= {name: np.packbits(mask) for name in MASKS if (mask := getattr(case, name)) is not None}
    with written_whole(place) as beside, beside.open("wb") as stream:
        np.savez(stream, **arrays)


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.unpackbits(bits, count=int(np.prod(shape))).view(bool).reshape(shape)


def _make_room(place: Path) -> None:
    """Delete what was not used for longest until the rest is small enough; others may delete, too."""
    there = []
    for path in place.iterdir():
        with suppress(FileNotFoundError):
            there.append((path.stat(), path))
    size = sum(facts.st_size for facts, _ in there)
    for facts, path in sorted(there, key=lambda one: one[0].st_mtime_ns):
        if size <= MOST_BYTES:
            break
        path.unlink(missing_ok=True)
        size -= facts.st_size
