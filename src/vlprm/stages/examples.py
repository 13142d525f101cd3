"""PRM examples: labelled rollouts become training conversations; what is left out is listed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from vlprm import prompts
from vlprm.benchmarks import question_text
from vlprm.config.rehearsal import in_force
from vlprm.config.slices import ExamplesSlice
from vlprm.io import tables
from vlprm.io.atomic import write_text
from vlprm.io.csv_list import listing
from vlprm.io.manifest import recorded
from vlprm.io.meter import note
from vlprm.labels.examples import balance, build_example, longest_repeated
from vlprm.prm.format import render_turns
from vlprm.prompts import sha256_of_all
from vlprm.records import PRMExample, Rollout, Sample, StepLabel
from vlprm.stages import VERSIONS


def run(
    config: ExamplesSlice,
    samples: list[Path],
    rollouts: list[Path],
    labels: list[Path],
    examples: Path,
    dropped: Path,
) -> None:
    """Read every shard of samples, rollouts and labels; write conversations."""
    with recorded(
        "examples",
        VERSIONS["examples"],
        config.model_dump(mode="json"),
        inputs=[*samples, *rollouts, *labels],
        outputs=[examples, dropped],
        prompts=sha256_of_all(config.examples.system_prompt, config.user_prompt),
    ) as counts:
        questions = {item.id: item for item in tables.read_many(samples, Sample)}
        by_rollout: dict[str, list[StepLabel]] = defaultdict(list)
        for label in tables.read_many(labels, StepLabel):
            by_rollout[label.rollout_id].append(label)
        system = prompts.render(config.examples.system_prompt)
        found: list[PRMExample] = []
        left_out: list[tuple[str, str]] = []
        for rollout in tables.read_many(rollouts, Rollout):
            known = by_rollout.get(rollout.id)
            if known is None:
                left_out.append((rollout.id, "no labels"))
                continue
            sample = questions[rollout.sample_id]
            question = prompts.render(config.user_prompt, question=question_text(sample))
            turns = render_turns(question, [step.text for step in rollout.steps])
            example = build_example(sample, rollout, known, turns, system)
            if example is None:
                left_out.append((rollout.id, "no step carries a label"))
            else:
                found.append(example)
        kept, surplus = balance(found, config.examples, config.seed)
        left_out += [(item.rollout_id, "left out by balancing") for item in surplus]
        if rehearsal := in_force():
            kept, ratio = longest_repeated(kept, rehearsal.conversations)
            note("length_ratio", ratio)
        tables.write(kept, examples, PRMExample)
        write_text(dropped, listing(left_out))
        values = [label for item in kept for label in item.labels if label is not None]
        counts["conversations"] = len(kept)
        counts["left_out"] = len(left_out)
        counts["plus"] = sum(values)
        counts["minus"] = len(values) - sum(values)
