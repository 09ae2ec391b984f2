"""One run of one notebook: checked parameters, paths that work from anywhere, secrets that stay secret, run.json."""

from __future__ import annotations

import html
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import read_json, write_json
from llmerge_helpers.run.parameters import check_parameters
from llmerge_helpers.run.paths import resolve, root, shown

__all__ = [
    "LlmergeError", "Progress", "Run", "finished", "progress", "redact", "require_finished", "resolve", "root",
    "secret", "shown", "start",
]  # fmt: skip

# ------------------------------------------------------------------------------------------------------- secrets

_COLAB_SECRETS: set[str] = set()
_WITH_PASSWORD = re.compile(r"://[^/\s@:]*:[^/\s@]+@|://[^/\s@:]{12,}@")
_LOOKS_SECRET = re.compile(r"\b(sk|hf|gh[pousr])[-_][A-Za-z0-9_\-]{12,}")
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")


def secret(name: str) -> str | None:
    """The secret called `name` from the environment, then from Colab's secrets; None where neither has it."""
    value = os.environ.get(name, "").strip()
    if not value and "google.colab" in sys.modules:
        try:
            from google.colab import userdata  # type: ignore[import-not-found]

            value = (userdata.get(name) or "").strip()
            _COLAB_SECRETS.add(value)
        except Exception:  # Colab raises its own kinds for "not there", "no access" and "not in the Colab page"
            value = ""
    return value or None


