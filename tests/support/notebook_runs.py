"""Runs the notebooks as users do, and keeps or compares their outputs; `make notebooks` calls it to refresh them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("DEEPSEEK_API_KEY", "OPENAI_API_KEY", "WANDB_API_KEY", "HF_TOKEN")


def copy_of_project(target: Path) -> Path:
    """A root for a run of its own: the notebooks and the data, with empty outputs; the package is the installed one."""
    for name in ("notebooks", "merges"):
        shutil.copytree(ROOT / name, target / name, ignore=_not_ours)
    (target / "llmerge_helpers").symlink_to(ROOT / "llmerge_helpers")
    (target / "outputs").mkdir()
    return target


def _not_ours(folder: str, names: list[str]) -> list[str]:
    """What lies in a developer's tree only: caches, and datasets that were built beside the bundled one."""
    built = ["dataset"] if Path(folder).parent.name == "merges" and Path(folder).name != "sample" else []
    return [n for n in names if n in (".cache", ".ipynb_checkpoints", *built) or n.startswith("cache-")]


def papermill(root: Path, name: str, *arguments: str, cwd: Path | None = None, env: dict | None = None):
    """`papermill NAME.ipynb out.ipynb …` started in `cwd`, the root unless told otherwise; gives the process."""
    cwd = cwd or root
    notebook = os.path.relpath(root / "notebooks" / f"{name}.ipynb", cwd)
    environment = clean_environment(env)
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        notebook,
        str(root / f"out_{name}.ipynb"),
        *arguments,
    ]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=3600)


def clean_environment(env: dict | None = None) -> dict[str, str]:
    """The environment of a run: without secrets, and offline."""
    environment = {k: v for k, v in os.environ.items() if k not in SECRETS and k != "LLMERGE_ROOT"}
    # the package is installed editable, so the copy is found by walking up from the kernel's folder, as in a real clone
    return environment | {"WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"} | (env or {})


def cleaned(path: Path):
    """An executed notebook without what papermill adds: what is left is what we commit."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.outputs = _joined([o for o in cell.outputs if not is_noise(o)])
    return notebook


def _joined(outputs: list) -> list:
    """The outputs with neighbouring pieces of one stream as one: where a kernel cuts what is printed is chance."""
    joined: list = []
    for output in outputs:
        if joined and output.output_type == "stream" and output.name == joined[-1].get("name"):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def is_noise(output) -> bool:
    """Warnings that libraries write to stderr: they name folders of one machine and say nothing about the result."""
    return output.output_type == "stream" and output.name == "stderr"


def comparable(notebook) -> list[list[str]]:
    """What stays the same between two runs: the text of every output but the table of versions."""
    texts = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or "start(" in cell.source:
            continue
        texts.append([_stable(text(output)) for output in cell.outputs])
    return texts


def text(output) -> str:
    """One output as text."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    return str(data.get("text/markdown") or data.get("text/plain", ""))


def _stable(value: str) -> str:
    value = re.sub(r"\b\d+(\.\d+)? ?(s|ms|min|MB|GB|tok/s|tokens/s|it/s)\b", "<measured>", value)
    return re.sub(r"<Figure size [^>]*>", "<figure>", value)


def refresh(names: list[str]) -> None:
    """Run `names` in order in a copy, and put their outputs into the committed notebooks."""
    with tempfile.TemporaryDirectory() as folder:
        root = copy_of_project(Path(folder).resolve())
        for name in names:
            done = papermill(root, name)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr[-4000:]}")
            nbformat.write(cleaned(root / f"out_{name}.ipynb"), ROOT / "notebooks" / f"{name}.ipynb")
            print(f"refreshed notebooks/{name}.ipynb")


if __name__ == "__main__":
    refresh(sys.argv[1:])
