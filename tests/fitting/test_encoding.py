from __future__ import annotations

import pytest
import torch

from overtone._training import TrainingConfig, make_optimizer
from overtone.cli._fit import ENCODINGS
from overtone.errors import InputError
from overtone.fitting._prepare import build
from overtone.nn import Activation, EncodingKind, ModelConfig, build_encoding, encodings
from overtone.nn.activations import Reaching, build_activation
from overtone.signals import array


def volume():
    return array(torch.rand(6, 8, 10, generator=torch.Generator().manual_seed(0)).numpy())


def nothing():
    raise AssertionError("a given bandwidth needs no noise floor")


def test_the_command_line_knows_every_encoding():
    assert list(ENCODINGS) == [e.value for e in EncodingKind]


@pytest.mark.parametrize("kind", [e for e in EncodingKind if e.has_bandwidth], ids=lambda e: e.value)
def test_the_field_reaches_what_is_asked(kind):
    built = build(volume(), ModelConfig(kind, (2.0, 3.0, 4.0), width=8, features=30), 0, nothing)
    assert built.bandwidth == pytest.approx((2.0, 3.0, 4.0), rel=1e-5)
    assert built.field(volume().coords[:5]).shape == (5, 1)


@pytest.mark.parametrize(
    "kind", [a for a in Activation if isinstance(build_activation(a), Reaching)], ids=lambda a: a.value
)
def test_activations_with_frequencies_take_the_bandwidth(kind):
    settings = ModelConfig(bandwidth=(3.0,), activation=(kind,), width=8)
    assert settings.resolved_encoding is EncodingKind.NONE
    built = build(volume(), settings, 0, nothing)
    assert isinstance(built.field.encoding, encodings.Identity)
    assert built.bandwidth == pytest.approx((3.0,) * 3)


def test_planes_are_for_volumes():
    with pytest.raises(
        InputError, match="encoding: expected a volume of 3 axes for the triplane encoding, got 2"
    ):
        build_encoding(EncodingKind.TRIPLANE, 2, 16, (1.0, 1.0), 0)


def test_grids_and_trained_frequencies_have_their_own_learning_rate():
    field = build(volume(), ModelConfig(EncodingKind.HASH_GRID, (3.0,), width=8), 0, nothing).field
    groups = make_optimizer(field, TrainingConfig(lr=1e-3)).param_groups
    assert [(len(g["params"]), g["lr"]) for g in groups] == [(8, 1e-3), (1, pytest.approx(1e-2))]
    assert groups[1]["params"][0] is field.encoding.table
    plain = build(volume(), ModelConfig(EncodingKind.GAUSSIAN, (3.0,), width=8), 0, nothing).field
    (group,) = make_optimizer(plain, TrainingConfig(lr=1e-3)).param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in plain.parameters()]
