"""BIDS derivatives are read where they lie."""

import json
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from cohorts import SPACING, write_nifti

from datasets.case import Labels
from datasets.cohorts.user_folder import user_cohort
from datasets.errors import BadFile, MissingData
from datasets.grid import Grid
from datasets.loading import load_case
from datasets.spec import usable_files

MASKS = ("desc-brain_mask", "label-lesion_mask")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "clinic", "BIDSVersion": "1.9.0"}))
    return tmp_path


def scan(home: Path, name: str, endings: Sequence[str] = ("T1w", *MASKS)) -> None:
    """Empty files of one scan, `sub-01` or `sub-01_ses-1`."""
    folder = home.joinpath(*name.split("_"), "anat")
    folder.mkdir(parents=True, exist_ok=True)
    for ending in endings:
        (folder / f"{name}_{ending}.nii.gz").touch()


def people(home: Path, *lines: str) -> None:
    text = "".join("\t".join(line.split(",")) + "\n" for line in lines)
    (home / "participants.tsv").write_text(text, encoding="utf-8-sig")


def test_scans_masks_and_people_are_found(home: Path) -> None:
    scan(home, "sub-01", ("T1w", "FLAIR", "ce-gadolinium_T1w", *MASKS))
    scan(home, "sub-02_ses-2", ("T1w", *MASKS))
    people(home, "participant_id,age,sex,site,split", "sub-01,31,F,here,val", "02,n/a,M,there,test", "sub-03,5,F,x,n/a")
    own = user_cohort("mine", home)
    assert (own.sequences, own.healthy) == (("t1", "t1ce", "flair"), False)
    first, second = own.spec.files(home, "t1")
    assert (first.case_id, first.subject_id, first.site, first.split) == ("sub-01", "sub-01", "here", "val")
    assert first.image == home / "sub-01/anat/sub-01_T1w.nii.gz"
    assert first.brain_mask == home / "sub-01/anat/sub-01_desc-brain_mask.nii.gz"
    assert first.lesion_mask == home / "sub-01/anat/sub-01_label-lesion_mask.nii.gz"
    assert (second.case_id, second.subject_id, second.split) == ("sub-02_ses-2", "sub-02", "test")
    (enhanced,) = own.spec.files(home, "t1ce")
    assert enhanced.image == home / "sub-01/anat/sub-01_ce-gadolinium_T1w.nii.gz"


@pytest.mark.parametrize(
    "lesion",
    [
        "label-lesion_mask",
        "space-MNI152_label-lesion_desc-manual_mask",
        "label-L_desc-T1lesion_mask",
        "space-SRI24_desc-lesionconsensus_mask",
        "T1w_label-lesion_roi",
        "roi",
    ],
)
def test_a_lesion_mask_may_have_any_of_the_usual_names(home: Path, lesion: str) -> None:
    image = "acq-mprage_space-SRI24_desc-preproc_T1w"
    scan(home, "sub-01", (image, "rec-deface_desc-aseg_dseg", "space-SRI24_desc-brain_mask", lesion))
    (case,) = user_cohort("mine", home).spec.files(home, "t1")
    assert case.lesion_mask == home / f"sub-01/anat/sub-01_{lesion}.nii.gz"
    assert case.image.name == f"sub-01_{image}.nii.gz"


def test_several_files_for_one_thing_are_named(home: Path) -> None:
    scan(home, "sub-01", ("T1w", "desc-preproc_T1w", "space-MNI_T1w", *MASKS))
    with pytest.raises(BadFile, match=r"got 3 files for t1 of 'sub-01' \(.*desc-preproc_T1w.*, .*expected one"):
        user_cohort("mine", home).spec.files(home, "t1")


@pytest.mark.parametrize(("missing", "named"), [(0, "no brain_mask of 'sub-02'"), (1, "lesion mask for 1 of 2 cases")])
def test_a_mask_that_is_missing_is_named(home: Path, missing: int, named: str) -> None:
    scan(home, "sub-01")
    scan(home, "sub-02", ("T1w", MASKS[1 - missing]))
    with pytest.raises((BadFile, MissingData), match=named):
        user_cohort("mine", home).spec.files(home, "t1")


