"""One run of a notebook: checked parameters, paths that work from anywhere, secrets that stay secret, run.json."""

from llmerge_helpers.run.paths import resolve, root, shown
from llmerge_helpers.run.session import (
    Run,
    check_loaded,
    device,
    finished,
    progress,
    redact,
    require_finished,
    secret,
    show_table,
    start,
    versions,
)

__all__ = [
    "Run",
    "check_loaded",
    "device",
    "finished",
    "progress",
    "redact",
    "require_finished",
    "resolve",
    "root",
    "secret",
    "show_table",
    "shown",
    "start",
    "versions",
]
