"""Attributes of a record that describe the signal, the measurement, the network and the versions."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from overtone.nn import Field
from overtone.signals import Signal
from overtone.spectra import NoiseFloor, NoiseVerdict
from overtone.spectra._noise_wording import noise_facts


def describe_measurement(
    signal: Signal, measured: Mapping[str, Any], noise: NoiseFloor, estimator: str
) -> dict[str, Any]:
    """Return attributes of the signal and its measurement.

    Args:
        signal: The signal.
        measured: Attributes of the measured part of the grid, for the record's geometry.
        noise: The noise floor in use.
        estimator: The spectral estimator's description.

    Returns:
        JSON-able attributes of the record's schema.
    """
    grid = signal.geometry
    return {
        "origin": "measured",
        "frequency_unit": grid.frequency_unit,
        "value_unit": signal.value_unit,
        "estimator": estimator,
        "geometry": {
            "shape": list(grid.shape),
            "spacing": list(grid.spacing),
            "origin": list(grid.origin),
            "units": list(grid.units),
            "periodic": list(grid.periodic),
            **measured,
        },
        "nyquist": list(grid.nyquist),
        "kind": signal.kind,
        "signal": signal.name,
        "notes": list(signal.notes),
        "peak": signal.peak,
        **_noise(signal, noise),
        **describe_run(),
    }


def describe_samples(name: str, count: int) -> dict[str, Any]:
    """Return the attributes of a view whose samples do not form a grid.

    Args:
        name: Name of the view.
        count: Number of samples.
    """
    return {
        "origin": "measured",
        "signal": name,
        "geometry": {"samples": count},
        "noise_verdict": "cannot tell",
        **describe_run(),
    }


@functools.cache
def _versions() -> Mapping[str, str]:
    # Reading the metadata of five packages takes as long as several rows of a small run.
    packages = ("overtone", "torch", "numpy", "scipy", "xarray")
    return {name: importlib.metadata.version(name) for name in packages} | {
        "python": platform.python_version()
    }


def describe_run() -> dict[str, Any]:
    """Return the time and the versions of the packages that affect the results."""
    return {
        "versions": dict(_versions()),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def describe_network(network: nn.Module) -> dict[str, Any]:
    """Return attributes of the network: a one-line description, its parameter count, device and precision."""
    parameters = list(network.parameters())
    first = next(iter(parameters), torch.zeros((), device="cpu"))
    device = first.device
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine()
    )
    return {
        "network": network.describe() if isinstance(network, Field) else type(network).__name__,
        "parameters": sum(p.numel() for p in parameters),
        "device": f"{device.type} ({name})",
        "dtype": str(first.dtype).removeprefix("torch."),
    }


def _noise(signal: Signal, noise: NoiseFloor) -> dict[str, Any]:
    """Return the noise level over all channels: exact with a clean reference, otherwise the estimate."""
    if signal.clean is not None:
        level = float((signal.values - signal.clean).square().mean(dtype=torch.float64).sqrt())
        return {
            "noise_std": level,
            "noise_low": level,
            "noise_high": level,
            "noise_verdict": (NoiseVerdict.NOISE if level > 0 else NoiseVerdict.CLEAN).value,
        }
    return {
        "noise_std": None if noise.verdict is NoiseVerdict.CANNOT_TELL else _rms(noise.std),
        "noise_low": _rms(noise.low),
        "noise_high": _rms(noise.high),
        "noise_verdict": noise.verdict.value,
        "noise_channels": noise_facts(noise).to_json(),
    }


def _rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=np.float64)))))
