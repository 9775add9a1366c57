"""A method in another interpreter, described by a TOML file; see docs/subprocess-methods.md."""

import hashlib
import io
import json
import shutil
import tomllib
import weakref
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, make_dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.methods.card import Card
from benchmark.methods.detector import Detector
from benchmark.methods.subprocess_client import Program, program_version
from datasets.case import Case
from datasets.errors import BadValue
from datasets.local_code import code_digest

PROTOCOL = 1
MANIFEST, STATE = "manifest.json", "state"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip archive; the same for all, so that equal states have equal bytes


@dataclass(frozen=True)
class ProgramDescription:
    """The content of the TOML file.

    Attributes:
        name: of the method.
        command: the program and its first arguments; a path with a slash is relative to the file's folder.
        files: on which the method's numbers depend, beside those named in the command.
        seconds: that a request may take; None for no limit.
        config: hyper-parameters and their defaults.
        presets: other values of some of them, by the preset's name.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    name: str
    command: list[str]
    title: str = ""
    files: list[str] = field(default_factory=list)
    seconds: float | None = None
    card: Card | None = None
    config: dict[str, bool | int | float | str | list[Any]] = field(default_factory=dict)
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)


def subprocess_method(path: Path) -> type[Detector]:
    """The Detector that a TOML file describes; a distribution registers it as `module:attribute` like any other.

    Raises:
        BadValue: the file cannot be used, or its program does not answer.
    """
    return _method(path.resolve(), program_digest(path))


def program_digest(path: Path) -> str:
    """SHA-256 of what a method's numbers depend on: the file, those it names, and the program's version line.

    Of a Python file that the command names, the modules beside it that it imports count as well.

    Raises:
        BadValue: a file is missing, or the program does not print its version.
    """
    description = read_description(path)
    named = [*description.files, *(part for part in description.command[1:] if (path.parent / part).is_file())]
    try:
        digests = [_sha256(path), *(_file_digest(path.parent / one) for one in named)]
    except OSError as error:
        raise BadValue(f"--plugin {path}: no file {error.filename}, which it names.") from error
    version = _cached_version(tuple(description.command), path.parent.resolve(), path, "".join(digests))
    return hashlib.sha256(json.dumps([*digests, version]).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    return code_digest(path, search=[str(path.parent.resolve())]) if path.suffix == ".py" else _sha256(path)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_description(path: Path) -> ProgramDescription:
    """Read a TOML file.

    Raises:
        BadValue: it cannot be read, or something in it is not valid.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        description = TypeAdapter(ProgramDescription).validate_python(table)
    except OSError as error:
        raise BadValue(f"--plugin {path}: no file that can be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadValue(f"--plugin {path}: got a file that is not TOML ({error}).") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadValue(f"--plugin {path}, {place}: got {first['input']!r}, expected: {first['msg']}.") from error
    if not description.command:
        raise BadValue(f"--plugin {path}: got an empty command, expected a program.")
    return description


@lru_cache
def _cached_version(command: tuple[str, ...], folder: Path, path: Path, _digests: str) -> str:
    try:
        return program_version(command, folder)
    except (OSError, ValueError) as error:
        raise BadValue(f"--plugin {path}: {error}") from error


@lru_cache
def _method(path: Path, _digest: str) -> type[Detector]:
    description = read_description(path)
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in description.config.items()}
    config = make_dataclass("Config", [(name, _type(value), value) for name, value in values.items()], frozen=True)
    config.__doc__ = f"Hyper-parameters of {description.name}, as {path.name} names them."
    attributes = {"Config": config, "presets": description.presets, "description": description, "folder": path.parent}
    if description.card is not None:
        attributes["card"] = description.card
    attributes["__doc__"] = description.title or f"{description.name}, of {path.name}."
    return type("SubprocessDetector", (SubprocessDetector,), attributes)


