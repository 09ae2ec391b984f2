"""The parameter tables of docs/parameters.md, read from the notebooks; run as a script, this writes them in."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import NamedTemporaryFile

import nbformat
import papermill

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(<!-- parameters -->\n).*?(<!-- /parameters -->)", re.S)


def parameters_of(path: Path) -> dict[str, dict[str, str]]:
    """What papermill tells of the parameters of a notebook, and of those in a cell before, which are seldom needed."""
    found = dict(papermill.inspect_notebook(str(path)))
    notebook = nbformat.read(path, nbformat.NO_CONVERT)
    notebook.cells = [cell for cell in notebook.cells if "more-parameters" in cell.metadata.get("tags", [])]
    if notebook.cells:
        notebook.cells[0].metadata["tags"] = ["parameters"]
        with NamedTemporaryFile("w", suffix=".ipynb", encoding="utf-8") as file:
            nbformat.write(notebook, file)
            file.flush()
            found |= papermill.inspect_notebook(file.name)
    return found


def parameter_tables() -> str:
    """One table a notebook, in the order of the notebooks: name, type, default, meaning."""
    parts = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        lines = [f"**{path.stem}**\n", "| parameter | default | meaning |", "|---|---|---|"]
        for name, parameter in parameters_of(path).items():
            meaning = parameter["help"].replace("|", "\\|")
            lines.append(f"| `{name}` | `{parameter['default']}` | {meaning} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def with_tables(page: str) -> str:
    """The page with its block of tables made anew."""
    return BLOCK.sub(lambda match: match[1] + parameter_tables() + match[2], page)


if __name__ == "__main__":
    path = ROOT / "docs" / "parameters.md"
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
