"""read_tensors: tensors come out as they went in, and nothing else of a checkpoint comes to life."""

import io
import os
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from torch import nn
from torch._utils import _rebuild_tensor_v2

from baselines.checkpoints.torch_file import DTYPES, KNOWN, read_tensors
from datasets.errors import BadFile


class Settings(dict[str, object]):
    """A class that only the program which wrote the checkpoint has, with state besides its items."""

    def __init__(self, **values: object) -> None:
        super().__init__(values)
        self.parent = self


class Hostile:
    """Runs `touch path` when unpickled by anybody who lets it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.path}",)


def repickled(path: Path, data: bytes, *, numbers: int = 4) -> Path:
    """A checkpoint with the index `data`, and one storage of a few float32 numbers."""
    with ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/data/0", torch.arange(float(numbers)).numpy().tobytes())
    return path


class View:
    """Is pickled as torch pickles `storage[offset :: step][:length]`."""

    def __init__(self, *place: object) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_tensor_v2, (*self.place, False, OrderedDict())


class StoragePickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return ("storage", torch.FloatStorage, "0", "cpu", 4) if obj is STORAGE else None


STORAGE = object()


def pickled_view(offset: int, length: int, step: int) -> bytes:
    """Index of a checkpoint whose `weight` is a view of the four numbers of `repickled`."""
    buffer = io.BytesIO()
    StoragePickler(buffer, 2).dump({"weight": View(STORAGE, offset, (length,), (step,))})
    return buffer.getvalue()


def test_tensors_come_out_as_they_went_in(tmp_path: Path) -> None:
    state = {f"a.{dtype}": torch.tensor([[0, 1, 3], [4, 0, 6]]).to(dtype) for dtype in DTYPES.values()}
    state |= {
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 4),
        "transposed": torch.rand(3, 5).T,
        "part": torch.arange(10)[3:7],
        "parameter": nn.Parameter(torch.rand(2)),
    }
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "a.ckpt")
    tensors = read_tensors(tmp_path / "a.ckpt")
    assert tensors.keys() == state.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == state[name].dtype
        assert torch.equal(tensor, state[name])


def test_a_view_of_an_empty_storage_is_refused_unless_it_is_empty_too(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        read_tensors(repickled(tmp_path / "a.ckpt", pickled_view(0, 5, 1), numbers=0))
    assert read_tensors(repickled(tmp_path / "b.ckpt", pickled_view(0, 0, 1), numbers=0))["weight"].shape == (0,)


def test_a_bare_state_dict_is_read_too(tmp_path: Path) -> None:
    torch.save(nn.BatchNorm2d(3).state_dict(), tmp_path / "a.pt")
    names = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    assert read_tensors(tmp_path / "a.pt").keys() == names


def test_states_of_optimizers_and_unknown_classes_are_skipped(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    settings = Settings(sizes=[1, 2], nested=Settings(path=Path("x")))
    checkpoint = {
        "hyper_parameters": {"cfg": settings, "more": defaultdict(dict, a={1: 2}), "kinds": {int, torch.float32}},
        "optimizer_states": [optimizer.state_dict()],
        "loops": OrderedDict(done=2**80, share=0.5, text="é", flags={True, None}),
        "state_dict": layer.state_dict(),
    }
    torch.save(checkpoint, tmp_path / "a.ckpt")
    tensors = read_tensors(tmp_path / "a.ckpt")
    assert tensors.keys() == {"weight", "bias"}
    assert torch.equal(tensors["weight"], layer.weight)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_a_hostile_object_beside_the_weights_is_not_run(tmp_path: Path, protocol: int) -> None:
    flag, checkpoint = tmp_path / "flag", tmp_path / "a.ckpt"
    content = {"hyper_parameters": Hostile(flag), "state_dict": {"weight": torch.ones(2)}}
    torch.save(content, checkpoint, pickle_protocol=protocol)
    assert read_tensors(checkpoint)["weight"].tolist() == [1, 1]
    assert not flag.exists()
    torch.load(checkpoint, weights_only=False)  # the trap would have worked
    assert flag.exists()


@pytest.mark.parametrize("where", ["whole", "state", "value"])
def test_a_hostile_object_in_place_of_weights_is_refused_and_not_run(tmp_path: Path, where: str) -> None:
    hostile = Hostile(tmp_path / "flag")
    content = {"whole": hostile, "state": {"state_dict": hostile}, "value": {"state_dict": {"weight": hostile}}}
    torch.save(content[where], tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt: got a checkpoint without tensors, expected a state_dict of them"):
        read_tensors(tmp_path / "a.ckpt")
    assert not (tmp_path / "flag").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"cos\nsystem\n(S'touch {flag}'\ntR.",  # REDUCE
        b"(S'touch {flag}'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch {flag}'\no.",  # OBJ
        b"cos\nsystem\n(S'touch {flag}'\nt\x81.",  # NEWOBJ
        b"\x80\x04\x8c\x02os\x8c\x06system\x93(S'touch {flag}'\nt}\x92.",  # STACK_GLOBAL, NEWOBJ_EX
        b'cbuiltins\neval\n(S\'open("{flag}", "w")\'\ntR.',
        b"cbuiltins\ngetattr\n(cos\nsystem\nS'__call__'\ntR(S'touch {flag}'\ntR.",
        b"ctorch._utils\n_rebuild_tensor_v2\nN}S'__setstate__'\ncos\nsystem\ns\x86b(S'touch {flag}'\ntR.",  # BUILD
        b"ccollections\nOrderedDict\n)R}S'get'\ncos\nsystem\nsb.",
        b"\x82\x01.",  # EXT1
    ],
)
def test_no_instruction_of_a_pickle_reaches_a_function(tmp_path: Path, data: bytes) -> None:
    checkpoint = repickled(tmp_path / "a.ckpt", data.replace(b"{flag}", bytes(tmp_path / "flag")))
    with pytest.raises(ValueError, match=r"a\.ckpt: got a checkpoint"):
        read_tensors(checkpoint)
    assert not (tmp_path / "flag").exists()


@pytest.mark.parametrize("known", KNOWN)
def test_a_pickle_cannot_change_what_it_is_handed(tmp_path: Path, known: str) -> None:
    """BUILD writes attributes: onto a class or a type of numbers they would outlive the pickle."""
    module, _, name = known.rpartition(".")
    for state in (b"}S'mark'\nI1\ns", b"N}S'mark'\nI1\ns\x86"):
        data = f"c{module}\n{name}\n".encode() + state + b"b."
        with pytest.raises(ValueError, match=r"a\.ckpt: got a checkpoint"):
            read_tensors(repickled(tmp_path / "a.ckpt", data))
        assert not hasattr(KNOWN[known], "mark")


@pytest.mark.parametrize(("offset", "length", "step"), [(0, 5, 1), (3, 2, 1), (0, 2, 4), (-1, 1, 1), (0, 2, -1)])
def test_a_tensor_that_runs_past_its_numbers_is_refused(tmp_path: Path, offset: int, length: int, step: int) -> None:
    with pytest.raises(ValueError, match=r"a\.ckpt: got a checkpoint that cannot be read \(RuntimeError"):
        read_tensors(repickled(tmp_path / "a.ckpt", pickled_view(offset, length, step)))


def test_a_view_of_the_numbers_is_read(tmp_path: Path) -> None:
    assert read_tensors(repickled(tmp_path / "a.ckpt", pickled_view(1, 2, 2)))["weight"].tolist() == [1, 3]


def test_every_cut_of_a_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    torch.save({"state_dict": nn.Linear(2, 2).state_dict()}, tmp_path / "whole.ckpt")
    with ZipFile(tmp_path / "whole.ckpt") as archive:
        data = archive.read("whole/data.pkl")
    for length in range(0, len(data), 7):
        with pytest.raises(ValueError, match=r"^.*a\.ckpt: got a checkpoint.*$"):
            read_tensors(repickled(tmp_path / "a.ckpt", data[:length]))


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    legacy, other = tmp_path / "legacy.pt", tmp_path / "other.zip"
    torch.save({"weight": torch.ones(1)}, legacy, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"legacy\.pt: got a file that is damaged or no zip"):
        read_tensors(legacy)
    with ZipFile(other, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(
        ValueError, match=r"other\.zip: got a checkpoint that cannot be read \(ValueError: no data\.pkl"
    ):
        read_tensors(other)
    with pytest.raises(FileNotFoundError, match=r"Checkpoint .*absent\.pt: no file that can be read"):
        read_tensors(tmp_path / "absent.pt")


def test_numbers_of_another_byte_order_are_refused(tmp_path: Path) -> None:
    checkpoint = repickled(tmp_path / "a.ckpt", pickled_view(0, 4, 1))
    with ZipFile(checkpoint, "a") as archive:
        archive.writestr("archive/byteorder", b"big")
    with pytest.raises(ValueError, match="not of a little-endian machine"):
        read_tensors(checkpoint)
