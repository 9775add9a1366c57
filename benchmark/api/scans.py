"""load_detector: a trained method on arrays and on NIfTI scans."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.methods.told import Asked
from benchmark.storage.fits import FitFolder, find_fit
from datasets.errors import BadValue

if TYPE_CHECKING:
    from benchmark.inference.predict import Prediction
    from benchmark.inference.settings import Inference
    from benchmark.methods.detector import Detector
    from datasets.preparation.scan import Setup

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]


def load_detector(fit: str | Path, *, run: str | Path | None = None, device: str = "auto") -> "FittedDetector":
    """Open the fit of a method, with its weights.

    Args:
        fit: a folder such as RUN/fits/ddpm-<key>; with `run`, the name of its folder, or of a method with one fit.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        MissingData: there is no such fit.
        UnknownName, BadValue: the run has no fit of that name, or several; there is no such device; the method does
            not map single scans of one sequence.
        BadFile: record or weights cannot be read by this version.

    Examples:
        >>> load_detector("zscore", run="first").shape
        (48, 48, 25)
    """
    from benchmark.inference.predict import load_single_scan_detector
    from benchmark.inference.settings import Inference, pick_device

    folder = find_fit(str(fit), None if run is None else Path(run))
    inference = Inference(device=pick_device(device))
    return FittedDetector(folder, load_single_scan_detector(folder, inference.device), inference)


@dataclass(frozen=True)
class FittedDetector:
    """A trained method.

    Attributes:
        folder: of the fit: `folder.fit` says the method, its hyper-parameters, what it was fitted on and the grid.
        detector: the torch module.

    Examples:
        >>> import uadbench
        >>> run = uadbench.load_run("first")
        >>> case = run.case("phantom-glioma", run.cases("phantom-glioma")[0])
        >>> detector = uadbench.load_detector("zscore", run="first")
        >>> anomaly_map = detector.anomaly_map(case.image[0], case.brain_mask)
        >>> anomaly_map.shape, bool((anomaly_map[~case.brain_mask] == 0).all())
        ((48, 48, 25), True)
        >>> files = detector.predict("data/phantom-glioma/t1/glioma-001.nii.gz", threshold=3.0)
        >>> files["picture"].name
        'glioma-001.png'
    """

    folder: FitFolder
    detector: "Detector"
    inference: "Inference"

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y, z of the grid that the method was fitted on."""
        return self.folder.fit.grid.shape

    def anomaly_map(self, image: Volume, brain_mask: Mask | None = None, *, seed: int = 0) -> Volume:
        """Map anomalies in one image on the grid of the fit.

        Args:
            image: `(X, Y, Z)` in [0, 1], 0 outside the brain, RAS+ axes; `Run.case(...).image` holds such ones.
            brain_mask: `(X, Y, Z)` bool; default: where the image is above 0.
            seed: of methods that draw random numbers.

        Returns:
            `(X, Y, Z)` float32, nonnegative, 0 outside the brain; higher is more anomalous.

        Raises:
            BadValue: shape or values are not those.
        """
        return self._map(image, brain_mask, seed).anomaly_map

    def reconstruction(self, image: Volume, brain_mask: Mask | None = None, *, seed: int = 0) -> Volume | None:
        """The healthy counterpart of an image; arguments as of `anomaly_map`. None for a method that makes none."""
        made = self._map(image, brain_mask, seed).reconstruction
        return None if made is None else made[0]

    def predict(
        self,
        scan: str | Path,
        *,
        out: str | Path = "predictions",
        name: str | None = None,
        brain_mask: str | Path | None = None,
        setup: "Setup | None" = None,
        threshold: float | None = None,
        seed: int = 0,
    ) -> dict[str, Path]:
        """Map anomalies in a NIfTI scan, and write the map in the scan's own space. Research use only.

        Args:
            out: folder of the files that are written.
            name: what their names begin with; default: the scan's.
            brain_mask: on the scan's own voxels; default: found by the tool of `setup`, or where a prepared scan is
                above 0.
            setup: how the scan is prepared, see `datasets.preparation.scan.Setup`; None for a scan that is prepared.
            threshold: write what is above it as a mask, too, and outline it in the picture; see `thresholds`.

        Returns:
            the files that were written: "anomaly_map", "brain_mask", "reconstruction" and "detection" where there is
            one, "picture" (PNG), "record" (JSON).

        Raises:
            UserError: the scan cannot be used, which the message explains.
        """
        from benchmark.inference.scan import ScanSettings, output_names, predict_scan
        from reports.api import write_scan_picture

        path = Path(scan)
        name = output_names([path])[0] if name is None else name
        mask = None if brain_mask is None else Path(brain_mask)
        settings = ScanSettings(self.folder, setup, mask, threshold, Path(out), seed)
        made = predict_scan(path, name, self.detector, settings, self.inference)
        files = {file.name[len(name) + 1 : -len(".nii.gz")]: file for file in made.volumes}
        picture, mapped = settings.out / f"{name}.png", made.prediction
        healthy = None if mapped.reconstruction is None else mapped.reconstruction[0]
        title = f"{name}, {self.folder.fit.method}. Research use only."
        write_scan_picture(picture, mapped.case, mapped.anomaly_map, healthy, threshold=threshold, title=title)
        return files | {"picture": picture, "record": made.record}

    def thresholds(self) -> dict[str, float]:
        """Thresholds by protocol that the run of this fit chose on maps as `predict` writes them.

        They are those of maps before any post-processing, chosen without test labels; of several cohorts the first
        that has one. Empty for a fit outside of a run, or before its maps are scored.
        """
        return chosen_thresholds(self.folder)

    def _map(self, image: Volume, brain_mask: Mask | None, seed: int) -> "Prediction":
        from benchmark.inference.predict import predict
        from datasets.case import Case

        volume = np.asarray(image, dtype=np.float32).reshape(np.shape(image)[-3:])
        brain = volume > 0 if brain_mask is None else np.asarray(brain_mask, dtype=bool)
        for what, got in (("image", volume), ("brain_mask", brain)):
            if got.shape != self.shape:
                raise BadValue(
                    f"{what}: got shape {got.shape}, expected {self.shape}, the grid of {self.folder.fit.name}."
                )
        if not np.isfinite(volume).all() or volume.min() < 0 or volume.max() > 1:
            raise BadValue(f"image: got values from {volume.min():g} to {volume.max():g}, expected them in [0, 1].")
        affine = np.diag([*[self.folder.fit.grid.spacing] * 3, 1.0])
        case = Case("array", np.where(brain, volume, 0)[None], brain, None, affine)
        (prediction,) = predict(self.detector, [case], self.inference, seed=seed)
        return prediction


