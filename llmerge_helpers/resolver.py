"""A trained model on conflicts of one's own: a file with conflict markers in, the same file with its proposals out.

python -m llmerge_helpers.resolver src/App.java --model outputs/grpo_model > proposed.java
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from llmerge_helpers.baselines import ask
from llmerge_helpers.collect.repository import git_environment
from llmerge_helpers.conflicts import Conflict, Hunk, language_of, parse, render, split_lines
from llmerge_helpers.conflicts.conflict import context_of
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.verdict import proposal
from llmerge_helpers.verdict.tokens import parses

# nothing that a repository's config names is run, and nothing is fetched or written
_READ_ONLY = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never")
_GIT_SECONDS = 20


def conflicts_in(text: str, path: str = "", context_lines: int = 5) -> list[Conflict]:
    """The conflicts of a file, with the context that models are trained on.

    >>> text = "a\\n<<<<<<< HEAD\\nb\\n||||||| base\\n=======\\nc\\n>>>>>>> topic\\nd\\n"
    >>> [(c.before, c.ours, c.theirs, c.after) for c in conflicts_in(text, "x.py")]
    [('a\\n', 'b\\n', 'c\\n', 'd\\n')]
    """
    parts = ["", *parse(text), ""]
    found = []
    for n, hunk in enumerate(parts):
        if isinstance(hunk, Hunk):
            above, below = (split_lines(p) if isinstance(p, str) else [] for p in (parts[n - 1], parts[n + 1]))
            before, after = context_of(above, below, context_lines)
            found.append(Conflict.of_hunk(hunk, before, after, path))
    return found


# ---- the base, where the file does not show it


def with_base(conflicts: Sequence[Conflict], file: str | os.PathLike) -> list[Conflict]:
    """The conflicts, each with the base that the index of the file's repository has for it, or as it was.

    Git keeps base, ours and theirs of a file in conflict. They are merged again, in a temporary folder, in the style
    that shows the base; a conflict gets it where exactly one of that merge holds its two sides.
    """
    if not conflicts or all(conflict.base is not None for conflict in conflicts) and conflicts[-1].after:
        return list(conflicts)
    stages = _stages(Path(file))
    if not stages:
        return list(conflicts)
    shown = _merged_again(stages)
    holders = [_holder(conflict, shown) for conflict in conflicts]
    found = []
    for conflict, holder in zip(conflicts, holders, strict=True):
        if conflict.base is None and holder and holders.count(holder) == 1:
            base = holder.base or ""
            conflict = replace(conflict, base=base.replace("\n", "\r\n") if "\r\n" in conflict.ours else base)
        found.append(conflict)
    return [*found[:-1], _open_ended(found[-1], *stages[1:])]


def _open_ended(last: Conflict, ours: str, theirs: str) -> Conflict:
    """The last conflict of a file, without the line end that git adds before a marker where neither side has one."""
    sides = [side.replace("\r\n", "\n").removesuffix("\n") for side in (last.ours, last.theirs)]
    ends = [text.endswith(side) and not text.endswith("\n") for text, side in zip((ours, theirs), sides, strict=True)]
    if last.after or not all(sides) or not all(ends):
        return last
    return replace(last, **{side: re.sub(r"\r?\n\Z", "", last.side(side)) for side in ("ours", "theirs")})


def _git(arguments: Sequence[str], folder: Path, stdin: bytes = b"") -> bytes | None:
    """What git says, None where it is missing, takes too long or fails (a merge with conflicts does not)."""
    environment = git_environment(GIT_OPTIONAL_LOCKS="0", GIT_NO_LAZY_FETCH="1")
    command = ["git", *_READ_ONLY, *arguments]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, input=stdin, capture_output=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if 0 <= done.returncode < 128 else None


def _stages(file: Path) -> list[str] | None:
    """Base, ours and theirs of a file in conflict as its repository's index has them, with `\\n` for line ends.

    The base of a file that both sides added is empty; what is no UTF-8 text is as if it were not there.
    """
    if "\n" in file.name:
        return None
    asked = b"".join(b":%d:./%s\n" % (stage, os.fsencode(file.name)) for stage in (1, 2, 3))
    said = _git(["cat-file", "--batch"], file.parent, asked)
    texts: list[bytes | None] = []
    while said and len(texts) < 3:
        head, _, said = said.partition(b"\n")
        kind = re.fullmatch(rb"[0-9a-f]+ blob (\d+)", head)
        texts.append(said[: int(kind[1])] if kind else None)
        said = said[int(kind[1]) + 1 :] if kind else said
    if len(texts) < 3 or texts[1] is None or texts[2] is None:
        return None
    try:
        return [(text or b"").decode("utf-8").replace("\r\n", "\n") for text in texts]
    except UnicodeDecodeError:
        return None


def _merged_again(texts: Sequence[str]) -> list[Hunk]:
    """The conflicts of three texts, with their base."""
    size = 7 + max((len(run) for text in texts for run in re.findall(r"[<=>|]{7,}", text)), default=0)
    with tempfile.TemporaryDirectory(prefix="llmerge-") as name:
        for side, text in zip(("base", "ours", "theirs"), texts, strict=True):
            Path(name, side).write_bytes(text.encode("utf-8"))
        merge = ("merge-file", "-p", "--diff3", f"--marker-size={size}")
        sides = ("ours", "base", "theirs")
        # merges look for lines in common by histograms, and older gits cannot be told to do so here
        said = _git([*merge, "--diff-algorithm=histogram", *sides], Path(name)) or _git([*merge, *sides], Path(name))
    return [part for part in parse((said or b"").decode("utf-8"), size) if isinstance(part, Hunk)]


def _holder(conflict: Conflict, shown: Sequence[Hunk]) -> Hunk | None:
    """The one hunk in whose sides both sides of the conflict stand; merge style shows less than all of a hunk."""
    ours, theirs = ("\n" + side.replace("\r\n", "\n") for side in (conflict.ours, conflict.theirs))
    found = [hunk for hunk in shown if ours in "\n" + hunk.ours and theirs in "\n" + hunk.theirs]
    whole = [hunk for hunk in found if ours[1:] == hunk.ours and theirs[1:] == hunk.theirs]
    return next(iter(whole or found)) if len(whole or found) == 1 else None


# ---- what stands in place of them


def answers(conflicts: Sequence[Conflict], model: str, max_new_tokens: int = 0) -> list[str | None]:
    """What `model` (an adapter, a base model, or `rules`) puts in place of each conflict; None where it gives nothing
    that fits: cut off, no code, a marker left, or other lines around the conflict."""
    if model == "rules":
        return [_by_rules(conflict) for conflict in conflicts]
    from llmerge_helpers import models
    from llmerge_helpers.training import completion_budget

    lineage = models.read_lineage(model) if models.is_adapter(model) else {}
    budget, form = max_new_tokens or completion_budget(lineage), models.form_learned(lineage)
    network, tokenizer, _ = models.load_for_evaluation(model)
    prompts = [models.render_prompt(tokenizer, ask(asdict(conflict), form)) for conflict in conflicts]
    replies = models.complete(network, tokenizer, prompts, max_new_tokens=budget, batch_size=4)
    return [
        proposal(reply.text, conflict, finish_reason=reply.finish_reason)
        for reply, conflict in zip(replies, conflicts, strict=True)
    ]


def _by_rules(conflict: Conflict) -> str | None:
    """What the rules say, where they can know it.

    Without the base they cannot tell what was changed from what was added, and would keep both versions of a line.
    """
    from llmerge_helpers.baselines.rules import decide

    rule, answer = decide(conflict)
    if conflict.base is None and rule not in ("same_text", "only_blanks"):
        return None
    return None if _ends_twice(conflict, answer.resolution) else answer.resolution


_LEAVES = re.compile(r"([ \t]*)(return|throw|raise|break|continue|goto|exit|die)\b(?!.*\b(if|unless|when)\b)")


def _ends_twice(conflict: Conflict, text: str) -> bool:
    """True if the text is one side behind the other, and the first one ends with a statement that leaves the block."""
    for first, second in ((conflict.ours, conflict.theirs), (conflict.theirs, conflict.ours)):
        lines, more = ([line for line in side.splitlines() if line.strip()] for side in (first, second))
        if first != second and lines and more and text.split() == (first + "\n" + second).split():
            last, indent = _LEAVES.match(lines[-1]), more[0][: len(more[0]) - len(more[0].lstrip())]
            if last and last[1] == indent and not re.match(r"\s*(case|default|else|\}|end)\b|\s*\w+:", more[0]):
                return True
    return False


def that_parse(text: str, proposals: Sequence[str | None], path: str = "") -> list[str | None]:
    """The proposals without those with which the file does not parse any more, though it does with either side.

    Conflicts of one file may depend on each other: a proposal is tried beside those before it, the rest taken from
    ours, then from theirs.

    >>> text = "<<<<<<< a\\nint a = 1;\\n=======\\nint a = 2;\\n>>>>>>> b\\n"
    >>> that_parse(text, ["int a = (1;\\n"], "A.java"), that_parse(text, ["int a = 3;\\n"], "A.java")
    ([None], ['int a = 3;\\n'])
    """
    parts = parse(text)
    hunks = [part for part in parts if isinstance(part, Hunk)]
    language = language_of(path)
    sides: tuple[Callable[[Hunk], str], ...] = (lambda hunk: hunk.ours, lambda hunk: hunk.theirs)

    def fits(chosen: Sequence[str | None]) -> bool:
        """Whether the file parses with these, and either side in place of the others."""
        for side in sides:
            left = iter([side(hunk) if new is None else new for hunk, new in zip(hunks, chosen, strict=True)])
            if parses("".join(next(left) if isinstance(part, Hunk) else part for part in parts), language) is not False:
                return True
        return False

    nothing: list[str | None] = [None] * len(hunks)
    if fits(proposals) or not all(
        parses("".join(side(part) if isinstance(part, Hunk) else part for part in parts), language) for side in sides
    ):
        return list(proposals)
    kept = nothing
    for number, new in enumerate(proposals):
        tried = [*kept[:number], new, *nothing[number + 1 :]]
        kept = tried if fits(tried) else kept
    return kept


def resolved(text: str, proposals: Sequence[str | None]) -> str:
    """The file with each conflict replaced by its proposal; one without a proposal stays as it is."""
    left = iter(proposals)
    parts = [(part, next(left)) if isinstance(part, Hunk) else (part, None) for part in parse(text)]
    return render(part if new is None else new for part, new in parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the file with its conflicts resolved as far as the model can; nothing is written or checked."""
    import argparse

    parser = argparse.ArgumentParser(prog="llmerge_helpers.resolver", description=__doc__.splitlines()[0])
    parser.add_argument(
        "file", help="a file with conflict markers; a base that it does not show is looked up in git's index"
    )
    parser.add_argument("--model", default="outputs/grpo_model", help="folder of an adapter, a model, or: rules")
    parser.add_argument("--context-lines", type=int, default=5, help="as in 00")
    parser.add_argument("--max-new-tokens", type=int, default=0, help="0: what the replies of training needed")
    given = parser.parse_args(arguments)
    try:
        try:
            text = Path(given.file).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise LlmergeError(f"{given.file} cannot be read ({why}): give a text file with conflicts.") from None
        conflicts = with_base(conflicts_in(text, given.file, given.context_lines), given.file)
        if not conflicts:
            raise LlmergeError(f"{given.file} has no conflict (<<<<<<<, =======, >>>>>>>): give a file that has.")
        found = that_parse(text, answers(conflicts, given.model, given.max_new_tokens), given.file)
    except LlmergeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(resolved(text, found).encode("utf-8"))
    sys.stdout.flush()
    done = sum(each is not None for each in found)
    print(f"{done} of {len(found)} conflicts resolved by {given.model}: read them before you commit.", file=sys.stderr)
    return 0 if done == len(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