def test_the_group_says_who_is_healthy(home: Path) -> None:
    scan(home, "sub-01")
    scan(home, "sub-02", ("T1w", MASKS[0]))
    people(home, "participant_id,group", "sub-01,stroke", "sub-02,Control")
    own = user_cohort("mine", home)
    assert own.healthy is None
    assert {case.case_id: case.healthy for case in own.spec.files(home, "t1")} == {"sub-01": False, "sub-02": True}


def test_a_group_of_patients_wants_a_lesion_mask_of_each(home: Path) -> None:
    scan(home, "sub-01")
    scan(home, "sub-02", ("T1w", MASKS[0]))
    people(home, "participant_id,group", "sub-01,stroke", "sub-02,stroke")
    with pytest.raises(MissingData, match="no lesion_mask of 'sub-02'"):
        user_cohort("mine", home).spec.files(home, "t1")


def test_without_a_column_the_rule_splits_by_subject(home: Path) -> None:
    for number in range(8):
        scan(home, f"sub-{number:02}_ses-1")
        scan(home, f"sub-{number:02}_ses-2")
    files = user_cohort("mine", home).spec.files(home, "t1")
    assert len({(case.subject_id, case.split) for case in files}) == 8
    assert sorted(case.split for case in files) == ["test"] * 12 + ["val"] * 4


def test_a_subject_without_a_split_is_named(home: Path) -> None:
    scan(home, "sub-01")
    scan(home, "sub-02")
    people(home, "participant_id,split", "sub-01,val", "sub-02,held-out")
    with pytest.raises(BadFile, match=r"got split of sub-02 \(held-out\), expected one of train, val, test"):
        user_cohort("mine", home).spec.files(home, "t1")


def test_a_subject_twice_in_the_table_is_named(home: Path) -> None:
    scan(home, "sub-01")
    people(home, "participant_id,age", "sub-01,3", "01,4")
    with pytest.raises(BadFile, match="'sub-01' twice"):
        user_cohort("mine", home).spec.files(home, "t1")


def test_a_folder_without_images_says_what_was_looked_for(home: Path) -> None:
    scan(home, "sub-01", ("bold", "desc-brain_mask"))
    with pytest.raises(MissingData, match=r"looked for sub-\*/\[ses-\*/\]anat/\*_T1w\.nii\.gz"):
        user_cohort("mine", home)


def test_a_sequence_that_nobody_has_is_refused(home: Path) -> None:
    scan(home, "sub-01")
    with pytest.raises(MissingData, match=r"mine has no sequence 'flair'\. Available: t1"):
        user_cohort("mine", home).spec.files(home, "flair")


