"""Runs the cells of a notebook in a process that has its imports: for what is written and raised, not for outputs.

papermill and a kernel take five seconds of processor time before the first cell. Here one process a session imports
what the notebooks do, and each run is a fork of it, with papermill's own reading of `-p` and its parameters cell.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

from notebook_runs import clean_environment


def run_cells(root: Path, name: str, *arguments: str, cwd: Path | None = None, env: dict | None = None):
    """As `notebook_runs.papermill`: exit status, what was printed, and the error of the cell that failed on stderr."""
    given = arguments[1:]  # -p NAME VALUE
    asked = {
        "notebook": str(root / "notebooks" / f"{name}.ipynb"),
        "cwd": str(cwd or root),
        "env": clean_environment(env) | {"MPLBACKEND": "agg"},
        "parameters": dict(zip(given[::3], arguments[2::3], strict=True)),
    }
    server = _server()
    server.stdin.write(json.dumps(asked) + "\n")
    server.stdin.flush()
    answer = json.loads(server.stdout.readline())
    return CompletedProcess([name, *arguments], answer["status"], answer["stdout"], answer["stderr"])


@cache
def _server() -> subprocess.Popen:
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        server.stdin.close()
        server.wait()

    atexit.register(end)
    return server


def _serve() -> None:
    import datasets  # noqa: F401
    import IPython.core.interactiveshell  # noqa: F401
    import matplotlib
    import openai  # noqa: F401
    import papermill.cli
    import papermill.parameterize  # noqa: F401

    matplotlib.use("agg")
    import matplotlib.pyplot

    from llmerge_helpers import evaluate, generate, merges, models, prepare, show  # noqa: F401

    for line in sys.stdin:
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as failed:
            if (child := os.fork()) == 0:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(printed.fileno(), 1)
                os.dup2(failed.fileno(), 2)
                status = 1
                try:
                    status = _run(json.loads(line))
                finally:
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(status)
            _, status = os.waitpid(child, 0)
            texts = []
            for file in (printed, failed):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        answer = {"status": os.waitstatus_to_exitcode(status), "stdout": texts[0], "stderr": texts[1]}
        print(json.dumps(answer), flush=True)


def _run(asked: dict) -> int:
    from IPython.core.interactiveshell import InteractiveShell
    from papermill.cli import _resolve_type
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    notebook = load_notebook_node(asked["notebook"])
    if asked["parameters"]:
        values = {name: _resolve_type(value) for name, value in asked["parameters"].items()}
        notebook = parameterize_notebook(notebook, values)
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    for cell in notebook.cells:
        if cell.cell_type == "code":
            done = shell.run_cell(cell.source, store_history=True)
            if error := done.error_before_exec or done.error_in_exec:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    _serve()
