"""Callbacks for the trainers of Lightning, Hugging Face Transformers, DeepXDE and PINA, imported on first access."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from overtone.probes.callbacks._deepxde import DeepXDEProbe as DeepXDEProbe
    from overtone.probes.callbacks._lightning import LightningProbe as LightningProbe
    from overtone.probes.callbacks._pina import PINAProbe as PINAProbe
    from overtone.probes.callbacks._transformers import TransformersProbe as TransformersProbe

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_deepxde": ["DeepXDEProbe"],
        "_lightning": ["LightningProbe"],
        "_pina": ["PINAProbe"],
        "_transformers": ["TransformersProbe"],
    },
)
