"""Verdicts a second and what they get wrong, beside a grader that strips comments with regular expressions.

    python benchmarks/verdicts.py [path/to/repository …]

Without a repository, the bundled sample is judged. Four replies to each hunk: the developer's resolution, ours, theirs,
and both. The errors are those on the adversarial set of tests/support/verdict_cases.py. Prints a
Markdown table; the speeds are those of one core, in this one run.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmerge_helpers.collect import collect_repository
from llmerge_helpers.conflicts import render_answer
from llmerge_helpers.merges import load
from llmerge_helpers.verdict import verify

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from verdict_cases import OTHER_PAIRS, PAIRS, TOP_LEVEL_PAIRS, example

HASH_COMMENTS = ("Python", "Ruby", "PHP", "Shell", "YAML", "TOML", "INI", "Makefile")
LAYOUT = ("Python", "YAML")


def regex_grader(reply: str, row: Mapping[str, Any]) -> bool:
    """The usual way: the first code block, comments cut by pattern, white space squeezed."""
    found = re.search(r"```\w*\r?\n(.*?)```", reply, re.DOTALL)
    expected = row["before"] + row["resolution"] + row["after"]
    return bool(found) and squeeze(found[1], row["language"]) == squeeze(expected, row["language"])


def squeeze(code: str, language: str) -> str:
    if language in HASH_COMMENTS:
        code = re.sub(r"#.*", "", code)
    if language not in LAYOUT:
        code = re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL)
        code = re.sub(r"//.*", "", code)
        return " ".join(code.split())
    return "\n".join(line.rstrip() for line in code.split("\n") if line.strip())


def file_grader(reply: str, row: Mapping[str, Any]) -> bool:
    return verify(reply, row).is_correct


def snippet_grader(reply: str, row: Mapping[str, Any]) -> bool:
    return verify(reply, {name: row[name] for name in ("before", "resolution", "after", "language")}).is_correct


GRADERS: dict[str, Callable[[str, Mapping[str, Any]], bool]] = {
    "regular expressions": regex_grader,
    "verify, the snippet alone": snippet_grader,
    "verify, in the whole file": file_grader,
}


def main(sources: Sequence[str]) -> None:
    if sources:
        rows = [row for source in sources for row in collect_repository(source)]
    else:
        splits = load(Path(__file__).parents[1] / "merges" / "sample" / "dataset")
        rows = [row for split in splits.values() for row in split]
    replies = [
        (render_answer(row["before"] + resolution + row["after"], row["language"]), row)
        for row in rows
        for resolution in (row["resolution"], row["ours"], row["theirs"], row["ours"] + row["theirs"])
    ]
    lines = sorted(row["prefix"].count("\n") + row["answer"].count("\n") + row["suffix"].count("\n") for row in rows)
    print(f"{len(rows):,} hunks, {len(replies):,} replies, files of {lines[len(lines) // 2]:,} lines (median)\n")
    pairs = PAIRS + TOP_LEVEL_PAIRS + OTHER_PAIRS
    print(
        f"| grader | verdicts a second | wrong ones called right, of {sum(not pair.same for pair in pairs)} |", end=""
    )
    print(f" right ones called wrong, of {sum(pair.same for pair in pairs)} |\n|---|---:|---:|---:|")
    judged = {}
    for name, grader in GRADERS.items():
        start = time.process_time()
        judged[name] = [grader(reply, row) for reply, row in replies]
        rate = len(replies) / (time.process_time() - start)
        errors = adversarial_errors(grader)
        print(f"| {name} | {rate:,.0f} | {errors[True]} | {errors[False]} |")
    usual, ours = judged["regular expressions"], judged["verify, in the whole file"]
    both = Counter(zip(usual, ours, strict=True))
    print(f"\nOn the {len(replies):,} replies, only the regular expressions call {both[True, False]:,} right, ", end="")
    print(f"only verify {both[False, True]:,}.")


def adversarial_errors(grader: Callable[[str, Mapping[str, Any]], bool]) -> Counter[bool]:
    """How many of the adversarial pairs a grader misjudges, by what it called them."""
    errors: Counter[bool] = Counter()
    for pair in PAIRS + TOP_LEVEL_PAIRS + OTHER_PAIRS:
        row, code = example(pair, whole=True)
        called = grader(render_answer(code, pair.language), row)
        errors[called] += called != pair.same
    return errors


if __name__ == "__main__":
    main(sys.argv[1:])
