"""Several sequences of one scan: which cases have them, and what their image is made of."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import PATIENTS, TINY, VOLUNTEERS, write_flair

from datasets.errors import BadValue, BadVolume, MissingData
from datasets.io.nifti import Volume, read_volume, write_volume
from datasets.loading import load_case, load_host, masks_of
from datasets.shift_requests import landmarks_of
from datasets.shifts import Shift
from datasets.spec import digest, lacking, parse_sequences, usable_files

BOTH = "t1+flair"


@pytest.fixture
def both(own_data: Path) -> Path:
    """Cohorts with FLAIR, which one patient lacks."""
    write_flair(own_data, VOLUNTEERS)
    write_flair(own_data, PATIENTS, lacking=("patients-val-1",))
    return own_data


def test_sequences_are_named_in_one_order() -> None:
    assert parse_sequences("flair,t1") == parse_sequences("t1+flair") == parse_sequences(" t1 , flair") == BOTH
    assert parse_sequences("t2") == "t2"
    for text in ("t1,t1", "t1,", ""):
        with pytest.raises(BadValue, match="each once"):
            parse_sequences(text)


def test_a_case_without_one_of_the_sequences_is_left_out_and_named(both: Path) -> None:
    names = [one.case_id for one in PATIENTS.files(both, "t1")]
    joined = [one.case_id for one in PATIENTS.files(both, BOTH)]
    assert joined == [name for name in names if name != "patients-val-1"]
    assert lacking(PATIENTS, both, BOTH) == {"t1": [], "flair": ["patients-val-1"]}
    assert [one.case_id for one in usable_files(PATIENTS, both, BOTH)[0]] == joined


def test_without_any_case_of_all_sequences_that_is_said(own_data: Path) -> None:
    write_flair(own_data, VOLUNTEERS)
    table = own_data / "volunteers" / "cases.csv"
    head, *rows = table.read_text().splitlines()
    each = [row.replace("t1 flair", ("t1", "flair")[number % 2]) for number, row in enumerate(rows)]
    table.write_text("\n".join([head, *each, ""]))
    with pytest.raises(MissingData, match="no case with all of t1, flair"):
        VOLUNTEERS.files(own_data, BOTH)


@pytest.mark.parametrize("shift", [Shift(), Shift("gamma", 0.6), Shift("blur", 3.0), Shift("noise", 0.1)])
def test_a_channel_is_its_sequence_scaled_and_shifted_by_itself(both: Path, shift: Shift) -> None:
    joined = PATIENTS.files(both, BOTH)[0]
    t1, flair = (load_case(PATIENTS.files(both, name)[0], TINY, shift) for name in ("t1", "flair"))
    case = load_case(joined, TINY, shift)
    assert case.image.shape == (2, *TINY.shape)
    np.testing.assert_array_equal(case.image[:1], t1.image)
    differs = not np.array_equal(case.image[1:], flair.image)
    assert differs == (shift.name == "noise")  # the noise of two acquisitions is not one noise
    assert case.shift_dose == pytest.approx(np.mean([t1.shift_dose, flair.shift_dose]), rel=0.1)
    np.testing.assert_array_equal(case.lesion_mask, t1.lesion_mask)
    np.testing.assert_array_equal(masks_of(joined, TINY).brain_mask, t1.brain_mask)


def test_landmarks_follow_sequence_after_sequence(both: Path, plugin: None) -> None:
    each = [landmarks_of("volunteers", both, name, TINY) for name in ("t1", "flair")]
    together = landmarks_of("volunteers", both, BOTH, TINY)
    assert together == each[0] + each[1]
    shift = Shift("transfer[volunteers]", 1.0, together, together)
    assert [shift.of(place, 2) for place in (0, 1)] == [replace(shift, landmarks=one, matched=one) for one in each]
    case = load_case(PATIENTS.files(both, BOTH)[0], TINY, shift)
    flair = load_case(PATIENTS.files(both, "flair")[0], TINY, shift.of(1, 2))
    np.testing.assert_array_equal(case.image[1:], flair.image)


def test_every_sequences_voxels_are_in_the_digest_and_no_further_ones(both: Path) -> None:
    def digests() -> dict[str, str]:
        return {name: digest(VOLUNTEERS.files(both, name)) for name in ("t1", "flair", BOTH)}

    before, path = digests(), both / "volunteers" / "flair" / "volunteers-val-0.nii.gz"
    volume = read_volume(path)
    write_volume(path, Volume(volume.data[::-1].copy(), volume.affine))
    after = digests()
    assert {name for name in before if before[name] != after[name]} == {"flair", BOTH}
    assert len({*before.values()}) == 3


def test_a_further_sequence_has_to_lie_on_the_grid_of_the_masks(both: Path) -> None:
    path = both / "volunteers" / "flair" / "volunteers-val-0.nii.gz"
    volume = read_volume(path)
    write_volume(path, Volume(volume.data[1:].copy(), volume.affine))
    moved = next(one for one in VOLUNTEERS.files(both, BOTH) if one.case_id == "volunteers-val-0")
    with pytest.raises(BadVolume, match="volunteers-val-0"):
        load_case(moved, TINY)


def test_a_host_has_all_sequences_or_none(both: Path) -> None:
    one = PATIENTS.files(both, BOTH)[0]
    hosts = {name: VOLUNTEERS.files(both, name)[0].image for name in ("t1", "flair")}
    known = replace(one, host=hosts["t1"], further=(replace(one.further[0], host=hosts["flair"]),))
    host = load_host(known, TINY)
    assert host is not None
    assert host.shape == (2, *TINY.shape)
    assert load_host(replace(known, further=one.further), TINY) is None
