"""What the runs below `outputs/` came to: `python -m llmerge_helpers.run`."""

from llmerge_helpers.run.session import summary

print(summary())
