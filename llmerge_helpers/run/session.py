"""One run of one notebook: checked parameters, paths that work from anywhere, secrets that stay secret, run.json."""

from __future__ import annotations

import ast
import asyncio
import difflib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import (
    differences,
    from_root,
    keep_beside,
    kept_beside,
    read_json,
    shown,
    write_json,
)
from llmerge_helpers.run.screen import show_table, whole_cells
from llmerge_helpers.run.secrets import _SECRET_NAME, _WITH_PASSWORD, _Redacting, redact

# ---------------------------------------------------------------------------------------------------------- runs


def _executed_cells() -> list[str]:
    try:
        from IPython import get_ipython

        shell = get_ipython()
    except ImportError:
        return []
    # the raw history: `In` has cell magics translated, and this cell itself comes last
    return list(shell.history_manager.input_hist_raw) if shell is not None else []


@dataclass
class Run:
    """A run that was started: its parameters, its paths, and the run.json it leaves behind."""

    notebook: str
    parameters: dict[str, object]
    versions: dict[str, str]
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    settings: dict[str, object] = field(default_factory=dict)  # all that shapes its result, once it began
    _handlers: list[logging.Handler] = field(default_factory=list, repr=False)

    def path(self, name: str) -> Path:
        """The parameter called `name` (or the text itself) as a path, seen from the root."""
        return from_root(self.parameters.get(name) or name)

    def begin(
        self, output_dir: str | os.PathLike, log: str | None = None, settings: Mapping[str, object] | None = None
    ) -> Path:
        """The output folder, with a run.json that says `started`; `log` adds a log file there, with secrets masked.

        With `settings`, all that shapes the result, the folder belongs to them: a run of the same settings goes on in
        it, one with a larger `limit` too, and a run of others, finished or not, is kept beside, as `<output_dir>_1`.
        """
        output_dir = from_root(output_dir)
        if settings is not None:
            self.settings = json.loads(json.dumps(settings, default=str))
            _find_place(output_dir, self.notebook, self.settings)
        try:
            output_dir.mkdir(parents=True, exist_ok=True)
            write_json(output_dir / "run.json", self._record("started"))
        except OSError as error:
            raise LlmergeError(
                f"{shown(output_dir)} cannot be written ({error.strerror}): make room or give permission, "
                "or choose another output_dir."
            ) from None
        if log:
            handler = logging.FileHandler(output_dir / log, mode="a", encoding="utf-8")
            handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            logger = logging.getLogger("llmerge_helpers")
            for old in [h for h in logger.handlers if getattr(h, "baseFilename", None) == handler.baseFilename]:
                logger.removeHandler(old)
                old.close()
            logger.addHandler(handler)
            logger.setLevel(logging.INFO)
            self._handlers.append(handler)
        return output_dir

    def finish(self, output_dir: str | os.PathLike, **results: object) -> None:
        """Write `status: finished` with the figures that the next notebook and a person want to know."""
        write_json(from_root(output_dir) / "run.json", self._record("finished", results))
        for handler in self._handlers:
            logging.getLogger("llmerge_helpers").removeHandler(handler)
            handler.close()
        self._handlers.clear()
        print(f"{self.notebook} finished: {shown(from_root(output_dir) / 'run.json')}")

    def _record(self, status: str, results: Mapping[str, object] | None = None) -> dict[str, object]:
        record = {"notebook": self.notebook, "status": status, "parameters": self.parameters, "versions": self.versions}
        record |= {"settings": self.settings} if self.settings else {}
        record |= {"started_at": self.started_at, "results": dict(results or {})}
        if status == "finished":
            record["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        else:
            record["process"] = os.getpid()
        return record


def _find_place(folder: Path, notebook: str, settings: dict[str, object]) -> None:
    """Make `folder` the place of these settings: what another run left there goes beside, what theirs left comes back.

    Nothing is written over, and nothing is removed: folders change their names.
    """
    before, moved = _record_in(folder), None
    if before is not None and before.get("notebook") not in (notebook, None):
        raise LlmergeError(f"{shown(folder)} is the output of {before.get('notebook')}: choose another output_dir.")
    if before is not None:
        if _goes_on(before, settings):
            return
        what = differences(before.get("settings") or {}, settings) if before.get("settings") else "of an older version"
        process = before.get("process")
        if before.get("status") == "started" and process != os.getpid() and _is_alive(process):
            raise LlmergeError(
                f"{shown(folder)} is being written by process {process}, with other settings ({what}): wait for it or "
                "end it (in Jupyter: shut its kernel down), or choose another output_dir."
            )
        moved = keep_beside(folder)
        print(f"{shown(folder)} held another run ({what}): it is kept as {shown(moved)}.")
    if folder.exists() and any(folder.iterdir()):
        return
    own = [p for p in kept_beside(folder) if p != moved and _goes_on(_record_in(p) or {}, settings)]
    # of those that could go on, one of exactly these settings
    own.sort(key=lambda p: _record_in(p)["settings"] != settings)
    if own:
        if folder.exists():
            folder.rmdir()
        own[0].rename(folder)
        print(f"{shown(own[0])} was a run of these settings: it is {shown(folder)} again, and goes on.")


def _record_in(folder: Path) -> dict | None:
    path = folder / "run.json"
    try:
        record = read_json(path) if path.exists() else None
    except LlmergeError:  # torn: whose run it was, nobody knows, so it is kept
        return {"notebook": None}
    return record if isinstance(record, dict) else None


def _goes_on(record: Mapping[str, object], settings: Mapping[str, object]) -> bool:
    """Whether a run with `settings` has all of what the run of `record` has: only a larger `limit` may differ."""
    before = record.get("settings")
    if not isinstance(before, dict):
        return False
    now, then = settings.get("limit"), before.get("limit")
    larger = now == 0 or (isinstance(now, int) and isinstance(then, int) and 0 < then <= now)  # 0: all
    return dict(before) | {"limit": now} == dict(settings) and (now == then or larger)


def _is_alive(process: object) -> bool:
    if not isinstance(process, int) or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start(notebook: str, namespace: Mapping[str, object] | None = None) -> Run:
    """Check the parameters, print one table (versions, device, parameters), and give the run.

    In a notebook, parameters are read from the cells that ran; elsewhere `namespace` holds them. An unknown name or a
    wrong type is an `LlmergeError`.
    """
    namespace = namespace or {}
    parameters = check_parameters(_executed_cells())
    if parameters:
        # what a person assigned by hand between the two cells counts, as papermill's values do
        parameters = {name: namespace.get(name, value) for name, value in parameters.items()}
    else:
        simple = (int, float, str, bool, list, type(None))
        parameters = {k: v for k, v in namespace.items() if not k.startswith("_") and isinstance(v, simple)}
    # a parameter stands in the notebook, in run.json and on the screen: no place for a key
    for name in parameters:
        if _SECRET_NAME.search(name.upper()):
            raise LlmergeError(
                f"parameter '{name}' looks like a secret: set it in the environment, parameters are written to disk."
            )
        if isinstance(parameters[name], str) and _WITH_PASSWORD.search(parameters[name]):
            raise LlmergeError(
                f"parameter '{name}' holds a password or a token: leave it out of the address and give it to git's "
                "credential helper or the environment, parameters are written to disk."
            )
    check_loaded()
    _one_line_for_an_interrupt()
    whole_cells()
    run = Run(notebook, parameters, versions())
    _table(run)
    return run


def _one_line_for_an_interrupt() -> None:
    """In a notebook, an interrupt ends its cell with one line: what was interrupted has said what matters."""
    try:
        from IPython import get_ipython

        shell = get_ipython()
    except ImportError:
        return
    if shell is None:
        return

    def tell(shell, kind, value, trace, tb_offset=None) -> list[str]:
        lines = [str(value) if kind is not asyncio.CancelledError and str(value) else "interrupted"]
        shell._showtraceback(kind, value, lines)
        return lines

    # a cell that awaits is cancelled, any other one gets the signal
    shell.set_custom_exc((KeyboardInterrupt, asyncio.CancelledError), tell)


def versions() -> dict[str, str]:
    """Versions of what matters for a result, without importing any of it."""
    found = {"python": platform.python_version()}
    for package in ("llmerge", "openai", "datasets", "transformers", "trl", "peft", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_loaded() -> None:
    """Raise an `LlmergeError` if a package was replaced on disk after this session loaded it, as on Colab after pip."""
    for package in ("numpy", "torch", "pandas", "pyarrow", "transformers"):
        loaded = getattr(sys.modules.get(package), "__version__", None)
        if loaded is None:
            continue
        installed = metadata.version(package)
        if loaded.split("+")[0] != installed.split("+")[0]:
            raise LlmergeError(
                f"{package} {loaded} is loaded but {installed} is installed: restart the session (Runtime > Restart) "
                "and run again from the first cell."
            )


@cache
def device() -> str:
    """The accelerator as its driver names it, else the CPU; torch is not imported."""
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
        try:
            found = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip().splitlines()
        except (OSError, subprocess.TimeoutExpired):
            found = []
        if found:
            return "; ".join(found)
    return f"CPU, {os.cpu_count()} cores"


def _table(run: Run) -> None:
    rows = {"notebook": run.notebook, "device": device()}
    rows["versions"] = ", ".join(f"{k} {v}" for k, v in run.versions.items())
    rows |= {name: redact(repr(value)) for name, value in run.parameters.items()}
    show_table(rows)


def finished(directory: str | os.PathLike) -> dict | None:
    """The run.json of a finished run in `directory`, else None."""
    path = from_root(directory) / "run.json"
    if not path.exists():
        return None
    record = read_json(path)
    return record if isinstance(record, dict) and record.get("status") == "finished" else None


def require_finished(directory: str | os.PathLike, notebook: str, parameters: str = "") -> dict:
    """The run.json of a finished run of `notebook` in `directory`; else an `LlmergeError` with the command for it.

    `parameters` are those that the command needs, as ` -p name value`.
    """
    directory = from_root(directory)
    record = finished(directory)
    if record is not None:
        return record
    what = "was not finished" if (directory / "run.json").exists() else "is not there"
    raise LlmergeError(
        f"the run of {notebook} in {shown(directory)} {what}: run `papermill notebooks/{notebook}.ipynb "
        f"out.ipynb{parameters}` (what it already has is kept and not paid for again)."
    )


# ---------------------------------------------------------------------------------------------------------- parameters


Declared = tuple[str | None, object]  # annotation and value of a parameter


def _literals(cell: str) -> dict[str, Declared] | None:
    """name -> (annotation, value) if the cell is nothing but assignments of literals to names, else None."""
    try:
        statements = ast.parse(cell).body
        found: dict[str, Declared] = {}
        for node in statements:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                found[node.target.id] = (ast.unparse(node.annotation), ast.literal_eval(node.value))
            elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = (None, _literal(node.value))
            else:
                return None
    except (SyntaxError, ValueError):
        return None
    return found or None


def _literal(node: ast.expr) -> object:
    # papermill writes float('nan') and float('inf') into the injected cell
    if isinstance(node, ast.Call) and ast.unparse(node).startswith("float("):
        return float(ast.literal_eval(node.args[0]))
    return ast.literal_eval(node)


def check_parameters(cells: list[str]) -> dict[str, object]:
    """The parameters of a run, read from the cells executed so far; a wrong `-p` is an `LlmergeError`.

    A parameters cell holds typed literals only. Papermill puts its own cell, `# Parameters`, after the last of them,
    and only warns of a name that nothing uses: `-p lmit 10` would run, and pay, with every default.

    >>> check_parameters(["seldom: int = 0", "limit: int = 0  # conflicts", "# Parameters\\nlimit = 10"])
    {'seldom': 0, 'limit': 10}
    >>> check_parameters(["limit: int = 0", "# Parameters\\nlmit = 10"])
    Traceback (most recent call last):
    llmerge_helpers.errors.LlmergeError: unknown parameter 'lmit': did you mean 'limit'? This notebook takes: limit.
    """
    declared: dict[str, Declared] | None = None
    injected: dict[str, Declared] = {}
    for cell in cells:
        literals = _literals(cell)
        if cell.lstrip().startswith("# Parameters") and declared is not None:
            if literals is None and cell.count("\n") > 0:
                raise LlmergeError("the injected parameters cannot be read: use plain numbers, text, True or False.")
            injected = literals or {}
        elif literals and all(annotation for annotation, _ in literals.values()):
            declared, injected = (declared or {}) | literals, {}  # run again in one session: the newest cell counts
    if declared is None:
        return {}
    values = {}
    for name in injected:
        if name not in declared:
            close = difflib.get_close_matches(name, declared, 1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            raise LlmergeError(f"unknown parameter '{name}': {hint}This notebook takes: {', '.join(declared)}.")
    for name, (annotation, default) in declared.items():
        value = injected[name][1] if name in injected else default
        values[name] = value if value is default is None else check_type(name, annotation or "", value)
    return values


def check_type(name: str, annotation: str, value: object, what: str = "parameter") -> object:
    """`value`, if it is of the type that `annotation` names (True is no int); else an `LlmergeError`.

    >>> check_type("epochs", "float", 2)
    2
    """
    types = {"int": int, "float": (int, float), "str": str, "bool": bool, "list": list, "dict": dict}
    expected = types.get(annotation)
    wrong = expected is not None and not isinstance(value, expected)
    wrong = wrong or (annotation in ("int", "float") and isinstance(value, bool))
    wrong = wrong or (isinstance(value, float) and value != value)
    if wrong:
        hint = {
            "str": "use `-r` in place of `-p` for text that looks like a number",
            "bool": "write True or False",
            "float": "write 1.0e-5 in place of 1e-5 in a YAML file",
            "list": "use `-y` for lists",
        }.get(annotation, "write a plain number")
        raise LlmergeError(f"{what} '{name}' must be {annotation}, got {value!r}: {hint}.")
    return value
