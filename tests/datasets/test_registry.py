"""A registry finds what is built in and what plugins bring, imports only what is asked for, and refuses the rest."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from datasets.errors import BadValue, UnknownName
from datasets.registry import Registry


@dataclass(frozen=True)
class Colour:
    name: str
    origin: str = ""


COLOURS = """
from test_registry import Colour
GREEN, BLUE, NUMBER = Colour("green"), Colour("blue"), 3
"""


def distribution(folder: Path, name: str, **points: str) -> Path:
    """An installed distribution, as far as Python can tell, whose colours lie at these `module:attribute`s."""
    metadata = folder / f"{name.replace('-', '_')}-2.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Name: {name}\nVersion: 2.0\nSummary: Colours of {name}\n")
    lines = "".join(f"{point} = {target}\n" for point, target in points.items())
    (metadata / "entry_points.txt").write_text(f"[uadbench.colours]\n{lines}")
    (folder / f"colours_of_{name}.py").write_text(COLOURS)
    return folder


def refuse_black(colour: Colour) -> None:
    if colour.name == "black":
        raise BadValue("black is no colour")


@pytest.fixture
def colours() -> Registry[Colour]:
    built_in = {"red": Colour("red"), "white": "test_registry:WHITE"}
    return Registry("colour", "uadbench.colours", Colour, built_in, check=refuse_black, understood=["any"])


WHITE, BLACK = Colour("white"), Colour("black")


def test_built_in_objects_come_first_and_may_be_named_by_where_they_are(colours: Registry[Colour]) -> None:
    assert list(colours) == ["red", "white"]
    assert colours["red"] == Colour("red")
    assert colours["white"] == WHITE
    assert colours.origin("red") == colours.origin("white") == ""


@pytest.mark.parametrize("editable", [True, False])
def test_the_origin_of_an_editable_install_changes_with_its_code(
    colours: Registry[Colour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    origins = []
    for number in range(2):
        folder = distribution(tmp_path / str(number), f"paint{number}", green="shades:GREEN")
        direct = {"url": folder.as_uri(), "dir_info": {"editable": editable}}
        (folder / f"paint{number}-2.0.dist-info" / "direct_url.json").write_text(json.dumps(direct))
        (folder / "shades.py").write_text("from pigments import GREEN\n")
        (folder / "pigments.py").write_text(f"{COLOURS}SHADE = {number}\n")
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            origins.append(colours.origin("green").removeprefix(f"paint{number} 2.0"))
    assert all(origin.startswith("+editable.") == editable for origin in origins)
    assert (origins[0] != origins[1]) == editable


def test_a_plugins_object_is_found_without_an_import_and_told_whose_it_is(
    colours: Registry[Colour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"green": "colours_of_paint:GREEN", "absent": "no_such_module:X"}
    monkeypatch.syspath_prepend(distribution(tmp_path, "paint", **points))
    assert list(colours) == ["red", "white", "absent", "green"]
    assert "absent" in colours
    assert (colours.entry("absent").origin, colours.entry("absent").title) == ("paint 2.0", "Colours of paint")
    assert colours["green"] == Colour("green", "paint 2.0")
    with pytest.raises(
        BadValue,
        match=r"Colour 'absent' \(no_such_module:X, paint 2.0\) cannot be imported: ModuleNotFoundError: No module",
    ):
        colours["absent"]
    assert list(colours.usable()) == ["red", "white", "green"]


def test_an_unknown_name_is_refused_with_a_suggestion(colours: Registry[Colour]) -> None:
    with pytest.raises(UnknownName, match=r"No colour 'rd'. Did you mean 'red'\? Available: any, red, white."):
        colours["rd"]
    assert "rd" not in colours


def test_a_built_in_name_cannot_be_taken(
    colours: Registry[Colour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(distribution(tmp_path, "rival", red="colours_of_rival:GREEN"))
    assert colours["red"] == Colour("red")
    assert colours.refused() == ["Colour 'red' of rival 2.0 is refused: the name is a built-in colour's."]


def test_of_two_plugins_of_one_name_neither_is_used(
    colours: Registry[Colour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        monkeypatch.syspath_prepend(distribution(tmp_path / name, name, blue=f"colours_of_{name}:BLUE"))
    owners = r"one 2.0 \(colours_of_one:BLUE\) and two 2.0 \(colours_of_two:BLUE\)"
    with pytest.raises(BadValue, match=f"Colour 'blue': got it from {owners}, expected one of them: uninstall"):
        colours["blue"]
    assert "blue" not in colours.usable()


def test_an_object_of_another_type_name_or_content_is_refused(
    colours: Registry[Colour], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = {"number": "colours_of_odd:NUMBER", "pink": "colours_of_odd:BLUE", "black": "test_registry:BLACK"}
    monkeypatch.syspath_prepend(distribution(tmp_path, "odd", **targets))
    for name, message in (
        ("number", r"Colour 'number' \(colours_of_odd:NUMBER, odd 2.0\): got int, expected a Colour."),
        ("pink", "got one called 'blue', expected the entry point's name"),
        ("black", "black is no colour"),
    ):
        with pytest.raises(BadValue, match=message):
            colours[name]
