"""Every conflict of many repositories through collect, baselines and verdict: nothing may raise; the totals follow.

    python benchmarks/corpus.py PATH_OR_URL…

Prints one Markdown line a repository. A row whose own answer is not judged an exact match counts as a fault, and so
does an exception anywhere.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from llmerge_helpers import baselines, collect, conflicts, verdict
from llmerge_helpers.conflicts import prompts

NAMES = ("ours", "theirs", "union", "token_merge", "rules")


def run(source: str) -> dict:
    """Counts for one repository."""
    count, faults, languages = Counter(), Counter(), Counter()
    start = time.perf_counter()
    for row in collect.collect_repository(source):
        count["hunks"] += 1
        languages[row["language"]] += 1
        try:
            own = verdict.verify(prompts.render_answer(row["answer"], row["language"]), row)
            if own.match_type != "exact_match":
                faults[f"own answer: {own.match_type}"] += 1
            if conflicts.has_markers(row["answer"]):
                faults["marker in the answer"] += 1
            asked = prompts.parse_question(row["question"])
            if any((asked[k] or "") != row[k] for k in ("before", "ours", "base", "theirs", "after")):
                faults["question does not read back"] += 1
            for name in NAMES:
                text = baselines.resolve(name, row)
                if text is None:
                    continue
                found = verdict.verify(prompts.render_answer(row["before"] + text + row["after"], row["language"]), row)
                count[name] += found.is_correct
        except Exception as error:
            faults[type(error).__name__] += 1
            traceback.print_exc()
    return {"source": source, "seconds": time.perf_counter() - start, **count, "languages": languages, "faults": faults}


def main(sources: list[str]) -> None:
    print("| repository | hunks | languages | " + " | ".join(NAMES) + " | seconds | faults |")
    print("|---" * (5 + len(NAMES)) + "|")
    totals, languages, faults = Counter(), Counter(), Counter()
    with ProcessPoolExecutor(2) as pool:
        for found in pool.map(run, sources):
            n = found.get("hunks", 0)
            totals.update({k: found.get(k, 0) for k in ("hunks", *NAMES)})
            languages.update(found["languages"])
            faults.update(found["faults"])
            name = "/".join(found["source"].rstrip("/").split("/")[-2:])
            kinds = ", ".join(f"{k} {v}" for k, v in found["languages"].most_common(2))
            shares = " | ".join(f"{100 * found.get(k, 0) / max(n, 1):.1f} %" for k in NAMES)
            print(
                f"| {name} | {n} | {kinds} | {shares} | {found['seconds']:.0f} | {dict(found['faults']) or 'none'} |",
                flush=True,
            )
    n = totals["hunks"]
    shares = " | ".join(f"{100 * totals[k] / max(n, 1):.1f} %" for k in NAMES)
    print(f"| **all** | {n} | {len(languages)} languages | {shares} | | {dict(faults) or 'none'} |")
    print("\n" + ", ".join(f"{k} {v}" for k, v in languages.most_common()))


if __name__ == "__main__":
    main(sys.argv[1:])
