"""Colab, as closely as it can be had elsewhere: an empty folder, a stub of google.colab, preinstalled packages."""

import os
import re
import shutil
import subprocess
import sys
import types
import venv
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from notebook_runs import ROOT, SECRETS
from packaging.requirements import Requirement

from llmerge_helpers import colab, run
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import write_json

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# what Colab had on 2026-08-19 (pip-freeze.txt of googlecolab/backend-info): all that our requirements meet there
COLAB = (
    "torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0 numpy==2.1.3 scipy==1.16.3 pandas==2.2.3 pyarrow==18.1.0 "
    "matplotlib==3.10.0 pillow==11.3.0 ipython==7.34.0 ipykernel==6.17.1 ipywidgets==7.7.1 tornado==6.5.7 "
    "jupyter-client==7.4.9 traitlets==5.7.1 datasets==4.0.0 fsspec==2025.3.0 huggingface-hub==1.27.0 "
    "tokenizers==0.22.2 transformers==5.15.0 openai==2.54.0 httpx2==2.10.0 pydantic==2.13.4 protobuf==5.29.6 "
    "psutil==5.9.5"
)


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
    with pytest.raises(LlmergeError, match="no matching distribution\nllmerge could not be installed.*Disconnect"):
        colab.install("train")


def test_what_colab_has_and_keeps_is_new_enough():
    """A requirement above a version that is kept is an install that fails on Colab, and only there."""
    has = dict(each.split("==") for each in COLAB.split())
    for each in map(Requirement, colab.requirements("train")):
        if each.name in colab.KEPT:
            assert has[each.name] in each.specifier, f"{each} but Colab has {has[each.name]}"


def test_an_old_git_is_upgraded_where_00_runs(monkeypatch):
    said = {"version": "git version 2.34.1", "upgraded": "git version 2.52.0"}

    def run(command, **_):
        if command[0] == "apt-get":
            said["version"] = said["upgraded"]
        return subprocess.CompletedProcess(command, 0, said["version"], "")

    monkeypatch.setattr(subprocess, "run", run)
    colab.git_version.cache_clear()
    colab.newer_git()
    said |= {"version": "git version 2.34.1", "upgraded": "git version 2.34.1"}
    colab.git_version.cache_clear()
    with pytest.raises(LlmergeError, match=r"git 2\.34\.1 is too old"):
        colab.newer_git()


