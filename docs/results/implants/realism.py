"""How real implants look: numbers of lesions, real and implanted, and a classifier that tells them apart.

    python docs/results/implants/realism.py DATA [--implants implant-ixi] [--real lgg] [--sequence t1]

Real lesions and implants come from different scanners, so that a classifier may tell the scans apart rather than the
lesions. Its control has the same features of the same masks over lesion-free tissue: a real lesion's mask mirrored to
the other hemisphere, an implant's over its host. Needs scikit-learn.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.simulation.implants.tissue import Tissues, segment_tissues

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
SMALLEST_ML = 2.0  # smaller ones have too few voxels for a texture
RING_MM = (3.0, 10.0)  # about a lesion: the tissue that it is compared with
DARK = (-1.0, -0.5)  # contrasts of the implants that T1 lesions are compared with
FOLDS = 5


@dataclass(frozen=True)
class Look:
    """What a lesion looks like on its surroundings; intensities in steps from grey to white matter.

    Attributes:
        contrast: median inside less median of the ring.
        evenness: s.d. inside over that of the ring.
        texture: s.d. inside over that of the ring, of what is finer than 3 mm.
        smoothness: correlation of neighbouring voxels inside less that of the ring.
        edge: mean step from 3 mm inside to 3 mm outside the mask's border.
        sharpness: gradient at the border over that of the ring.
        skew: of the intensities inside.
        centre: median of the innermost third less that of the outermost.
    """

    contrast: float
    evenness: float
    texture: float
    smoothness: float
    edge: float
    sharpness: float
    skew: float
    centre: float


def look(image: Array, mask: Mask, tissues: Tissues) -> Look | None:
    """None where the lesion or its ring is too small."""
    spacing = tissues.spacing
    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    solid = tissues.solid
    ring = solid & (outside > RING_MM[0]) & (outside <= RING_MM[1])
    if mask.sum() * tissues.voxel_ml < SMALLEST_ML or ring.sum() < 200:
        return None
    scaled = image / tissues.step(image)
    fine = scaled - ndimage.gaussian_filter(scaled, [3 / edge for edge in spacing])
    steepness = ndimage.gaussian_gradient_magnitude(scaled, 1.0)
    border = (inside > 0) & (inside <= 2.5) & solid
    near_in, near_out = (inside > 0) & (inside <= 4), (outside > 0) & (outside <= 4) & solid
    values = scaled[mask]
    depth = inside[mask]
    deep, shallow = values[depth >= np.quantile(depth, 2 / 3)], values[depth <= np.quantile(depth, 1 / 3)]
    return Look(
        contrast=float(np.median(values) - np.median(scaled[ring])),
        evenness=float(values.std() / scaled[ring].std()),
        texture=float(fine[mask].std() / fine[ring].std()),
        smoothness=_neighbours(scaled, mask) - _neighbours(scaled, ring),
        edge=float(scaled[near_in].mean() - scaled[near_out].mean()),
        sharpness=float(steepness[border].mean() / steepness[ring].mean()),
        skew=float((((values - values.mean()) / values.std()) ** 3).mean()),
        centre=float(np.median(deep) - np.median(shallow)),
    )


def _neighbours(image: Array, where: Mask) -> float:
    """Correlation of voxels beside each other along x, both in the region."""
    both = where[1:] & where[:-1]
    if both.sum() < 20:
        return 0.0
    return float(np.corrcoef(image[1:][both], image[:-1][both])[0, 1])


@dataclass(frozen=True)
class Sample:
    """A lesion or a lesion-free patch of the same form."""

    subject: str
    look: Look


def real(folder: Path, sequence: str) -> Iterator[tuple[Sample, Sample | None]]:
    """Each lesion, and its mirror image's tissue where that is free of lesion."""
    for row in csv.DictReader((folder / "cases.csv").open(encoding="utf-8-sig")):
        if sequence not in row["sequences"].split():
            continue
        image, brain, lesion, spacing = _load(folder, sequence, row["case_id"], row["case_id"])
        tissues = segment_tissues({sequence: np.where(lesion, np.median(image[brain]), image)}, brain, spacing)
        own = look(image, lesion & tissues.brain_mask, tissues)
        mirrored = lesion[::-1] & brain & tissues.solid
        free = look(image, mirrored & ~lesion, tissues) if not (mirrored & lesion).any() else None
        if own is not None:
            yield Sample(row["subject_id"], own), None if free is None else Sample(row["subject_id"], free)


