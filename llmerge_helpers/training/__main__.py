"""SFT or GRPO from a file of settings: `python -m llmerge_helpers.training sft params.yaml`."""

from llmerge_helpers.training.train import main

raise SystemExit(main())
