"""predict_scan: the anomaly map of any scan, in that scan's own space."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark import __version__
from benchmark.storage.fits import FitFolder
from datasets.case import Case, CaseFiles, RawCase
from datasets.errors import BadValue
from datasets.io.atomic import write_json, written_whole
from datasets.io.files import sha256
from datasets.io.nifti import Lattice, Matrix, Volume, read_volume, stem, write_volume
from datasets.loading import load_case
from datasets.preparation.resampling import check_same_lattice, read_scan, resample, resample_mask
from datasets.preparation.scan import PreparedScan, Setup, prepare_scan
from datasets.preparation.stripping import brain_of_stripped_scan, check_brain

if TYPE_CHECKING:
    from benchmark.inference.predict import Prediction
    from benchmark.inference.settings import Inference
    from benchmark.methods.detector import Detector

USE = "Research use only: not a medical device, not for diagnosis or treatment."


@dataclass(frozen=True)
class ScanSettings:
    """Settings for every scan.

    Attributes:
        setup: how scans are prepared; None if they are in the prepared space already.
        brain_mask: on the scan's own voxels; None if the brain has to be segmented.
        threshold: on the map as the method gives it; None for no detection.
        seed: of sampling; equal seeds and names give equal maps.
    """

    folder: FitFolder
    setup: Setup | None
    brain_mask: Path | None
    threshold: float | None
    out: Path
    seed: int = 0


@dataclass(frozen=True)
class GridScan:
    """A scan on the detector's grid, and the way back to its own.

    Attributes:
        brain: the whole brain, in the space of the grid's mm.
        to_grid: `(4, 4)` from the scan's own mm to the grid's.
        facts: how it was prepared, for the record.
    """

    case: Case
    brain: Volume
    to_grid: Matrix
    facts: dict[str, Any]


def output_names(scans: Sequence[Path]) -> list[str]:
    """The name of each scan's outputs: its file's, with its folder's before it where two files have one name.

    Raises:
        BadValue: a file is given twice, or two files cannot be told apart by their folders.
    """
    stems = [_stem(path) for path in scans]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    names = [
        f"{path.resolve().parent.name}_{stem}" if stem in twice else stem
        for path, stem in zip(scans, stems, strict=True)
    ]
    for name, path in zip(names, scans, strict=True):
        if names.count(name) > 1:
            raise BadValue(f"{path}: got another scan with the output name {name}, expected every scan once.")
    return names


@dataclass(frozen=True)
class MappedScan:
    """A scan whose map has been written.

    Attributes:
        volumes: the written NIfTI files, the anomaly map first, on the scan's own voxels.
        record: JSON of how they were made.
        prediction: the map on the detector's grid, before it was brought back.
    """

    volumes: tuple[Path, ...]
    record: Path
    prediction: "Prediction"


def predict_scan(
    scan: Path, name: str, detector: "Detector", settings: ScanSettings, inference: "Inference"
) -> MappedScan:
    """Write the map of one scan into `settings.out`.

    The map and the reconstruction come back by one trilinear interpolation through the inverse of the composed
    registration. Outside the brain, and where the method's grid does not reach, the map is 0.

    Raises:
        UserError: the scan cannot be used, which the message explains.
    """
    from benchmark.inference.predict import predict

    own = read_scan(scan).lattice
    on_grid = (
        _take_prepared(scan, name, settings)
        if settings.setup is None
        else _prepare(scan, name, settings, settings.setup)
    )
    (prediction,) = predict(detector, [on_grid.case], replace(inference, volumes=1), seed=settings.seed)
    brain = resample_mask(on_grid.brain, own, on_grid.to_grid)
    volumes = {"anomaly_map": _back(prediction.anomaly_map, on_grid, own) * brain}
    if prediction.reconstruction is not None:
        volumes["reconstruction"] = _back(prediction.reconstruction[0], on_grid, own) * brain
    written = _write(settings, name, volumes, brain, own)
    facts = {**_facts(scan, settings, inference), **on_grid.facts, "files": [path.name for path in written]}
    facts["seconds_of_inference"] = round(prediction.seconds, 3)
    facts["share_of_brain_mapped"] = round(_share_mapped(on_grid), 4)
    record = settings.out / f"{name}.json"
    write_json(record, facts)
    return MappedScan(tuple(written), record, prediction)


def _prepare(scan: Path, name: str, settings: ScanSettings, setup: Setup) -> GridScan:
    """Prepare a scan as a cohort's scans are prepared, and load it with the same loader."""
    sequence = settings.folder.sequence
    raw = RawCase(name, name, {sequence: scan}, sequence, brain_mask=settings.brain_mask)
    prepared = prepare_scan(raw, setup)
    facts = {
        "preparation": asdict(setup.parameters),
        "template_sha256": setup.template.sha256,
        "stripper": setup.stripper.name if settings.brain_mask is None else "given mask",
        "brain_ml": round(prepared.brain_ml, 2),
        "brain_overlap_with_template": round(prepared.overlap, 4),
        "template_mm_to_scan_mm": prepared.to_scan[sequence].round(9).tolist(),
        "seconds_of_preparation": dict(prepared.seconds),
        "warnings": list(prepared.warnings),
    }
    brain = Volume(prepared.brain_mask, prepared.lattice.affine)
    to_grid = np.asarray(np.linalg.inv(prepared.to_scan[sequence]), dtype=np.float64)
    return GridScan(_case_of(name, prepared, sequence, settings), brain, to_grid, facts)