def test_a_scan_is_loaded_as_any_other(home: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(1, 2, (8, 8, 8)).astype(np.float32)
    mask = np.ones((8, 8, 8), np.uint8)
    folder = home / "sub-01/anat"
    write_nifti(folder / "sub-01_T1w.nii.gz", image)
    write_nifti(folder / "sub-01_desc-brain_mask.nii.gz", mask)
    write_nifti(folder / "sub-01_roi.nii.gz", mask * (image > 1.9))
    (files,) = user_cohort("mine", home).spec.files(home, "t1")
    case = load_case(files, Grid(shape=(8, 8, 8), spacing=SPACING))
    assert case.lesion_mask is not None
    assert case.lesion_mask.sum() == (np.asarray(nibabel.nifti1.load(files.lesion_mask).dataobj) > 0).sum() > 0


def test_what_is_wrong_with_single_scans_leaves_the_others_usable(home: Path) -> None:
    for number in range(1, 6):
        scan(home, f"sub-0{number}")
    (home / "sub-02/anat/sub-02_desc-brain_mask.nii.gz").unlink()
    (home / "sub-03/anat/sub-03_label-lesion_mask.nii.gz").unlink()
    (home / "sub-04/anat/sub-04_acq-two_T1w.nii.gz").touch()
    rows = ["sub-01,ms,test", "sub-02,ms,test", "sub-03,ms,test", "sub-04,ms,test", "sub-05,ms,soon"]
    people(home, "participant_id,group,split", *rows)
    spec = user_cohort("mine", home).spec
    usable, problems = usable_files(spec, home, "t1")
    assert [case.case_id for case in usable] == ["sub-01"]
    assert {one.case_id: one.code for one in problems} == {
        "sub-02": "missing-file", "sub-03": "missing-file", "sub-04": "bad-row", "sub-05": "bad-row",
    }  # fmt: skip
    with pytest.raises(BadFile) as caught:
        spec.files(home, "t1")
    assert len(str(caught.value).splitlines()) == 4


def test_the_labels_of_a_cohort_are_declared_for_its_lesion_masks(home: Path) -> None:
    scan(home, "sub-01", ("T1w", "desc-brain_mask", "label-lesion_dseg"))
    (home / "labels.json").write_text('{"lesion": [1], "ignored": [2]}')
    (case,) = user_cohort("mine", home).spec.files(home, "t1")
    assert case.lesion_mask == home / "sub-01/anat/sub-01_label-lesion_dseg.nii.gz"
    assert case.labels == Labels(lesion=(1,), ignored=(2,))


def test_masks_that_no_rule_knows_are_named_before_a_cohort_is_called_healthy(home: Path) -> None:
    for name in ("sub-01", "sub-02"):
        scan(home, name, ("T1w", "desc-brain_mask", "desc-wmh_mask", "desc-aseg_dseg", "label-GM_mask"))
    with pytest.raises(BadFile, match=r"sub-01_desc-wmh_mask.nii.gz, sub-02_desc-wmh_mask.nii.gz\) .* column healthy"):
        user_cohort("mine", home)
    people(home, "participant_id,healthy", "sub-01,Yes", "sub-02,yes")
    assert user_cohort("mine", home).healthy is True
    people(home, "participant_id,healthy", "sub-01,no", "sub-02,NO ")
    assert user_cohort("mine", home).healthy is False


def test_rows_without_a_scan_and_scans_without_a_row_are_named(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    scan(home, "sub-01")
    scan(home, "sub-A2")
    people(home, "participant_id,age", "sub-01,31", "a2,40", "sub-03,50")
    user_cohort("mine", home)
    assert "no scan of sub-03, which it names" in caplog.text
    assert "no row of" not in caplog.text
    people(home, "participant_id,age", "sub-01,31")
    user_cohort("mine", home)
    assert "no row of sub-A2, of which there are scans" in caplog.text


@pytest.mark.parametrize("word", ["control ", "Healthy Control", "healthy controls", "HC", "Control", "normal-subject"])
def test_healthy_people_are_known_by_the_usual_words(home: Path, word: str) -> None:
    scan(home, "sub-01", ("T1w", "desc-brain_mask"))
    people(home, "participant_id,group", f"sub-01,{word}")
    assert user_cohort("mine", home).healthy is True
    people(home, "participant_id,group", "sub-01,uncontrolled")
    assert user_cohort("mine", home).healthy is False


def test_a_table_with_commas_is_named_as_that(home: Path) -> None:
    scan(home, "sub-01")
    (home / "participants.tsv").write_text("participant_id,age\nsub-01,31\n")
    with pytest.raises(BadFile, match=r"participants.tsv: got commas between columns, expected tabs"):
        user_cohort("mine", home)


def test_endings_count_in_any_capitals(home: Path) -> None:
    scan(home, "sub-01")
    for path in (home / "sub-01" / "anat").iterdir():
        path.rename(path.with_name(path.name.replace(".nii.gz", ".NII.GZ")))
    (case,) = user_cohort("mine", home).spec.files(home, "t1")
    assert case.image.name == "sub-01_T1w.NII.GZ"
