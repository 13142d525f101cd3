"""Linear layers through oneDNN give what torch's own give, forward and backward."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vlprm.families.qwen25vl.linear import use_onednn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 7), (2, 3, 7), (1, 7), (0, 7)])
def test_product_and_gradients(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(7, 4, bias=bias)
    other = nn.Linear(7, 4, bias=bias)
    other.load_state_dict(plain.state_dict())
    use_onednn(other)
    rows = torch.randn(shape)
    found = []
    for layer in (plain, other):
        given = rows.clone().requires_grad_()
        out = layer(given)
        (out * torch.arange(4.0)).sum().backward()
        found.append([out, given.grad, *(p.grad for p in layer.parameters())])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_frozen_weights_get_no_gradient() -> None:
    layer = nn.Linear(3, 2).requires_grad_(False)
    use_onednn(layer)
    rows = torch.randn(4, 3, requires_grad=True)
    layer(rows).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(rows.grad, layer.weight.sum(dim=0).expand(4, 3))


def test_other_dtypes_are_left_alone() -> None:
    layer = nn.Linear(3, 2).double()
    use_onednn(layer)
    assert layer(torch.randn(1, 3, dtype=torch.float64)).dtype == torch.float64
