"""The loss: of labels, and of values in their place."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from vlprm.training.trainer import soft_cross_entropy

VALUES = (3, 5)


def test_one_and_nought_are_the_loss_of_labels() -> None:
    logits = torch.randn(4, 9, generator=torch.Generator().manual_seed(1))
    tokens = torch.tensor([3, 5, 5, 3])
    soft = torch.tensor([1.0, 0.0, 0.0, 1.0])
    wanted = cross_entropy(logits, tokens, reduction="sum")
    assert soft_cross_entropy(logits, soft, VALUES).item() == pytest.approx(wanted.item())


def test_the_loss_is_least_where_the_share_is_met() -> None:
    """Its gradient over the two tokens is nought at ``p(+) = 0.25``, whatever they share."""
    logits = torch.full((1, 9), -30.0)
    logits[0, VALUES[0]], logits[0, VALUES[1]] = torch.tensor(0.25).log(), torch.tensor(0.75).log()
    logits.requires_grad_()
    soft_cross_entropy(logits, torch.tensor([0.25]), VALUES).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-6
