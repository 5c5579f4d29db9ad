"""Events in recordings of one's own: ``detect("a.wav", load_detector("detector.safetensors"))``."""

from importlib import import_module
from typing import Any

_PLACES = {"detect": "detection", "load_detector": "detector", "Options": "events"}
__all__ = ["Options", "detect", "load_detector"]


def __getattr__(name: str) -> Any:
    """Load on demand what takes seconds to load, which the names of files need not wait for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
