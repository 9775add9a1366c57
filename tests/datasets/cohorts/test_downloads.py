"""Readers of original downloads, each on a small tree in its cohort's own naming."""

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from datasets.case import Labels, RawCase, RawCohort
from datasets.cohorts.catalog import COHORTS, dataset
from datasets.errors import BadFile, MissingData
from datasets.splits import split_of, subjects_of

SHEET = 'IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,AGE\n2,2,164,35.80\n12,1,175,38.78\n237,2,167,78.2\n237,2,0,78.2\n'
DOWNLOADED = tuple(name for name in COHORTS.built_in if not name.startswith("phantom"))


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"nifti")
    return root


def read(name: str, root: Path) -> RawCohort:
    reader = dataset(name).raw_cases
    assert reader is not None
    return reader(root)


def by_id(cohort: RawCohort) -> dict[str, RawCase]:
    found = {case.case_id: case for case in cohort.cases}
    assert len(found) == len(cohort.cases)
    return found


@pytest.fixture
def ixi(tmp_path: Path) -> Path:
    touch(tmp_path, "IXI-T1/IXI002-Guys-0828-T1.nii.gz", "IXI-T2/deep/IXI002-Guys-0828-T2.nii.gz")
    touch(tmp_path, "IXI-T1/IXI012-HH-1211-T1.nii.gz", "IXI-T2/IXI012-HH-1211-T2.nii.gz")
    touch(tmp_path, "IXI-T1/IXI237-Guys-1049-T1.nii.gz", "IXI-T1/._IXI237-Guys-1049-T1.nii.gz")
    (tmp_path / "IXI.csv").write_text(SHEET)
    return tmp_path


def test_ixi_has_its_sites_ages_and_sexes_and_a_doubled_row_doubles_no_case(ixi: Path) -> None:
    cohort = read("ixi", ixi)
    cases = by_id(cohort)
    assert list(cases) == ["IXI002-Guys-0828", "IXI012-HH-1211", "IXI237-Guys-1049"]
    first = cases["IXI002-Guys-0828"]
    assert (first.subject_id, first.site, first.age, first.sex) == ("IXI002", "Guys", 35.8, "F")
    assert first.images == {
        "t1": ixi / "IXI-T1/IXI002-Guys-0828-T1.nii.gz",
        "t2": ixi / "IXI-T2/deep/IXI002-Guys-0828-T2.nii.gz",
    }
    assert (first.lesion_mask, first.stripped, first.space, first.aligned) == (None, False, "scanner", False)
    assert cases["IXI012-HH-1211"].sex == "M"
    assert cases["IXI237-Guys-1049"].age == 78.2
    assert cohort.problems == ("without t2, the rest of the scan is kept: IXI237-Guys-1049",)


def test_rows_of_one_ixi_number_that_disagree_leave_the_age_unknown(ixi: Path) -> None:
    (ixi / "IXI.csv").write_text(SHEET + "12,1,170,58.07\n")
    cohort = read("ixi", ixi)
    assert by_id(cohort)["IXI012-HH-1211"].age is None
    assert by_id(cohort)["IXI012-HH-1211"].sex == "M"
    assert "IXI.csv: rows of number 12 disagree, so its age or sex is left unknown" in cohort.problems


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffIXI_ID;SEX_ID (1=m, 2=f);AGE\r\nIXI002;2;35,80\r\n",
        "exported on Monday\nAGE\tIXI_ID\tSEX_ID (1=m, 2=f)\n35.80\t2.0\t2.0\n",
    ],
)
def test_a_sheet_may_be_exported_in_any_usual_way(ixi: Path, text: str) -> None:
    (ixi / "IXI.csv").write_text(text, encoding="utf-8")
    case = by_id(read("ixi", ixi))["IXI002-Guys-0828"]
    assert (case.age, case.sex) == (35.8, "F")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a,b\n1,2\n"])
def test_an_unusable_sheet_is_named_and_the_scans_go_on(ixi: Path, content: bytes) -> None:
    (ixi / "IXI.csv").write_bytes(content)
    cohort = read("ixi", ixi)
    assert len(cohort.cases) == 3
    assert all(case.age is None for case in cohort.cases)
    assert any("IXI.csv: got" in line for line in cohort.problems)
    assert any("ages and sexes are unknown" in line for line in cohort.problems)


def test_a_workbook_is_read_where_there_is_no_export(ixi: Path) -> None:
    (ixi / "IXI.csv").unlink()
    write_workbook(ixi / "IXI.xlsx", [["IXI_ID", "SEX_ID (1=m, 2=f)", "AGE"], [2, 2, 35.8], [12, 1, 38.78]])
    cases = by_id(read("ixi", ixi))
    assert (cases["IXI012-HH-1211"].age, cases["IXI012-HH-1211"].sex) == (38.78, "M")


