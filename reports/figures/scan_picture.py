"""Picture of one scan's anomaly map: axial slices from bottom to top of the brain."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.case import Case
from datasets.io.atomic import written_whole
from reports.figures.map_gallery import OUTLINE
from reports.model.decisions import BRIGHTEST

Volume = NDArray[np.float32]
SLICES = 6
WIDTH = 1.5  # inches of a panel


def write_scan_picture(
    path: Path,
    case: Case,
    anomaly_map: Volume,
    reconstruction: Volume | None = None,
    *,
    threshold: float | None = None,
    title: str = "",
) -> None:
    """Draw six axial slices as PNG: the image, its healthy counterpart where there is one, and the anomaly map.

    The slices are spread evenly, but the one nearest to the highest scores is exchanged for theirs. Anterior is up,
    the patient's left on the left.

    Args:
        anomaly_map, reconstruction: `(X, Y, Z)` on the grid of `case`.
        threshold: what is above it is outlined on the image.
    """
    from matplotlib.figure import Figure

    shown = shown_slices(case, anomaly_map)
    highest = float(np.percentile(np.append(anomaly_map[case.brain_mask], 0), BRIGHTEST)) or 1.0
    rows = {"image": case.image[0]}
    if reconstruction is not None:
        rows["healthy counterpart"] = reconstruction
    rows["anomaly map"] = anomaly_map
    width, height = case.brain_mask.shape[:2]
    size = (SLICES * WIDTH + 0.9, len(rows) * WIDTH * height / width + 0.6)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    panels = figure.subplots(len(rows), SLICES, squeeze=False)
    for (name, volume), line in zip(rows.items(), panels, strict=True):
        colours, top = ("inferno", highest) if name == "anomaly map" else ("gray", 1.0)
        for axes, z in zip(line, shown, strict=True):
            axes.set(xticks=[], yticks=[])
            picture = axes.imshow(volume[:, :, z].T, cmap=colours, vmin=0, vmax=top, origin="lower")
            above = anomaly_map[:, :, z] > (np.inf if threshold is None else threshold)
            if name == "image" and above.any():
                axes.contour(above.T, levels=[0.5], colors=OUTLINE, linewidths=0.9)
        line[0].set_ylabel(name, fontsize=8)
        if name == "anomaly map":
            figure.colorbar(picture, ax=list(line), fraction=0.02, label="anomaly score")
    for axes, z in zip(panels[0], shown, strict=True):
        axes.set_title(f"z = {float(case.affine[2] @ [0, 0, z, 1]):+.0f} mm", fontsize=8)
    figure.suptitle(title, fontsize=9)
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def shown_slices(case: Case, anomaly_map: Volume) -> list[int]:
    """Indices from bottom to top, the one with the highest sum of scores among them."""
    inside = np.flatnonzero(case.brain_mask.any(axis=(0, 1)))
    first, last = (inside[0], inside[-1]) if inside.size else (0, case.brain_mask.shape[2] - 1)
    shown = np.linspace(first, last, SLICES + 2).round().astype(int)[1:-1]
    most = int(anomaly_map.sum(axis=(0, 1)).argmax())
    shown[np.abs(shown - most).argmin()] = most
    return [int(z) for z in shown]
