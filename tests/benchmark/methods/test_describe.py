"""`show`: a method's card, hyper-parameters, size and memory."""

import json
from pathlib import Path

import pytest
from commandline import Program, refused
from plugincode import write_plugin

from baselines.diffusion.ddpm import DDPM
from benchmark.methods.describe import meanings
from datasets.grid import Grid


def test_everything_of_a_built_in_as_json(program: Program) -> None:
    shown = json.loads(program("show", "ddpm", "--json").stdout)
    assert shown["card"]["supervision"] == "healthy scans"
    paper, quick = shown["budgets"]["paper"], shown["budgets"]["quick"]
    assert paper["parameters"] == 37_513_857
    assert (paper["config"]["steps"], quick["config"]["steps"]) == (19_200, 300)
    detector = DDPM(DDPM.Config(**DDPM.presets["quick"]))
    assert quick["parameters"] == sum(parameter.numel() for parameter in detector.parameters())
    assert quick["memory_bytes"] == detector.memory_bound(Grid(shape=(48, 48, 25), spacing=4.0).shape, 1)


def test_the_text_has_a_line_a_hyper_parameter_with_its_value_under_every_preset(program: Program) -> None:
    lines = program("show", "zscore[floor=0.1]").stdout.splitlines()
    assert lines[0].startswith("zscore[floor=0.1]: Smoothed voxel-wise Gaussian")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line and not line.startswith(" ")}
    assert rows["floor"][:3] == ["0.1", "0.1", "0.1"]
    assert rows["smoothing"][:4] == ["1.0", "1.0", "1.0", "s.d."]
    assert rows["parameters"][:3] == ["0", "0", "0"]
    assert any("supervision" in line and "healthy scans" in line for line in lines)


def test_meanings_come_from_the_config_and_those_below_it() -> None:
    found = meanings(DDPM)
    assert found["heads"] == "of the attention block."
    assert found["augment"] == "blur, bias field, gamma and ghosting by torchio's defaults, on the volume."
    assert found["noise_field"].startswith("one field for every slice, or, as published, one for a whole training")
    assert "learning_rate" not in found


def test_a_plugin_without_a_card_or_documented_fields_is_shown_too(program: Program, tmp_path: Path) -> None:
    text = program("show", "too-dark", "--plugin", write_plugin(tmp_path)).stdout
    assert "no data card" in text
    assert "\npower" in text


@pytest.mark.usefixtures("plugin")
def test_what_cannot_be_shown_is_one_line(program: Program) -> None:
    assert "Did you mean 'ddpm'" in refused(program("show", "dpm"))
    assert "cannot be imported" in refused(program("show", "broken"))
