"""AE: shapes at both sizes, the contract, and a loss that falls."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from baselines.autoencoders.ae import AE, LATENT, Decoder, Encoder
from baselines.autoencoders.svae import SVAE
from baselines.autoencoders.vae import VAE
from baselines.reconstruction import SliceReconstruction
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak, simulated_case


@pytest.mark.parametrize(("size", "stages"), [(96, 4), (48, 3), (16, 1)])
def test_encoder_and_decoder_mirror_each_other(size: int, stages: int) -> None:
    encoder, decoder = Encoder(size, 32), Decoder(size, 32)
    slices = torch.rand(2, 1, size, size)
    assert encoder(slices).shape == (2, encoder.features)
    assert encoder.edge == size // 2**stages
    assert decoder(torch.rand(2, LATENT)).shape == slices.shape


def test_everything_passes_through_128_numbers() -> None:
    detector = AE(AE.Config())
    assert (detector.encoder.features, detector.to_code.out_features) == (576, 128)
    widths = [layer.out_channels for layer in detector.encoder.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [32, 64, 128, 128, 16]


def test_the_width_scales_every_stage_and_leaves_the_code_alone() -> None:
    detector = AE(AE.Config(width=10))
    widths = [layer.out_channels for layer in detector.encoder.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert widths == [10, 20, 40, 40, 16]
    assert (detector.encoder.features, detector.to_code.out_features) == (576, 128)
    with pytest.raises(ValueError, match="Got width 0, expected 1 or more"):
        AE.Config(width=0)


@pytest.mark.parametrize("size", [8, 50])
def test_sizes_that_do_not_halve_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"Got size {size}, expected"):
        AE(AE.Config(size=size))


def test_ae_fulfils_the_contract() -> None:
    check_detector(lambda: AE(AE.Config(size=16, steps=3, batch_size=4, augment=False)))


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    config = AE.Config(size=16, steps=40, batch_size=8, learning_rate=3e-3, augment=False)
    cases = [simulated_case(index, (16, 16, 5)) for index in range(8)]
    AE(config).fit(cases[:6], cases[6:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(tmp_path / "log" / "metrics.csv")["val_loss"].dropna()
    assert losses.min() < 0.6 * losses.iloc[0]


def test_half_weights_are_float16_numbers_from_the_first_map_on(tmp_path: Path) -> None:
    cases = [simulated_case(index, (16, 16, 5)) for index in range(3)]
    for half in (False, True):
        detector = AE(AE.Config(size=16, steps=2, batch_size=4, augment=False, half_weights=half))
        detector.fit(cases[:2], cases[2:], seed=0, workdir=tmp_path)
        rounded = [torch.equal(weight, weight.half().float()) for weight in detector.parameters()]
        assert all(rounded) == half


@pytest.mark.parametrize("method", [AE, VAE, SVAE])
@pytest.mark.parametrize("preset", ["quick", "small", "paper"])
def test_the_stated_memory_is_enough_without_being_twice_as_much(
    method: type[SliceReconstruction], preset: str
) -> None:
    detector = method(method.Config(**method.presets.get(preset, {}))).eval()
    size, depth = detector.config.size, 10
    images = torch.rand(1, 1, size, size, depth)
    arguments = images, torch.ones_like(images, dtype=torch.bool), torch.tensor([1])

    def compute() -> object:
        return detector.anomaly_map(arguments[0], arguments[1], seeds=arguments[2])

    compute()
    held, stated = live_peak(compute, torch.device("cpu")), detector.memory_bound((size, size, depth), 1)
    assert held < stated < 2 * held
