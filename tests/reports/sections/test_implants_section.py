"""The report's section of implants, and its text in the terminal."""

from math import inf, nan
from pathlib import Path

import pandas as pd
import pytest

from benchmark.analysis.summaries.make import summarise
from reports.content.blocks import Picture, tables_of
from reports.figures.charts import audiogram_chart, write_chart
from reports.formats.terminal import audiogram_text
from reports.model.run_results import read_results
from reports.sections.implants import _drawn, half_text, implanted_lesions

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
    points = [
        _drawn({**POINT, "method": method, "sign": sign, "volume_ml": 2.0**index, "state": state})
        for method in ("a", "b", "c", "d", "e")
        for sign in ("dark", "bright")
        for index, state in enumerate(states)
    ]
    path = tmp_path / "figures" / "audiogram.svg"
    write_chart(audiogram_chart(points, 0.25, 2.0), path)
    drawn = path.read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    assert all(f">{state}<" in drawn for state in states)


def test_the_report_has_the_audiogram_its_figure_the_controls_and_the_restoration(made_of_implants) -> None:  # type: ignore[no-untyped-def]
    summarise(made_of_implants.run, None)
    blocks = implanted_lesions(read_results(made_of_implants.run))
    (first,) = (block for block in blocks if isinstance(block, Picture) and "paper" in block.path.name)
    assert first.path == made_of_implants.run.root / "figures" / "audiogram-implant-heads-paper.svg"
    assert first.path.is_file()
    found = {table.name: table for table in tables_of(blocks)}
    assert any(name.endswith("-restored") for name in found)
    assert sum(str(row[0]) == "texture" and str(row[3]) == "seam" for row in found["audiogram-controls"].shown()) == 1
    plain = audiogram_text(made_of_implants.run)
    assert "\\" not in plain
    assert "texture" in plain
