"""The picture of paired differences says what it shows, without colour too."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from benchmark.statistics.pairwise.paired_difference import compare_all
from benchmark.statistics.panel import QUESTIONS, Choice, Panel
from benchmark.statistics.primary_endpoint import read_endpoint
from reports.figures import paired_differences as differences
from reports.figures.paired_differences import PairDifferences, write_differences


def shown(n: int, dataset: str = "lgg") -> PairDifferences:
    rng = np.random.default_rng(n)
    base = rng.uniform(0, 1, (n, 1))
    values = {"a": base + rng.normal(0.05, 0.05, (n, 3)), "b": np.repeat(base, 3, axis=1)}
    patients = tuple(map(str, range(n)))
    panels = {name: Panel(name, patients, (0, 1, 2), one, one[:, :, None]) for name, one in values.items()}
    choice = Choice(dataset, "dice", "light", "lesion-val")
    pairs = [compare_all(panels, choice, question, read_endpoint())[0] for question in QUESTIONS]
    return PairDifferences(values["a"] - values["b"], pairs)


@pytest.mark.parametrize("n", [1, 4, 54])
def test_any_number_of_patients_is_drawn(tmp_path: Path, n: int) -> None:
    write_differences(tmp_path / "figures" / "one.png", [shown(n)])
    assert image.imread(tmp_path / "figures" / "one.png").shape[1] > 1000


def test_a_cohort_more_is_a_line_more(tmp_path: Path) -> None:
    write_differences(tmp_path / "one.png", [shown(20)])
    write_differences(tmp_path / "two.png", [shown(20), shown(6, "msl")])
    one, two = (image.imread(tmp_path / name).shape[0] for name in ("one.png", "two.png"))
    assert two == 2 * one


def test_signs_are_told_apart_by_shape_and_by_lightness(monkeypatch: pytest.MonkeyPatch) -> None:
    def lightness(colour: str) -> float:
        red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    assert abs(lightness(differences.ABOVE) - lightness(differences.BELOW)) > 0.05
