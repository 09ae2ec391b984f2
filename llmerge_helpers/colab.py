"""Makes a Colab session ready: `python -m llmerge_helpers.colab train`, in the cloned folder. Standard library only."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

# What Colab has loaded, or compiled other packages against: pip may add beside these, but never replace them, because a
# replaced numpy or torch needs a restart and breaks half of the other preinstalled packages.
KEPT = (
    "torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "pyarrow", "matplotlib", "pillow", "ipython",
    "ipykernel", "tornado",
)  # fmt: skip


def constraints() -> str:
    """Pip constraints that hold every package of `KEPT` at the version that is installed now."""
    lines = []
    for package in KEPT:
        try:
            lines.append(f"{package}=={metadata.version(package).split('+')[0]}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines) + "\n"


def install(extras: str = "") -> None:
    """Install the package from this folder, and say in one sentence what to do where pip cannot."""
    here = Path(__file__).resolve().parent.parent
    target = f"{here}[{extras}]" if extras else str(here)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write(constraints())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "-c", file.name, "-e", target]
    done = subprocess.run(command, capture_output=True, text=True)
    Path(file.name).unlink()
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        sys.exit(
            f"{tail}\nllmerge could not be installed beside Colab's own packages: use Runtime > Disconnect and delete "
            "runtime, then run this cell first."
        )
    print("llmerge is installed; Colab's own " + ", ".join(constraints().split()) + " are as they were")


if __name__ == "__main__":
    install(*sys.argv[1:2])
