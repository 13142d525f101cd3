"""The published VQAv2 sample enters the workflow: rollouts, verdicts, labels, examples."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from vlprm.config.labels import ExamplesConfig
from vlprm.config.slices.examples import ExamplesSlice
from vlprm.config.slices.import_rollouts import ImportRolloutsSlice
from vlprm.config.slices.label import LabelSlice
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.label_rules.consensus import Consensus
from vlprm.records import PRMExample, Rollout, Sample, Section, StepEstimate, StepLabel, Verdict
from vlprm.solutions.rollouts import sample_of
from vlprm.sources import SOURCES
from vlprm.sources.unusable import Unusable
from vlprm.stages import examples, import_rollouts, label

SHARED = Path(os.environ.get("VLPRM_SHARED", Path(__file__).resolve().parents[2] / "../shared"))
DATA = SHARED / "data" / "vqav2_sample"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the published VQAv2 sample")

RULE = Consensus(name="consensus", threshold=0.0, after_first_error="stop")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every table of the sample, made by the stages of the workflow."""
    root = tmp_path_factory.mktemp("vqav2")
    names = ("samples", "images", "rollouts", "estimates", "verdicts")
    files = {name: root / f"{name}.parquet" for name in (*names, "labels", "examples")}
    files |= {name: root / f"{name}.csv" for name in ("unlabelled", "no_example")}
    inputs = tuple(
        DATA / name for name in ("rollouts.jsonl", "judge_requests.jsonl", "judge_results.json")
    )
    config = ImportRolloutsSlice(dataset="vqav2", shard="000", policy="qwen7b", kind="vqav2", n=100)
    import_rollouts.run(config, *inputs, *(files[name] for name in names))
    label.run(
        LabelSlice(rule=RULE, min_graded=1),
        files["rollouts"], [files["estimates"]], [files["verdicts"]], [],
        files["labels"], files["unlabelled"],
    )  # fmt: skip
    examples.run(
        ExamplesSlice(
            sources=(("vqav2", 1),),
            policy="qwen7b",
            seed=1,
            examples=ExamplesConfig(
                system_prompt="prm_system_v1", balance="none", max_examples=None
            ),
            user_prompt="policy_steps_v1",
        ),
        [files["samples"]], [files["rollouts"]], [files["labels"]], [], [],
        files["examples"], files["no_example"],
    )  # fmt: skip
    files["unusable"] = root / "rollouts.unusable.csv"
    return files


def listed(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return {row[0]: row[1] for row in rows}


def test_all_published_rollouts_parse_into_steps(run: dict[str, Path]) -> None:
    rollouts = parquet.read(run["rollouts"], Rollout)
    raw = [json.loads(line) for line in (DATA / "rollouts.jsonl").read_text().splitlines()]
    reasons = listed(run["unusable"])
    parsed = [name for name in reasons if name.startswith(str(DATA / "rollouts.jsonl"))]
    assert len(raw) == 21
    assert len(rollouts) + len(parsed) + _without_image(run, raw) == 21
    for item in rollouts:
        sections = [step.section for step in item.steps]
        assert set(sections) == {Section.PERCEPTION, Section.REASONING}
        assert sections == sorted(sections, key=[Section.PERCEPTION, Section.REASONING].index)
        assert item.answer is not None
    estimates = Counter(e.rollout_id for e in parquet.read(run["estimates"], StepEstimate))
    assert estimates == {item.id: len(item.steps) for item in rollouts}


def _without_image(run: dict[str, Path], raw: list[dict[str, str]]) -> int:
    """Rollouts of questions that no judge request shows the image of."""
    lost = {name for name, why in listed(run["unusable"]).items() if "carries its image" in why}
    return sum(f"vqav2/{row['uid']}" in lost for row in raw)


def test_all_judge_results_become_verdicts_of_their_rollouts(run: dict[str, Path]) -> None:
    verdicts = parquet.read(run["verdicts"], Verdict)
    rollouts = {item.id: item for item in parquet.read(run["rollouts"], Rollout)}
    assert len(verdicts) == 12
    assert {item.status for item in verdicts} == {"ok"}
    assert {item.rollout_id for item in verdicts} <= set(rollouts)
    odd = [item for item in verdicts if "<analysis_n>" in item.raw]
    assert len(odd) == 1, "one real reply numbers an analysis 'n'"
    for item in verdicts:
        if item.first_error is not None:
            assert item.first_error < len(rollouts[item.rollout_id].steps)


def test_labels_follow_the_published_rule_and_nothing_vanishes(run: dict[str, Path]) -> None:
    rollouts = {item.id: item for item in parquet.read(run["rollouts"], Rollout)}
    verdicts = {item.rollout_id: item for item in parquet.read(run["verdicts"], Verdict)}
    estimates = parquet.read(run["estimates"], StepEstimate)
    labels: dict[str, list[int | None]] = {}
    for item in parquet.read(run["labels"], StepLabel):
        labels.setdefault(item.rollout_id, []).append(item.label)
    dropped = listed(run["unlabelled"])
    assert set(labels) | set(dropped) == set(rollouts)
    assert not set(labels) & set(dropped)
    for name, values in labels.items():
        error = verdicts[name].first_error
        if error is None:
            assert values == [1] * len(rollouts[name].steps)
            assert all(e.n_correct > 0 for e in estimates if e.rollout_id == name)
        else:
            assert values == [1] * error + [0]
    for name, reason in dropped.items():
        assert (name not in verdicts) == (reason == "no verdict")


def test_every_labelled_rollout_becomes_a_conversation(run: dict[str, Path]) -> None:
    found = parquet.read(run["examples"], PRMExample)
    labelled = {item.rollout_id for item in parquet.read(run["labels"], StepLabel)}
    assert {item.rollout_id for item in found} == labelled
    store = ImageStore(run["images"])
    samples = {item.id: item for item in parquet.read(run["samples"], Sample)}
    for item in found:
        assert item.images == samples[sample_of(item.rollout_id)].images
        assert store.open(item.images[0]).size == (item.images[0].width, item.images[0].height)
        assert len(item.steps) == len(item.labels)
        assert samples[sample_of(item.rollout_id)].question in item.question


def test_question_file_is_read_or_says_what_is_missing() -> None:
    found = list(SOURCES["vqav2"].questions("vqav2", DATA / "questions.jsonl"))
    lines = [line for line in (DATA / "questions.jsonl").read_text().splitlines() if line.strip()]
    assert len(found) == len(lines)
    for item in found:
        # the sample ships no image files: each row says so instead of vanishing
        assert not isinstance(item, Unusable) or "image" in item.reason
