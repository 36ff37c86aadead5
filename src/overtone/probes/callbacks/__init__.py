"""Callbacks for the trainers of Lightning and Hugging Face Transformers, each imported on first access."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from overtone.probes.callbacks._lightning import LightningProbe as LightningProbe
    from overtone.probes.callbacks._transformers import TransformersProbe as TransformersProbe

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"_lightning": ["LightningProbe"], "_transformers": ["TransformersProbe"]}
)