def test_outputs_go_to_drive_on_request(monkeypatch, tmp_path, capsys):
    stub = types.ModuleType("google.colab")
    stub.drive = types.SimpleNamespace(mount=lambda path: (Path(path) / "MyDrive").mkdir(parents=True, exist_ok=True))
    monkeypatch.setitem(sys.modules, "google", types.ModuleType("google"))
    monkeypatch.setitem(sys.modules, "google.colab", stub)
    monkeypatch.setattr(colab, "ROOT", tmp_path / "llmerge")
    outputs = tmp_path / "llmerge" / "outputs"
    outputs.mkdir(parents=True)
    (outputs / "results.csv").write_text("1")
    with pytest.raises(LlmergeError, match="already holds results"):
        colab.keep_outputs_in_drive()
    (outputs / "results.csv").unlink()
    (outputs / ".gitkeep").touch()
    colab.keep_outputs_in_drive()
    (outputs / "results.csv").write_text("2")
    colab.keep_outputs_in_drive()  # the cell run once more
    assert (tmp_path / "drive/MyDrive/llmerge/results.csv").read_text() == "2"
    assert "drive/MyDrive/llmerge" in capsys.readouterr().out


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
    """The environment of a session: a Python with Colab's own packages and a stub of google.colab, but no llmerge.

    Torch is the one of this machine. Needs a package index, and a minute or two.
    """
    place = tmp_path_factory.mktemp("colab")
    venv.create(place / "env", with_pip=True)
    python = place / "env" / "bin" / "python"
    site = next((place / "env" / "lib").glob("python*/site-packages"))
    packages = [each for each in COLAB.split() if not each.startswith("torch")]
    install = [python, "-m", "pip", "install", "--quiet", "--no-compile", *packages]
    subprocess.run(install, check=True, capture_output=True, timeout=1200)
    for each in metadata.distribution("torch").files:
        top = site / each.parts[0]
        if each.parts[0] != ".." and not top.exists():
            top.symlink_to(metadata.distribution("torch").locate_file(each.parts[0]))
    stub = site / "google" / "colab"
    stub.mkdir(parents=True, exist_ok=True)
    (stub / "__init__.py").write_text("from google.colab import drive, userdata\n")
    (stub / "userdata.py").write_text("def get(name):\n    raise KeyError(name)\n")
    (stub / "drive.py").write_text(
        "import pathlib\n\ndef mount(path):\n    (pathlib.Path(path) / 'MyDrive').mkdir(parents=True, exist_ok=True)\n"
    )
    startup = place / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import google.colab, numpy, pandas\n")
    kernel = {"argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    write_json(place / "jupyter/kernels/colab/kernel.json", kernel | {"display_name": "Colab"})
    kept = {k: v for k, v in os.environ.items() if k not in SECRETS and k != "LLMERGE_ROOT"}
    return kept | {
        "JUPYTER_PATH": str(place / "jupyter"),
        "IPYTHONDIR": str(place / "ipython"),
        "PATH": f"{python.parent}:{kept['PATH']}",
        "GIT_CONFIG_COUNT": "1",  # the clone comes from here, not from the network
        "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository(),
        "WANDB_MODE": "offline",
        "HF_HUB_OFFLINE": "1",
    }


def repository() -> str:
    return re.search(r'Repository = "(.*?)"', (ROOT / "pyproject.toml").read_text())[1]


def on_colab(session, notebook: Path, content: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The notebook alone in an empty folder, run there by a kernel of the session."""
    content.mkdir(exist_ok=True)
    shutil.copy(notebook, content / notebook.name)
    options = ["--no-progress-bar", "--start-timeout", "600", "-k", "colab"]
    command = [sys.executable, "-m", "papermill", *options, notebook.name, "out.ipynb"]
    return subprocess.run(
        [*command, *arguments], cwd=content, env=session, capture_output=True, text=True, timeout=1200
    )


def shortened(notebook: Path, target: Path, *, drive: bool = False) -> Path:
    """The notebook up to the cell that checks its parameters."""
    head = nbformat.read(notebook, as_version=4)
    started = next(i for i, cell in enumerate(head.cells) if re.search("^run = start\\(", cell.source, re.M))
    head.cells = head.cells[: started + 1]
    if drive:
        head.cells[1].source = head.cells[1].source.replace("drive = False", "drive = True")
    nbformat.write(head, target)
    return target


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["00_collect_merges", "01_generate"])
def test_it_runs_whole_in_an_empty_folder(session, tmp_path, name):
    done = on_colab(session, ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "content")
    assert done.returncode == 0, done.stderr[-3000:]
    executed = nbformat.read(tmp_path / "content" / "out.ipynb", as_version=4)
    said = str(executed.cells[1].outputs)
    assert "llmerge is ready" in said and "numpy==2.1.3" in said
    assert "finished: " in str(executed.cells)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_cells_of_each_run_in_an_empty_folder(session, tmp_path, notebook):
    short = shortened(notebook, tmp_path / notebook.name, drive=True)
    done = on_colab(session, short, tmp_path / "content")
    if "pyarrow 18.1.0 is loaded" in done.stderr:
        done = on_colab(session, short, tmp_path / "content")  # the restart that TRL needs, once
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "content/llmerge/outputs").resolve() == tmp_path / "content/drive/MyDrive/llmerge"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_02_says_what_is_missing(session, tmp_path):
    """Each notebook has a machine of its own on Colab, so 02 is opened where 01 has not run."""
    done = on_colab(session, ROOT / "notebooks" / "02_inspect_and_prepare.ipynb", tmp_path / "content")
    assert done.returncode and "LlmergeError" in done.stderr and "papermill notebooks/01_generate.ipynb" in done.stderr