def _type(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple[type(value[0]), ...] if value else tuple[Any, ...]  # type: ignore[misc]
    return type(value)


class SubprocessDetector(Detector):
    """Passes arrays to a program and reads its maps; all that the program learns is in the buffer `state`."""

    description: ClassVar[ProgramDescription]
    folder: ClassVar[Path]
    state: Tensor

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.register_buffer("state", torch.zeros(0, dtype=torch.uint8))
        self._program: Program | None = None
        self._place: Path | None = None

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Let the program fit; the folder of what it has learnt becomes the state."""
        with TemporaryDirectory(dir=workdir, prefix=".exchange-") as name:
            place = Path(name)
            cases = [
                _write_case(place, f"{split}-{index:05d}", case.image[0], case.brain_mask)
                | {"case_id": case.case_id, "split": split}
                for split, held in (("train", train), ("val", val))
                for index, case in enumerate(held[position] for position in range(len(held)))
            ]
            (place / STATE).mkdir()
            spacing = [float(value) for value in train[0].spacing]
            self._ask(place, {"task": "fit", "seed": seed, "spacing": spacing, "cases": cases})
            self.state = torch.frombuffer(bytearray(_packed(place / STATE)), dtype=torch.uint8).to(self.device)
        self._clear()

    def train(self, mode: bool = True) -> "SubprocessDetector":
        """Entering evaluation mode starts the program, so that its start is not timed with the first map."""
        super().train(mode)
        if not mode and len(self.state):
            self._start()
        return self

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[0]

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[1]

    def map_and_reconstruction(
        self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The program's maps; reconstructions only if it writes one for every case."""
        place = self._start()
        cases = [
            _write_case(place, f"{index:05d}", image[0].float().cpu().numpy(), mask[0].cpu().numpy())
            | {"seed": seed, "map": f"{index:05d}-map.npy", "reconstruction": f"{index:05d}-reconstruction.npy"}
            for index, (image, mask, seed) in enumerate(zip(images, brain_masks, seeds.tolist(), strict=True))
        ]
        self._ask(place, {"task": "map", "cases": cases})
        maps = [_read_array(place / case["map"], needed=True) for case in cases]
        reconstructions = [_read_array(place / case["reconstruction"]) for case in cases]
        kept = [one for one in reconstructions if one is not None]
        return _stacked(maps, images), _stacked(kept, images) if len(kept) == len(cases) else None

    def _ask(self, place: Path, request: Mapping[str, Any]) -> None:
        """Write the manifest of a request and wait for the program.

        Raises:
            ValueError: the program ends, or takes too long.
        """
        whole = {"protocol": PROTOCOL, "config": asdict(self.config), "state": STATE, "device": self.device.type}
        (place / MANIFEST).write_text(json.dumps(whole | dict(request), indent=1), encoding="utf-8")
        if self._program is None:
            self._program = Program(self.description.command, self.folder)
        self._program.ask((place / MANIFEST).resolve(), self.description.seconds)  # it runs in another folder

    def _start(self) -> Path:
        """The folder of requests, with the state in it; starts the program if it is not running."""
        if self._place is None:
            self._place = Path(mkdtemp(prefix="uadbench-"))
            weakref.finalize(self, shutil.rmtree, self._place, ignore_errors=True)
            with zipfile.ZipFile(io.BytesIO(self.state.cpu().numpy().tobytes())) as archive:
                archive.extractall(self._place / STATE)
        if self._program is None or not self._program.alive():
            self._program = Program(self.description.command, self.folder)
        return self._place

    def _clear(self) -> None:
        """Delete the folder of an earlier state."""
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
        self._place = None


def _write_case(place: Path, name: str, image: NDArray[np.float32], brain_mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Write a case's arrays, `(X, Y, Z)` each, and return the names of their files."""
    np.save(place / f"{name}-image.npy", np.ascontiguousarray(image, dtype="<f4"))
    np.save(place / f"{name}-brain-mask.npy", np.ascontiguousarray(brain_mask, dtype=np.uint8))
    return {"image": f"{name}-image.npy", "brain_mask": f"{name}-brain-mask.npy"}


def _read_array(path: Path, *, needed: bool = False) -> NDArray[np.float32] | None:
    """Read and delete an array of the program; None if it is not needed and does not exist.

    Raises:
        ValueError: it is not an array of real numbers.
    """
    if not path.exists() and not needed:
        return None
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path.name}: got no array that can be read ({error}), expected one of numbers.") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{path.name}: got an array of {found.dtype}, expected one of real numbers.")
    path.unlink()
    return np.asarray(found, dtype=np.float32)


def _stacked(volumes: Sequence[NDArray[np.float32] | None], images: Tensor) -> Tensor:
    """`(N, 1, X, Y, Z)` on the images' device."""
    return torch.from_numpy(np.stack([one for one in volumes if one is not None]))[:, None].to(images.device)


def _packed(folder: Path) -> bytes:
    """A folder as an archive whose bytes depend on names and contents alone."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix(), EARLIEST), path.read_bytes())
    return packed.getvalue()
