"""The phantom's variants: each disease where, as large and as bright as it is known to be. All at 4 mm."""

import csv
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import datasets.__main__ as program
from datasets.cohorts.catalog import dataset
from datasets.errors import BadValue, UnknownName
from datasets.simulation.phantom import stroke, write_phantom
from datasets.simulation.phantom.anatomy import TissueMaps, draw_anatomy
from datasets.simulation.phantom.glioma import displace
from datasets.simulation.phantom.lattice import SamplingLattice
from datasets.simulation.phantom.ms import PLACES
from datasets.simulation.phantom.subject import FAMILIES, PLAIN, PhantomSubject, SubjectNumber, draw_subject
from datasets.spec import digest

SPACING = 4.0
VARIANTS = tuple(name for name in FAMILIES if name != PLAIN)
COUNT = 5
TOTAL_ML = {"glioma": (5, 120), "ms": (0.1, 60), "stroke": (0.1, 152), "wmh": (1, 40)}


@cache
def subject(variant: str, index: int) -> PhantomSubject:
    return draw_subject(SubjectNumber(False, index, variant), spacing=SPACING, seed=0)


def subjects(variant: str) -> list[PhantomSubject]:
    return [subject(variant, index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    for variant in VARIANTS:
        write_phantom(folder, variant=variant, lesion=2, spacing=SPACING, with_healthy=True)
    return folder


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open() as stream:
        return list(csv.DictReader(stream))


def voxels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(nibabel.nifti1.Nifti1Image.from_filename(path).dataobj, dtype=np.uint8)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_a_lesion_cohort_fitted_on_the_phantom(data: Path, variant: str) -> None:
    spec = dataset(f"phantom-{variant}")
    assert (spec.healthy, spec.fitted_on) == (False, "phantom")
    for sequence in spec.sequences:
        assert [case.case_id for case in spec.files(data, sequence)] == [f"{variant}-000", f"{variant}-001"]
    assert {row["split"] for row in table(data / spec.name, "cases.csv")} == {"val", "test"}


def test_a_cohort_is_made_when_it_is_first_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "datasets.simulation.phantom.cohort.draw_subject", lambda number, **_: subject(number.variant, 0)
    )
    monkeypatch.setattr(
        "datasets.simulation.phantom.cohort._numbers", lambda variant, *_: [SubjectNumber(False, 0, variant)]
    )
    spec = dataset("phantom-ms")
    assert spec.simulate is not None
    spec.simulate(tmp_path)
    assert [case.case_id for case in spec.files(tmp_path, "t1")] == ["ms-000"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_seed_gives_one_cohort_whatever_the_number_of_cases(data: Path, tmp_path: Path, variant: str) -> None:
    write_phantom(tmp_path / "one", variant=variant, lesion=1, spacing=SPACING)
    spec = dataset(f"phantom-{variant}")
    for sequence in spec.sequences:
        assert digest(spec.files(tmp_path / "one", sequence)) == digest(spec.files(data, sequence)[:1])
    first = [row for row in table(data / spec.name, "lesions.csv") if row["case_id"] == f"{variant}-000"]
    assert table(tmp_path / "one" / spec.name, "lesions.csv") == first


def test_no_two_cohorts_share_random_numbers() -> None:
    streams = [family.stream for family in FAMILIES.values()]
    assert len({1, *streams}) == len(streams) + 1  # 1 is that of healthy people


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_table_describes_the_components_of_the_masks(data: Path, variant: str) -> None:
    folder = data / f"phantom-{variant}"
    for case_id in (f"{variant}-000", f"{variant}-001"):
        mask = voxels(folder / "lesion_mask" / f"{case_id}.nii.gz")
        labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
        sizes = sorted(np.bincount(labels.ravel())[1:] * 0.064)
        own = sorted(float(row["volume_ml"]) for row in table(folder, "lesions.csv") if row["case_id"] == case_id)
        assert count == len(own)
        assert np.allclose(sizes, own, atol=6e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_volumes_and_places_are_within_what_is_stated(variant: str) -> None:
    low, high = TOTAL_ML[variant]
    for one in subjects(variant):
        total = sum(lesion.volume_ml for lesion in one.lesions.table)
        assert 0.9 * low <= total <= 1.05 * high
        assert total == pytest.approx(one.lesions.lesion_mask.sum() * 0.064)
        assert not (one.lesions.lesion_mask & ~one.anatomy.brain_mask).any()


def test_volumes_of_gliomas_are_those_that_were_drawn() -> None:
    for index in range(COUNT):
        seeds = np.random.SeedSequence(0, spawn_key=(FAMILIES["glioma"].stream, index)).spawn(4)
        place = (0.5 + 0.6180339887498949 * index) % 1 + np.random.default_rng(seeds[1]).uniform(-0.05, 0.05)
        drawn = 5 * 24 ** np.clip(place, 0, 1)
        assert subject("glioma", index).lesions.table[0].volume_ml == pytest.approx(drawn, rel=0.12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_head_without_lesions_differs_only_where_lesions_or_displacement_are(variant: str) -> None:
    for one in subjects(variant)[:3]:
        healthy = one.without_lesions()
        assert np.array_equal(healthy.anatomy.brain_mask, one.anatomy.brain_mask)
        touched = ndimage.binary_dilation(one.lesions.lesion_mask, iterations=2)
        touched |= np.abs(one.anatomy.white - one.undisplaced.white) > 0
        touched |= np.abs(one.anatomy.csf - one.undisplaced.csf) > 0
        assert not healthy.lesions.lesion_mask.any()
        assert np.array_equal(healthy.anatomy.csf, one.undisplaced.csf)
        assert np.array_equal(one.anatomy.csf, one.undisplaced.csf) == (variant != "glioma")
        for sequence, image in one.scan().items():
            changed = image != healthy.scan()[sequence]
            assert not (changed & ~touched).any()
            assert changed[one.lesions.lesion_mask].mean() > 0.8


@pytest.mark.parametrize("variant", VARIANTS)
def test_healthy_counterparts_are_written_on_request(data: Path, variant: str) -> None:
    folder = data / f"phantom-{variant}"
    expected = subject(variant, 0).without_lesions().scan()
    for sequence, image in expected.items():
        assert np.array_equal(voxels(folder / "healthy" / sequence / f"{variant}-000.nii.gz"), image)


def test_each_disease_has_the_contrasts_it_is_known_for() -> None:
    """Signal over white matter's, of lesions larger than partial volume."""
    ratios = {variant: _mean_ratios(variant) for variant in VARIANTS}
    for variant in ("glioma", "ms", "wmh"):
        assert ratios[variant]["t1"] < 1 < ratios[variant]["flair"] < ratios[variant]["t2"]
    assert 0.65 < ratios["glioma"]["t1"] < 0.85
    assert 1.3 < ratios["glioma"]["flair"] < 1.8
    assert 0.85 < ratios["wmh"]["t1"] < 1
    assert ratios["wmh"]["t1"] > ratios["ms"]["t1"] > ratios["stroke"]["t1"]
    assert ratios["stroke"]["t2"] > ratios["ms"]["t2"]


def _mean_ratios(variant: str) -> dict[str, float]:
    found = [
        ratio
        for one in subjects(variant)
        for lesion, ratio in zip(one.lesions.table, one.lesion_to_white(), strict=True)
        if lesion.volume_ml > 0.2
    ]
    return {sequence: float(np.mean([ratio[sequence] for ratio in found])) for sequence in ("t1", "t2", "flair")}


def test_the_stated_ratio_is_that_of_the_images() -> None:
    one = subject("glioma", 4)
    white = (one.anatomy.white > 0.95) & ~ndimage.binary_dilation(one.lesions.lesion_mask, iterations=3)
    for sequence, image in one.scan().items():
        measured = image[one.lesions.lesion_mask].mean() / image[white].mean()
        assert measured == pytest.approx(one.lesion_to_white()[0][sequence], rel=0.1)


def coded(lattice: SamplingLattice, brain_mask: NDArray[np.bool_]) -> TissueMaps:
    """An anatomy whose grey share tells x; nothing of it is fluid."""
    x, _, _ = lattice.axes
    grey = np.where(brain_mask, np.clip(0.5 + x / 200, 0, 1), 0).astype(np.float32)
    white = np.where(brain_mask, 1 - grey, 0).astype(np.float32)
    return TissueMaps(grey, white, np.zeros_like(grey), brain_mask, lattice)


def test_a_mass_moves_tissue_as_far_as_it_states() -> None:
    plain = subject("glioma", 0).undisplaced
    anatomy = coded(plain.lattice, ndimage.binary_fill_holes(plain.brain_mask))
    pushed = displace(anatomy, np.array([30.0, -15.0, 25.0]), 22.0, 0.7)
    inner = ndimage.binary_erosion(anatomy.brain_mask, iterations=2)
    came_from = (pushed.anatomy.grey - 0.5) * 200
    moved = (plain.lattice.axes[0] - came_from)[inner]
    assert np.allclose(moved, pushed.vectors[0][inner], atol=0.3)
    assert 4 < pushed.moved_mm.max() < 22 * (1 - 0.3 ** (1 / 3)) + 0.1


@pytest.mark.parametrize("index", range(3))
def test_a_glioma_keeps_the_brains_outline_and_squeezes_fluid(index: int) -> None:
    one = subject("glioma", index)
    now, before = one.anatomy, one.undisplaced
    assert np.array_equal(now.brain_mask, before.brain_mask)
    assert np.allclose(now.grey + now.white + now.csf, now.brain_mask, atol=1e-5)
    surface = now.brain_mask & ~ndimage.binary_erosion(now.brain_mask)
    assert np.array_equal(now.white[surface], before.white[surface])
    assert now.csf.sum() < before.csf.sum()
    assert 1 < one.lesions.table[0].displacement_mm < 15
    assert len(one.lesions.table) == 1


def test_a_push_folds_nothing() -> None:
    anatomy = subject("glioma", 0).undisplaced
    vectors = displace(anatomy, np.array([-40.0, 10.0, 20.0]), 28.0, 0.9).vectors
    for axis in range(3):
        origin = np.indices(anatomy.lattice.shape)[axis] * SPACING - vectors[axis]
        assert np.diff(origin, axis=axis).min() > 0


def test_sub_regions_fill_the_lesion_and_nothing_else() -> None:
    for variant, names in (("glioma", {1, 2, 4}), ("stroke", {1, 2})):
        for one in subjects(variant):
            assert one.lesions.regions is not None
            assert set(np.unique(one.lesions.regions)) <= {0} | names
            assert np.array_equal(one.lesions.regions > 0, one.lesions.lesion_mask)


def test_ms_lesions_are_many_small_and_at_their_places() -> None:
    lesions = [lesion for one in subjects("ms") for lesion in one.lesions.table]
    assert all(4 <= len(one.lesions.table) <= 50 for one in subjects("ms"))
    assert max(lesion.volume_ml for lesion in lesions) < 2.1
    found = [lesion.place for lesion in lesions]
    assert set(found) == set(PLACES)
    assert found.count("periventricular") > found.count("infratentorial")
    below = [lesion.centre for lesion in lesions if lesion.place == "infratentorial"]
    assert all(z < 0 and y < -5 for _, y, z in below)


def test_an_infarct_stays_in_one_hemisphere_and_reaches_the_cortex() -> None:
    for one in subjects("stroke"):
        infarct = one.lesions.labels == 1
        x = np.broadcast_to(one.anatomy.lattice.axes[0], infarct.shape)[infarct]
        assert len(np.unique(np.sign(x))) == 1
        depth = ndimage.distance_transform_edt(one.anatomy.brain_mask, sampling=SPACING)
        assert depth[infarct].min() < 13


def test_even_a_large_infarct_beside_the_midline_stays_on_its_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stroke, "TERRITORIES", {"anterior": 1.0})
    anatomy = subject("stroke", 4).undisplaced
    infarct = stroke.draw_stroke(anatomy, 4, np.random.default_rng(0)).lesions.labels == 1
    assert len(np.unique(np.sign(np.argwhere(infarct)[:, 0] - 19.5))) == 1


def test_white_matter_hyperintensities_are_as_much_left_as_right() -> None:
    for one in subjects("wmh"):
        mask = one.lesions.lesion_mask
        left, right = mask[:20].sum(), mask[20:].sum()
        assert 0.3 < left / right < 3.4
        assert "periventricular" in {lesion.place for lesion in one.lesions.table}


def test_age_is_told_and_goes_with_atrophy_and_load(data: Path) -> None:
    ages = {name: [int(row["age"]) for row in table(data / f"phantom-{name}", "cases.csv")] for name in VARIANTS}
    assert all(18 <= age <= 94 for own in ages.values() for age in own)
    assert {row["sex"] for name in VARIANTS for row in table(data / f"phantom-{name}", "cases.csv")} <= {"F", "M"}
    cohort = [one for variant in VARIANTS for one in subjects(variant)]
    atrophy = [one.undisplaced.atrophy for one in cohort]
    assert np.corrcoef([one.person.age for one in cohort], atrophy)[0, 1] > 0.5
    fluid = [one.undisplaced.csf.sum() / one.undisplaced.brain_mask.sum() for one in cohort]
    assert np.corrcoef(atrophy, fluid)[0, 1] > 0.7
    loads = [one.lesions.lesion_mask.sum() for one in subjects("wmh")]
    assert np.corrcoef([one.person.age for one in subjects("wmh")], np.log(loads))[0, 1] > 0.5


def test_atrophy_widens_what_is_fluid_and_changes_nothing_else_of_a_head() -> None:
    young, old = (
        draw_anatomy(SamplingLattice(SPACING), np.random.default_rng(5), atrophy=atrophy) for atrophy in (-1.5, 1.5)
    )
    assert np.array_equal(young.brain_mask, old.brain_mask)
    assert old.csf.sum() > 1.5 * young.csf.sum()
    solid = (young.csf < 0.9) & (old.csf < 0.9) & young.brain_mask
    young_white, old_white = (one.white[solid] / (1 - one.csf[solid]) for one in (young, old))
    assert np.allclose(young_white, old_white, atol=1e-3)


def test_an_unknown_variant_is_answered_with_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'glioma'"):
        write_phantom(tmp_path, variant="gliom")


def test_variants_hold_no_healthy_cases(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match="healthy ones are in phantom"):
        write_phantom(tmp_path, variant="ms", healthy=2)


def test_the_program_writes_a_variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "datasets",
        "phantom",
        "--variant",
        "stroke",
        "--lesion",
        "1",
        "--spacing",
        str(SPACING),
        "--data",
        str(tmp_path),
    ]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == 0
    assert "Wrote 1 case" in capsys.readouterr().out
    assert (tmp_path / "phantom-stroke" / "regions" / "stroke-000.nii.gz").is_file()
