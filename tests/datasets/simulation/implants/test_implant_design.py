"""The factorial: what is balanced over whom, and which numbers are refused."""

from collections import Counter
from itertools import product

import pytest

from datasets.errors import BadValue
from datasets.simulation.implants.design import BLOCK, SETTINGS, Design

DESIGN = Design()


def lesions(subject: int) -> list[tuple[float, float, str, str]]:
    found = [one for one in DESIGN.treatments(subject) if one.kind == "lesion"]
    return [(one.volume_ml, one.contrast, one.texture, one.place) for one in found]


@pytest.mark.parametrize("first", [0, 3, 8])
def test_any_block_of_subjects_has_every_treatment_once(first: int) -> None:
    seen = Counter(lesion for subject in range(first, first + BLOCK) for lesion in lesions(subject))
    every = [(v, c, *setting) for v, c, setting in product(DESIGN.volumes, DESIGN.contrasts, SETTINGS)]
    assert seen == Counter(every)


@pytest.mark.parametrize("subject", range(4))
def test_within_a_subject_every_volume_meets_both_signs_textures_and_places_alike(subject: int) -> None:
    for volume in DESIGN.volumes:
        own = [lesion for lesion in lesions(subject) if lesion[0] == volume]
        assert len(own) == len(DESIGN.contrasts) / 2
        assert sum(contrast < 0 for _, contrast, _, _ in own) == len(own) / 2
        assert Counter((texture, place) for _, _, texture, place in own) == Counter(SETTINGS)


def test_every_volume_has_both_controls_equally_often_in_both_places() -> None:
    controls = [one for subject in range(BLOCK) for one in DESIGN.treatments(subject) if one.kind != "lesion"]
    seen = Counter((one.volume_ml, one.kind, one.place) for one in controls)
    assert set(seen.values()) == {2}
    assert len(seen) == len(DESIGN.volumes) * 4
    assert {one.contrast for one in controls} == {0}


def test_treatments_of_a_subject_have_names_of_their_own() -> None:
    names = [one.name for one in DESIGN.treatments(0)]
    assert len(set(names)) == len(names) == 25


def test_the_number_of_subjects_changes_nothing_for_any_of_them() -> None:
    assert Design(subjects=2).treatments(1) == Design(subjects=40).treatments(1)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"subjects": 0}, "got 0 subjects"),
        ({"seed": -1}, "got seed -1"),
        ({"volumes": (1, 0)}, "got volumes 0, expected ml above 0"),
        ({"volumes": ()}, "got volumes none"),
        ({"volumes": (1, float("nan"))}, "got volumes nan"),
        ({"contrasts": (0, 1)}, "got contrasts 0, expected"),
        ({"contrasts": (9,)}, "got contrasts 9"),
        ({"contrasts": (1, 1)}, "expected each once"),
    ],
)
def test_numbers_outside_their_range_are_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadValue, match=told):
        Design(**wrong)  # type: ignore[arg-type]
