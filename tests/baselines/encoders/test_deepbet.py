"""DeepBET: its shapes, what goes in, and how the weights of the wheel are read."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

from baselines.encoders import deepbet
from baselines.encoders.deepbet import DeepBET, read_weights, scaled
from baselines.features.padim import PaDiM
from baselines.features.patchcore import PatchCore
from benchmark.methods import Detector
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case
from datasets.errors import BadFile, MissingData

SHAPE = (16, 16, 7)
SHARED = {"size": 16, "pixels": 48, "encoder": "deepbet", "stages": (0, 1)}
PADIM, PATCHCORE = PaDiM.Config(**SHARED, dimensions=6), PatchCore.Config(**SHARED, bank=20)  # type: ignore[arg-type]
RECORDED = (1.52143, 1.33038, 1.23170, 1.30465)


def archive(path: Path, encoder: DeepBET, change: Callable[[int, bytes], bytes] = lambda _, content: content) -> Path:
    """A file of weights as the wheel has it."""
    with ZipFile(path, "w") as written:
        for index, weight in enumerate(encoder.parameters()):
            written.writestr(f"network/data/{index}", change(index, weight.detach().numpy().tobytes()))
        written.writestr("network/code/__torch__.py", "raise SystemExit")
    return path


def test_stages_halve_what_the_stem_has_quartered() -> None:
    shapes = [tuple(one.shape) for one in DeepBET().features(torch.rand(1, 1, 64, 64, 64))]
    assert shapes == [(1, 16, 16, 16, 16), (1, 32, 8, 8, 8), (1, 64, 4, 4, 4), (1, 128, 2, 2, 2)]


def test_what_goes_in_has_the_mean_and_deviation_of_the_published_program() -> None:
    volumes = scaled(torch.rand(2, 1, 8, 8, 8) * torch.tensor([1.0, 9.0])[:, None, None, None, None])
    for volume in volumes:
        assert float(volume.mean()) == pytest.approx(0.449, abs=1e-5)
        assert float(volume.std()) == pytest.approx(0.226, abs=1e-5)
    assert scaled(torch.zeros(1, 1, 4, 4, 4)).isfinite().all()


def test_weights_are_read_array_by_array(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, target = DeepBET(), DeepBET()
    read_weights(target, archive(tmp_path / "model.pt", source))
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))


def test_arrays_of_another_size_and_damaged_files_are_refused(tmp_path: Path) -> None:
    short = archive(tmp_path / "short.pt", DeepBET(), lambda index, content: content[4 * (index == 3) :])
    with pytest.raises(BadFile, match=r"short\.pt: array 3: got \d+ bytes, expected \d+"):
        read_weights(DeepBET(), short)
    (tmp_path / "torn.pt").write_bytes(short.read_bytes()[:1000])
    with pytest.raises(BadFile, match=r"torn\.pt: got a file that cannot be read"):
        read_weights(DeepBET(), tmp_path / "torn.pt")


def test_without_deepbet_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(deepbet, "files", missing)
    with pytest.raises(MissingData, match=r"^No deepbet .*pip install --no-deps deepbet==1\.0\.2"):
        PaDiM(PADIM).check(SHAPE)


def test_another_file_than_that_of_the_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "model.pt", DeepBET())
    monkeypatch.setattr(deepbet, "published_weights", lambda: path)
    with pytest.raises(BadFile, match=r"model\.pt: got another file than that of deepbet 1\.0\.2"):
        PaDiM(PADIM).fit([simulated_case(0, SHAPE)], [simulated_case(1, SHAPE)], seed=0, workdir=tmp_path)


@pytest.mark.parametrize("make", [lambda: PaDiM(PADIM), lambda: PatchCore(PATCHCORE)], ids=["padim", "patchcore"])
def test_methods_on_its_features_fulfil_the_contract(
    make: Callable[[], Detector], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    weights = DeepBET().state_dict()
    monkeypatch.setattr(DeepBET, "take_published", lambda self: self.load_state_dict(weights))
    check_detector(make)


def test_the_published_weights_give_the_features_of_the_published_program() -> None:
    """Root mean squares of each stage, as TorchScript computes them from the wheel's own program."""
    try:
        files("deepbet")
    except PackageNotFoundError:
        pytest.skip("deepbet is not installed")
    encoder, axis = DeepBET(), torch.linspace(-1, 1, 64)
    encoder.take_published()
    volume = torch.sin(3 * axis)[:, None, None] + axis[None, :, None] * axis[None, None, :]
    with torch.no_grad():
        found = [float(one.square().mean().sqrt()) for one in encoder.features(scaled(volume[None, None]))]
    assert found == pytest.approx(RECORDED, abs=2e-4)
