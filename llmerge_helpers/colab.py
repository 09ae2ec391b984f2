"""Makes a Colab session ready: the first cell of each notebook calls `setup`. Standard library only."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

from llmerge_helpers.collect.repository import git_version
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import check_loaded

ROOT = Path(__file__).resolve().parent.parent

# What Colab has loaded, or compiled other packages against: pip may add beside these, but never replace them, because a
# replaced numpy or torch needs a restart and breaks half of the other preinstalled packages.
KEPT = (
    "torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "pillow", "ipython", "ipykernel",
    "ipywidgets", "tornado",
)  # fmt: skip
# Colab is its own Jupyter, and an old one: what shows notebooks elsewhere would ask for a newer kernel.
NOT_NEEDED = ("jupyterlab", "ipywidgets", "ipykernel")
# Colab's Ubuntu brings git 2.34, and 00 needs 2.39
NEWER_GIT = ("add-apt-repository --yes ppa:git-core/ppa", "apt-get install --yes git")


def setup(*needs: str, drive: bool = False) -> None:
    """Install what a notebook needs beside Colab's own packages; `needs` may name `train` and `git`.

    With `drive`, `outputs/` becomes a folder of Google Drive.
    """
    install(*(each for each in needs if each != "git"))
    if "git" in needs:
        newer_git()
    if drive:
        keep_outputs_in_drive()


def constraints() -> str:
    """Pip constraints that hold every package of `KEPT` at the version that is installed now."""
    lines = []
    for package in KEPT:
        try:
            lines.append(f"{package}=={metadata.version(package).split('+')[0]}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join(lines) + "\n"


def requirements(*extras: str) -> list[str]:
    """What pyproject.toml asks for, and for `extras`, without what only Jupyter needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = sum((project["optional-dependencies"][each] for each in extras), project["dependencies"])
    return [each for each in wanted if re.match(r"[\w-]+", each)[0] not in NOT_NEEDED]


def install(*extras: str) -> None:
    """Install the requirements, and say in one sentence what to do where pip cannot.

    TRL needs a newer pyarrow than Colab has loaded, so that 03 and 04 ask for one restart.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.write(constraints())
    command = [sys.executable, "-m", "pip", "install", "--quiet", "-c", file.name, *requirements(*extras)]
    done = subprocess.run(command, capture_output=True, text=True)
    Path(file.name).unlink()
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise LlmergeError(
            f"{tail}\nllmerge could not be installed beside Colab's own packages: use Runtime > Disconnect and delete "
            "runtime, then run this cell first."
        )
    importlib.invalidate_caches()
    check_loaded()
    print("llmerge is ready; Colab's own " + ", ".join(constraints().split()) + " are as they were")


def newer_git() -> None:
    """Upgrade git where it is too old to replay merges; an `LlmergeError` where that fails."""
    try:
        git_version()
    except LlmergeError:
        for command in NEWER_GIT:
            subprocess.run(command.split(), capture_output=True)
        git_version()


def keep_outputs_in_drive() -> None:
    """Mount Google Drive, and make `outputs/` a link to the folder `llmerge` in it."""
    from google.colab import drive  # type: ignore[import-not-found]

    mount, outputs = ROOT.parent / "drive", ROOT / "outputs"
    drive.mount(str(mount))
    kept = mount / "MyDrive" / "llmerge"
    kept.mkdir(parents=True, exist_ok=True)
    if not outputs.is_symlink():
        if any(each.name != ".gitkeep" for each in outputs.iterdir()):
            raise LlmergeError(
                f"outputs/ already holds results, which Drive might hold too: take them there with `!mv outputs/* "
                f"{kept}/`, or remove them, and run this cell again."
            )
        shutil.rmtree(outputs)
        outputs.symlink_to(kept)
    print(f"outputs/ lies in {kept}")
