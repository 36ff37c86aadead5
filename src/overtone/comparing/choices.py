"""Candidates by name."""

from __future__ import annotations

from collections.abc import Sequence

from overtone.baselines import BandLimited, Cubic, Linear, Mean, Smoothing
from overtone.comparing.candidate import Candidate
from overtone.comparing.filled import Filled
from overtone.comparing.network import Trained
from overtone.comparing.twin import KernelTwin
from overtone.errors import InputError
from overtone.fitting.network import Encoding, NetworkSettings
from overtone.nn import Activation

MEAN = "mean"

ALWAYS = (MEAN, "linear", "cubic", "band-limited", "smoothing-spline", "kernel-twin", "mlp")
"""Those that take part in every comparison."""

USUAL = ("gaussian", "siren")
"""Those that take part where nothing else is asked for."""

GENTLE = 3e-4
"""Learning rate of networks whose activations bring frequencies, which leap at larger ones."""


def networks() -> dict[str, Trained]:
    """Every network that can be asked for: an encoding before ReLU, or an activation with frequencies alone."""
    found = {"mlp": Trained(NetworkSettings(Encoding.NONE))}
    for encoding in Encoding:
        if encoding not in (Encoding.AUTO, Encoding.NONE):
            found[encoding.value] = Trained(NetworkSettings(encoding))
    for activation in Activation:
        settings = NetworkSettings(Encoding.NONE, activation=(activation,))
        if settings.begins_with_waves:
            name = "siren" if activation is Activation.SINE else activation.value
            found[name] = Trained(settings, GENTLE)
    return found


def candidates() -> dict[str, Candidate]:
    """Every candidate by name."""
    trained = networks()
    return {
        MEAN: Filled(Mean()),
        "linear": Filled(Linear()),
        "cubic": Filled(Cubic()),
        "band-limited": Filled(BandLimited()),
        "smoothing-spline": Filled(Smoothing()),
        "kernel-twin": KernelTwin(trained["gaussian"]),
        **trained,
    }


def chosen(names: Sequence[str]) -> dict[str, Candidate]:
    """Those that always take part, and those named.

    Raises:
        InputError: If there is none of a name; lists those there are.
    """
    known = candidates()
    for name in names:
        if name not in known:
            raise InputError(
                f"candidates out of {', '.join(networks())}", f"{name!r}", "choose some of them", "candidates"
            )
    return {name: known[name] for name in dict.fromkeys((*ALWAYS, *names))}
