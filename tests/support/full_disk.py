"""A disk that is full at the last moment: when a new dataset is to take the place of the old one."""

import os
from pathlib import Path


def fill(monkeypatch) -> None:
    """Let every dataset fail to be put in place; all other files are replaced as usual."""
    replace = os.replace

    def fail(source, target):
        if Path(source).name == "dataset":
            raise OSError(28, "No space left on device")
        return replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
