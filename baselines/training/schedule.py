"""Timetable: after which steps of a stage something else is done."""

from dataclasses import dataclass

LOOKS = 20
NOTES = 500
CHECKPOINTS = 20
PICTURES = 4


@dataclass(frozen=True)
class Timetable:
    """Steps are counted from 1; everything is done after the last one too.

    Attributes:
        steps: of the stage.
        look_every: steps between two looks; None for twenty looks in all.
    """

    steps: int
    look_every: int | None = None

    def look(self, step: int) -> bool:
        """At the validation slices."""
        return self._due(step, self.look_every or self.steps // LOOKS)

    def note(self, step: int) -> bool:
        """Of the losses, in the log."""
        return self._due(step, self.steps // NOTES)

    def picture(self, step: int) -> bool:
        return self._due(step, -(-self.steps // PICTURES))

    def checkpoint(self, step: int) -> bool:
        return self._due(step, self.steps // CHECKPOINTS)

    def pause(self, step: int) -> bool:
        """Any of them."""
        return self.look(step) or self.note(step) or self.picture(step) or self.checkpoint(step)

    def _due(self, step: int, interval: int) -> bool:
        return step % max(interval, 1) == 0 or step == self.steps
