"""Noise fields: the generator against known answers, simplex noise against its definition."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from baselines.diffusion.noise import OCTAVES, _lattice, gaussian_noise, simplex_noise
from baselines.slices.seeding import philox

KINDS = pytest.mark.parametrize("noise", [simplex_noise, gaussian_noise])
Noise = Callable[..., Tensor]
words = st.integers(0, 2**32 - 1)


def fields(noise: Noise, seeds: list[int], shape: tuple[int, int] = (32, 24), stream: int = 5) -> Tensor:
    return noise(torch.tensor(seeds), shape, stream=stream)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_known_answers(counter: list[int], key: list[int], expected: list[int]) -> None:
    assert philox(torch.tensor(counter), torch.tensor(key)).tolist() == expected


@given(st.tuples(words, words, words, words), st.tuples(words, words))
def test_philox_equals_arithmetic_on_unbounded_integers(
    counter: tuple[int, int, int, int], key: tuple[int, int]
) -> None:
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        low, high = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = high >> 32 ^ b ^ k, high % 2**32, low >> 32 ^ d ^ m, low % 2**32
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    assert philox(torch.tensor(counter), torch.tensor(key)).tolist() == [a, b, c, d]


@KINDS
def test_a_field_alone_equals_it_in_any_batch_bit_for_bit(noise: Noise) -> None:
    seeds = [3, -1, 2**40 + 7, 11, 2**63 - 1, 0, 12]
    for size in range(1, len(seeds) + 1):
        batch = fields(noise, seeds[:size], (33, 31))
        for i, seed in enumerate(seeds[:size]):
            assert torch.equal(batch[i : i + 1], fields(noise, [seed], (33, 31)))


@KINDS
def test_seed_and_stream_each_make_another_independent_field(noise: Noise) -> None:
    seeds = list(range(200))
    usual = fields(noise, seeds)
    others = {
        "next seed": fields(noise, [seed + 1 for seed in seeds]),
        "seed's upper half": fields(noise, [seed + 2**32 for seed in seeds]),
        "seed's sign": fields(noise, [-1 - seed for seed in seeds]),
        "stream": fields(noise, seeds, stream=6),
    }
    for changed, other in others.items():
        assert abs(correlation(usual, other)) < 0.1, changed


def correlation(first: Tensor, second: Tensor) -> float:
    return float(np.corrcoef(first.flatten(), second.flatten())[0, 1])


@KINDS
def test_shape_and_type(noise: Noise) -> None:
    field = fields(noise, [1, 2], (5, 7))
    assert (field.shape, field.dtype) == ((2, 1, 5, 7), torch.float32)


@KINDS
def test_autocast_and_inference_mode_leave_the_field_as_it_is(noise: Noise) -> None:
    shape = (17, 13)  # used nowhere else: its lattice is first built inside inference mode
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        inside = fields(noise, [1, 2], shape).clone()
    weight = torch.ones(1, requires_grad=True)
    outside = fields(noise, [1, 2], shape)
    (outside * weight).sum().backward()
    assert torch.equal(inside, outside)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@KINDS
def test_a_gpu_draws_the_same_field(noise: Noise) -> None:
    seeds = torch.arange(-8, 8)
    on_gpu = noise(seeds.cuda(), (96, 96), stream=3).cpu()
    on_cpu = noise(seeds, (96, 96), stream=3)
    torch.testing.assert_close(on_gpu, on_cpu, atol=0 if noise is simplex_noise else 1e-6, rtol=0)


def test_gaussian_noise_is_standard_normal_and_white() -> None:
    field = fields(gaussian_noise, list(range(20)), (64, 63))
    assert stats.kstest(field.flatten().numpy(), "norm").pvalue > 0.01
    assert abs(correlation(field[..., 1:, :], field[..., :-1, :])) < 0.02
    assert abs(correlation(field[..., 1:], field[..., :-1])) < 0.02


def test_simplex_noise_has_the_published_spread_and_no_offset() -> None:
    field = fields(simplex_noise, list(range(200)), (96, 96))
    assert field.std().item() == pytest.approx(0.58, abs=0.02)
    assert field.mean().abs() < 0.02


def test_simplex_noise_is_alike_nearby_and_unlike_far_away() -> None:
    field = fields(simplex_noise, list(range(200)), (96, 96))
    assert correlation(field[..., 1:, :], field[..., :-1, :]) > 0.9
    assert abs(correlation(field[..., 90:, :], field[..., :6, :])) < 0.1


def test_every_lattice_point_within_reach_counts_and_no_other() -> None:
    shape = (9, 70)
    lattice = _lattice(shape, torch.device("cpu"))
    ends = [*lattice.row_starts.tolist()[1:], len(lattice.weights)]
    for x, y in [(0, 1), (3, 64), (8, 69), (5, 30)]:
        pixel = x * shape[1] + y
        got = lattice.weights[lattice.row_starts[pixel] : ends[pixel]]
        expected = sorted(component for weight in contributions(x, y) for component in weight)
        assert sorted(got.tolist()) == pytest.approx(expected, abs=1e-6)


def contributions(x: float, y: float) -> list[tuple[float, float]]:
    """Weights of all lattice points at a pixel, from the definition and point by point."""
    found = []
    for octave in range(OCTAVES):
        wavelength, amplitude = 64 / 2**octave, 0.8**octave
        for i in range(-50, 50):
            for j in range(-50, 50):
                squish = (i + j) * (math.sqrt(3) - 1) / 2
                dx, dy = x / wavelength - i - squish, y / wavelength - j - squish
                reach = 2 - dx * dx - dy * dy
                if reach > 0:
                    found.append((amplitude * reach**4 * dx / 47, amplitude * reach**4 * dy / 47))
    return found


def test_partial_sums_of_simplex_noise_are_exact_in_float32() -> None:
    lattice = _lattice((96, 96), torch.device("cpu"))
    assert torch.equal(lattice.weights * 2**20, (lattice.weights * 2**20).round())
    entries = torch.diff(lattice.row_starts, append=torch.tensor([len(lattice.weights)]))
    largest = torch.segment_reduce(lattice.weights.abs() * 5, "sum", lengths=entries)
    assert largest.max() < 2**4
