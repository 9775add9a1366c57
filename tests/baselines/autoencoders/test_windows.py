"""Windows cover every slice with brain once, and give it neighbours on both sides where there are any."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from baselines.autoencoders.windows import windows_of


def volume(brain: range, depth: int) -> Tensor:
    holds_brain = torch.zeros(depth, dtype=torch.bool)
    holds_brain[brain.start : brain.stop] = True
    return holds_brain


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 12))
def test_every_slice_with_brain_is_taken_once_from_a_window_that_holds_it(flags: list[bool], length: int) -> None:
    holds_brain = torch.tensor([*flags, *[False] * (length - len(flags))])
    windows = windows_of(holds_brain, length)
    taken = [z for window in windows for z in window.taken]
    assert sorted(taken) == holds_brain.nonzero()[:, 0].tolist()
    for window in windows:
        assert 0 <= window.start <= len(holds_brain) - length
        assert all(window.start <= z < window.start + length for z in window.taken)


def test_windows_overlap_by_half_and_end_with_the_brain() -> None:
    assert [window.start for window in windows_of(volume(range(3, 18), 25), 4)] == [3, 5, 7, 9, 11, 13, 14]


def test_windows_of_one_slice_are_the_slices_with_brain() -> None:
    windows = windows_of(volume(range(3, 6), 9), 1)
    assert [(window.start, window.taken) for window in windows] == [(3, (3,)), (4, (4,)), (5, (5,))]


def test_inner_slices_have_a_quarter_of_a_window_on_both_sides() -> None:
    for window in windows_of(volume(range(2, 42), 50), 8):
        for z in window.taken:
            if 4 <= z < 40:
                assert 2 <= z - window.start <= 5


def test_a_short_brain_has_one_window_that_stays_inside_the_volume() -> None:
    assert [(window.start, window.taken) for window in windows_of(volume(range(1, 3), 9), 4)] == [(1, (1, 2))]
    assert [(window.start, window.taken) for window in windows_of(volume(range(7, 9), 9), 4)] == [(5, (7, 8))]


def test_a_volume_without_brain_has_no_window() -> None:
    assert windows_of(volume(range(0), 9), 4) == []


def test_what_is_cut_and_pasted_comes_back_to_its_place() -> None:
    images = torch.rand(2, 1, 3, 4, 9)
    copy = torch.zeros_like(images)
    for case in range(2):
        for window in windows_of(torch.ones(9, dtype=torch.bool), 4, case=case):
            window.paste(window.cut(images, 4), copy)
    assert torch.equal(copy, images)