def _case_of(name: str, prepared: PreparedScan, sequence: str, settings: ScanSettings) -> Case:
    with TemporaryDirectory(prefix="uadbench-predict-") as folder:
        image, mask = Path(folder) / "image.nii.gz", Path(folder) / "brain_mask.nii.gz"
        write_volume(image, Volume(prepared.images[sequence], prepared.lattice.affine), np.float32)
        write_volume(mask, Volume(prepared.brain_mask, prepared.lattice.affine))
        return _load(name, image, mask, settings)


def _take_prepared(scan: Path, name: str, settings: ScanSettings) -> GridScan:
    """A scan in the prepared space; without a mask, voxels above 0 are the brain."""
    image = read_scan(scan)
    if settings.brain_mask is None:
        brain = Volume(brain_of_stripped_scan(image), image.affine)
    else:
        mask = read_volume(settings.brain_mask, as_stored=True)
        check_same_lattice(settings.brain_mask, mask, scan, image.lattice)
        brain = Volume(np.asarray(mask.data > max(float(mask.data.max()), 0.0) / 2), image.affine)
    ml = check_brain(brain, (settings.brain_mask or scan).name)
    with TemporaryDirectory(prefix="uadbench-predict-") as folder:
        mask_path = Path(folder) / "brain_mask.nii.gz"
        write_volume(mask_path, brain)
        case = _load(name, scan, mask_path, settings)
    return GridScan(case, brain, np.eye(4), {"preparation": None, "brain_ml": round(ml, 2)})


def _load(name: str, image: Path, brain_mask: Path, settings: ScanSettings) -> Case:
    return load_case(CaseFiles(name, image, brain_mask, None, name, "", "test"), settings.folder.fit.grid)


def _back(volume: NDArray[np.float32], on_grid: GridScan, own: Lattice) -> NDArray[np.float32]:
    return np.asarray(resample(Volume(volume, on_grid.case.affine), own, on_grid.to_grid, order=1), dtype=np.float32)


def _write(
    settings: ScanSettings, name: str, volumes: dict[str, NDArray[np.float32]], brain: NDArray[np.bool_], own: Lattice
) -> list[Path]:
    masks = {"brain_mask": brain}
    if settings.threshold is not None:
        masks["detection"] = volumes["anomaly_map"] > settings.threshold
    written = []
    for kind, data in (volumes | masks).items():
        path = settings.out / f"{name}_{kind}.nii.gz"
        with written_whole(path) as beside:
            write_volume(beside, Volume(data, own.affine), None if kind in masks else np.float32)
        written.append(path)
    return written


def _facts(scan: Path, settings: ScanSettings, inference: "Inference") -> dict[str, Any]:
    fit = settings.folder.fit
    return {
        "use": USE,
        "scan": str(scan.resolve()),
        "scan_sha256": sha256(scan),
        "method": fit.method,
        "fit": fit.name,
        "fit_key": fit.key,
        "fitted_on": [asdict(cohort) for cohort in fit.healthy_cohorts],
        "sequence": settings.folder.sequence,
        "grid": asdict(fit.grid),
        "version": __version__,
        "seed": settings.seed,
        "inference": asdict(inference),
        "postprocessing": "none",
        "threshold": settings.threshold,
    }


def _share_mapped(on_grid: GridScan) -> float:
    """Share of the brain's volume that the method's grid covers."""
    whole = float(on_grid.brain.data.sum()) * on_grid.brain.lattice.voxel_ml
    return min(float(on_grid.case.brain_mask.sum()) * on_grid.case.voxel_ml / whole, 1.0)


def _stem(path: Path) -> str:
    name = stem(path)
    if name is None:
        raise BadValue(f"{path}: got this file name, expected a NIfTI scan (.nii.gz or .nii).")
    return name
