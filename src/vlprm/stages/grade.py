"""Grades: is the answer of each rollout right? Each rollout is graded once."""

from __future__ import annotations

from vlprm.benchmarks import grader
from vlprm.config.slices.grade import GradeSlice
from vlprm.io import parquet
from vlprm.io.manifest import recorded
from vlprm.io.solved import solved
from vlprm.progress import track
from vlprm.records import Grade
from vlprm.stages import VERSIONS, In, Out


def run(config: GradeSlice, samples: In, rollouts: In, grades: Out) -> None:
    """Read samples and rollouts, write one grade each."""
    with recorded(
        "grade",
        VERSIONS["grade"],
        config.model_dump(mode="json"),
        inputs=[samples, rollouts],
        outputs=[grades],
    ) as counts:
        own = solved(samples, rollouts, or_searched=True)
        questions, solutions = own.questions, own.solutions
        grade = grader(config.kind, config.grading)
        found = [grade(questions[item.sample_id], item) for item in track(solutions, "grade")]
        parquet.write(found, grades, Grade, keys=own.keys)
        counts["rollouts"] = len(found)
        counts["right"] = sum(item.correct is True for item in found)
        counts["wrong"] = sum(item.correct is False for item in found)
        counts["ungraded"] = sum(item.correct is None for item in found)
