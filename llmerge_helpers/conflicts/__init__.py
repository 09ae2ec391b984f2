"""Git conflicts as text: parsed, rendered, asked and answered."""

from llmerge_helpers.conflicts.markers import Hunk, has_markers, make_hunk, parse, render, split_lines

__all__ = ["Hunk", "has_markers", "make_hunk", "parse", "render", "split_lines"]