def test_a_torn_workbook_is_named(ixi: Path) -> None:
    (ixi / "IXI.csv").unlink()
    (ixi / "IXI.xls").write_bytes(b"no workbook")
    assert any("IXI.xls: got a workbook that cannot be read" in line for line in read("ixi", ixi).problems)


def test_names_that_differ_in_case_only_are_named_and_passed_over(ixi: Path) -> None:
    touch(ixi, "IXI-T1/ixi002-guys-0828-t1.nii.gz")
    cohort = read("ixi", ixi)
    assert "IXI002-Guys-0828" not in by_id(cohort)
    assert len(cohort.cases) == 2
    assert any("several files for one thing: IXI002-Guys-0828" in line for line in cohort.problems)


def test_a_loop_of_links_ends(ixi: Path) -> None:
    (ixi / "IXI-T1" / "loop").symlink_to(ixi, target_is_directory=True)
    assert len(read("ixi", ixi).cases) == 3


def test_a_folder_that_is_linked_to_is_read(ixi: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    raw = tmp_path_factory.mktemp("linked")
    (raw / "IXI-T1").symlink_to(ixi / "IXI-T1", target_is_directory=True)
    assert len(read("ixi", raw).cases) == 3


def test_brats_is_stripped_in_sri24_space_with_all_regions_as_lesion(tmp_path: Path) -> None:
    for number in ("00000", "00002"):
        stem = f"train/BraTS2021_{number}/BraTS2021_{number}_"
        touch(tmp_path, *(f"{stem}{role}.nii.gz" for role in ("t1", "t1ce", "t2", "flair", "seg")))
    touch(tmp_path, "train/BraTS2021_00003/BraTS2021_00003_t2.nii", "train/BraTS2021_00002/notes.txt")
    cohort = read("brats", tmp_path)
    cases = by_id(cohort)
    assert list(cases) == ["BraTS2021_00000", "BraTS2021_00002"]
    case = cases["BraTS2021_00002"]
    assert set(case.images) == {"t1", "t1ce", "t2", "flair"}
    assert case.lesion_mask == tmp_path / "train/BraTS2021_00002/BraTS2021_00002_seg.nii.gz"
    assert (case.space, case.stripped, case.aligned) == ("sri24", True, True)
    assert case.labels == Labels(lesion=(1, 2, 3, 4))
    assert cohort.problems == ("skipped, without lesion mask: BraTS2021_00003",)


def test_mslub_names_may_differ_in_case_and_the_images_as_acquired_are_left(tmp_path: Path) -> None:
    roles = ("T1W", "T1WKS", "T2W", "FLAIR", "brainmask", "consensus_gt")
    touch(tmp_path, *(f"patient01/patient01_{role}.nii.gz" for role in roles))
    touch(tmp_path, "patient01/raw/patient01_FLAIR.nii.gz")
    touch(tmp_path, "patient02/Patient02_t2w.nii.gz", "patient02/patient02_CONSENSUS_GT.nii.gz")
    cases = by_id(read("msl", tmp_path))
    assert set(cases["patient01"].images) == {"t1", "t1ce", "t2", "flair"}
    assert cases["patient01"].drawn_on == "flair"
    assert cases["patient01"].brain_mask == tmp_path / "patient01/patient01_brainmask.nii.gz"
    assert (set(cases["patient02"].images), cases["patient02"].brain_mask) == ({"t2"}, None)
    assert not cases["patient01"].stripped


def test_atlas_is_in_mni_space_and_its_test_scans_are_passed_over(tmp_path: Path) -> None:
    folder = "ATLAS_2/Training/R001/sub-r001s002/ses-1/anat/sub-r001s002_ses-1_space-MNI152NLin2009aSym"
    touch(tmp_path, f"{folder}_T1w.nii.gz", f"{folder}_label-L_desc-T1lesion_mask.nii.gz")
    touch(
        tmp_path,
        *(f"ATLAS_2/Testing/R048/sub-r048s{n:03}/ses-1/anat/sub-r048s{n:03}_ses-1_T1w.nii.gz" for n in range(8)),
    )
    cohort = read("atlas", tmp_path)
    (case,) = cohort.cases
    assert (case.case_id, case.subject_id, case.site) == ("sub-r001s002_ses-1", "sub-r001s002", "r001")
    assert (case.space, case.stripped) == ("mni", False)
    assert case.lesion_mask == tmp_path / f"{folder}_label-L_desc-T1lesion_mask.nii.gz"
    (problem,) = cohort.problems
    assert problem.startswith("skipped, without lesion mask: sub-r048s000_ses-1, ")
    assert problem.endswith(" and 3 more")


def test_wmh_has_its_scanners_as_sites_and_label_two_is_no_lesion(tmp_path: Path) -> None:
    for place in ("Utrecht/0", "Singapore/50", "Amsterdam/GE3T/100"):
        touch(tmp_path, *(f"training/{place}/{name}.nii.gz" for name in ("pre/T1", "pre/FLAIR", "orig/T1", "wmh")))
    touch(tmp_path, *(f"test/Amsterdam/GE1T5/150/{name}.nii.gz" for name in ("pre/T1", "pre/FLAIR", "wmh")))
    cohort = read("wmh", tmp_path)
    cases = by_id(cohort)
    assert {case.case_id: case.site for case in cohort.cases} == {
        "Amsterdam-GE3T-100": "Amsterdam-GE3T",
        "Singapore-50": "Singapore",
        "Utrecht-0": "Utrecht",
    }
    case = cases["Utrecht-0"]
    assert case.images["t1"] == tmp_path / "training/Utrecht/0/pre/T1.nii.gz"
    assert (case.drawn_on, case.corrected) == ("flair", True)
    assert case.labels == Labels(lesion=(1,), ignored=(2,))
    assert cohort.problems == ("skipped, not among the published training scans: Amsterdam-GE1T5-150",)
    assert set(split_of(dataset("wmh"), subjects_of(cohort.cases))) == set(cases)


def write_slices(folder: Path, *, depth: int = 6, copied: Sequence[int] = ()) -> None:
    """Slices of 32 x 24 pixels whose T1 counts slices, with one pixel of lesion; `copied` channels repeat the FLAIR."""
    folder.mkdir(parents=True)
    for number in range(1, depth + 1):
        pixels = np.zeros((24, 32, 3), np.uint8)
        pixels[..., 0], pixels[..., 1], pixels[..., 2] = number, np.arange(32), 9
        pixels[3, 5, 1] = 200  # near the front, on the patient's right
        for channel in copied:
            pixels[..., channel] = pixels[..., 1]
        mask = np.zeros((24, 32), np.uint8)
        mask[3, 5] = 255 * (number == 2)
        Image.fromarray(pixels).save(folder / f"{folder.name}_{number}.tif")
        Image.fromarray(mask).save(folder / f"{folder.name}_{number}_mask.tif")


def test_lgg_slices_become_volumes_with_the_lesion_where_it_is_drawn(tmp_path: Path) -> None:
    write_slices(tmp_path / "kaggle_3m/TCGA_CS_4941_19960909", depth=12)
    (case,) = read("lgg", tmp_path).cases
    assert (case.subject_id, case.site) == ("TCGA_CS_4941", "CS")
    assert case.unpack is not None
    ready = case.unpack(tmp_path / "scratch")
    assert ready.unpack is None
    assert set(ready.images) == {"t1", "flair", "t1ce"}
    flair = nibabel.nifti1.load(ready.images["flair"])
    assert ready.lesion_mask is not None
    lesion = nibabel.nifti1.load(ready.lesion_mask)
    np.testing.assert_allclose(lesion.affine, flair.affine)
    canonical = nibabel.funcs.as_closest_canonical(lesion)
    (voxel,) = np.argwhere(np.asarray(canonical.dataobj) == 1)
    assert voxel.tolist() == [32 - 1 - 5, 24 - 1 - 3, 1]  # columns run to the left, rows backwards, slices upwards
    image = nibabel.funcs.as_closest_canonical(flair)
    assert np.asarray(image.dataobj)[tuple(voxel)] == 200
    np.testing.assert_allclose(nibabel.affines.voxel_sizes(flair.affine), (240 / 32, 240 / 24, 144 / 12))
    t1 = nibabel.funcs.as_closest_canonical(nibabel.nifti1.load(ready.images["t1"]))
    assert np.asarray(t1.dataobj)[0, 0].tolist() == list(range(1, 13))


def test_a_sequence_that_lgg_fills_with_the_flair_is_left_out(tmp_path: Path) -> None:
    write_slices(tmp_path / "TCGA_DU_5849_19950405", copied=(0,))
    (case,) = read("lgg", tmp_path).cases
    assert set(case.images) == {"flair", "t1ce"}


def test_an_lgg_stack_with_a_gap_or_a_torn_slice_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    for name in ("TCGA_CS_4941_19960909", "TCGA_CS_4942_19970222", "TCGA_CS_4943_20000902", "TCGA_CS_4944_20010208"):
        write_slices(tmp_path / name)
    (tmp_path / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_3.tif").unlink()
    for name in ("TCGA_CS_4942_19970222_5.tif", "TCGA_CS_4942_19970222_5_mask.tif"):
        (tmp_path / "TCGA_CS_4942_19970222" / name).unlink()
    (tmp_path / "TCGA_CS_4943_20000902" / "TCGA_CS_4943_20000902_4.tif").write_bytes(b"II*\0 torn")
    cohort = read("lgg", tmp_path)
    assert [case.case_id for case in cohort.cases] == ["TCGA_CS_4944_20010208"]
    named = [line for line in cohort.problems if line.startswith("skipped: ")]
    assert ["4941" in named[0], "slices 5" in named[1], "_4.tif" in named[2]] == [True] * 3


def test_a_torn_slice_that_only_unpacking_meets_is_named(tmp_path: Path) -> None:
    write_slices(tmp_path / "TCGA_CS_4941_19960909")
    (tmp_path / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_1.tif").write_bytes(b"torn")
    (case,) = read("lgg", tmp_path).cases
    assert case.unpack is not None
    with pytest.raises(BadFile, match=r"_1\.tif: got a slice that cannot be read"):
        case.unpack(tmp_path / "scratch")


def test_oasis_rescans_share_their_subject_and_labels_are_no_scans(tmp_path: Path) -> None:
    touch(tmp_path, "training-images/1000_3.nii", "testing-images/1003_3.nii", "testing-images/1023_3.nii")
    touch(tmp_path, "training-labels/1000_3_glm.nii")
    subjects = {case.case_id: case.subject_id for case in read("oasis", tmp_path).cases}
    assert subjects == {"oasis1000": "oasis1000", "oasis1003": "oasis1003", "oasis1023": "oasis1003"}


ARCHIVE: Sequence[tuple[str, str, dict[str, str], str, str]] = [
    (
        "ixi",
        "Train/ixi",
        {"t1": "IXI002-Guys-0828-T1", "t2": "IXI002-Guys-0828-T2", "mask": "IXI002-Guys-0828"},
        "IXI002",
        "t1/IXI012-HH-1211",
    ),
    (
        "brats",
        "Test/Brats21",
        dict.fromkeys(("t2", "mask", "seg"), "BraTS2021_00005"),
        "BraTS2021_00005",
        "seg/BraTS2021_00006",
    ),
    (
        "msl",
        "Test/MSLUB",
        {"t2": "patient01_t2", "mask": "patient01_mask", "seg": "patient01_seg"},
        "patient01",
        "t2/patient02_t2",
    ),
    (
        "atlas",
        "Test/ATLAS_v2",
        dict.fromkeys(("t1", "mask", "seg"), "sub-r001s001_ses-1"),
        "sub-r001s001",
        "t1/sub-r001s002_ses-1",
    ),
    (
        "wmh",
        "Test/WMH",
        {"t1": "Utrecht_11_T1", "mask": "Utrecht_11_mask", "seg": "Utrecht_11_seg"},
        "Utrecht-11",
        "mask/17",
    ),
]


@pytest.mark.parametrize(("name", "folder", "files", "subject", "lone"), ARCHIVE, ids=[one[0] for one in ARCHIVE])
def test_the_prepared_archive_is_read_too(
    tmp_path: Path, name: str, folder: str, files: dict[str, str], subject: str, lone: str
) -> None:
    touch(tmp_path, f"Data/{folder}/{lone}.nii.gz")
    touch(tmp_path, *(f"Data/{folder}/{role}/{stem}.nii.gz" for role, stem in files.items()))
    cohort = read(name, tmp_path)
    (case,) = cohort.cases
    assert case.subject_id == subject
    assert set(case.images) == set(files) - {"mask", "seg"}
    assert (case.space, case.stripped, case.corrected, case.aligned) == ("sri24", True, True, True)
    assert case.brain_mask == tmp_path / "Data" / folder / "mask" / f"{files['mask']}.nii.gz"
    assert (case.lesion_mask is None) == (name == "ixi")
    (problem,) = cohort.problems
    assert re.match("skipped, without (image|brain mask)", problem)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_layout_that_is_not_found_says_what_was_looked_for_and_what_is_there(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "holiday/beach.jpg", "readme.txt")
    with pytest.raises(MissingData, match=r"looked for .*There: holiday/, readme\.txt\.") as refusal:
        read(name, tmp_path)
    assert str(tmp_path) in str(refusal.value)


@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_folder_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingData, match="nowhere"):
        read(name, tmp_path / "nowhere")


Cells = Sequence[Sequence[object]]


def write_workbook(path: Path, rows: Cells) -> None:
    """As few parts of an Office workbook as readers take."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cell: Callable[[object], str] = lambda value: (  # noqa: E731
        f"<c><v>{value}</v></c>" if isinstance(value, int | float) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    )
    body = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Table" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
