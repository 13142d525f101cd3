"""A training state on disk: whole or absent, of this run or discarded, exact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from vlprm.training import snapshot, state
from vlprm.training.state import FACTS, StateFolder, load_tensors, save_tensors

CPU = torch.device("cpu")


def saved(folder: StateFolder, step: int) -> None:
    with folder.saving(step) as scratch:
        save_tensors(scratch, "weights", [("a", torch.tensor([float(step)]))])


def test_the_newest_complete_state_is_found_and_others_go(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "prm.training", "mine")
    assert folder.latest(CPU) is None
    saved(folder, 3)
    saved(folder, 12)
    assert [entry.name for entry in folder.path.iterdir()] == ["step-00000012"]
    found = folder.latest(CPU)
    assert found is not None
    assert dict(load_tensors(found, "weights"))["a"].item() == 12
    folder.remove()
    assert not folder.path.exists()


def test_a_save_that_was_cut_leaves_the_state_before(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "prm.training", "mine")
    saved(folder, 3)
    with pytest.raises(KeyboardInterrupt), folder.saving(4) as scratch:
        save_tensors(scratch, "weights", [("a", torch.zeros(1))])
        raise KeyboardInterrupt
    found = folder.latest(CPU)
    assert found is not None
    assert found.name == "step-00000003"
    assert [entry.name for entry in folder.path.iterdir()] == ["step-00000003"]


def test_a_state_of_other_inputs_is_discarded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(StateFolder(tmp_path / "prm.training", "theirs"), 3)
    caplog.set_level("INFO")
    assert StateFolder(tmp_path / "prm.training", "mine").latest(CPU) is None
    assert "other inputs or settings" in caplog.text
    assert not list((tmp_path / "prm.training").iterdir())


def test_tensors_are_written_in_pieces_and_read_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "_PIECE", 100)
    tensors = {f"t{number}": torch.rand(number, 7) for number in range(1, 9)}
    shared = torch.rand(4)
    tensors |= {"view": shared[1:], "whole": shared}
    save_tensors(tmp_path, "weights", tensors.items())
    assert len(list(tmp_path.iterdir())) > 3
    assert all(file.suffix == ".safetensors" for file in tmp_path.iterdir())
    back = dict(load_tensors(tmp_path, "weights"))
    assert list(back) == list(tensors)
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_optimizer_schedule_and_generator_come_back_exactly(tmp_path: Path) -> None:
    def start() -> tuple[torch.nn.Module, torch.optim.lr_scheduler.LambdaLR]:
        torch.manual_seed(1)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))
        groups = [
            {"params": model[0].parameters(), "weight_decay": 0.1},
            {"params": model[1].parameters()},
        ]
        optimizer = torch.optim.AdamW(groups, lr=0.1, fused=True)
        return model, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (step + 3))

    def step(model: torch.nn.Module, schedule: torch.optim.lr_scheduler.LambdaLR) -> None:
        schedule.optimizer.zero_grad()
        model(torch.rand(5, 3)).square().sum().backward()
        schedule.optimizer.step()
        schedule.step()

    model, schedule = start()
    for _ in range(3):
        step(model, schedule)
    snapshot.save(tmp_path, model, schedule)
    for _ in range(4):
        step(model, schedule)
    again, its_schedule = start()
    snapshot.load(tmp_path, again, its_schedule)
    snapshot.load_generators(tmp_path)
    for _ in range(4):
        step(again, its_schedule)
    for one, two in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)
    assert schedule.state_dict() == its_schedule.state_dict()


def test_facts_name_the_run(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "prm.training", "mine")
    saved(folder, 3)
    facts = json.loads((folder.path / "step-00000003" / FACTS).read_text())
    assert facts == {"digest": "mine", "step": 3}