def redact(text: str) -> str:
    """`text` with every known secret, and everything that looks like one, masked.

    >>> redact("Authorization: Bearer sk-0123456789abcdef0123")
    'Authorization: Bearer ***'
    """
    known = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)} | _COLAB_SECRETS
    for value in sorted(known, key=len, reverse=True):
        if len(value) >= 8:
            text = text.replace(value, "***")
    return _LOOKS_SECRET.sub("***", text)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


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
    parameters: dict[str, Any]
    versions: dict[str, str]
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _handlers: list[logging.Handler] = field(default_factory=list, repr=False)

    def path(self, name: str) -> Path:
        """The parameter called `name` (or the text itself) as a path, seen from the root."""
        return resolve(self.parameters.get(name) or name)

    def begin(self, output_dir: str | os.PathLike, log: str | None = None) -> Path:
        """The output folder, with a run.json that says `started`; `log` adds a log file there, with secrets masked."""
        output_dir = resolve(output_dir)
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

    def finish(self, output_dir: str | os.PathLike, **results: Any) -> None:
        """Write `status: finished` with the figures that the next notebook and a person want to know."""
        write_json(resolve(output_dir) / "run.json", self._record("finished", results))
        for handler in self._handlers:
            logging.getLogger("llmerge_helpers").removeHandler(handler)
            handler.close()
        self._handlers.clear()
        print(f"{self.notebook} finished: {shown(resolve(output_dir) / 'run.json')}")

    def _record(self, status: str, results: Mapping[str, Any] | None = None) -> dict[str, Any]:
        record = {"notebook": self.notebook, "status": status, "parameters": self.parameters, "versions": self.versions}
        record |= {"started_at": self.started_at, "results": dict(results or {})}
        if status == "finished":
            record["finished_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        return record


def start(notebook: str, namespace: Mapping[str, Any] | None = None) -> Run:
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
    run = Run(notebook, parameters, versions())
    _table(run)
    return run


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


class _Text:
    """Something to display that reads the same as HTML and as plain text."""

    def __init__(self, text: str, markup: str):
        self.text, self.markup = text, markup

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


def show_table(rows: Mapping[str, Any]) -> None:
    """Display name/value pairs as one small table."""
    rows = {name: _counts(value) if isinstance(value, Mapping) else value for name, value in rows.items()}
    width = max(map(len, rows), default=0)
    text = "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())
    row = '<tr><th>{}</th><td style="text-align:left">{}</td></tr>'  # Jupyter sets cells to the right
    cells = "".join(row.format(html.escape(k), html.escape(str(v))) for k, v in rows.items())
    _display(_Text(text, f"<table>{cells}</table>"))


def _counts(found: Mapping[str, Any]) -> str:
    """Counts by name as one line.

    >>> _counts({"prompt_tokens": 16981, "timeout": 2}), _counts({})
    ('prompt_tokens 16,981, timeout 2', 'none')
    """
    return ", ".join(f"{name} {count:,}" for name, count in found.items()) or "none"


def _in_notebook() -> bool:
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _display(thing: Any, display_id: bool = False) -> Any:
    if _in_notebook():
        from IPython.display import display

        return display(thing, display_id=True) if display_id else display(thing)
    print(repr(thing))
    return None


def finished(directory: str | os.PathLike) -> dict | None:
    """The run.json of a finished run in `directory`, else None."""
    path = resolve(directory) / "run.json"
    if not path.exists():
        return None
    record = read_json(path)
    return record if isinstance(record, dict) and record.get("status") == "finished" else None


def require_finished(directory: str | os.PathLike, notebook: str) -> dict:
    """The run.json of a finished run of `notebook` in `directory`; else an `LlmergeError` with the command for it."""
    directory = resolve(directory)
    record = finished(directory)
    if record is not None:
        return record
    what = "was not finished" if (directory / "run.json").exists() else "is not there"
    raise LlmergeError(
        f"the run of {notebook} in {shown(directory)} {what}: run `papermill notebooks/{notebook}.ipynb out.ipynb` "
        "(what it already has is kept and not paid for again)."
    )


# ------------------------------------------------------------------------------------------------------ progress


class Progress:
    """One line that tells how far a long cell is: one display handle in a notebook, one line in a terminal.

    A progress bar would leave dozens of stored outputs under papermill, and a widget would leave 0 % for ever.
    """

    def __init__(self, total: int, label: str = "", every_s: float = 0.25, done: int = 0):
        self.total, self.label, self.every_s = total, label, every_s
        self.done, self.counts = done, {}
        self._before = done  # done by an earlier run, so it says nothing of this one's speed
        self.started = time.monotonic()
        self._last = 0.0
        self._handle = _display(_Text(self.line(), self._markup()), display_id=True) if _in_notebook() else None

    def update(self, done: int | None = None, **counts: Any) -> None:
        """Set how many are done, and any other figures to show; drawn at most a few times a second."""
        self.done = self.done + 1 if done is None else done
        self.counts.update(counts)
        if time.monotonic() - self._last >= self.every_s:
            self._draw()

    def close(self) -> None:
        """Draw the last state, without an estimate, so that what is stored reads as a result."""
        self._draw(final=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def line(self, final: bool = False) -> str:
        """The line as text."""
        parts = [f"{self.label}: {self.done}/{self.total}" if self.label else f"{self.done}/{self.total}"]
        parts += [f"{value} {name.replace('_', ' ')}" for name, value in self.counts.items() if value not in (None, "")]
        if not final and self._before < self.done < self.total:
            left = (time.monotonic() - self.started) / (self.done - self._before) * (self.total - self.done)
            parts.append(f"{_duration(left)} left")
        return " · ".join(parts)

    def _markup(self, final: bool = False) -> str:
        return f"<pre>{html.escape(self.line(final))}</pre>"

    def _draw(self, final: bool = False) -> None:
        self._last = time.monotonic()
        if self._handle is not None:
            self._handle.update(_Text(self.line(final), self._markup(final)))
        elif sys.stderr is not None and sys.stderr.isatty():
            print("\r\033[K" + self.line(final), end="\n" if final else "", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress(total: int, label: str = "", done: int = 0) -> Progress:
    """A `Progress` for `total` steps, `done` of them by an earlier run; use it as a context manager."""
    return Progress(total, label, done=done)


def summary() -> str:
    """What the runs below `outputs/` came to, one line each, and where their files are."""
    lines = []
    for path in sorted((root() / "outputs").glob("**/run.json"), key=lambda p: read_json(p).get("started_at", "")):
        record = read_json(path)
        results = {k: v for k, v in record.get("results", {}).items() if isinstance(v, (int, float, str))}
        facts = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in results.items())
        lines.append(f"{record['notebook']:<24} {record['status']:<9} {shown(path.parent)}/  {facts}")
    return "\n".join(lines) or "nothing has been run yet: make demo"
