"""Copy the finished fits of a run, each once, into the folder `fits` beside this file.

    python docs/results/t1-small/keep_fits.py runs/t1-small

Of each fit go in its weights, hyper-parameters, card, training record, digests and logged losses; pictures do not. A
fit that is too large, as padim's with its covariances, is named and left out: it has to be made again. The table of the
README beside this file tells of each kept fit how far its losses have fallen.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import typer

from benchmark.methods.weights import NAME
from benchmark.storage.checksums import broken
from benchmark.storage.fits import read_fit
from benchmark.storage.folder import open_run

KEPT = Path(__file__).with_name("fits")
FILES = ("*.json", "*.safetensors", "SHA256SUMS", "log/**/metrics.csv")
MOST_BYTES_A_FIT, MOST_BYTES = 5_000_000, 60_000_000
README = Path(__file__).with_name("README.md")
HEAD = """\
| fit | steps | healthy validation loss at half, at the end | fall over the last 15 % of the steps |
|---|---|---|---|
"""


def main(run: Path) -> None:
    kept = {path.name for path in KEPT.glob("*")}
    for record in sorted(open_run(run).root.glob("fits/*/fit.json")):
        fit = read_fit(record.parent)
        if fit.path.name in kept:
            continue
        if (size := (fit.path / NAME).stat().st_size) > MOST_BYTES_A_FIT:
            typer.echo(f"left out {fit.path.name}: {size / 1e6:.0f} MB of weights")
            continue
        if faults := broken(fit.path):
            raise typer.BadParameter("\n".join(faults))
        for path in (found for pattern in FILES for found in fit.path.glob(pattern)):
            copy = KEPT / fit.path.name / path.relative_to(fit.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        typer.echo(f"kept {fit.path.name}")
    before, _, rest = README.read_text(encoding="utf-8").partition(HEAD)
    _, gap, after = rest.partition("\n\n")
    README.write_text(before + HEAD + "\n".join(sorted(_losses())) + gap + after, encoding="utf-8")
    size = sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file())
    typer.echo(f"{len(list(KEPT.glob('*')))} fits, {size / 1e6:.1f} MB")
    if size > MOST_BYTES:
        raise typer.BadParameter(f"Got {size} bytes in {KEPT}, expected at most {MOST_BYTES}.")


def _losses() -> Iterator[str]:
    """A line of the README's table for each stage of each kept fit that has a validation loss."""
    for path in sorted(KEPT.glob("*/log/**/metrics.csv")):
        folder = KEPT / path.relative_to(KEPT).parts[0]
        fit = read_fit(folder).fit
        stage = path.parent.relative_to(folder / "log").as_posix().replace(".", "")
        losses = pd.read_csv(path).set_index("step")["val_loss"].dropna()
        steps, last = int(losses.index[-1]), float(losses.iloc[-1])
        half, late = (float(losses[losses.index >= share * steps].iloc[0]) for share in (0.5, 0.85))
        name = f"`{fit.method}`, seed {fit.seed}" + (f", {stage}" if stage else "")
        yield f"| {name} | {steps:,} | {half:.3g}, {last:.3g} | {1 - last / late:.1%} |"


if __name__ == "__main__":
    typer.run(main)
