"""A fit by its folder, outside of any study: found, and its detector loaded from config.json, fit.json and weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.methods.hyperparameters import build
from benchmark.storage.folder import check_format, open_run
from benchmark.study.cells import Fit
from datasets.errors import BadFile, BadValue, MissingData, UnknownName
from datasets.io.atomic import read_json

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector


@dataclass(frozen=True)
class FitFolder:
    """A finished fit and where it is kept."""

    path: Path
    fit: Fit

    @property
    def sequence(self) -> str:
        """The MRI contrast that the detector has learnt."""
        return self.fit.healthy.sequence


def find_fit(named: str, run: Path | None) -> FitFolder:
    """The fit in the folder `named`; in a run it can be named by its folder's name, or by its method's if that is one.

    Raises:
        MissingData: there is no such folder, or the run is none.
        UnknownName: the run has no such fit; the message says which it has.
        BadValue: a method's name stands for several fits.
        BadFile: the fit's record cannot be read.
    """
    if run is None:
        return read_fit(Path(named))
    fits = {path.parent.name: path.parent for path in sorted(open_run(run).root.glob("fits/*/fit.json"))}
    if named in fits:
        return read_fit(fits[named])
    meant = [path for name, path in fits.items() if read_fit(path).fit.method == named]
    if len(meant) > 1:
        names = ", ".join(path.name for path in meant)
        raise BadValue(f"Fit '{named}': got {len(meant)} fits of this method in {run}, wanted one of {names}.")
    if not meant:
        raise UnknownName(f"finished fit in {run} called", named, fits)
    return read_fit(meant[0])


def read_fit(folder: Path) -> FitFolder:
    """What `fit.json` says of a finished fit.

    Raises:
        MissingData: there is none in the folder.
        BadFile: it is not one that this version reads.
    """
    from pydantic import TypeAdapter, ValidationError

    record = folder / "fit.json"
    if not record.is_file():
        raise MissingData(
            f"No finished fit at {folder}: looked for {record}. Name a folder such as RUN/fits/ddpm-<key>, "
            "or a fit's name with --run RUN."
        )
    content = read_json(record)
    check_format(record, content)
    try:
        fit = TypeAdapter(Fit).validate_python(content.get("fit"))
    except ValidationError as error:
        raise BadFile(f"{record}: got no fit of this version ({error.errors()[0]['msg']}), wanted one.") from error
    return FitFolder(folder, fit)


def load_detector(folder: FitFolder, device: str) -> "Detector":
    """The fitted detector on a device.

    Raises:
        BadFile: its weights cannot be loaded.
        BadValue: it is one that has to be told where other patients' lesions lie.
    """
    from benchmark.methods.detector import LabelledDetector
    from benchmark.methods.weights import load_weights

    detector = build(folder.fit.method, folder.fit.target, folder.fit.config).to(device)
    if isinstance(detector, LabelledDetector):
        raise BadValue(
            f"{folder.path.name}: got a method that is told where the lesions of a cohort's other patients lie, "
            "wanted one that maps a scan by itself."
        )
    load_weights(detector, folder.path)
    return detector
