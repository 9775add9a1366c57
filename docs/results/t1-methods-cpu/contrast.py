"""Do reconstructions keep the input's histogram under contrast change? Healthy test scans, x to x ** c.

    python docs/results/t1-methods-cpu/contrast.py RUN [--data DIR] [--methods NAME ...]

writes contrast.csv beside this file: for each method and contrast level c the mean over scans of the divergence
KL(input || reconstruction) and of the Jensen-Shannon divergence (nats) between the histograms of brain voxels (500 bins
over [0, 1], one more for what lies outside at either end, half a count added to each bin), and of the difference of
entropies that the reference study prints.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmark.inference.predict import predict
from benchmark.inference.settings import Inference
from benchmark.methods.hyperparameters import build
from benchmark.methods.weights import load_weights
from benchmark.storage.folder import open_run
from benchmark.storage.run_record import reopen
from datasets.case import Case
from datasets.loading import load_case

LEVELS = (0.5, 1.0, 2.0)
BINS = 500
Histogram = NDArray[np.float64]


def main(
    run: Path,
    data: Annotated[Path | None, typer.Option()] = None,
    methods: Annotated[list[str] | None, typer.Option()] = None,
) -> None:
    folder = open_run(run)
    study = reopen(folder, data)
    rows = []
    for fit in study.fits:
        (cell,) = study.healthy_cells(fit)
        if not (folder.cell(cell) / "reconstructions").exists() or (methods and fit.method not in methods):
            continue
        detector = build(fit.method, fit.target, fit.config)
        load_weights(detector, folder.fit(fit))
        cases = [load_case(files, fit.grid) for files in study.mapped_cases(cell) if files.split == "test"]
        for level in LEVELS:
            shifted = [replace(case, image=case.image**level) for case in cases]
            found = [
                divergences(one.case, one.reconstruction) for one in predict(detector, shifted, Inference(), seed=0)
            ]
            rows.append({"method": fit.method, "contrast": level, "scans": len(found), **means(found)})
            print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(Path(__file__).with_name("contrast.csv"), index=False, float_format="%.4g")


def divergences(case: Case, reconstruction: NDArray[np.float32] | None) -> dict[str, float]:
    assert reconstruction is not None
    p, q = histogram(case.image[0][case.brain_mask]), histogram(reconstruction[case.brain_mask])
    middle = (p + q) / 2
    return {
        "kl": relative_entropy(p, q),
        "js": (relative_entropy(p, middle) + relative_entropy(q, middle)) / 2,
        "entropy_difference": float((p * np.log(p)).sum() - (q * np.log(q)).sum()),
    }


def histogram(values: NDArray[np.float32]) -> Histogram:
    edges = np.concatenate([[-np.inf], np.linspace(0, 1, BINS + 1), [np.inf]])
    counts = np.histogram(values, edges)[0] + 0.5
    return counts / counts.sum()


def relative_entropy(p: Histogram, q: Histogram) -> float:
    return float((p * np.log(p / q)).sum())


def means(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return pd.DataFrame(list(found)).mean().to_dict()


if __name__ == "__main__":
    typer.run(main)
