"""Joules: from the counter, else from the power, else not at all; never 0."""

import time
from math import isnan
from types import SimpleNamespace

import pynvml
import pytest
import torch

from benchmark.speed.energy import EnergyMeter, GpuCounters, gpu_counters, integral
from benchmark.speed.tables import QUANTITIES, shown


class Gpu:
    """Counters that say what they are told to."""

    def __init__(self, energy: list[float] | None, watts: float | None) -> None:
        self.readings = None if energy is None else iter(energy)
        self.watts = watts

    def energy(self) -> float | None:
        return None if self.readings is None else next(self.readings)

    def power(self) -> float | None:
        return self.watts


def test_the_counter_goes_first() -> None:
    with EnergyMeter(Gpu([1000.0, 1250.0], 300)) as meter:
        pass
    assert (meter.joules, meter.source) == (250.0, "counter")


def test_without_a_counter_the_power_is_integrated() -> None:
    with EnergyMeter(Gpu(None, 200)) as meter:
        begin = time.perf_counter()
        time.sleep(0.1)
        seconds = time.perf_counter() - begin
    assert meter.source == "power"
    assert 200 * seconds <= meter.joules < 200 * (seconds + 1)


@pytest.mark.parametrize("counters", [None, Gpu(None, None), Gpu([5.0, 5.0], None)], ids=["none", "dumb", "stuck"])
def test_what_is_not_told_is_not_measurable(counters: Gpu | None) -> None:
    with EnergyMeter(counters) as meter:
        pass
    assert isnan(meter.joules)
    assert meter.source == "not measurable"
    assert shown("joules_per_volume", meter.joules) == "not measurable"


def test_power_is_integrated_by_the_trapezoid_rule() -> None:
    assert integral([(0, 100), (1, 300), (3, 300)]) == 200 + 600
    assert isnan(integral([(0, 100)]))


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVML with one GPU that tells its energy and its clocks, and no power."""

    def handle_of(uuid: str) -> str:
        if uuid != "GPU-1":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return "handle"

    def power_of(handle: str) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", handle_of)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetTotalEnergyConsumption", lambda handle: 7_500)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", power_of)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetClockInfo", lambda handle, kind: {1: 1755, 2: 2619}[kind])


def as_device_with(monkeypatch: pytest.MonkeyPatch, uuid: str) -> None:
    properties = SimpleNamespace(uuid=uuid)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)


def test_the_driver_tells_joules_and_megahertz(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    as_device_with(monkeypatch, "1")
    counters = gpu_counters("cuda")
    assert counters is not None
    assert counters.energy() == 7.5
    assert counters.power() is None
    assert counters.clocks() == {"sm": 1755, "memory": 2619}


def test_a_gpu_that_the_driver_does_not_know_has_no_counters(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    as_device_with(monkeypatch, "2")
    assert gpu_counters("cuda") is None


def test_an_old_driver_tells_nothing(driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> int:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)

    for name in ("nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetClockInfo"):
        monkeypatch.setattr(pynvml, name, unknown)
    old = GpuCounters("handle")
    assert old.energy() is None
    assert old.clocks() == {}


def test_a_cpu_and_a_machine_without_driver_have_no_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    assert gpu_counters("cpu") is None
    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert gpu_counters("cuda") is None


def test_without_the_drivers_counters_a_gpu_has_none_and_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("benchmark.speed.energy.pynvml", None)
    assert gpu_counters("cuda") is None
    assert "pip install 'uadbench[gpu]'" in caplog.text


def test_every_quantity_has_a_title() -> None:
    assert all(quantity.title for quantity in QUANTITIES.values())
    assert shown("parameters", 37_513_857.0) == "37.51 M"
