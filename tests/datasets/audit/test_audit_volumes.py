"""Findings in single volumes: what is sound has none, and every amount that is said is the one that was put there."""

import re
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.audit.volumes import (
    Observation,
    brain_findings,
    ignored_findings,
    intensity_findings,
    lesion_findings,
    mixed_grids,
)

SHAPE = (20, 24, 20)
PLACES = np.indices(SHAPE).transpose(1, 2, 3, 0)
BRAIN = ((PLACES - (9.5, 11.5, 9.5)) ** 2 / (36.0, 64.0, 49.0)).sum(axis=-1) <= 1
SMALL = ((PLACES - (9.5, 11.5, 9.5)) ** 2).sum(axis=-1) <= 4
ADULT = 1400.0 / BRAIN.sum()
"""Millilitres of a voxel for a brain of 1.4 l."""
SCAN = np.where(BRAIN, 100 + 20 * np.random.default_rng(0).random(SHAPE), 0)


def codes(found: Iterable[Observation]) -> dict[str, str]:
    """By code what was got."""
    return {code: got for _, code, got, _ in found}


def number(text: str) -> float:
    return float(re.findall(r"[\d.]+", text)[0])


def test_a_sound_brain_image_and_lesion_have_no_finding() -> None:
    assert not codes(brain_findings(BRAIN, SCAN, ADULT))
    assert not codes(intensity_findings(SCAN, BRAIN))
    assert not codes(lesion_findings(SMALL, BRAIN, ADULT))


@pytest.mark.parametrize(("litres", "odd"), [(0.4, True), (0.9, False), (1.4, False), (2.0, False), (2.8, True)])
def test_a_brain_has_the_volume_of_an_adult_s(litres: float, odd: bool) -> None:
    found = codes(brain_findings(BRAIN, SCAN, 1000 * litres / BRAIN.sum()))
    assert ("brain-volume" in found) is odd
    assert not odd or number(found["brain-volume"]) == pytest.approx(1000 * litres, abs=0.5)


def test_a_brain_mask_is_neither_empty_nor_everything() -> None:
    assert list(codes(brain_findings(BRAIN & False, SCAN, ADULT))) == ["empty-brain-mask"]
    assert list(codes(brain_findings(BRAIN | True, SCAN, ADULT))) == ["brain-is-box"]


def with_corner(mask: NDArray[np.bool_], edge: int, value: bool) -> NDArray[np.bool_]:
    """Of the mask a cube at the corner, or, where False, at the centre."""
    out = mask.copy()
    start = (0, 0, 0) if value else (8, 10, 8)
    out[tuple(slice(begin, begin + edge) for begin in start)] = value
    return out


@pytest.mark.parametrize(("value", "code"), [(True, "brain-in-parts"), (False, "holes-in-brain")])
def test_parts_and_holes_are_named_with_their_volume_where_they_are_no_rough_edge(value: bool, code: str) -> None:
    large, image = with_corner(BRAIN, 3, value), np.where(with_corner(BRAIN, 3, value), 100.0, 0)
    found = codes(brain_findings(large, image, ADULT))
    assert f"{27 * ADULT:.1f} ml" in found[code]
    assert found[code].startswith("2 parts" if value else "1 holes")
    tiny = with_corner(BRAIN, 1, value)
    assert code not in codes(brain_findings(tiny, np.where(tiny, 100.0, 0), min(ADULT, 0.5)))


def test_two_stray_parts_are_three_parts_and_their_volumes_add_up() -> None:
    mask = with_corner(BRAIN, 3, True)
    mask[-2:, -2:, -2:] = True
    assert f"3 parts, {35 * ADULT:.1f} ml" in codes(brain_findings(mask, SCAN, ADULT))["brain-in-parts"]


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_dark_part_of_a_brain_and_the_bright_part_beside_it_are_shares(share: float) -> None:
    inside, outside = np.flatnonzero(BRAIN), np.flatnonzero(~BRAIN)
    dark, bright = SCAN.copy(), SCAN.copy()
    dark.flat[inside[: round(share * inside.size)]] = 0
    bright.flat[outside[: round(share * outside.size)]] = 50
    found = codes(brain_findings(BRAIN, dark, ADULT)) | codes(brain_findings(BRAIN, bright, ADULT))
    assert list(found) == ([] if share < 0.1 else ["image-short", "not-stripped"])
    assert all(number(got) == round(100 * share) for got in found.values())


