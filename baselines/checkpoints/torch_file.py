"""read_tensors: the weights in a checkpoint of torch.save, read without running any code pickled in it."""

import pickle
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from datasets.errors import BadFile, MissingData

DTYPES: Mapping[str, torch.dtype] = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What a damaged or hostile pickle makes the unpickler raise.
DAMAGE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a checkpoint's `state_dict`, or of the checkpoint itself where it has none.

    Nothing of the checkpoint is called: see `_InertUnpickler`. What is neither a tensor nor a table of
    them (hyper-parameters, states of optimizers) is skipped.

    Raises:
        MissingData: there is no file.
        BadFile: it is no checkpoint of torch 1.6 or later, damaged, or without tensors.
    """
    try:
        with ZipFile(path) as archive:
            tensors = _tensors(archive)
    except OSError as error:
        raise MissingData(f"Checkpoint {path}: no file that can be read ({error.strerror}).") from error
    except BadZipFile as error:
        raise BadFile(
            f"{path}: got a file that is damaged or no zip, expected a checkpoint of torch 1.6 or later."
        ) from error
    except DAMAGE as error:
        raise BadFile(f"{path}: got a checkpoint that cannot be read ({type(error).__name__}: {error}).") from error
    if not tensors:
        raise BadFile(f"{path}: got a checkpoint without tensors, expected a state_dict of them.")
    return tensors


def _tensors(archive: ZipFile) -> dict[str, Tensor]:
    index = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
    if index is None:
        raise ValueError("no data.pkl in it")
    folder = index.removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("not of a little-endian machine")
    content = _InertUnpickler(BytesIO(archive.read(index))).load()
    if not isinstance(content, dict):
        return {}
    state = content["state_dict"] if isinstance(content.get("state_dict"), dict) else content
    stored = {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, _Tensor)}
    return {name: _built(value, archive.read(f"{folder}data/{value.storage.key}")) for name, value in stored.items()}


class _StandIn:
    """Stands in for an object of a pickle; a state that the pickle sets is dropped."""

    def __setstate__(self, state: object) -> None: ...


class _Storage(_StandIn):
    def __init__(self, dtype: object, key: object) -> None:
        self.dtype = dtype
        self.key = key


class _Tensor(_StandIn):
    """A view of a storage; whether it fits is not checked yet."""

    def __init__(self, storage: Any, offset: Any, shape: Any, stride: Any, *_: object) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride


class _Parameter(_StandIn):
    """Gives back the tensor it is made of."""

    def __new__(cls, data: Any, *_: object) -> Any:
        return data


class _Table(_StandIn, dict[Any, Any]):
    """An ordered dictionary."""


class _Skipped(_StandIn):
    """An object of any other class, or what any other function would return: takes everything, keeps nothing."""

    def __new__(cls, *_: object, **__: object) -> "_Skipped":
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __call__(self, *_: object, **__: object) -> "_Skipped":
        return self

    def __setitem__(self, key: object, value: object) -> None: ...

    def append(self, item: object) -> None: ...

    def extend(self, items: object) -> None: ...

    def add(self, item: object) -> None: ...


KNOWN: Mapping[str, object] = {
    "collections.OrderedDict": _Table,
    "torch._utils._rebuild_tensor_v2": _Tensor,
    "torch._utils._rebuild_parameter": _Parameter,
    **{f"torch.{name}": dtype for name, dtype in DTYPES.items()},
}


class _InertUnpickler(pickle.Unpickler):
    """Makes plain containers, numbers, strings and the stand-ins above.

    A pickle runs code only through what `find_class` hands it. Here no name is ever imported or looked up:
    each is answered with a type of torch's numbers or with one of four classes that keep or drop what they
    are given. A pickle cannot change these either: their `__setstate__` stands in the way.
    """

    def find_class(self, module: str, name: str, /) -> Any:
        return KNOWN.get(f"{module}.{name}", _Skipped)

    def persistent_load(self, pid: Any, /) -> _Storage:
        _, dtype, key, *_ = pid  # ("storage", type, key, device, length)
        return _Storage(dtype, key)


def _built(tensor: _Tensor, content: bytes) -> Tensor:
    """A tensor with values of its own; `as_strided` refuses what lies outside the storage."""
    dtype = tensor.storage.dtype
    if not isinstance(dtype, torch.dtype):
        raise TypeError("numbers of an unknown type")
    held = torch.frombuffer(bytearray(content), dtype=dtype) if content else torch.empty(0, dtype=dtype)
    return held.as_strided(tensor.shape, tensor.stride, tensor.offset).clone()
