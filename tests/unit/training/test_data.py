"""Data on demand: what is counted, in which order it comes, how it is packed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.unit.puzzles import SMALL, Bounds, questions
from vlprm.config.training import EveryLayer
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.chat import PRM_LAYOUT
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.families.qwen25vl.model import load_model
from vlprm.io import parquet
from vlprm.io.images import ImageStore
from vlprm.records import PRMExample
from vlprm.training import packed, setup
from vlprm.training.collator import IGNORED, PRMCollator
from vlprm.training.data import ByLength, Conversations, survey
from vlprm.training.trainer import bounded

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("data")
    samples, store = questions(7)
    examples = [
        PRMExample.model_validate(
            {
                "rollout_id": f"r{number}", "images": sample.images if number != 2 else (),
                "system": "Answer + or -.",
                "question": "Which?",
                "steps": ["red star", "so red", "red"][: 1 + number % 3],
                "labels": [1, number % 2, None][: 1 + number % 3],
            }
        )
        for number, sample in enumerate(samples)
    ]  # fmt: skip
    parquet.write(examples, folder / "examples.parquet", PRMExample)
    store.save(folder / "images.parquet")
    yield folder / "examples.parquet", folder / "images.parquet"


def conversations(rows: tuple[Path, Path], **more: object) -> tuple[Conversations, PRMCollator]:
    inputs = QwenInputs(FAMILY, SMALL, ImageStore(rows[1]), Bounds())
    collate = PRMCollator(PRM_LAYOUT, inputs, "assistant_turns", **more)
    return Conversations(parquet.Rows(rows[0], PRMExample), collate), collate


def test_a_survey_counts_what_the_conversations_hold(rows: tuple[Path, Path]) -> None:
    data, collate = conversations(rows)
    found = survey(data, collate.value_ids[0], 0, CPU)
    made = [data[index]["labelled"] for index in range(len(data))]
    assert found.lengths.tolist() == [len(row.ids) for row in made]
    labels = [label for example in parquet.read(rows[0], PRMExample) for label in example.labels]
    assert found.targets == sum(label is not None for label in labels)
    assert found.plus == sum(label == 1 for label in labels)


def test_workers_survey_alike(rows: tuple[Path, Path]) -> None:
    data, collate = conversations(rows)
    alone, helped = (survey(data, collate.value_ids[0], workers, CPU) for workers in (0, 2))
    assert torch.equal(alone.lengths, helped.lengths)
    assert (alone.targets, alone.plus) == (helped.targets, helped.plus)


def test_like_lengths_stand_together_in_a_seeded_order() -> None:
    lengths = torch.randint(10, 2000, (1003,), generator=torch.Generator().manual_seed(3))
    sampler = ByLength(lengths, 8, seed=5)
    first, again = list(sampler), list(sampler)
    assert first == again
    assert sorted(first) == list(range(1003))
    sampler.set_epoch(1)
    assert list(sampler) != first
    batches = [lengths[first[start : start + 8]] for start in range(0, 1000, 8)]
    assert sum(int(batch.max() - batch.min()) for batch in batches) / len(batches) < 100
    assert [int(batch.max()) for batch in batches] != sorted(
        (int(batch.max()) for batch in batches), reverse=True
    )


def test_packed_rows_give_the_logits_of_padded_ones(rows: tuple[Path, Path]) -> None:
    """The same model and conversations, without padding: each attends to itself alone."""
    model = load_model(SMALL, dtype="float32")
    data, padded = conversations(rows)
    setup._logits_at_labels(model)
    batch = [data[index] for index in (0, 1, 2, 4)]
    with torch.no_grad():
        expected = model(**padded(batch))
    packed.use_packed(model)
    data, collate = conversations(rows, positions=packed.rotary_positions(model))
    made = collate(batch)
    assert made["input_ids"].shape == (1, sum(len(item["labelled"].ids) for item in batch))
    assert "attention_mask" not in made
    with torch.no_grad():
        found = model(**made)
    assert (made["labels"] != IGNORED).sum() == len(found)
    assert (found - expected).abs().max() < 1e-4


def test_every_second_layer_recomputes_to_the_same_gradients(rows: tuple[Path, Path]) -> None:
    data, collate = conversations(rows)
    batch = collate([data[0], data[1]])
    gradients = []
    for setting in (False, True, EveryLayer(every=2)):
        model = load_model(SMALL, dtype="float32").train()
        setup._recompute(model, recipe(setting))
        flags = [layer.gradient_checkpointing for layer in model.model.language_model.layers]
        assert flags == [bool(setting) and (setting is True or n % 2 == 0) for n in range(4)]
        setup._logits_at_labels(model)
        model(**batch).square().sum().backward()
        gradients.append(model.model.language_model.layers[1].mlp.up_proj.weight.grad)
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[0], gradients[2])


def recipe(checkpointing: bool | EveryLayer) -> object:
    class Recipe:
        gradient_checkpointing = checkpointing
        tune_vision = True

    return Recipe()


def test_groups_are_bounded_and_keep_every_parameter_in_order() -> None:
    parameters = [torch.zeros(size) for size in (3, 9, 2, 2, 20, 1)]
    parts = list(bounded(parameters, 10))
    assert [[len(p) for p in part] for part in parts] == [[3], [9], [2, 2], [20], [1]]
