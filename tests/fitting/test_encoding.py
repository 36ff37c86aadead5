from __future__ import annotations

import pytest
import torch

from overtone._config import EncodingKind, ModelConfig
from overtone._training import TrainingConfig, make_optimizer
from overtone.cli._fit import fit_command
from overtone.errors import InputError
from overtone.fitting import FitConfig
from overtone.fitting._prepare import prepare
from overtone.nn import encodings
from overtone.nn._build import build_encoding
from overtone.nn.activations import Activation
from overtone.nn.activations._base import SpectralActivation
from overtone.nn.activations._registry import build_activation
from overtone.signals import array


def volume():
    return array(torch.rand(6, 8, 10, generator=torch.Generator().manual_seed(0)).numpy())


def prepared(**options):
    return prepare(volume(), FitConfig().replace(width=8, **options))


def test_the_command_line_knows_every_encoding():
    (flag,) = (p for p in fit_command.params if p.name == "encoding")
    assert list(flag.type.choices) == [e.value for e in EncodingKind]


@pytest.mark.parametrize("kind", [e for e in EncodingKind if e.has_bandwidth], ids=lambda e: e.value)
def test_the_field_reaches_what_is_asked(kind):
    built = prepared(encoding=kind, bandwidth=(2.0, 3.0, 4.0), features=30)
    assert built.bandwidth == pytest.approx((2.0, 3.0, 4.0), rel=1e-5)
    assert built.field(volume().coords[:5]).shape == (5, 1)


@pytest.mark.parametrize(
    "kind",
    [a for a in Activation if isinstance(build_activation(a), SpectralActivation)],
    ids=lambda a: a.value,
)
def test_activations_with_frequencies_take_the_bandwidth(kind):
    settings = ModelConfig(bandwidth=(3.0,), activation=(kind,), width=8)
    assert settings.resolved_encoding is EncodingKind.NONE
    built = prepared(activation=kind, bandwidth=3.0)
    assert isinstance(built.field.encoding, encodings.Identity)
    assert built.bandwidth == pytest.approx((3.0,) * 3)


def test_planes_are_for_volumes():
    with pytest.raises(
        InputError, match="encoding: expected a signal of 3 axes for the triplane encoding, got 2"
    ):
        build_encoding(EncodingKind.TRIPLANE, 2, 16, (1.0, 1.0), 0)


def test_grids_and_trained_frequencies_have_their_own_learning_rate():
    field = prepared(encoding="hash-grid", bandwidth=3.0).field
    groups = make_optimizer(field, TrainingConfig(lr=1e-3)).param_groups
    assert [(len(g["params"]), g["lr"]) for g in groups] == [(8, 1e-3), (1, pytest.approx(1e-2))]
    assert groups[1]["params"][0] is field.encoding.table
    plain = prepared(encoding=EncodingKind.GAUSSIAN, bandwidth=3.0).field
    (group,) = make_optimizer(plain, TrainingConfig(lr=1e-3)).param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in plain.parameters()]


@pytest.mark.parametrize("kind", list(Activation), ids=lambda a: a.value)
def test_an_activation_has_a_bandwidth_if_its_module_has(kind):
    assert kind.has_bandwidth is isinstance(build_activation(kind), SpectralActivation)


@pytest.mark.parametrize(
    "kind", [e for e in EncodingKind if e is not EncodingKind.AUTO], ids=lambda e: e.value
)
def test_an_encoding_is_built_for_its_domain(kind):
    assert tuple(build_encoding(kind, 3, 12, (3.0, 3.0, 3.0), 0).domain) == kind.domain
