"""Loss stands on the answers of labelled turns, nowhere else."""

from __future__ import annotations

from tests.unit.puzzles import SMALL, Bounds, questions
from vlprm.families.qwen25vl import FAMILY
from vlprm.families.qwen25vl.chat import PRM_LAYOUT
from vlprm.families.qwen25vl.inputs import QwenInputs
from vlprm.labels.soft import SoftPRMExample
from vlprm.records import PRMExample
from vlprm.training.collator import IGNORED, PRMCollator

SAMPLES, STORE = questions(1)
INPUTS = QwenInputs(FAMILY, SMALL, STORE, Bounds())
PLUS, MINUS = INPUTS.token_id("+"), INPUTS.token_id("-")


def example(*labels: int | None) -> PRMExample:
    steps = ["red + blue - star", "so", "red"][: len(labels)]
    return PRMExample.model_validate(
        {
            "rollout_id": "r", "images": SAMPLES[0].images, "system": "Answer + or -.",
            "question": "3 - 1?", "steps": steps, "labels": labels,
        }
    )  # fmt: skip


def test_one_target_a_labelled_turn() -> None:
    row = PRMCollator(PRM_LAYOUT, INPUTS, "assistant_turns").labelled(example(1, None, 0))
    assert [token for _, token in row.targets] == [PLUS, MINUS]
    assert all(row.ids[place + 1] == token for place, token in row.targets)


def test_parity_finds_every_sign_of_the_text() -> None:
    row = PRMCollator(PRM_LAYOUT, INPUTS, "token_scan").labelled(example(1, 0))
    assert len(row.targets) > 2


def test_batches_are_padded_without_loss() -> None:
    collate = PRMCollator(PRM_LAYOUT, INPUTS, "assistant_turns")
    rows = [collate.labelled(item) for item in (example(1), example(1, 1, 0))]
    batch = collate([{"labelled": row} for row in rows])
    assert batch["input_ids"].shape == batch["labels"].shape
    assert (batch["labels"] != IGNORED).sum(1).tolist() == [1, 3]
    assert batch["attention_mask"].sum(1).tolist() == [len(row.ids) for row in rows]
    assert len(batch["image_grid_thw"]) == 2


def test_values_stand_at_their_labels() -> None:
    collate = PRMCollator(PRM_LAYOUT, INPUTS, "assistant_turns")
    shown = [((1, None, 0), (0.75, None, 0.125)), ((1,), (0.5,))]
    rows = [
        collate.labelled(
            SoftPRMExample.model_validate(example(*labels).model_dump() | {"targets": targets})
        )
        for labels, targets in shown
    ]
    batch = collate([{"labelled": row} for row in rows])
    assert batch["soft"].tolist() == [0.75, 0.125, 0.5]
    chosen = batch["labels"][batch["labels"] != IGNORED]
    assert chosen.tolist() == [PLUS, MINUS, PLUS]
    hard = collate([{"labelled": collate.labelled(example(1, 0))}])
    assert "soft" not in hard
