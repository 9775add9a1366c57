"""A map depends on its case and its seed alone, memory on neither, and what is no map is refused by name."""

import gc
import logging
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
import pytest
import torch
from cohorts import SHAPE
from detectors import (
    Complex,
    Flat,
    Hungry,
    Insatiable,
    MeanDistance,
    Negative,
    Noisy,
    Undefined,
    UndefinedReconstruction,
)

from benchmark.inference.predict import case_seed, predict
from benchmark.inference.settings import Inference, pick_device
from benchmark.inference.usage import peak_bytes
from benchmark.methods.contract.trial import simulated_case
from benchmark.methods.detector import Detector
from datasets.case import Case
from datasets.errors import BadValue

CASES = [replace(simulated_case(index, SHAPE), case_id=f"case-{index}") for index in range(7)]
DEFAULT = Inference()


def fitted(cls: type[MeanDistance]) -> Detector:
    detector = cls(cls.Config())
    detector.mean = torch.full((1, *SHAPE), 0.5)
    return detector


def maps(detector: Detector, cases: Sequence[Case] = CASES, inference: Inference = DEFAULT) -> dict[str, bytes]:
    predictions = predict(detector, cases, inference, seed=3)
    return {one.case.case_id: one.anomaly_map.tobytes() for one in predictions}


@pytest.mark.parametrize("cls", [MeanDistance, Noisy])
@pytest.mark.parametrize("volumes", [1, 2, 3, 7, 50])
def test_a_case_alone_has_the_map_that_it_has_in_a_batch(cls: type[MeanDistance], volumes: int) -> None:
    detector = fitted(cls)
    alone: dict[str, bytes] = {}
    for case in CASES:
        alone |= maps(detector, [case])
    assert maps(detector, inference=Inference(volumes=volumes)) == alone
    assert len(set(alone.values())) == len(CASES)


def test_the_order_of_cases_changes_no_map_and_is_kept() -> None:
    backwards = maps(fitted(Noisy), CASES[::-1])
    assert list(backwards) == [case.case_id for case in CASES[::-1]]
    assert backwards == maps(fitted(Noisy))


