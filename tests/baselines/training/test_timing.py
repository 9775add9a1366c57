"""Only steps are counted, and of them the share that waited."""

import math

import pytest
import torch

from baselines.training import timing
from baselines.training.timing import Schedule, StepStopwatch


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def run(watch: StepStopwatch, clock: Clock) -> None:
    """Four steps of 3 s, of which the first waits 1 s for its slices, and a pause of 50 s."""
    watch.start()
    with watch.waiting():
        clock.now += 1
    clock.now += 11
    with watch.paused():
        clock.now += 50


def test_pauses_are_not_counted(clock: Clock) -> None:
    watch = StepStopwatch(torch.device("cpu"))
    run(watch, clock)
    assert (watch.seconds, watch.rate(4)) == (12, 4 / 12)


def test_the_share_of_waiting_is_that_of_the_timed_steps(clock: Clock) -> None:
    watch = StepStopwatch(torch.device("cpu"))
    run(watch, clock)
    assert watch.data_wait_fraction(4) == pytest.approx(4 * 1 / 12)


def test_it_goes_on_from_a_loaded_state(clock: Clock) -> None:
    first, second = (StepStopwatch(torch.device("cpu")) for _ in range(2))
    run(first, clock)
    second.load_state_dict(first.state_dict())
    run(second, clock)
    assert (second.seconds, second.rate(8)) == (24, 8 / 24)
    assert second.data_wait_fraction(8) == pytest.approx(1 / 3)


def test_the_recent_rate_is_that_since_it_was_last_asked(clock: Clock) -> None:
    watch = StepStopwatch(torch.device("cpu"))
    run(watch, clock)
    assert watch.recent_rate(4) == 4 / 12
    run(watch, clock)
    assert watch.recent_rate(10) == 6 / 12


def test_nothing_is_known_before_the_first_pause() -> None:
    assert math.isnan(StepStopwatch(torch.device("cpu")).rate(0))


@pytest.mark.parametrize(("steps", "validations"), [(60, 20), (400, 20), (19_200, 20), (7, 7), (50, 25)])
def test_there_are_about_twenty_validations(steps: int, validations: int) -> None:
    schedule = Schedule(steps)
    assert sum(schedule.validation(step) for step in range(1, steps + 1)) == validations


def test_validations_come_as_often_as_asked_for_and_after_the_last_step() -> None:
    schedule = Schedule(10, validate_every=4)
    assert [step for step in range(1, 11) if schedule.validation(step)] == [4, 8, 10]


def test_there_are_a_few_pictures_and_no_more_than_about_five_hundred_rows() -> None:
    schedule = Schedule(19_200)
    assert [step for step in range(1, 19_201) if schedule.picture(step)] == [4800, 9600, 14_400, 19_200]
    assert [step for step in range(1, 151) if Schedule(150).picture(step)] == [38, 76, 114, 150]
    assert 480 <= sum(schedule.log_row(step) for step in range(1, 19_201)) <= 520


def test_training_pauses_for_each_of_them() -> None:
    schedule = Schedule(2000, validate_every=7)
    for step in range(1, 2001):
        due = schedule.validation(step) or schedule.log_row(step) or schedule.picture(step) or schedule.checkpoint(step)
        assert schedule.any(step) == due
