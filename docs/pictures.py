"""Makes the pictures of README and documentation anew, of the run that `python -m benchmark demo` leaves.

python docs/pictures.py demo/run

Chromium photographs the report without opening a window; the strip of maps is drawn with `import uadbench`.
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
SCREEN, WINDOW = (1240, 1000), (1000, 900)
COLOURS = 256  # of a picture's palette: small files
ALONE = """<script>addEventListener("load", () => {
  document.body.style.display = "block";
  for (let shown = document.getElementById("%s"); shown !== document.body; shown = shown.parentElement)
    for (const other of shown.parentElement.children) if (other !== shown) other.style.display = "none";
})</script>"""
"""Hides all but one element of a page."""


def photograph(page: Path, out: Path, size: tuple[int, int], *, part: str = "") -> None:
    """The first screen of a page, or of the element of it that has the id `part`."""
    with TemporaryDirectory() as folder:
        shot, shown = Path(folder) / "shot.png", Path(folder) / "page.html"
        text = page.read_text(encoding="utf-8")
        shown.write_text(text.replace("</body>", f"{ALONE % part}</body>") if part else text, encoding="utf-8")
        drawn = (f"--window-size={size[0]},{size[1]}", "--use-gl=angle", "--use-angle=swiftshader")
        quiet = (
            "--headless",
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-gpu",
            f"--user-data-dir={folder}/profile",
        )
        shoot = ["chromium", *quiet, *drawn, f"--screenshot={shot}", shown.as_uri()]
        subprocess.run(shoot, check=True, capture_output=True)
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
    photograph(root / "report.html", OUT / "report.png", SCREEN)
    photograph(root / "report.html", OUT / "viewer.png", WINDOW, part="viewer")
    gallery = Image.open(root / "figures" / f"gallery-{COHORT}.png")
    save_small(
        gallery.crop((0, 0, gallery.width, gallery.height // 3)), OUT / "gallery.png"
    )  # the first of three cases
    strip(uadbench.load_run(root), OUT / "maps.png")
