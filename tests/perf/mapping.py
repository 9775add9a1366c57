"""Maps N simulated scans as a run does, and prints the most memory that this took: `python mapping.py N FOLDER`."""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark.inference.cpu import prepare_cpu

prepare_cpu()

from baselines.autoencoders.ae import AE  # noqa: E402
from benchmark.inference.predict import predict  # noqa: E402
from benchmark.inference.prefetch import WriteBehind  # noqa: E402
from benchmark.inference.settings import Inference  # noqa: E402
from benchmark.inference.usage import peak_bytes  # noqa: E402
from benchmark.storage.maps import write_map  # noqa: E402
from datasets.cohorts.catalog import dataset  # noqa: E402
from datasets.grid import Grid  # noqa: E402
from datasets.loading import Cases  # noqa: E402
from datasets.simulation.phantom.cohort import write_phantom  # noqa: E402

GRID = Grid(shape=(16, 16, 12), spacing=10.0)


def map_scans(count: int, folder: Path) -> int:
    """Peak resident bytes of this process."""
    if not (folder / "phantom").exists():
        write_phantom(folder, healthy=10, lesion=0, spacing=4.0)
    found = dataset("phantom").files(folder, "t1")
    files = [replace(found[index % len(found)], case_id=f"case-{index}") for index in range(count)]
    detector = AE(AE.Config(size=16, augment=False))
    with WriteBehind() as writing:
        for one in predict(detector, Cases(files, GRID), Inference(), seed=0):
            map_path = folder / f"{int(one.case.case_id[5:]) % 100}.nii.gz"  # written over: the disk is not asked
            writing.do(partial(write_map, map_path, one.anomaly_map, one.case.affine))
    return peak_bytes("cpu")


if __name__ == "__main__":
    print(map_scans(int(sys.argv[1]), Path(sys.argv[2])))
