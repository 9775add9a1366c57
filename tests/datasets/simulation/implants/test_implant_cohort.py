"""The cohort on disk: the truth is known voxel by voxel, and depends on nothing but the case itself."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from heads import HEADS, voxels, write_heads
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.grid import Grid
from datasets.loading import load_case, load_host
from datasets.simulation.implants import host_cohort, implant_spec
from datasets.simulation.implants.cohort import find_hosts, write_implants
from datasets.simulation.implants.design import Design
from datasets.simulation.implants.truth import Truth, read_truths, truths_of
from datasets.simulation.phantom import PHANTOM

DESIGN = Design(subjects=2, volumes=(2.0, 16.0), contrasts=(-1, -0.5, 0.5, 1))
SPEC = implant_spec(HEADS)
GRID = Grid(shape=(32, 32, 25), spacing=4.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Heads and their implants, to be read only."""
    folder = tmp_path_factory.mktemp("heads")
    write_heads(folder)
    write_implants(folder, HEADS, folder, design=DESIGN)
    return folder


@pytest.fixture(scope="module")
def cases(data: Path) -> Sequence[CaseFiles]:
    return SPEC.files(data, "t1")


@pytest.fixture(scope="module")
def truths(data: Path) -> dict[str, Truth]:
    return read_truths(data / "implant-heads" / "lesions.csv")


def implanted(cases: Sequence[CaseFiles], truths: dict[str, Truth], *kinds: str) -> list[tuple[CaseFiles, Truth]]:
    found = [(one, truths[one.case_id]) for one in cases if one.host is not None]
    chosen = [pair for pair in found if pair[1].kind in kinds]
    assert chosen
    return chosen


def change(one: CaseFiles) -> NDArray[np.float64]:
    assert one.host is not None
    return voxels(one.image) - voxels(one.host)


def test_every_subject_gives_a_healthy_host_and_its_treatments(cases: Sequence[CaseFiles]) -> None:
    assert len(cases) == 2 * (1 + 4 + 2)
    for subject in {one.subject_id for one in cases}:
        own = [one for one in cases if one.subject_id == subject]
        hosts = [one for one in own if one.healthy]
        assert len(hosts) == 1
        assert {one.host for one in own if not one.healthy} == {hosts[0].image}
        assert {one.split for one in own} == {"test"}


def test_a_host_is_the_scan_itself(data: Path, cases: Sequence[CaseFiles]) -> None:
    for one in cases:
        if one.healthy:
            for sequence in HEADS.sequences:
                name = f"{one.case_id}.nii.gz"
                copy = data / "implant-heads" / sequence / name
                assert copy.read_bytes() == (data / "heads" / sequence / name).read_bytes()


def test_outside_the_lesions_reach_the_healthy_voxels_are_unchanged(cases, truths) -> None:  # type: ignore[no-untyped-def]
    for one, _ in implanted(cases, truths, "lesion", "seam"):
        assert one.lesion_mask is not None
        reach = ndimage.distance_transform_edt(voxels(one.lesion_mask) == 0, sampling=4.0)
        moved = change(one) != 0
        assert moved.any()
        assert reach[moved].max() <= 16
        assert not moved[voxels(one.brain_mask) == 0].any()


def test_contrast_zero_is_the_healthy_scan_bit_for_bit_under_a_mask_that_is_there(cases, truths) -> None:  # type: ignore[no-untyped-def]
    for one, _ in implanted(cases, truths, "zero"):
        assert one.host is not None
        assert one.lesion_mask is not None
        assert one.image.read_bytes() == one.host.read_bytes()
        assert voxels(one.lesion_mask).any()