class DetectorApart:
    """A trained plugin in a process of its own, for `FittedDetector.predict` alone; to be closed.

    Args:
        folder, device: as of `load_detector`.
    """

    def __init__(self, folder: Path, device: str) -> None:
        from benchmark.inference.cpu import threads_here

        self._asked = Asked(_Predicting, folder, device, threads_here())
        self._asked.ask("load")

    def predict(self, scan: Path, **settings: Any) -> dict[str, Path]:
        """See `FittedDetector.predict`.

        Raises:
            UserError: the scan cannot be used, the plugin raises, or its process ends.
        """
        return {name: Path(path) for name, path in self._asked.ask("predict", scan, settings).items()}

    def close(self) -> None:
        self._asked.close()


class _Predicting:
    """In the process of a plugin."""

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        from benchmark.inference.cpu import compute_as_parent

        compute_as_parent(threads)
        self.given = folder, device

    @cached_property
    def detector(self) -> FittedDetector:
        folder, device = self.given
        return load_detector(folder, device=device)

    def load(self) -> None:
        """Raise what cannot be loaded before a scan is tried."""
        _ = self.detector

    def predict(self, scan: Path, settings: dict[str, Any]) -> dict[str, str]:
        return {name: str(path) for name, path in self.detector.predict(scan, **settings).items()}


def chosen_thresholds(folder: FitFolder) -> dict[str, float]:
    """See `FittedDetector.thresholds`."""
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import kept_cells, thresholds_of
    from benchmark.study.protocols import PROTOCOLS

    found: dict[str, float] = {}
    root = folder.path.resolve().parents[1]
    for cell in kept_cells(open_run(root)) if (root / "study.json").is_file() else ():
        if cell.fit.key != folder.fit.key or cell.shift.name != "none":
            continue
        for (pipeline, name), value in thresholds_of(open_run(root), cell).items():
            known = name in PROTOCOLS and not PROTOCOLS[name].sees_test_labels
            if pipeline == "none" and known and np.isfinite(value):
                found.setdefault(name, value)
    return found
