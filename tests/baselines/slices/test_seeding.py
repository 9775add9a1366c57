"""Mixed seeds are SplitMix64's and keep apart what ought to be apart; generators are put back."""

import torch

from baselines.slices.seeding import mix_seed, mix_seeds, seeded

CPU = torch.device("cpu")
WRAP = 2**64


def splitmix64(state: int) -> int:
    """The finaliser in Python's own integers."""
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % WRAP
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) % WRAP
    return state ^ (state >> 31)


def test_mixing_agrees_with_unsigned_arithmetic() -> None:
    golden = 0x9E3779B97F4A7C15
    for seed, index in [(0, 0), (1, 0), (0, 1), (2**63 - 1, 49), (-5, 7), (123456789, 10**9)]:
        inner = splitmix64((seed + golden) % WRAP)
        assert mix_seed(seed, index) % WRAP == splitmix64((inner + (index + 1) * golden) % WRAP)


def test_neighbouring_cases_share_no_slice_seed() -> None:
    seeds = mix_seeds(torch.arange(200)[:, None], torch.arange(50))
    assert seeds.dtype == torch.int64
    assert len(seeds.unique()) == 200 * 50


def test_bits_of_neighbouring_seeds_are_uncorrelated() -> None:
    first, second = mix_seeds(torch.arange(4000), torch.tensor(0)), mix_seeds(torch.arange(4000), torch.tensor(1))
    changed = first ^ second
    shares = torch.stack([(changed >> bit & 1).double().mean() for bit in range(63)])
    assert (shares - 0.5).abs().max() < 0.05  # 6 s.d. of a fair coin


def test_seeds_larger_than_64_bits_are_wrapped() -> None:
    assert mix_seed(WRAP + 3, 1) == mix_seed(3, 1)


def test_the_callers_generator_goes_on_as_if_nothing_happened() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    first = torch.rand(1)
    with seeded(5, CPU):
        inside = torch.rand(3)
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)
    with seeded(5, CPU):
        assert torch.equal(torch.rand(3), inside)