def test_a_lesion_is_something_and_less_than_the_brain() -> None:
    assert list(codes(lesion_findings(BRAIN & False, BRAIN, ADULT))) == ["empty-lesion-mask"]
    assert list(codes(lesion_findings(BRAIN, BRAIN, ADULT))) == ["lesion-is-brain"]
    half = BRAIN & (PLACES[..., 0] < 11)
    assert list(codes(lesion_findings(half, BRAIN, ADULT))) == ["lesion-volume"]
    assert number(codes(lesion_findings(half, BRAIN, ADULT))["lesion-volume"]) == round(half.sum() * ADULT)
    assert not codes(lesion_findings(BRAIN & (PLACES[..., 0] < 9), BRAIN, ADULT))


@pytest.mark.parametrize("beyond", [1, 5])
def test_lesion_outside_the_brain_is_named_with_its_volume(beyond: int) -> None:
    lesion = SMALL.copy()
    lesion[0, 0, :beyond] = True
    got = codes(lesion_findings(lesion, BRAIN, 0.25))["lesion-outside-brain"]
    assert got.startswith(f"{beyond * 0.25:.2f} of {(SMALL.sum() + beyond) * 0.25:.2f} ml")


@pytest.mark.parametrize("lesion", [None, SMALL], ids=["healthy", "with a lesion"])
def test_what_is_ignored_is_said_in_ml_and_in_the_brain(lesion: NDArray[np.bool_] | None) -> None:
    ignored = BRAIN & (PLACES[..., 2] > 14)
    ignored[0, 0, :4] = True
    (severity, code, got, _), *others = ignored_findings(ignored, lesion, BRAIN, 0.5)
    assert (severity, code, others) == ("note", "ignored", [])
    assert got.startswith(f"{ignored.sum() * 0.5:.2f} ml that no score counts, {(ignored.sum() - 4) * 0.5:.2f} ml")


def test_no_voxel_is_lesion_and_ignored() -> None:
    found = codes(ignored_findings(SMALL | (PLACES[..., 2] > 18), SMALL, BRAIN, 0.5))
    assert number(found["ignored-lesion"]) == SMALL.sum() * 0.5
    assert list(codes(ignored_findings(BRAIN & False, SMALL, BRAIN, 0.5))) == ["empty-ignore-mask"]


@pytest.mark.parametrize(
    ("change", "code", "share"),
    [
        (lambda values: np.minimum(values, np.quantile(values, 0.7)), "saturated", 30),
        (lambda values: np.minimum(values, np.quantile(values, 0.97)), "", 0),
        (lambda values: values - np.quantile(values, 0.02), "negative-intensities", 2),
        (lambda values: np.round(values / 2), "few-levels", 11),
        (lambda values: np.round(values * 2), "", 0),
        (lambda values: values * 0 + 3, "constant-image", 3),
    ],
)
def test_intensities_of_the_brain_are_judged_by_shares_whatever_lies_outside(change, code: str, share: int) -> None:  # type: ignore[no-untyped-def]
    for outside in (0.0, 60.0):
        image = np.full(SHAPE, outside)
        image[BRAIN] = change(SCAN[BRAIN])
        found = codes(intensity_findings(image, BRAIN))
        assert list(found) == ([code] if code else [])
        assert not code or number(found[code]) == pytest.approx(share, abs=0.11)


def test_without_a_brain_the_whole_image_is_judged() -> None:
    two_levels = np.where(BRAIN, 7, 0)
    assert {"few-levels", "saturated"} == {*codes(intensity_findings(two_levels, BRAIN & False))}
    assert "0) throughout the volume" in codes(intensity_findings(SCAN * 0, BRAIN))["constant-image"]
    assert "7) throughout the brain" in codes(intensity_findings(np.where(BRAIN, 7, 0), BRAIN))["constant-image"]


def test_the_grid_of_most_is_the_usual_one() -> None:
    usual, other = (20, 24, 20, 1.0, 1.0, 1.0), (20, 24, 20, 2.0, 1.0, 1.0)
    assert mixed_grids({"a": usual, "b": usual}, "x") == []
    (found,) = mixed_grids({"a": other, "b": usual, "c": usual, "d": other, "e": usual}, "x")
    assert (found.cases, found.cohort) == (("a", "d"), "x")
    assert found.got == "2 grids, e.g. 20 x 24 x 20 voxels of 2.0 x 1.0 x 1.0 mm"
    assert found.expected.startswith("20 x 24 x 20 voxels of 1.0 x 1.0 x 1.0 mm")