def test_volumes_are_as_drawn_and_lie_in_the_brain(cases, truths) -> None:  # type: ignore[no-untyped-def]
    for one, truth in implanted(cases, truths, "lesion", "zero", "seam"):
        assert one.lesion_mask is not None
        mask = voxels(one.lesion_mask) > 0
        assert mask.sum() * 0.064 == pytest.approx(truth.measured_ml, abs=1e-3)
        assert truth.measured_ml == pytest.approx(truth.volume_ml, rel=0.15)
        assert not (mask & (voxels(one.brain_mask) == 0)).any()
        middle = 4.0 * np.argwhere(mask).mean(axis=0)
        assert (truth.x, truth.y, truth.z) == pytest.approx(middle.tolist(), abs=0.06)


@pytest.mark.parametrize("texture", ["kept", "replaced"])
def test_a_lesions_core_moves_by_its_contrast_in_steps_of_the_host(cases, truths, texture: str) -> None:  # type: ignore[no-untyped-def]
    chosen = [pair for pair in implanted(cases, truths, "lesion") if pair[1].texture == texture]
    for one, truth in chosen:
        assert one.lesion_mask is not None
        mask = voxels(one.lesion_mask) > 0
        mean = change(one)[mask].mean() / 50
        assert truth.realised_contrast == pytest.approx(mean, rel=0.1)
        if truth.volume_ml > 10:  # where the core is most of it
            assert mean == pytest.approx(truth.contrast, rel=0.4)
        assert mean * truth.contrast > 0


def test_the_hosts_fine_structure_shows_through_kept_texture_and_less_through_replaced(cases, truths) -> None:  # type: ignore[no-untyped-def]
    seen = {"kept": [], "replaced": []}  # type: dict[str, list[float]]
    for one, truth in implanted(cases, truths, "lesion"):
        if truth.volume_ml > 10:
            inside = ndimage.binary_erosion(voxels(one.lesion_mask) > 0)
            fine = [volume - ndimage.gaussian_filter(volume, 1) for volume in (voxels(one.image), voxels(one.host))]
            seen[truth.texture].append(np.corrcoef(*(volume[inside] for volume in fine))[0, 1])
    assert min(seen["kept"]) > 0.8
    assert max(seen["replaced"]) < min(seen["kept"])


def test_seams_change_texture_and_hardly_the_level(cases, truths) -> None:  # type: ignore[no-untyped-def]
    for one, truth in implanted(cases, truths, "seam"):
        assert abs(truth.realised_contrast) < 0.15
        assert (change(one) != 0).sum() > 0.5 * truth.measured_ml / 0.064


def test_every_sequence_has_the_same_lesion_in_its_own_steps(data: Path, cases, truths) -> None:  # type: ignore[no-untyped-def]
    second = {one.case_id: one for one in SPEC.files(data, "t2")}
    kept = [pair for pair in implanted(cases, truths, "lesion") if pair[1].texture == "kept"]
    for one, _ in kept:
        first, other = change(one), change(second[one.case_id])
        assert np.corrcoef(first[first != 0], other[first != 0])[0, 1] > 0.98
        assert np.abs(other).max() / np.abs(first).max() == pytest.approx(40 / 50, abs=0.06)


def test_the_same_seed_writes_the_same_and_another_seed_other_lesions(data: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 0), ("other", 1)):
        write_implants(tmp_path / name, HEADS, data, design=replace(DESIGN, seed=seed))
    first, same, other = (
        {path.name: voxels(path).tobytes() for path in (root / "implant-heads" / "lesion_mask").iterdir()}
        for root in (data, tmp_path / "same", tmp_path / "other")
    )
    assert first == same
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_a_case_depends_on_nothing_but_itself(data: Path, tmp_path: Path) -> None:
    write_implants(tmp_path, HEADS, data, design=replace(DESIGN, subjects=1))
    few = sorted((tmp_path / "implant-heads" / "t1").iterdir())
    assert len(few) == 7
    for path in few:
        assert (voxels(path) == voxels(data / "implant-heads" / "t1" / path.name)).all()


