"""Labels of lesion masks: what is declared is read, and nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest

from datasets.case import BINARY, Labels
from datasets.errors import BadFile, BadVolume
from datasets.io.labels import read_labels, split_labels

HERE = Path("mask.nii.gz")


def test_every_voxel_is_what_its_label_is_declared_to_be() -> None:
    """Against a loop over random values and declarations; one value that is not declared refuses the whole."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        meaning = dict(enumerate(rng.choice(["background", "lesion", "ignored", "unknown"], 6, p=[0.3, 0.3, 0.3, 0.1])))
        labels = Labels(**{
            name: tuple(value for value, told in meaning.items() if told == name)
            for name in ("lesion", "ignored", "background")
        })  # fmt: skip
        values = rng.choice(6, size=(3, 4, 2)).astype(rng.choice([np.uint8, np.int16, np.float32]))
        told = [meaning[int(value)] for value in values.ravel()]
        if "unknown" in told:
            with pytest.raises(BadVolume, match="got label"):
                split_labels(HERE, values, labels, 1.0)
            continue
        lesion, ignored = split_labels(HERE, values, labels, 1.0)
        assert lesion.ravel().tolist() == [one == "lesion" for one in told]
        expected = [one == "ignored" for one in told]
        assert (ignored is None) == (not any(expected))
        assert ignored is None or ignored.ravel().tolist() == expected


def test_the_volume_of_every_unknown_label_adds_up() -> None:
    values = np.array([0, 1, 7, 7, 8, 8, 8, 1])
    with pytest.raises(BadVolume) as told:
        split_labels(HERE, values, BINARY, 0.5)
    assert (told.value.code, told.value.got) == ("unknown-label", "label 7 (1 ml), label 8 (1.5 ml)")
    assert told.value.expected == "0 (background), 1 (lesion)"


def test_many_unknown_labels_are_counted() -> None:
    with pytest.raises(BadVolume, match="and 6 more, expected"):
        split_labels(HERE, np.arange(2, 12), BINARY, 1.0)


def test_a_cohort_declares_its_labels_in_a_file(tmp_path: Path) -> None:
    assert read_labels(tmp_path) == BINARY
    (tmp_path / "labels.json").write_text('{"lesion": [1, 4], "ignored": [2]}')
    assert read_labels(tmp_path) == Labels((1, 4), (2,), (0,))


@pytest.mark.parametrize(
    ("told", "got"),
    [
        ([1], "expected lists of whole numbers for lesion, ignored, background"),
        ({"lesions": [1]}, "expected lists of whole numbers"),
        ({"lesion": 1}, "expected lists of whole numbers"),
        ({"lesion": [1.5]}, "expected lists of whole numbers"),
        ({"lesion": [True]}, "expected lists of whole numbers"),
        ({"lesion": []}, "expected a label of lesion"),
        ({"ignored": [1]}, "no label twice"),
        ({"lesion": [0]}, "no label twice"),
    ],
)
def test_a_declaration_that_says_nothing_clear_is_refused(tmp_path: Path, told: object, got: str) -> None:
    (tmp_path / "labels.json").write_text(json.dumps(told))
    with pytest.raises(BadFile, match=got):
        read_labels(tmp_path)


def test_a_declaration_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("lesion: 1")
    with pytest.raises(BadFile, match=r"labels.json: got a file that cannot be read .*, expected JSON"):
        read_labels(tmp_path)
