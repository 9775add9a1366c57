"""Every field of what is run is in its key, and a stored cell comes back as it was."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass, replace
from typing import Any

import pytest

from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.study.cells import Cell, Cohort, Evaluation, Fit, Reference, cells_from_json, key_of, reference_from_json
from benchmark.study.protocols import PROTOCOLS
from datasets.grid import Grid
from datasets.shifts import Shift

COHORT = Cohort("patients", "t1", "0" * 64)
HEALTHY = Cohort("volunteers", "t1", "1" * 64)
FIT = Fit("ae[steps=10]", "builtin:ae", {"steps": 10, "widths": [8, 16], "noise": None}, HEALTHY, Grid(), 0)
CELL = Cell(FIT, COHORT, Shift(landmarks=(0.0, 1.0), matched=(0.1, 0.9)))
EVALUATION = Evaluation(CELL, PIPELINES["paper"], PROTOCOLS["oracle"])
REFERENCE = Reference(COHORT, Grid(), ("val", "test"), None)


def changed(value: Any) -> Any:
    """Another value of the same type; a dataclass is not changed as a whole."""
    match value:
        case None:
            return 1
        case str():
            return value + "x"
        case int() | float():
            return value + 1
        case dict():
            return value | {"steps": 11}
        case ():
            return ("leak",)
        case (first, *rest):
            return (changed(first), *rest)
    raise AssertionError(f"no other value of {value!r}")


def variants(whole: Any) -> Iterator[tuple[str, Any]]:
    """`whole` with one field changed, at any depth, for every field there is; and the field's path."""
    for field in fields(whole):
        value = getattr(whole, field.name)
        if is_dataclass(value):
            inner = [(f"{field.name}.{path}", one) for path, one in variants(value)]
        else:
            inner = [(field.name, changed(value))]
        yield from ((path, replace(whole, **{field.name: one})) for path, one in inner)


@pytest.mark.parametrize("whole", [FIT, CELL, REFERENCE], ids=lambda one: type(one).__name__)
def test_changing_any_field_at_any_depth_changes_the_key(whole: Fit | Cell | Reference) -> None:
    keys = {"": whole.key} | {path: one.key for path, one in variants(whole)}
    assert len(set(keys.values())) == len(keys), keys


def test_the_key_of_a_built_in_methods_fit_is_the_same_wherever_its_module_lies() -> None:
    assert FIT.key == "c371c994c2a1"


def test_the_fields_that_were_changed_reach_the_innermost() -> None:
    paths = {path for path, _ in variants(CELL)}
    inner = {f"fit.healthy.{field.name}" for field in fields(Cohort)}
    inner |= {f"fit.grid.{field.name}" for field in fields(Grid)}
    inner |= {f"shift.{field.name}" for field in fields(Shift)}
    assert inner | {"fit.config", "limit"} <= paths


def test_the_key_of_an_evaluation_holds_what_its_names_stand_for_and_not_the_names() -> None:
    pipeline, protocol = EVALUATION.pipeline, EVALUATION.protocol
    assert protocol is not None
    alike = replace(EVALUATION, pipeline=replace(pipeline, name="x"), protocol=replace(protocol, name="x", what="x"))
    assert alike.key == EVALUATION.key
    others = [
        EVALUATION,
        replace(EVALUATION, cell=replace(CELL, limit=3)),
        replace(EVALUATION, cell=REFERENCE),
        replace(EVALUATION, pipeline=pipeline.without("median")),
        replace(EVALUATION, protocol=None),
        replace(EVALUATION, source="0"),
        *(
            replace(EVALUATION, protocol=replace(protocol, **{name: changed(value)}))
            for name, value in protocol.in_key.items()
        ),
    ]
    assert len({one.key for one in others}) == len(others)


def test_one_hyper_parameter_changes_the_key_and_their_order_does_not() -> None:
    assert replace(FIT, config={**FIT.config, "noise": 0.1}).key != FIT.key
    assert replace(FIT, config=dict(reversed(list(FIT.config.items())))).key == FIT.key


def test_no_two_kinds_share_a_key() -> None:
    assert len({FIT.key, CELL.key, EVALUATION.key, REFERENCE.key}) == 4


def test_a_key_is_twelve_digits_and_the_same_in_every_process() -> None:
    assert key_of(Reference(Cohort("a", "t1", "b"), Grid(), ("val",), 3)) == "25d616def1fb"


def test_a_cell_comes_back_from_json_with_its_key() -> None:
    stored = json.loads(json.dumps(asdict(CELL)))
    assert cells_from_json([stored]) == [CELL]
    assert cells_from_json([stored])[0].key == CELL.key


def test_a_reference_comes_back_from_json_with_its_key() -> None:
    stored = json.loads(json.dumps(asdict(REFERENCE)))
    assert reference_from_json(stored) == REFERENCE
    assert reference_from_json(stored).key == REFERENCE.key


def test_cells_of_one_label_differ_in_what_no_table_shows() -> None:
    tuned = replace(CELL, fit=replace(FIT, config={"steps": 11}))
    assert tuned.label == CELL.label
    for other in (
        replace(CELL, fit=replace(FIT, seed=1)),
        replace(CELL, fit=replace(FIT, method="ae")),
        replace(CELL, cohort=replace(COHORT, dataset="lgg")),
        replace(CELL, shift=replace(CELL.shift, name="gamma")),
        replace(CELL, shift=replace(CELL.shift, severity=2.0)),
        replace(CELL, shift=replace(CELL.shift, matched=())),
        replace(CELL, sampling_seed=1),
    ):
        assert other.label != CELL.label


def test_names_can_be_folders() -> None:
    assert FIT.name == f"ae_steps=10-{FIT.key}"
    assert CELL.name == f"ae_steps=10-patients-none_match-{CELL.key}"
    assert REFERENCE.name == f"perfect-map-patients-{REFERENCE.key}"
