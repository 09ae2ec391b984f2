"""The parameters of a notebook, read from its cells and checked: papermill only warns of a name that nothing uses."""

from __future__ import annotations

import ast
import difflib
from typing import Any

from llmerge_helpers.errors import LlmergeError


def _literals(cell: str) -> dict[str, tuple[str | None, Any]] | None:
    """name -> (annotation, value) if the cell is nothing but assignments of literals to names, else None."""
    try:
        statements = ast.parse(cell).body
        found: dict[str, tuple[str | None, Any]] = {}
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


def _literal(node: ast.expr) -> Any:
    # papermill writes float('nan') and float('inf') into the injected cell
    if isinstance(node, ast.Call) and ast.unparse(node).startswith("float("):
        return float(ast.literal_eval(node.args[0]))
    return ast.literal_eval(node)


def check_parameters(cells: list[str]) -> dict[str, Any]:
    """The parameters of a run, read from the cells executed so far; a wrong `-p` is an `LlmergeError`.

    The parameters cell is the one that holds typed literals only. Papermill puts its own cell, `# Parameters`, after
    it, and only warns of a name that nothing uses: `-p lmit 10` would run, and pay, with every default.

    >>> check_parameters(["limit: int = 0  # conflicts", "# Parameters\\nlimit = 10"])
    {'limit': 10}
    >>> check_parameters(["limit: int = 0", "# Parameters\\nlmit = 10"])
    Traceback (most recent call last):
    llmerge_helpers.errors.LlmergeError: unknown parameter 'lmit': did you mean 'limit'? This notebook takes: limit.
    """
    declared: dict[str, tuple[str | None, Any]] | None = None
    injected: dict[str, tuple[str | None, Any]] = {}
    for cell in cells:
        literals = _literals(cell)
        if cell.lstrip().startswith("# Parameters") and declared is not None:
            if literals is None and cell.count("\n") > 0:
                raise LlmergeError("the injected parameters cannot be read: use plain numbers, text, True or False.")
            injected = literals or {}
        elif literals and all(annotation for annotation, _ in literals.values()):
            declared, injected = literals, {}  # run again in one session: the newest cell counts
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
        values[name] = value if value is default is None else _typed(name, annotation or "", value)
    return values


def _typed(name: str, annotation: str, value: Any) -> Any:
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
        raise LlmergeError(f"parameter '{name}' must be {annotation}, got {value!r}: {hint}.")
    return value
