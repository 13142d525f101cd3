"""What is asked of a DeepSpeed configuration, before the run and again where training begins."""

from __future__ import annotations

import json
from pathlib import Path

from vlprm.errors import UserError

STAGES = (1, 2)
"""ZeRO stages. With 3 no process holds the whole model; states and checkpoints are of processes
that do."""


def zero_stage(file: Path) -> int:
    """The ZeRO stage that the file asks for.

    Raises UserError when it is absent, not JSON, or asks for another stage than ``STAGES``.
    """
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        stage = settings.get("zero_optimization", {}).get("stage", 0)
    except OSError as error:
        raise UserError(
            "no such file" if not file.exists() else "cannot be read",
            where=str(file),
            cure="the path of a DeepSpeed file from the run's folder, or null",
        ) from error
    except (ValueError, AttributeError) as error:
        raise UserError(
            f"not a DeepSpeed configuration ({error})",
            where=str(file),
            cure="correct the file, as configs/deepspeed_zero2.json has it",
        ) from error
    if isinstance(stage, bool) or stage not in STAGES:
        raise UserError(f"ZeRO stage {stage}", where=str(file), cure="stage 1 or 2")
    return int(stage)
