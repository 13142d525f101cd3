"""Grades: is the answer of each rollout right? Each rollout is graded once."""

from __future__ import annotations

from pathlib import Path

from vlprm.benchmarks import grader
from vlprm.config.slices import GradeSlice
from vlprm.io import tables
from vlprm.io.manifest import recorded
from vlprm.progress import track
from vlprm.records import Grade, Rollout, Sample
from vlprm.stages import VERSIONS


def run(config: GradeSlice, samples: Path, rollouts: Path, grades: Path) -> None:
    """Read samples and rollouts, write one grade each."""
    with recorded(
        "grade",
        VERSIONS["grade"],
        config.model_dump(mode="json"),
        inputs=[samples, rollouts],
        outputs=[grades],
    ) as counts:
        questions = {sample.id: sample for sample in tables.read(samples, Sample)}
        solutions = tables.read(rollouts, Rollout)
        grade = grader(config.kind, config.grading)
        found = [grade(questions[item.sample_id], item) for item in track(solutions, "grade")]
        tables.write(found, grades, Grade)
        counts["rollouts"] = len(found)
        counts["right"] = sum(item.correct is True for item in found)
        counts["wrong"] = sum(item.correct is False for item in found)
        counts["ungraded"] = sum(item.correct is None for item in found)
