"""Joules: from the counter, else from the power, else not at all; never 0."""

import ctypes
import time
from collections.abc import Iterator
from math import isnan

import pytest

from benchmark.speed.energy import EnergyMeter, Nvml, integral, nvml_of
from benchmark.speed.quantities import NUMBERS, shown


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


class Library:
    """NVML with one GPU that tells its energy and its clocks, and no power."""

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: object) -> int:
        return 0 if uuid == b"GPU-1" else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object, number: object) -> int:
        return self.told(number, 7_500)

    def nvmlDeviceGetPowerUsage(self, handle: object, number: object) -> int:
        return 3  # NVML_ERROR_NOT_SUPPORTED

    def nvmlDeviceGetClockInfo(self, handle: object, kind: int, number: object) -> int:
        return self.told(number, {1: 1755, 2: 2619}[kind])

    def told(self, number: object, value: int) -> int:
        number._obj.value = value  # type: ignore[attr-defined]
        return 0


def test_nvml_tells_joules_and_megahertz() -> None:
    nvml = Nvml(Library(), "GPU-1")
    assert nvml.usable
    assert nvml.energy() == 7.5
    assert nvml.power() is None
    assert nvml.clocks() == {"sm": 1755, "memory": 2619}


def test_another_gpu_and_an_old_driver_tell_nothing() -> None:
    assert Nvml(Library(), "GPU-2").energy() is None
    library = Library()
    old = Nvml(library, "GPU-1")
    old._library = object()
    assert old.energy() is None
    assert old.clocks() == {}


def test_a_cpu_and_a_machine_without_driver_have_no_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Iterator[None]:
        raise OSError(f"{name}: cannot open shared object file")

    assert nvml_of("cpu") is None
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert nvml_of("cuda") is None


def test_every_number_has_a_title() -> None:
    assert all(number.title for number in NUMBERS.values())
    assert shown("parameters", 37_513_857.0) == "37.51 M"
