"""Looks, notes and checkpoints are spread over a stage, and come after its last step too."""

import pytest

from baselines.training.schedule import Timetable


@pytest.mark.parametrize(("steps", "looks"), [(60, 20), (400, 20), (19_200, 20), (7, 7), (50, 25)])
def test_there_are_about_twenty_looks(steps: int, looks: int) -> None:
    timetable = Timetable(steps)
    assert sum(timetable.look(step) for step in range(1, steps + 1)) == looks


def test_looks_come_as_often_as_asked_for_and_after_the_last_step() -> None:
    timetable = Timetable(10, look_every=4)
    assert [step for step in range(1, 11) if timetable.look(step)] == [4, 8, 10]


def test_there_are_a_few_pictures_and_no_more_than_about_five_hundred_rows() -> None:
    timetable = Timetable(19_200)
    assert [step for step in range(1, 19_201) if timetable.picture(step)] == [4800, 9600, 14_400, 19_200]
    assert [step for step in range(1, 151) if Timetable(150).picture(step)] == [38, 76, 114, 150]
    assert 480 <= sum(timetable.note(step) for step in range(1, 19_201)) <= 520


def test_training_pauses_for_each_of_them() -> None:
    timetable = Timetable(2000, look_every=7)
    for step in range(1, 2001):
        due = timetable.look(step) or timetable.note(step) or timetable.picture(step) or timetable.checkpoint(step)
        assert timetable.pause(step) == due
