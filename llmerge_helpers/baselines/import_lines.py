"""Import lines as the sets that they are: a three-way merge of lines and of the names on them, in the file's order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from llmerge_helpers.conflicts.markers import split_lines

_IMPORT = re.compile(r"\s*\(?(?:import|from|#include|using|use|require|:import|:use|:require|export)\b")
_NAMES = re.compile(r"(\s*from\s+\S+\s+import\s+)(\w+(?:, *\w+)*)(\s*)")


def merge_imports(ours: str, base: str, theirs: str, before: str = "", after: str = "") -> tuple[str, bool] | None:
    """The imports that either side added, without those that either side dropped; None if other lines are among them.

    The flag says whether they were sorted: they are if both sides, with the imports next to them, are.

    >>> merge_imports("import os\\nimport re\\n", "import os\\n", "import io\\nimport os\\n")
    ('import io\\nimport os\\nimport re\\n', True)
    >>> merge_imports("from m import a, c\\n", "from m import a\\n", "from m import a, b\\n")[0]
    'from m import a, b, c\\n'
    """
    if not (ours + theirs).strip() or not all(map(_is_import, split_lines(ours + "\n" + base + "\n" + theirs))):
        return None
    newline = "\r\n" if "\r\n" in ours + theirs else "\n"
    a, z, b = ([x if x.endswith("\n") else x + newline for x in split_lines(text)] for text in (ours, base, theirs))
    extra = "" if (ours or theirs).endswith("\n") or (theirs or ours).endswith("\n") else newline
    _share_names(a, z, b)
    lines = [line for line in merge_sets(a, z, b) if line]
    above = [*takewhile(_is_named, reversed(split_lines(before)))][::-1]
    below = [*takewhile(_is_named, split_lines(after))]
    for key in (str.strip, _imports_first):
        keys = ([key(line) for line in [*above, *side, *below] if line.strip()] for side in (a, b))
        if all(line.strip() for line in lines) and all(side == sorted(side) for side in keys):
            return "".join(sorted(lines, key=key)).removesuffix(extra), True
    return "".join(lines).removesuffix(extra), False


def merge_sets(ours: Sequence[str], base: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Ours without what theirs dropped, then what only theirs has.

    >>> merge_sets(["a", "b", "c"], ["a", "b"], ["b", "d"])
    ['b', 'c', 'd']
    """
    dropped = set(base) - set(theirs)
    known = {*ours, *base}
    return [*(item for item in ours if item not in dropped), *(item for item in theirs if item not in known)]


def _is_import(line: str) -> bool:
    return not line.strip() or _IMPORT.match(line) is not None


def _is_named(line: str) -> bool:
    return bool(line.strip()) and _is_import(line)


def _imports_first(line: str) -> tuple[bool, str]:
    """isort's order: `import x` before `from x import y`."""
    return not line.lstrip().startswith("import "), line.strip()


def _share_names(ours: list[str], base: list[str], theirs: list[str]) -> None:
    """Where both sides import different names from one module, give both the line with the merged names."""
    where = [
        {m[1].split()[1]: (n, m) for n, x in enumerate(side) if (m := _NAMES.fullmatch(x))}
        for side in (ours, base, theirs)
    ]
    for module, (n, found) in where[0].items():
        k, other = where[2].get(module, (0, None))
        if other is None or ours[n] == theirs[k]:
            continue
        lists = [side[module][1][2].replace(" ", "").split(",") if module in side else [] for side in where]
        names = merge_sets(*lists)
        for order in (None, str.lower):
            if all(x == sorted(x, key=order) for x in (lists[0], lists[2])):
                names.sort(key=order)
                break
        ours[n] = theirs[k] = f"{found[1]}{', '.join(names)}{found[3]}" if names else ""
