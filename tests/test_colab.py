"""Colab, as closely as it can be had elsewhere: an empty folder, a stub of google.colab, preinstalled packages."""

import os
import re
import subprocess
import sys
import types
import venv
from pathlib import Path

import nbformat
import pytest
from notebook_runs import ROOT, SECRETS

from llmerge_helpers import colab, run
from llmerge_helpers.errors import LlmergeError

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_pip_may_add_but_not_replace(monkeypatch):
    versions = {"torch": "2.99.0+cu130", "numpy": "9.9.9"}

    def version(name):
        if name not in versions:
            raise colab.metadata.PackageNotFoundError
        return versions[name]

    monkeypatch.setattr(colab.metadata, "version", version)
    assert colab.constraints() == "torch==2.99.0\nnumpy==9.9.9\n"


def test_a_failed_install_says_what_to_do(monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "a\nERROR: no matching distribution\n")
    monkeypatch.setattr(colab.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(SystemExit, match="no matching distribution\nllmerge could not be installed.*Disconnect"):
        colab.install("train")


def test_a_package_replaced_under_a_running_session_is_noticed(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", types.SimpleNamespace(__version__="0.1"))
    with pytest.raises(LlmergeError, match=r"numpy 0\.1 is loaded but .* restart the session"):
        run.check_loaded()


def test_colab_secrets_come_after_the_environment(monkeypatch):
    class NotGranted(Exception):
        pass

    def get(name):
        if name == "OPENAI_API_KEY":
            raise NotGranted
        return "from colab"

    stub = types.ModuleType("google.colab")
    stub.userdata = types.SimpleNamespace(get=get)
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", stub)
    for name in ("DEEPSEEK_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert run.secret("DEEPSEEK_API_KEY") == "from colab"
    assert run.redact("refused: from colab") == "refused: ***"
    assert run.secret("OPENAI_API_KEY") is None
    monkeypatch.setenv("DEEPSEEK_API_KEY", "from the environment")
    assert run.secret("DEEPSEEK_API_KEY") == "from the environment"


# ------------------------------------------------------------------------------------------- the whole imitation


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """(python, environment): an environment with everything preinstalled but llmerge, and a stub of google.colab."""
    place = tmp_path_factory.mktemp("colab")
    venv.create(place / "env", with_pip=True)
    python = place / "env" / "bin" / "python"
    site = next((place / "env" / "lib").glob("python*/site-packages"))
    seen = [p for p in sys.path if p.endswith("site-packages")]
    (site / "preinstalled.pth").write_text("\n".join(seen) + "\n")
    stub = place / "stub" / "google" / "colab"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("from google.colab import userdata\n")
    (stub / "userdata.py").write_text("def get(name):\n    raise KeyError(name)\n")
    startup = place / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import google.colab, numpy\n")
    environment = {k: v for k, v in os.environ.items() if k not in SECRETS}
    environment |= {
        "PYTHONPATH": str(place / "stub"),
        "IPYTHONDIR": str(place / "ipython"),
        "PATH": f"{place / 'env' / 'bin'}:{environment['PATH']}",
        "GIT_CONFIG_COUNT": "1",  # the clone comes from here, not from the network
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository(),
        "WANDB_MODE": "offline",
    }
    return python, environment


def repository() -> str:
    return re.search(r'Repository = "(.*?)"', (ROOT / "pyproject.toml").read_text())[1]


def on_colab(session, notebook: Path, content: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The notebook alone in an empty folder, run there."""
    python, environment = session
    content.mkdir(exist_ok=True)
    (content / notebook.name).write_bytes(notebook.read_bytes())
    command = [python, "-m", "papermill", "--no-progress-bar", notebook.name, "out.ipynb", *arguments]
    return subprocess.run(command, cwd=content, env=environment, capture_output=True, text=True, timeout=1200)


@pytest.mark.slow
def test_01_runs_whole_in_an_empty_folder(session, tmp_path):
    done = on_colab(session, ROOT / "notebooks" / "01_generate.ipynb", tmp_path / "content", "-p", "limit", "5")
    assert done.returncode == 0, done.stderr[-3000:]
    assert len((tmp_path / "content/llmerge/outputs/deepseek_sft/results.csv").read_text().splitlines()) == 6
    executed = nbformat.read(tmp_path / "content" / "out.ipynb", as_version=4)
    said = str(executed.cells[1].outputs)
    assert "llmerge is installed" in said and "numpy==" in said


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cells_of_each_run_in_an_empty_folder(session, tmp_path, notebook):
    head = nbformat.read(notebook, as_version=4)
    started = next(
        i
        for i, cell in enumerate(head.cells)
        if cell.source.startswith("run = start(") or "\nrun = start(" in cell.source
    )
    head.cells = head.cells[: started + 1]
    short = tmp_path / notebook.name
    nbformat.write(head, short)
    done = on_colab(session, short, tmp_path / "content")
    assert done.returncode == 0, done.stderr[-3000:]
