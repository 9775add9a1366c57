"""What a user may write after --shifts, and plugins' kinds good and broken."""

import sys

import pytest

from datasets.errors import BadValue, MissingPackage, UnknownName, UserError
from datasets.shift_requests import parse_shifts
from datasets.shifts.registry import SHIFTS


def pairs(text: str) -> list[tuple[str, float]]:
    return [(one.name, one.level) for one in parse_shifts(text)]


def test_a_name_alone_stands_for_its_five_levels_and_a_level_for_itself() -> None:
    assert pairs("gamma, bias=0.3") == [*(("gamma", level) for level in (0.3, 0.5, 0.7, 1.5, 2.0)), ("bias", 0.3)]
    assert pairs("transfer[oasis]=0.5") == [("transfer[oasis]", 0.5)]
    assert pairs("transfer[mslub]=1") == [("transfer[msl]", 1.0)]


def test_none_adds_nothing_and_nothing_is_there_twice() -> None:
    assert pairs("") == pairs("none") == []
    assert pairs("gamma=0.5,gamma=0.50,none") == [("gamma", 0.5)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gama", "No shift 'gama'. Did you mean 'gamma'?"),
        ("transfer[oasiss]", "No dataset 'oasiss'. Did you mean 'oasis'?"),
        ("transfer", r"expected the cohort to go to: transfer\[COHORT\]"),
        ("gamma[oasis]", "expected no cohort"),
        ("gamma=strong", "expected a level from 0.01 to 100"),
        ("gamma=0", "got 'gamma=0', expected a level"),
        ("noise=-0.1", "expected a level from 0 up"),
        ("noise=nan", "expected a level from 0 up"),
        ("noise=inf", "expected a level"),
        ("noise=", "expected a level"),
        ("inversion=1.5", "expected a level from 0 to 1"),
        ("=0.5", "expected a name"),
        ("gamma=0.5=0.7", "expected a name"),
    ],
)
def test_what_is_unknown_or_impossible_is_refused(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        parse_shifts(f"blur,{text}")


def test_all_built_in_kinds_have_five_levels_that_are_possible() -> None:
    for one in map(SHIFTS.__getitem__, SHIFTS.built_in):
        assert len(set(one.levels)) == 5
        assert all(one.lowest <= level <= one.highest and level != one.identity for level in one.levels)


@pytest.mark.usefixtures("plugin")
def test_a_plugins_shift_is_known_with_its_origin_and_a_built_in_one_cannot_be_replaced() -> None:
    assert [*SHIFTS][: len(SHIFTS.built_in)] == [*SHIFTS.built_in]
    assert {"halved", "broken", "not-a-kind", "misnamed"} == {*SHIFTS} - {*SHIFTS.built_in}
    assert SHIFTS["halved"].title == "halved"
    assert SHIFTS.origin("halved") == "uadbench-tests 1.0"
    assert parse_shifts("halved=0.5")[0].shift().origin == "uadbench-tests 1.0"
    assert SHIFTS["gamma"] is SHIFTS.built_in["gamma"]
    assert SHIFTS.origin("gamma") == ""


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("broken", "package_that_is_not_installed"),
        ("not-a-kind", "got str, expected a ShiftKind"),
        ("misnamed", "got one called 'halved'"),
    ],
)
def test_a_broken_plugin_costs_itself_alone(name: str, told: str) -> None:
    with pytest.raises(BadValue, match=told):
        parse_shifts(name)
    assert SHIFTS["halved"].name == "halved"
    with pytest.raises(UnknownName):
        SHIFTS["nobodys"]


def test_a_shift_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchio", None)
    assert pairs("blur=1")
    with pytest.raises(MissingPackage, match=r"The shift motion needs torchio.*pip install 'uadbench\[shifts\]'"):
        parse_shifts("motion")
