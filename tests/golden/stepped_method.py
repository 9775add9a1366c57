"""A method as a program in NumPy: distance to the healthy mean, in steps so wide that no rounding crosses one.

Called as `stepped_method.py version` it says what its numbers depend on; as `stepped_method.py serve` it reads the path
of a manifest a line, does what the manifest says and answers `done`.
"""

import json
import sys
from pathlib import Path

import numpy as np

LEVELS = 64  # steps of [0, 1]; between 0 and the first lies an odd part, so that round intensities lie on no edge
EDGE = 0.3719


def fit(folder, manifest):
    """The mean level of each voxel over a random three quarters of the training scans."""
    scans = [case for case in manifest["cases"] if case["split"] == "train"]
    chosen = np.random.default_rng(manifest["seed"]).permutation(len(scans))[: max(1, len(scans) * 3 // 4)]
    levels = [levels_of(np.load(folder / scans[index]["image"])) for index in sorted(chosen)]
    np.save(folder / manifest["state"] / "mean.npy", sum(levels) // len(levels))


def anomaly_maps(folder, manifest):
    """Levels beyond the healthy mean, and sixteenths of a level at random; the mean is the reconstruction."""
    mean = np.load(folder / manifest["state"] / "mean.npy")
    for case in manifest["cases"]:
        brain = np.load(folder / case["brain_mask"]).astype(bool)
        image = levels_of(np.load(folder / case["image"]))
        noise = np.random.default_rng(case["seed"]).integers(0, manifest["config"]["noise"], image.shape)
        found = (abs(image - mean) * 16 + noise) * brain
        np.save(folder / case["map"], (found / 1024).astype(np.float32))
        np.save(folder / case["reconstruction"], (mean * brain / LEVELS).astype(np.float32))


def levels_of(image):
    """Whole numbers; `image` is float32 in [0, 1]."""
    return np.floor(image * LEVELS + EDGE).astype(np.int64)


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print("stepped 1.0")
    else:
        print("ready", flush=True)
        for line in sys.stdin:
            path = Path(line.strip())
            manifest = json.loads(path.read_text())
            {"fit": fit, "map": anomaly_maps}[manifest["task"]](path.parent, manifest)
            print("done", flush=True)
