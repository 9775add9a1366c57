"""Layout and compiling: what is asked for is done once, and what cannot be done is said in a line."""

import logging
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch
from cohorts import SHAPE
from torch import Tensor, nn

from baselines.autoencoders.ae import AE
from baselines.diffusion.autoddpm import AutoDDPM
from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.pddpm import PDDPM
from benchmark.inference.predict import predict
from benchmark.inference.settings import Inference, can_compile, computing, prepare
from benchmark.methods.contract.trial import simulated_case
from cddpm.detector import CDDPM

SMALL_U_NET: dict[str, Any] = {
    "size": SHAPE[0], "width": 8, "multipliers": (1, 2), "residual_blocks": 1, "heads": 2, "groups": 4,
}  # fmt: skip
TINY = DDPM.Config(**SMALL_U_NET)


@pytest.fixture(autouse=True)
def forgotten() -> None:
    can_compile.cache_clear()


def test_without_a_compiler_one_line_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def missing(function: object) -> object:
        raise RuntimeError("\nNo working C++ compiler found\nin a long list")

    monkeypatch.setattr(torch, "compile", missing)
    with caplog.at_level(logging.WARNING):
        assert not can_compile("cpu")
    expected = "Networks are not compiled: no working compiler for cpu (No working C++ compiler found)."
    assert [record.getMessage() for record in caplog.records] == [expected]


def test_with_one_nothing_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: function)
    with caplog.at_level(logging.WARNING):
        assert can_compile("cpu")
    assert not caplog.records


def test_networks_are_compiled_once_and_only_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self, dynamic: compiled.append(type(self).__name__))
    detector = DDPM(TINY)
    prepare(detector, Inference())
    assert compiled == []
    assert not detector.training
    for _ in range(2):
        prepare(detector, Inference(compiled=True))
    assert compiled == ["UNet"]


def test_a_compiled_network_is_called_through_its_compiled_form(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []

    def compiled(self: nn.Module, dynamic: bool) -> None:
        def call(x: Tensor, index: Tensor, code: Tensor | None = None) -> Tensor:
            calls.append(tuple(x.shape))
            return self.forward(x, index, code)

        self._compiled_call_impl = call  # what torch's own leaves

    monkeypatch.setattr(nn.Module, "compile", compiled)
    case = simulated_case(0, (*SHAPE[:2], 4))
    (one,) = predict(DDPM(TINY), [case], Inference(slice_batch=2, compiled=True), seed=0)
    assert calls
    assert set(calls) == {(2, 1, *SHAPE[:2])}
    (plain,) = predict(DDPM(TINY), [case], Inference(slice_batch=2), seed=0)
    assert one.anomaly_map.shape == plain.anomaly_map.shape


def test_layout_is_changed_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = DDPM(TINY)
    before = {name: weight.stride() for name, weight in detector.named_parameters()}
    prepare(detector, Inference(precision="bf16"))
    assert {name: weight.stride() for name, weight in detector.named_parameters()} == before
    prepare(detector, Inference(device="cuda", precision="bf16"))
    assert detector.unet.stem.weight.is_contiguous(memory_format=torch.channels_last)
    prepare(detector, Inference(device="cuda"))
    assert {name: weight.stride() for name, weight in detector.named_parameters()} == before


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of inputs of each graph that torch has had compiled, by a back end that runs it as it is."""
    graphs: list[int] = []

    def counting(graph: Any, inputs: list[Tensor]) -> Any:
        graphs.append(len(inputs))
        return graph.forward

    compile_with = nn.Module.compile
    monkeypatch.setattr(
        nn.Module, "compile", lambda self, dynamic: compile_with(self, dynamic=dynamic, backend=counting)
    )
    return graphs


def map_compiled(detector: AE, slice_batch: int) -> None:
    case = simulated_case(0, (16, 16, 4))
    deque(predict(detector, [case], Inference(slice_batch=slice_batch, compiled=True), seed=0), maxlen=0)


def test_every_batch_of_a_sweep_is_compiled(compilations: list[int]) -> None:
    """Beyond torch's limit of variants of one function, which all networks share, they would run as they are."""
    with torch._dynamo.config.patch(recompile_limit=2):
        for slice_batch in range(1, 5):
            map_compiled(AE(AE.Config(size=16, width=2)), slice_batch)
            assert len(compilations) == 2 * slice_batch  # encoder and decoder


def test_more_variants_than_torch_compiles_are_an_error_and_not_eager(compilations: list[int]) -> None:
    detector = AE(AE.Config(size=16, width=2))
    with torch._dynamo.config.patch(recompile_limit=2):
        map_compiled(detector, 1)
        map_compiled(detector, 2)
        with pytest.raises(torch._dynamo.exc.FailOnRecompileLimitHit):
            map_compiled(detector, 3)
    assert len(compilations) == 2 * 2


@pytest.mark.parametrize(
    ("method", "settings", "networks", "at_once"),
    [
        (DDPM, {"ensemble": True}, 1, False),
        (PDDPM, {"ensemble": True}, 1, True),
        (CDDPM, {"code": 8, "encoder_width": 4, "encoder_blocks": (1, 1)}, 2, True),
        (AutoDDPM, {"mask_steps": 3, "fuse_steps": 2, "resamplings": 2}, 1, False),
    ],
)
def test_a_network_of_diffusion_is_one_graph_whatever_steers_it(
    method: type[DDPM],
    settings: dict[str, Any],
    networks: int,
    at_once: bool,
    compilations: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that norms are fused with what follows, and no noise level, patch, step or code has another compiled."""
    monkeypatch.setattr(method, "stacks_passes", at_once)
    torch.manual_seed(0)
    detector = method(method.Config(**SMALL_U_NET, **settings))
    for weight in detector.parameters():
        nn.init.normal_(weight, std=0.05)  # no layer of zeros, behind which nothing shows
    cases = [simulated_case(index, (*SHAPE[:2], 4)) for index in range(2)]
    plain = [one.anomaly_map for one in predict(detector, cases, Inference(slice_batch=2), seed=0)]
    compiled = [one.anomaly_map for one in predict(detector, cases, Inference(slice_batch=2, compiled=True), seed=0)]
    assert len(compilations) == networks
    np.testing.assert_allclose(compiled, plain, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_convolutions_are_chosen_by_timing_only_where_networks_are_compiled(compiled: bool) -> None:
    """A choice by timing may differ between processes, and so may the last bits of a map."""
    before = torch.backends.cudnn.benchmark
    with computing(Inference(compiled=compiled)):
        assert torch.backends.cudnn.benchmark is compiled
    assert torch.backends.cudnn.benchmark is before
