"""The prepared layout: what is read from it, what is refused, and when its digest changes."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from datasets.case import CaseFiles
from datasets.errors import BadFile, MissingData
from datasets.spec import DatasetSpec, case_marks, changed_cases, digest, prepared_files

HEADER = "case_id,subject_id,split,sequences,site,healthy\n"
TABLE = HEADER + "a,s1,train,t1 t2,HH,yes\nb,s2,val,t1,,no\nc,s2,test,t2,HH,yes\n"


def spec(healthy: bool | None = None) -> DatasetSpec:
    return DatasetSpec(
        name="mine",
        title="My cohort",
        sequences=("t1", "t2", "flair"),
        healthy=healthy,
        licence="CC0",
        reference="nobody",
        url="https://example.org",
        how_to_get="Ask me.",
    )


def save(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.nifti1.Nifti1Image(values, np.eye(4)).to_filename(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("t1/a", "t1/b", "t2/a", "t2/c", "brain_mask/a", "brain_mask/b", "brain_mask/c", "lesion_mask/b"):
        save(tmp_path / "mine" / f"{name}.nii.gz", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    write_table(tmp_path, TABLE)
    return tmp_path


def write_table(root: Path, text: str) -> None:
    (root / "mine" / "cases.csv").write_text(text)


def test_the_cases_of_a_sequence_are_read_in_the_tables_order(root: Path) -> None:
    folder = root / "mine"
    first, second = prepared_files(spec(), root, "t1")
    assert first == CaseFiles(
        case_id="a",
        image=folder / "t1" / "a.nii.gz",
        brain_mask=folder / "brain_mask" / "a.nii.gz",
        lesion_mask=None,
        subject_id="s1",
        site="HH",
        split="train",
    )
    assert second.lesion_mask == folder / "lesion_mask" / "b.nii.gz"
    assert (first.healthy, second.healthy, second.site) == (True, False, "")
    assert [case.case_id for case in prepared_files(spec(), root, "t2")] == ["a", "c"]


def test_a_sequence_is_a_whole_word(root: Path) -> None:
    write_table(root, TABLE.replace("t1 t2", "t1ce"))
    assert [case.case_id for case in prepared_files(spec(), root, "t1")] == ["b"]


def test_a_healthy_cohort_has_no_lesion_masks_and_a_lesion_cohort_needs_all(root: Path) -> None:
    assert all(case.healthy for case in prepared_files(spec(healthy=True), root, "t1"))
    with pytest.raises(MissingData, match=r"lesion_mask/a\.nii\.gz"):
        prepared_files(spec(healthy=False), root, "t1")


def test_the_layout_is_the_default_of_files(root: Path) -> None:
    assert spec().files(root, "t1") == prepared_files(spec(), root, "t1")
    other = replace(spec(), files=lambda _root, _sequence: [])
    assert other.files(root, "t1") == []


def test_spreadsheet_exports_with_a_byte_order_mark_are_read(root: Path) -> None:
    (root / "mine" / "cases.csv").write_text(TABLE, encoding="utf-8-sig")
    assert len(prepared_files(spec(), root, "t1")) == 2


@pytest.mark.parametrize("column", ["case_id", "split"])
def test_a_missing_column_is_named(root: Path, column: str) -> None:
    write_table(root, TABLE.replace(column, "something"))
    with pytest.raises(BadFile, match=f"expected also {column}") as refusal:
        prepared_files(spec(), root, "t1")
    assert "cases.csv" in str(refusal.value)
    assert "something" in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (TABLE.replace("val", "valid"), "case 'b' got split 'valid', expected one of train, val, test"),
        (TABLE + "a,s9,train,t1,HH,yes\n", "got case 'a' twice"),
        (TABLE.replace("yes\nb", "maybe\nb"), "case 'a' got healthy='maybe', expected yes or no"),
        (TABLE.replace("healthy", "well"), "case 'a' got healthy=None, expected yes or no"),
        (TABLE.replace("s2,val", ",val"), "row 2 got nothing for subject_id"),
        (TABLE + "d,s3\n", "row 4 got nothing for split, sequences"),
        ("", "got columns none"),
    ],
)
def test_a_wrong_table_is_refused_with_the_reason(root: Path, table: str, reason: str) -> None:
    write_table(root, table)
    with pytest.raises(BadFile, match=reason) as refusal:
        prepared_files(spec(), root, "t1")
    assert "cases.csv" in str(refusal.value)


def test_a_table_that_is_no_text_is_refused(root: Path) -> None:
    (root / "mine" / "cases.csv").write_bytes(b"case_id,\xff\xfe\x00")
    with pytest.raises(BadFile, match="cannot be read"):
        prepared_files(spec(), root, "t1")


@pytest.mark.parametrize("lost", ["t1/a", "brain_mask/b", "lesion_mask/b"])
def test_a_missing_partner_file_is_named_with_its_case(root: Path, lost: str) -> None:
    path = root / "mine" / f"{lost}.nii.gz"
    path.unlink()
    with pytest.raises(MissingData) as refusal:
        prepared_files(spec(), root, "t1")
    assert str(path) in str(refusal.value)
    assert f"'{lost[-1]}'" in str(refusal.value)


def test_a_sequence_that_the_cohort_never_has_is_refused(root: Path) -> None:
    with pytest.raises(MissingData, match=r"mine has no sequence 'pd'. Available: t1, t2, flair"):
        prepared_files(spec(), root, "pd")


def test_a_sequence_that_no_case_has_is_refused(root: Path) -> None:
    with pytest.raises(MissingData, match="no case with sequence 'flair'"):
        prepared_files(spec(), root, "flair")


def test_without_data_the_folder_looked_in_and_how_to_get_it_are_told(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"Ask me\.") as refusal:
        prepared_files(spec(), tmp_path, "t1")
    assert str(tmp_path / "mine") in str(refusal.value)


def other_voxel(name: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        values[1, 2, 3] += 1
        save(root / "mine" / f"{name}.nii.gz", values)

    return change


def other_table(old: str, new: str) -> Callable[[Path], None]:
    return lambda root: write_table(root, TABLE.replace(old, new))


def pack_in_blocks(path: Path, padding: bytes = b"") -> None:
    """As bgzip does: a stream for every block, the last of them empty."""
    raw = gzip.decompress(path.read_bytes())
    blocks = [gzip.compress(raw[begin : begin + 100], mtime=0) for begin in range(0, len(raw), 100)]
    path.write_bytes(b"".join([*blocks, gzip.compress(b"")]) + padding)


def last_voxel_of_blocks(root: Path) -> None:
    path = root / "mine" / "lesion_mask" / "b.nii.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] ^= 1
    path.write_bytes(gzip.compress(raw))
    pack_in_blocks(path)


def header(root: Path) -> None:
    path = root / "mine" / "t1" / "a.nii.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[160] ^= 1  # of the description
    path.write_bytes(gzip.compress(raw))


CHANGES = {
    "image": (other_voxel("t1/a"), "a"),
    "brain mask": (other_voxel("brain_mask/b"), "b"),
    "lesion mask": (other_voxel("lesion_mask/b"), "b"),
    "lesion mask in blocks": (last_voxel_of_blocks, "b"),
    "header": (header, "a"),
    "split": (other_table("s2,val", "s2,test"), "b"),
    "subject": (other_table("b,s2", "b,s1"), "b"),
    "site": (other_table(",HH,", ",Guys,"), "a"),
    "healthy": (other_table("t1,,no", "t1,,yes"), "b"),
}


@pytest.mark.parametrize(("change", "case"), CHANGES.values(), ids=CHANGES)
def test_the_digest_changes_with_what_a_number_depends_on_and_the_case_is_named(
    root: Path, change: Callable[[Path], None], case: str
) -> None:
    for path in root.rglob("*.nii.gz"):
        pack_in_blocks(path)
    before = prepared_files(spec(), root, "t1")
    marks, whole = case_marks(before), digest(before)
    change(root)
    after = prepared_files(spec(), root, "t1")
    assert digest(after) != whole
    assert changed_cases(marks, case_marks(after)) == f"changed: {case}"


def test_cases_that_are_gone_or_new_change_the_digest_and_are_named(root: Path) -> None:
    first, second = prepared_files(spec(), root, "t1")
    renamed = replace(second, case_id="new")
    assert len({digest(files) for files in ([first], [first, second], [second, first], [first, renamed])}) == 4
    assert changed_cases(case_marks([first, second]), case_marks([first, renamed])) == "gone: b; new: new"
    assert changed_cases(case_marks([first, second]), case_marks([second, first])) == ""


def test_every_file_of_a_case_is_in_the_digest(root: Path) -> None:
    path = root / "more.nii.gz"
    case = prepared_files(spec(), root, "t1")[0]
    others = [replace(case, ignore_mask=path), replace(case, host=path), replace(case, lesion_mask=path)]
    digests = {digest([case])}
    for value in (0, 1):
        save(path, np.full((2, 2, 2), value, dtype=np.uint8))
        digests |= {digest([other]) for other in others}
    assert len(digests) == 1 + 2 * len(others)


def ignore_mask(value: int) -> Callable[[Path], None]:
    return lambda root: save(root / "mine" / "ignore_mask" / "b.nii.gz", np.full((2, 3, 4), value, dtype=np.uint8))


def test_a_mask_of_what_is_ignored_is_found_where_there_is_one(root: Path) -> None:
    assert [one.ignore_mask for one in prepared_files(spec(), root, "t1")] == [None, None]
    ignore_mask(1)(root)
    found = [one.ignore_mask for one in prepared_files(spec(), root, "t1")]
    assert found == [None, root / "mine" / "ignore_mask" / "b.nii.gz"]


def test_a_dangling_link_to_such_a_mask_is_refused(root: Path) -> None:
    (root / "mine" / "ignore_mask").mkdir()
    (root / "mine" / "ignore_mask" / "b.nii.gz").symlink_to("gone.nii.gz")
    with pytest.raises(MissingData, match=r"ignore_mask/b\.nii\.gz"):
        prepared_files(spec(), root, "t1")


def test_the_digest_covers_what_is_ignored_and_what_labels_mean(root: Path) -> None:
    digests = [digest(prepared_files(spec(), root, "t1"))]
    for value in (1, 0):
        ignore_mask(value)(root)
        digests.append(digest(prepared_files(spec(), root, "t1")))
    for labels in ('{"lesion": [1, 2]}', '{"lesion": [1], "ignored": [2]}'):
        (root / "mine" / "labels.json").write_text(labels)
        digests.append(digest(prepared_files(spec(), root, "t1")))
    assert len(set(digests)) == len(digests)


def compress_again(root: Path) -> None:
    path = root / "mine" / "t1" / "a.nii.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=9, mtime=1234))


def pack_and_pad(root: Path) -> None:
    pack_in_blocks(root / "mine" / "t1" / "a.nii.gz", padding=bytes(512))


@pytest.mark.parametrize(
    "change",
    [compress_again, pack_and_pad, other_voxel("t2/a"), lambda root: None],
    ids=["compression", "blocks and padding", "another sequence", "nothing"],
)
def test_the_digest_does_not_change_otherwise(root: Path, change: Callable[[Path], None]) -> None:
    before = digest(prepared_files(spec(), root, "t1"))
    change(root)
    assert digest(prepared_files(spec(), root, "t1")) == before


def test_the_digest_does_not_depend_on_where_the_data_lie(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = digest(prepared_files(spec(), root, "t1"))
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "data"
    root.rename(elsewhere)
    assert digest(prepared_files(spec(), elsewhere, "t1")) == before


def test_the_digest_sees_voxels_of_uncompressed_files_too(root: Path) -> None:
    path = root / "plain.nii"
    save(path, np.zeros((2, 2, 2), dtype=np.uint8))
    case = replace(prepared_files(spec(), root, "t1")[0], image=path)
    before = digest([case])
    save(path, np.eye(2, dtype=np.uint8)[:, :, None])
    assert digest([case]) != before
