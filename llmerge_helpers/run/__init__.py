"""One run of one notebook: checked parameters, paths that work from anywhere, secrets that stay secret, run.json.

In come the cells of a notebook, or a namespace, and the environment; out comes a `Run` that knows where things are and
writes what it was and what came of it, so that the next step can refuse what is not finished. `files` writes whole or
not at all, `screen` shows a person small tables and one line of progress, `python -m llmerge_helpers.run` lists the
runs below `outputs/`.

>>> redact("Authorization: Bearer sk-0123456789abcdef0123")
'Authorization: Bearer ***'
"""

from llmerge_helpers.run.files import from_root, root, shown
from llmerge_helpers.run.screen import ending, progress, show_table
from llmerge_helpers.run.secrets import redact, secret
from llmerge_helpers.run.session import Run, check_loaded, check_type, device, finished, require_finished, start

__all__ = [
    "Run", "check_loaded", "check_type", "device", "ending", "finished", "from_root", "progress", "redact",
    "require_finished", "root", "secret", "show_table", "shown", "start",
]  # fmt: skip
