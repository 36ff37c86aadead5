"""The keyword arguments of `fit` and the settings that they stand for."""

import dataclasses
import functools
import json
import operator
from collections.abc import Sequence
from enum import EnumMeta
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import signals
from overtone._config import FitConfig, FitOptions, ModelConfig, MonitorConfig, StoppingConfig, TrainingConfig
from overtone.fitting._prepare import resolve_run_size
from overtone.planning._reasons import ReasonCode


def accepted(field_type):
    """The members of the union that a keyword argument accepts for a field of a type."""
    if isinstance(field_type, EnumMeta):
        return {field_type, str}
    if get_origin(field_type) in (Union, UnionType):
        return set().union(*map(accepted, get_args(field_type)))
    if get_origin(field_type) is tuple:
        # A sequence stands for the tuple, and a single item for a tuple of one.
        items = accepted(get_args(field_type)[0])
        return {*items, Sequence[functools.reduce(operator.or_, items)]}
    return {field_type}


def test_each_keyword_argument_has_the_name_and_the_type_of_its_field():
    options = get_type_hints(FitOptions)
    fields = {}
    for config in (ModelConfig, TrainingConfig, StoppingConfig):
        types = get_type_hints(config)
        fields |= {field.name: types[field.name] for field in dataclasses.fields(config)}
    types = get_type_hints(FitConfig)
    fields |= {"monitor": types["monitor"]}
    # A torch.device is accepted too, which cannot be named without importing torch.
    assert options.pop("device") is Any
    assert list(options) == list(fields)
    assert not FitOptions.__required_keys__
    for name, option in options.items():
        members = set(get_args(option)) if get_origin(option) in (Union, UnionType) else {option}
        assert members == accepted(fields[name]), name
        assert (NoneType in members) == (NoneType in get_args(fields[name])), name


def test_each_keyword_argument_is_a_setting_of_exactly_one_part():
    parts = [{f.name for f in dataclasses.fields(c)} for c in (ModelConfig, TrainingConfig, StoppingConfig)]
    own = {f.name for f in dataclasses.fields(FitConfig)} - {"model", "training", "stopping"}
    assert sum(map(len, parts)) + len(own) == len(set().union(own, *parts)) == len(FitOptions.__annotations__)


@pytest.mark.parametrize("controller", [False, True])
def test_a_run_measured_on_the_whole_grid_can_be_resumed(tmp_path, controller):
    signal = ot.signals.synthetic.power_law((16, 16), 3.0, seed=0)
    settings = {"width": 8, "features": 8, "monitor": MonitorConfig(), "controller": controller}
    whole = ot.fit(signal, tmp_path / "whole", steps=20, **settings)
    ot.fit(signal, tmp_path / "parts", steps=10, **settings)
    resumed = ot.fit(signal, tmp_path / "parts", steps=20, resume=True)
    for run in (whole, resumed):
        assert run.record.attrs["geometry"]["measured_whole"]
        assert "samples" not in json.loads((run.directory.path / "run.json").read_text())["watch"]
    assert np.array_equal(whole.record.residual_power, resumed.record.residual_power)


@pytest.mark.parametrize(
    ("settings", "rate"),
    [
        ({"activation": "sine", "width": 128}, 2 / 30 / 128),
        ({"activation": "finer", "width": 128}, 2 / 30 / 128),
        ({"activation": "sine", "width": 16}, 1e-3),
        ({"activation": "sine", "width": 128, "lr": 2e-3}, 2e-3),
        ({"activation": "sine", "width": 128, "optimizer": "sgd"}, 1e-3),
        ({"activation": "sine", "encoding": "gaussian", "width": 128}, 1e-3),
        ({"activation": "relu", "width": 128}, 1e-3),
    ],
)
def test_a_step_moves_the_arguments_of_hidden_sines_by_two_radians_at_most(settings, rate):
    signal = signals.synthetic.harmonics([3.0], samples=64)
    size = resolve_run_size(signal, FitConfig().replace(**settings), torch.device("cpu"))
    assert size.lr == pytest.approx(rate)
    lowered = settings.get("lr") is None and rate != 1e-3
    assert (ReasonCode.SINE_RATE in [reason.code for reason in size.reasons]) == lowered
