"""The report's section of implants, and its text in the terminal."""

from math import inf, nan
from pathlib import Path

import pandas as pd
import pytest

from benchmark.analysis.summaries.make import summarise
from reports.model.run_results import read_results
from reports.sections.implants import audiogram_text, draw_audiogram, half_text

POINT = {"state": "reached", "contrast": 0.8, "low": 0.5, "high": 1.25, "lowest": 0.25, "highest": 2.0, "off_grid": 0}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({}, "0.80 (0.50 to 1.25)"),
        ({"high": inf}, "0.80 (0.50 to > 2)"),
        ({"low": 0.0}, "0.80 (< 0.25 to 1.25)"),
        ({"low": 0.8, "high": 0.8}, "0.80 (0.80 to 0.80)"),
        ({"low": nan, "high": nan}, "0.80"),
        ({"off_grid": 3}, "0.80 (0.50 to 1.25) [3]"),
        ({"state": "not reached", "contrast": nan, "low": inf, "high": inf}, "> 2"),
        ({"state": "not reached", "contrast": nan, "low": 1.5, "high": inf}, "> 2 (1.50 to > 2)"),
        ({"state": "below", "contrast": nan, "low": 0.0, "high": 0.0}, "< 0.25"),
        ({"state": "chance", "contrast": nan, "low": 0.0, "high": 0.0}, "chance"),
    ],
)
def test_a_point_says_what_is_known_and_no_more(changed: dict[str, object], text: str) -> None:
    assert half_text(pd.Series({**POINT, **changed})) == text


def test_every_state_is_drawn(tmp_path: Path) -> None:
    states = ["reached", "not reached", "below", "chance"]
    points = pd.DataFrame(
        [
            {**POINT, "method": method, "sign": sign, "volume_ml": 2.0**index, "state": state}
            for method in ("a", "b", "c", "d", "e")
            for sign in ("dark", "bright")
            for index, state in enumerate(states)
        ]
    )
    path = tmp_path / "figures" / "audiogram.png"
    draw_audiogram(points, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_report_has_the_audiogram_its_figure_the_controls_and_the_restoration(made_of_implants) -> None:  # type: ignore[no-untyped-def]
    from reports.sections.implants import implanted_lesions

    summarise(made_of_implants.run, None)
    text = implanted_lesions(read_results(made_of_implants.run))
    assert text.startswith("## Lesion audiogram")
    assert "### Implants in Heads (`implant[heads]`)" in text
    assert "![Lesion audiogram, paper](figures/audiogram-implant-heads-paper.png)" in text
    assert (made_of_implants.run.root / "figures" / "audiogram-implant-heads-paper.png").is_file()
    assert "Restoration error" in text
    lines = [line for line in text.splitlines() if line.startswith("| texture") and "seam" in line]
    assert len(lines) == 1
    plain = audiogram_text(made_of_implants.run)
    assert "\\" not in plain
    assert "| texture" in plain