def test_a_seed_gives_a_case_another_map_and_itself_the_same_again() -> None:
    detector = fitted(Noisy)
    first, again, other = (next(predict(detector, CASES, Inference(), seed=seed)).anomaly_map for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_map_is_zero_outside_the_brain_and_the_reconstruction_is_not_touched() -> None:
    for one in predict(fitted(Noisy), CASES, Inference(), seed=0):
        assert np.all(one.anomaly_map[~one.case.brain_mask] == 0)
        assert one.anomaly_map[one.case.brain_mask].min() >= 0
        assert one.reconstruction is not None
        assert np.all(one.reconstruction == 0.5)
        assert one.anomaly_map.dtype == one.reconstruction.dtype == np.float32
        assert one.seconds > 0


def test_no_cases_give_no_predictions() -> None:
    assert maps(fitted(MeanDistance), []) == {}


def test_inference_neither_trains_nor_records_gradients() -> None:
    seen: list[bool] = []

    class Watched(MeanDistance):
        def anomaly_map(self, images: torch.Tensor, brain_masks: torch.Tensor, *, seeds: torch.Tensor) -> torch.Tensor:
            seen.extend((self.training, torch.is_grad_enabled()))
            return super().anomaly_map(images, brain_masks, seeds=seeds)

    detector = fitted(Watched).train()
    maps(detector)
    assert set(seen) == {False}


class Stream(Sequence[Case]):
    """Cases made when asked for, and how many of them were alive at once."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.alive: set[int] = set()
        self.most = 0

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Case]: ...
    def __getitem__(self, index: int | slice) -> Case | Sequence[Case]:
        assert isinstance(index, int)
        case = Case(f"case-{index}", np.full((1, *SHAPE), 0.4, np.float32), np.ones(SHAPE, bool), None, np.eye(4))
        self.alive.add(index)
        weakref.finalize(case, self.alive.discard, index)
        self.most = max(self.most, len(self.alive))
        return case


@pytest.mark.parametrize("length", [40, 80])
def test_memory_does_not_grow_with_the_number_of_cases(length: int) -> None:
    gc.collect()
    stream, inference = Stream(length), Inference(volumes=2)
    count = sum(1 for _ in predict(fitted(MeanDistance), stream, inference, seed=0))
    assert count == length
    ahead = 2 * inference.volumes + 1
    assert inference.volumes < stream.most <= ahead + 2 * inference.volumes + 1


def test_on_a_gpu_as_many_cases_are_read_at_once_as_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading waits for all the others, on a CPU that stands in for the GPU."""
    together = threading.Barrier(6)

    class Slow(Stream):
        def __getitem__(self, index: int | slice) -> Case | Sequence[Case]:  # type: ignore[override]
            together.wait(timeout=60)
            return super().__getitem__(index)  # type: ignore[index]

    monkeypatch.setattr("benchmark.inference.predict.is_gpu", lambda device: True)
    monkeypatch.setattr("benchmark.inference.predict.usable_cores", lambda: 6)
    assert sum(1 for _ in predict(fitted(MeanDistance), Slow(12), Inference(volumes=1), seed=0)) == 12


def test_stopping_early_stops_the_reading() -> None:
    stream = Stream(1000)
    predictions: Iterator[object] = predict(fitted(MeanDistance), stream, Inference(volumes=1), seed=0)
    next(predictions)
    predictions.close()  # type: ignore[attr-defined]
    assert stream.most < 10


def test_a_case_that_cannot_be_read_ends_the_stream_where_it_stands() -> None:
    class Broken(Stream):
        def __getitem__(self, index: int | slice) -> Case | Sequence[Case]:  # type: ignore[override]
            if index == 5:
                raise OSError("case-5 cannot be read")
            return super().__getitem__(index)

    done: list[str] = []
    predictions = predict(fitted(MeanDistance), Broken(9), Inference(volumes=1), seed=0)
    with pytest.raises(OSError, match="case-5"):
        done.extend(one.case.case_id for one in predictions)
    assert done[0] == "case-0"
    assert "case-5" not in done


def test_too_little_memory_halves_the_batch_aloud_and_changes_no_map(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        got = maps(fitted(Hungry), inference=Inference(volumes=4, slice_batch=32))
    assert got == maps(fitted(MeanDistance))
    assert list(got) == [case.case_id for case in CASES]
    assert [record.getMessage() for record in caplog.records] == [
        "Out of memory: continuing with 2 volumes, 32 slices at once.",
        "Out of memory: continuing with 1 volumes, 32 slices at once.",
        "Out of memory: continuing with 1 volumes, 16 slices at once.",
        "Out of memory: continuing with 1 volumes, 8 slices at once.",
    ]


def test_a_device_without_room_for_one_slice_is_given_up() -> None:
    with pytest.raises(MemoryError, match="cpu runs out of memory with one slice"):
        maps(fitted(Insatiable))


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Undefined, "Anomaly map of case 'case-1': got values from nan to nan, expected finite"),
        (Negative, "Anomaly map of case 'case-3': got values from -0.001 to .*, expected finite ones from 0 up"),
        (Flat, r"case-0, case-1.*got shape \(4, 1, 16, 16, 11\), expected \(4, 1, 16, 16, 12\)"),
        (Complex, r"Anomaly map of case-0, case-1.*got torch.complex64 values, expected real numbers"),
        (UndefinedReconstruction, "Reconstruction of case 'case-0': got values from nan to nan"),
    ],
)
def test_what_is_no_map_is_refused_by_the_name_of_its_case(cls: type[MeanDistance], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        maps(fitted(cls))


def test_case_seeds_depend_on_both_and_fit_into_int64() -> None:
    drawn = {case_seed(seed, name) for seed in range(20) for name in ("a", "b", "1a", "")}
    assert len(drawn) == 80
    assert all(0 <= seed < 2**63 for seed in drawn)
    assert case_seed(1, "1a") != case_seed(11, "a")


def test_case_seeds_are_the_same_in_every_process() -> None:
    assert case_seed(0, "case") == 7656381566167240002


def test_precision_is_asked_of_the_detector_by_autocast() -> None:
    class Narrow(MeanDistance):
        def anomaly_map(self, images: torch.Tensor, brain_masks: torch.Tensor, *, seeds: torch.Tensor) -> torch.Tensor:
            product = torch.nn.functional.linear(images, torch.eye(SHAPE[-1]))
            assert product.dtype == torch.bfloat16
            return product.abs()

    (one,) = predict(fitted(Narrow), CASES[:1], Inference(precision="bf16"), seed=0)
    assert one.anomaly_map.dtype == np.float32


def test_auto_picks_a_device_that_is_there() -> None:
    assert pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("asked", ["gpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_refused_before_anything_runs(asked: str) -> None:
    with pytest.raises(BadValue, match=f"--device: got '{asked}'"):
        pick_device(asked)


def test_peak_memory_is_at_least_what_is_held() -> None:
    held = np.ones(30_000_000 // 8)
    assert peak_bytes("cpu") > held.nbytes