def implanted(folder: Path, sequence: str) -> Iterator[tuple[Sample, Sample | None]]:
    """Each dark implant, and its host's tissue under the same mask."""
    subjects = {row["case_id"]: row["subject_id"] for row in csv.DictReader((folder / "cases.csv").open())}
    for row in csv.DictReader((folder / "lesions.csv").open(encoding="utf-8-sig")):
        if row["kind"] != "lesion" or not DARK[0] <= float(row["contrast"]) <= DARK[1]:
            continue
        image, brain, lesion, spacing = _load(folder, sequence, row["case_id"], row["case_id"])
        host, *_ = _load(folder, sequence, row["host"], row["case_id"])
        tissues = segment_tissues({sequence: host}, brain, spacing)
        own, free = look(image, lesion, tissues), look(host, lesion, tissues)
        subject = subjects[row["case_id"]]
        if own is not None:
            yield Sample(subject, own), None if free is None else Sample(subject, free)


def _load(
    folder: Path, sequence: str, case_id: str, masks_of: str
) -> tuple[Array, Mask, Mask, tuple[float, float, float]]:
    files = [folder / sequence / f"{case_id}.nii.gz"]
    files += [folder / kind / f"{masks_of}.nii.gz" for kind in ("brain_mask", "lesion_mask")]
    image, brain, lesion = (nibabel.nifti1.load(path) for path in files)
    x, y, z = np.linalg.norm(image.affine[:3, :3], axis=0)
    return image.get_fdata(), brain.get_fdata() > 0.5, lesion.get_fdata() > 0.5, (float(x), float(y), float(z))


def separability(one: list[Sample], other: list[Sample], kind: str) -> tuple[float, float]:
    """AUC of a classifier over folds of subjects, and its s.d. over ten shuffles of them."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    samples = [*one, *other]
    features = np.array([list(asdict(sample.look).values()) for sample in samples])
    truth = np.array([1] * len(one) + [0] * len(other))
    groups = [sample.subject for sample in samples]
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "forest": RandomForestClassifier(200, min_samples_leaf=3, random_state=0),
    }
    areas = []
    for shuffle in range(10 if kind == "logistic" else 3):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=shuffle)
        told = cross_val_predict(models[kind], features, truth, groups=groups, cv=folds, method="predict_proba")
        areas.append(roc_auc_score(truth, told[:, 1]))
    return float(np.mean(areas)), float(np.std(areas))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--implants", default="implant-ixi")
    parser.add_argument("--real", default="lgg")
    parser.add_argument("--sequence", default="t1")
    asked = parser.parse_args()
    lesions = list(real(asked.data / asked.real, asked.sequence))
    implants = list(implanted(asked.data / asked.implants, asked.sequence))
    print(f"{len(lesions)} lesions of {asked.real}, {len(implants)} implants of {asked.implants}; median (quartiles)")
    columns = {
        "real": [one for one, _ in lesions],
        "implant": [one for one, _ in implants],
        "real, free": [free for _, free in lesions if free is not None],
        "implant, free": [free for _, free in implants if free is not None],
    }
    print(f"{'':<11}" + "".join(f"{name:>24}" for name in columns))
    for field in fields(Look):
        values = [np.array([getattr(one.look, field.name) for one in samples]) for samples in columns.values()]
        quartiles = [np.quantile(one, [0.25, 0.5, 0.75]) for one in values]
        shown = [f"{middle:.2f} ({low:.2f} to {high:.2f})" for low, middle, high in quartiles]
        print(f"{field.name:<11}" + "".join(f"{text:>24}" for text in shown))
    for kind in ("logistic", "forest"):
        told = separability(columns["real"], columns["implant"], kind)
        control = separability(columns["real, free"], columns["implant, free"], kind)
        print(f"{kind}: AUC real or implant {told[0]:.2f} (s.d. {told[1]:.2f}); lesion-free control {control[0]:.2f}")


if __name__ == "__main__":
    main()
