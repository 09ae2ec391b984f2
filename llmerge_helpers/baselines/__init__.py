"""What costs nothing, and what every model has to beat."""

from llmerge_helpers.baselines.simple import NAMES, explain, resolve

__all__ = ["NAMES", "explain", "resolve"]