def test_hosts_are_one_healthy_test_scan_a_subject_whatever_their_names(data: Path) -> None:
    hosts = [host.first for host in find_hosts(HEADS, data)]
    assert sorted(one.subject_id for one in hosts) == ["head-0", "head-1", "head-2"]
    assert "head-0-again" not in {one.case_id for one in hosts}
    assert {one.split for one in hosts} == {"test"}


def test_the_host_on_the_grid_equals_the_case_wherever_the_lesion_does_not_reach(cases, truths) -> None:  # type: ignore[no-untyped-def]
    for one, _ in implanted(cases, truths, "lesion"):
        host = load_host(one, GRID)
        case = load_case(one, GRID)
        assert host is not None
        unmoved = np.isclose(host[0], case.image[0], atol=1e-5)
        assert unmoved.mean() > 0.8
        assert case.lesion_mask is not None
        assert not unmoved[case.lesion_mask].all()


def test_a_case_without_known_host_has_none(data: Path) -> None:
    assert load_host(HEADS.files(data, "t1")[0], GRID) is None


def test_the_name_in_brackets_leads_to_the_cohort() -> None:
    spec = dataset("implant[ixi]")
    assert (spec.name, spec.fitted_on, spec.healthy) == ("implant[ixi]", "ixi", None)
    assert spec.folder(Path("data")) == Path("data/implant-ixi")
    assert host_cohort("implant[ixi]") == "ixi"
    assert host_cohort("lgg") == "lgg"


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("implant[ixx]", UnknownName, "Did you mean 'ixi'"),
        ("implant[lgg]", BadValue, "expected one with healthy scans"),
        ("implant[implant[ixi]]", BadValue, "got implants as hosts"),
    ],
)
def test_other_names_in_brackets_are_refused(name: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        dataset(name)


def test_what_is_there_is_not_overwritten(data: Path) -> None:
    with pytest.raises(BadValue, match="is not overwritten"):
        write_implants(data, HEADS, data, design=DESIGN)


def test_a_folder_marked_read_only_is_left_alone(data: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            write_implants(tmp_path, HEADS, data, design=DESIGN)
        assert not list(tmp_path.iterdir())
    finally:
        tmp_path.chmod(0o755)


def test_without_the_cohort_it_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="Write them with write_heads"):
        write_implants(tmp_path, HEADS, tmp_path, design=DESIGN)
    assert not list(tmp_path.iterdir())


def test_a_cohort_without_healthy_test_scan_is_refused(tmp_path: Path) -> None:
    write_heads(tmp_path)
    table = tmp_path / "heads" / "cases.csv"
    table.write_text(table.read_text().replace(",test,", ",val,"))
    with pytest.raises(BadValue, match="got no healthy test scan"):
        write_implants(tmp_path, HEADS, tmp_path, design=DESIGN)


def test_a_torn_host_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    write_heads(tmp_path)
    path = tmp_path / "heads" / "t1" / "head-1.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadFile, match=r"head-1\.nii\.gz"):
        write_implants(tmp_path, HEADS, tmp_path, design=replace(DESIGN, subjects=3))
    assert [one.name for one in tmp_path.iterdir()] == ["heads"]


def test_a_table_of_lesions_that_does_not_know_a_case_is_refused(data: Path, cases: Sequence[CaseFiles]) -> None:
    stranger = replace(next(one for one in cases if one.host), case_id="nobody")
    with pytest.raises(BadFile, match="got no row for case 'nobody'"):
        truths_of([stranger])


def test_a_table_of_lesions_without_a_column_is_refused(data: Path, tmp_path: Path) -> None:
    with (data / "implant-heads" / "lesions.csv").open() as stream:
        rows = list(csv.reader(stream))
    with (tmp_path / "lesions.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(row[:5] for row in rows)
    with pytest.raises(BadFile, match="expected also texture"):
        read_truths(tmp_path / "lesions.csv")


def test_the_phantom_can_be_a_host_too() -> None:
    assert implant_spec(PHANTOM).fitted_on == "phantom"
