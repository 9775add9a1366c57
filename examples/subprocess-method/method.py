"""A method in another interpreter, here one without NumPy: |intensity - mean of healthy brains| ** power.

Called as `method.py version` it says what its numbers depend on; as `method.py serve` it reads the path of a manifest a
line, does what the manifest says and answers `done`.
"""

import ast
import json
import platform
import struct
import sys
from array import array
from pathlib import Path

KINDS = {"<f4": "f", "|u1": "B"}


def read_npy(path):
    """Shape and values, in C order, of an array that the benchmark has written."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", f"{path}: not version 1.0 of .npy"
    (length,) = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10 : 10 + length].decode("latin-1"))
    assert not header["fortran_order"]
    return header["shape"], array(KINDS[header["descr"]], data[10 + length :])


def write_npy(path, shape, values):
    """Write float32 values in C order."""
    header = repr({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)})
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes())


def fit(folder, manifest):
    total = count = 0
    for case in manifest["cases"]:
        if case["split"] == "train":
            inside = [value for value, in_brain in voxels(folder, case) if in_brain]
            total, count = total + sum(inside), count + len(inside)
    (folder / manifest["state"] / "mean.json").write_text(json.dumps(total / count))


def anomaly_maps(folder, manifest):
    mean = json.loads((folder / manifest["state"] / "mean.json").read_text())
    power = manifest["config"]["power"]
    for case in manifest["cases"]:
        shape, _ = read_npy(folder / case["image"])
        values = [abs(value - mean) ** power if in_brain else 0.0 for value, in_brain in voxels(folder, case)]
        write_npy(folder / case["map"], shape, array("f", values))


def voxels(folder, case):
    """Intensity and whether it is of the brain, voxel by voxel."""
    return zip(read_npy(folder / case["image"])[1], read_npy(folder / case["brain_mask"])[1])  # noqa: B905


def serve():
    print("ready", flush=True)
    for line in sys.stdin:
        path = Path(line.strip())
        manifest = json.loads(path.read_text())
        {"fit": fit, "map": anomaly_maps}[manifest["task"]](path.parent, manifest)
        print("done", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(f"local-contrast 1.0, Python {platform.python_version()}")
    else:
        serve()
