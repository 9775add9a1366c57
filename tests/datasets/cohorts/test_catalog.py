"""Names of cohorts: aliases, suggestions, plugins good and broken."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import datasets
from datasets.cohorts.catalog import COHORTS, dataset
from datasets.errors import BadValue, UnknownName, UserError

Install = Callable[..., None]

PLUGIN = """
from datasets.spec import DatasetSpec
SPEC = DatasetSpec("mine", "Mine", ("t1",), True, "CC0", "me", "https://example.org", "ask me")
NOT_A_SPEC = 3
"""


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Installs a distribution with these entry points, which lead into two modules of a plugin."""
    (tmp_path / "plugin_of_mine.py").write_text(PLUGIN)
    (tmp_path / "broken_plugin.py").write_text("import a_module_nobody_has\n")
    monkeypatch.delitem(sys.modules, "plugin_of_mine", raising=False)
    metadata = tmp_path / "plugin_of_mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: plugin-of-mine\nVersion: 1.0\n")

    def offer(**values: str) -> None:
        lines = "".join(f"{name} = {value}\n" for name, value in values.items())
        (metadata / "entry_points.txt").write_text(f"[{COHORTS.group}]\n{lines}")
        monkeypatch.syspath_prepend(tmp_path)

    return offer


def test_our_own_package_is_the_one_imported() -> None:
    assert Path(datasets.__file__).parent == Path(__file__).parents[3] / "datasets"


@pytest.mark.parametrize("name", sorted(COHORTS.built_in))
def test_a_built_in_is_known_by_its_own_name_and_states_its_facts(name: str) -> None:
    spec = dataset(name)
    assert spec.name == name
    assert spec.title
    assert spec.sequences
    assert spec.licence
    assert spec.url.startswith("https://")
    assert spec.how_to_get.endswith(".")
    assert dataset(spec.fitted_on).healthy in (True, None)


@pytest.mark.parametrize(("alias", "name"), [("brats21", "brats"), ("mslub", "msl")])
def test_an_alias_leads_to_its_cohort(alias: str, name: str) -> None:
    assert dataset(alias) is dataset(name)


@pytest.mark.parametrize(("typed", "meant"), [("phantm", "phantom"), ("IXI", "ixi"), ("oasiss", "oasis")])
def test_an_unknown_name_is_answered_with_a_suggestion_and_all_there_are(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName, match=f"No dataset '{typed}'. Did you mean '{meant}'?") as refusal:
        dataset(typed)
    assert all(name in str(refusal.value) for name in COHORTS.built_in)


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(UnknownName) as refusal:
        dataset("zzzzzz")
    assert "Did you mean" not in str(refusal.value)


def test_a_plugins_cohort_is_found_by_name(install: Install) -> None:
    install(mine="plugin_of_mine:SPEC")
    assert dataset("mine").title == "Mine"
    assert {*COHORTS} == {*COHORTS.built_in, "mine"}


def test_a_plugin_cannot_replace_a_built_in(install: Install) -> None:
    install(ixi="plugin_of_mine:SPEC")
    assert dataset("ixi").title == "IXI"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("broken_plugin:SPEC", "a_module_nobody_has"),
        ("no_such_plugin:SPEC", "no_such_plugin"),
        ("plugin_of_mine:MISSING", "MISSING"),
        ("plugin_of_mine:NOT_A_SPEC", "got int, expected a DatasetSpec"),
    ],
)
def test_a_broken_entry_point_costs_itself_only(install: Install, value: str, reason: str) -> None:
    install(theirs=value, mine="plugin_of_mine:SPEC")
    with pytest.raises(BadValue, match=reason) as refusal:
        dataset("theirs")
    assert isinstance(refusal.value, UserError)
    assert "'theirs'" in str(refusal.value)
    assert dataset("mine").name == "mine"
    assert dataset("mslub").name == "msl"
    with pytest.raises(UnknownName):
        dataset("nobodys")
