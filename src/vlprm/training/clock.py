"""Start-up, steps and saving of a training, told apart for the record of its time."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from vlprm.io import meter


class Clock(TrainerCallback):
    """The work is all steps but the first, which allocates, compiles and meets the other cards.

    ``notes["share"]``: what part of the steps the work's seconds cover.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Model and data are there."""
        del args, state, control
        meter.engine_ready()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After the first of several optimizer steps."""
        del args, control
        if state.global_step == 1 and state.max_steps > 1:
            meter.engine_ready()
            meter.note("share", 1 - 1 / state.max_steps)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What is left is to save."""
        del args, state, control
        meter.work_done()
