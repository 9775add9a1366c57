"""Makes the pictures of README and documentation anew, of the run that `python -m benchmark demo` leaves.

python docs/pictures.py demo/run

The report is photographed by Chromium, without a window; the strip of maps is drawn by way of `import uadbench`.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import uadbench
from datasets.case import shown_slice

OUT = Path(__file__).parent / "pictures"
COHORT = "phantom-glioma"
SCREEN = (1240, 1000)
COLOURS = 128  # of a picture's palette: small files


def photograph(page: Path, out: Path) -> None:
    """The first screen of a page."""
    with TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        size, drawn = f"--window-size={SCREEN[0]},{SCREEN[1]}", ("--use-gl=angle", "--use-angle=swiftshader")
        quiet = (
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-gpu",
            f"--user-data-dir={folder}/profile",
        )
        subprocess.run(["chromium", *quiet, *drawn, size, f"--screenshot={shot}", page.resolve().as_uri()], check=True)
        save_small(Image.open(shot), out)


def strip(run: uadbench.Run, out: Path) -> None:
    """Two test patients, of the largest and of the median lesion: scan, truth, and each method's map."""
    rows = run.rows
    names = rows[(rows["dataset"] == COHORT) & (rows["split"] == "test") & (rows["case_id"] != "")]["case_id"].unique()
    tests = sorted((run.case(COHORT, name) for name in names), key=lambda case: -case.lesion_mask.sum())
    titles = ["scan", "lesion", *run.methods]
    figure = Figure(figsize=(1.3 * len(titles), 2.9), facecolor="white", layout="constrained")
    panels = figure.subplots(2, len(titles), squeeze=False)
    for line, case in zip(panels, (tests[0], tests[len(tests) // 2]), strict=True):
        z = shown_slice(case)
        maps = [run.anomaly_map(name, COHORT, case.case_id) for name in run.methods]
        for axes, volume in zip(line, [case.image[0], case.image[0], *maps], strict=True):
            is_map = any(volume is one for one in maps)
            top = np.percentile(volume[case.brain_mask], 99.5) if is_map else 1.0
            colours = "inferno" if is_map else "gray"
            axes.imshow(volume[:, :, z].T, cmap=colours, vmin=0, vmax=top or 1, origin="lower")
            axes.set(xticks=[], yticks=[])
        line[1].contour(case.lesion_mask[:, :, z].T, levels=[0.5], colors="#00e5ff", linewidths=1)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, fontsize=10)
    with TemporaryDirectory() as folder:
        drawn = Path(folder) / "strip.png"
        figure.savefig(drawn, dpi=110)
        save_small(Image.open(drawn), out)


def save_small(image: Image.Image, out: Path) -> None:
    out.parent.mkdir(exist_ok=True)
    image.convert("RGB").quantize(COLOURS).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    root = Path(sys.argv[1])
    photograph(root / "report.html", OUT / "report.png")
    strip(uadbench.load_run(root), OUT / "maps.png")
