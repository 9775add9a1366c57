"""Names of methods, built in and from a plugin, and what is told of those that do not resolve."""

import pytest
from detectors import MeanDistance

from baselines.trained_on_slices import TrainedOnSlices
from benchmark.methods.hyperparameters import Variant, build_detector, named_under, parse_variants, resolve_config
from benchmark.methods.registry import BUILT_IN, Method, load, method, methods
from datasets.errors import BadValue, UnknownName, UserError

pytestmark = pytest.mark.usefixtures("plugin")


def variant(text: str) -> Variant:
    (only,) = parse_variants(text)
    return only


def test_every_built_in_method_is_a_detector_with_all_presets() -> None:
    for one in BUILT_IN:
        assert {"quick", "small"} <= set(load(one).presets)
        for preset in ("paper", "quick", "small"):
            config = resolve_config(Variant(one, {}), preset, {})
            assert build_detector(one.name, one.target, config).config is not None


def test_weights_of_three_seeds_of_every_small_method_take_60_megabytes_at_most() -> None:
    numbers = 0
    for one in BUILT_IN:
        config = resolve_config(Variant(one, {}), "small", {})
        detector = build_detector(one.name, one.target, config)
        if isinstance(detector, TrainedOnSlices):
            assert config["half_weights"]
            numbers += sum(tensor.numel() for tensor in detector.state_dict().values())
    assert 3 * 2 * numbers < 60e6


@pytest.mark.parametrize("overrides", [{}, {"steps": 7}])
def test_no_network_but_the_published_one_goes_by_its_name_on_the_published_grid(overrides: dict[str, int]) -> None:
    for one in BUILT_IN:
        trained = issubclass(load(one), TrainedOnSlices)
        given = Variant(one, overrides if trained else {})
        assert named_under(given, "paper").name == named_under(given, "quick").name == given.name
        small = named_under(given, "small").name
        assert small == (given.name.replace(one.name, f"{one.name}-small", 1) if trained else given.name)


def test_the_key_of_a_built_in_method_holds_its_name_and_not_its_module() -> None:
    for one in BUILT_IN:
        assert one.target == f"builtin:{one.name}"
        assert one.place in str(one)


def test_a_plugins_method_stands_beside_the_built_in_ones_with_its_summary() -> None:
    known = methods()
    assert known["mean-distance"] == Method(
        "mean-distance", "detectors:MeanDistance", "Small detectors", "uadbench-tests 1.0"
    )
    assert {one.name for one in BUILT_IN} < set(known)
    assert load(known["mean-distance"]) is MeanDistance


def test_a_misspelt_method_gets_a_suggestion_and_the_names() -> None:
    with pytest.raises(UnknownName, match=r"No method 'cdpm'\. Did you mean 'cddpm'\? Available: absent, ae, .*zscore"):
        method("cdpm")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "cannot be imported: ModuleNotFoundError: No module named 'package_that_is_not_installed'"),
        ("absent", "cannot be imported: AttributeError: module 'detectors' has no attribute 'Absent'"),
        ("not-a-detector", "got 'mean-distance', expected a subclass of Detector"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_refused_only_where_it_is_named(name: str, reason: str) -> None:
    assert name in methods()
    with pytest.raises(BadValue, match=reason):
        load(method(name))


def test_overrides_are_read_as_toml_and_written_one_way() -> None:
    one = variant("mean-distance[ sides=['a'], power = 2.5]")
    assert one.overrides == {"sides": ["a"], "power": 2.5}
    assert one.name == "mean-distance[power=2.5,sides=[a]]"
    assert variant("mean-distance[power=2.5,sides=[a]]").name == one.name
    assert variant("ddpm[augment=false]").name == "ddpm[augment=false]"
    assert variant("ddpm[]").name == "ddpm"


def test_several_methods_and_variants_of_one_are_told_apart() -> None:
    names = [one.name for one in parse_variants("thresh, zscore[floor=0.1,smoothing=2.0],zscore")]
    assert names == ["thresh", "zscore[floor=0.1,smoothing=2.0]", "zscore"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Got no method"),
        (" , ", "Got no method"),
        ("thresh,thresh", "Got method 'thresh' twice"),
        ("zscore[floor=1,smoothing=2],zscore[smoothing=2,floor=1]", "twice"),
        ("zscore[floor=1", "every '\\[' closed"),
        ("zscore]", "every '\\[' closed"),
        ("zscore[floor]", "expected field=value"),
        ("z score", "expected NAME"),
        ("cdpm", "Did you mean 'cddpm'"),
    ],
)
def test_what_names_no_method_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        parse_variants(text)


def test_later_levels_of_configuration_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MeanDistance, "presets", {"quick": {"power": 2.0}})
    plain, changed = variant("mean-distance"), variant("mean-distance[power=4]")
    assert resolve_config(plain, "paper", {})["power"] == 1.0
    assert resolve_config(plain, "quick", {})["power"] == 2.0
    assert resolve_config(plain, "quick", {"power": 3.0})["power"] == 3.0
    assert resolve_config(changed, "quick", {"power": 3.0})["power"] == 4.0


def test_a_number_is_the_same_however_it_is_written() -> None:
    written = [resolve_config(variant(f"mean-distance[power={text}]"), "paper", {}) for text in ("2", "2.0", "'2'")]
    assert all(repr(config["power"]) == "2.0" for config in written)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "mean-distance[powr=2]",
            r"No hyper-parameter of method 'mean-distance' called 'powr'. Did you mean 'power'\?",
        ),
        ("mean-distance[power=high]", "'mean-distance', power: got 'high', expected: Input should be a valid number"),
        ("mean-distance[power=-1]", "Got power -1.0, expected more than 0"),
        ("mean-distance[power=inf]", "got .*inf.*expected finite"),
        ("mean-distance[sides=[1]]", "'mean-distance', sides, 0: got 1, expected: Input should be a valid string"),
    ],
)
def test_a_wrong_hyper_parameter_is_one_line(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        resolve_config(variant(text), "quick", {})
    assert "\n" not in str(caught.value)


def test_a_misspelt_preset_gets_the_methods_own() -> None:
    with pytest.raises(UnknownName, match=r"preset of method 'mean-distance' called 'quik'.*Available: paper, quick"):
        resolve_config(variant("mean-distance"), "quik", {})


def test_the_title_of_a_built_in_method_says_simple_baseline_as_its_card_does() -> None:
    assert [one.name for one in BUILT_IN if "(simple baseline)" in one.title] == [
        one.name for one in BUILT_IN if load(one).card.simple_baseline
    ]


def test_a_sweep_stands_for_one_variant_a_value() -> None:
    names = [one.name for one in parse_variants("thresh,zscore[smoothing=3:7:2,floor=0.1]")]
    assert names == ["thresh", *(f"zscore[floor=0.1,smoothing={width}]" for width in (3, 5, 7))]


def test_a_sweep_may_fall_and_ends_where_it_says() -> None:
    assert [one.overrides["smoothing"] for one in parse_variants("zscore[smoothing=9:4:-2]")] == [9, 7, 5]


@pytest.mark.parametrize("sweep", ["3:7:0", "7:3:1", "1:100000:1"])
def test_a_sweep_of_no_value_or_of_too_many_is_refused(sweep: str) -> None:
    with pytest.raises(BadValue, match="sweep"):
        parse_variants(f"zscore[smoothing={sweep}]")
