import pytest
import torch
from torch import nn

from overtone._state import evaluation_mode
from overtone._state._evaluation_mode import evaluation_mode_with_gradients


class Restless(nn.Module):
    """Draws random numbers, counts its calls in a buffer and sets its own mode: all that a probe must undo."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(2)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.linear(self.drop(self.norm(x + torch.randn_like(x))))


def fingerprint(network):
    return [t.detach().clone() for t in network.state_dict().values()]


def test_nothing_is_left_changed():
    torch_state = torch.get_rng_state()
    network = Restless()
    network.norm.eval()
    modes = [m.training for m in network.modules()]
    before, state = fingerprint(network), torch.get_rng_state()
    with torch.autocast("cpu", dtype=torch.bfloat16), evaluation_mode(network):
        assert not any(m.training for m in network.modules())
        assert not torch.is_grad_enabled()
        assert network(torch.ones(3, 2)).dtype == torch.float32
    assert [m.training for m in network.modules()] == modes
    assert all(torch.equal(a, b) for a, b in zip(before, fingerprint(network), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    torch.set_rng_state(torch_state)


def test_restored_after_an_error_too():
    network = Restless()
    state = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="boom"), evaluation_mode(network):
        network(torch.ones(3, 2))
        raise RuntimeError("boom")
    assert all(m.training for m in network.modules())
    assert float(network.calls) == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_without_the_guard_the_network_does_change():
    network = Restless()
    before, state = fingerprint(network), torch.get_rng_state()
    network(torch.ones(3, 2))
    assert not torch.equal(torch.get_rng_state(), state)
    assert not all(torch.equal(a, b) for a, b in zip(before, fingerprint(network), strict=True))


def part_exported():
    """A network of which one part is a program of torch.export, with a dropout before and after it."""
    part = nn.Sequential(nn.Linear(2, 64), nn.ReLU())
    program = torch.export.export(part, (torch.zeros(4, 2),)).module()
    return nn.Sequential(nn.Dropout(0.5), program, nn.Dropout(0.5), nn.Linear(64, 1))


@pytest.mark.parametrize("with_gradients", [False, True])
def test_an_exported_part_leaves_no_other_part_in_train_mode(with_gradients):
    network, x = part_exported(), torch.ones(4, 2)
    program = network[1]
    modes, methods = [m.training for m in network.modules()], (vars(program)["train"], vars(program)["eval"])
    plain = network[3](network[1](x)).detach()
    mode = (
        evaluation_mode_with_gradients(network, torch.device("cpu"))
        if with_gradients
        else evaluation_mode(network)
    )
    with mode:
        assert torch.equal(network(x).detach(), plain)
    assert [m.training for m in network.modules()] == modes
    assert (vars(program)["train"], vars(program)["eval"]) == methods
