"""Files in conflict: bytes as text and back, their conflicts with the base that git's index has, what still parses."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from llmerge_helpers.collect.encodings import decode_both
from llmerge_helpers.collect.repository import git_environment
from llmerge_helpers.conflicts import Conflict, Hunk, language_of, parse, render, split_lines
from llmerge_helpers.conflicts.conflict import context_of
from llmerge_helpers.conflicts.markers import MARKER_SIZE
from llmerge_helpers.resolver.whole import ended_as, unix
from llmerge_helpers.verdict.tokens import parses

# nothing that a repository's config names is run, and nothing is fetched or written
_READ_ONLY = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never")
_GIT_SECONDS = 20
_ENCODINGS = ("latin-1", "cp1252", "gb18030", "big5", "cp932", "euc_jp", "cp949", "koi8-r", "cp1251")


def decoded(data: bytes) -> tuple[str, str]:
    """A file as text, and the encoding in which that is the same bytes again; Latin-1, which all bytes are, at last.

    >>> decoded("caf\u00e9".encode()), decoded(b"caf\\xe9")
    (('café', 'utf-8'), ('café', 'latin-1'))
    """
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        both = decode_both(data, data)
    for encoding in _ENCODINGS if both else ():
        if encoding_fits(data, both[0], encoding):
            return both[0], encoding
    return data.decode("latin-1"), "latin-1"


def encoding_fits(data: bytes, text: str, encoding: str) -> bool:
    """True if the text is these bytes in this encoding, and the other way round."""
    try:
        return data.decode(encoding) == text and text.encode(encoding) == data
    except UnicodeError:
        return False


def conflicts_in(text: str, path: str = "", context_lines: int = 5, marker_size: int = MARKER_SIZE) -> list[Conflict]:
    """The conflicts of a file, with the context that models are trained on.

    >>> text = "a\\n<<<<<<< HEAD\\nb\\n||||||| base\\n=======\\nc\\n>>>>>>> topic\\nd\\n"
    >>> [(c.before, c.ours, c.theirs, c.after) for c in conflicts_in(text, "x.py")]
    [('a\\n', 'b\\n', 'c\\n', 'd\\n')]
    """
    parts = ["", *parse(text, marker_size), ""]
    found = []
    for n, hunk in enumerate(parts):
        if isinstance(hunk, Hunk):
            above, below = (split_lines(p) if isinstance(p, str) else [] for p in (parts[n - 1], parts[n + 1]))
            before, after = context_of(above, below, context_lines)
            found.append(Conflict.of_hunk(hunk, before, after, path))
    return found


# ---- the base, where the file does not show it


def with_base(
    conflicts: Sequence[Conflict], file: str | os.PathLike, stages: Sequence[str] | None = None
) -> list[Conflict]:
    """The conflicts, each with the base that the index of the file's repository has for it, or as it was.

    Git keeps base, ours and theirs of a file in conflict. They are merged again, in a temporary folder, in the style
    that shows the base; a conflict gets it where exactly one of that merge holds its two sides, or where as many
    conflicts stand in the file as came of that merge. `stages` are base, ours and theirs where git has named them.
    """
    if not conflicts or all(conflict.base is not None for conflict in conflicts) and conflicts[-1].after:
        return list(conflicts)
    stages = stages_of(Path(file)) or stages
    if not stages:
        return list(conflicts)
    return based(conflicts, stages, [part for part in merged_again(stages) if isinstance(part, Hunk)])


def based(conflicts: Sequence[Conflict], stages: Sequence[str], shown: Sequence[Hunk]) -> list[Conflict]:
    """The conflicts, each with the base that it has among `shown`, the conflicts of the merge of `stages`."""
    holders = [_holder(conflict, shown) for conflict in conflicts]
    if len(shown) == len(conflicts) and all(_holder(c, [h]) for c, h in zip(conflicts, shown, strict=True)):
        holders = list(shown)  # nobody has touched the file, so equal ones are told apart by their order
    found = []
    for conflict, holder in zip(conflicts, holders, strict=True):
        known = holder is not None and (not holder.base or sum(other is holder for other in holders) == 1)
        if conflict.base is None and holder and known:
            conflict = replace(conflict, base=ended_as(holder.base or "", conflict.ours))
        found.append(conflict)
    return [*found[:-1], _open_ended(found[-1], *stages[1:])]


def _open_ended(last: Conflict, ours: str, theirs: str) -> Conflict:
    """The last conflict of a file, without the line end that git adds before a marker where neither side has one."""
    sides = [side.replace("\r\n", "\n").removesuffix("\n") for side in (last.ours, last.theirs)]
    ends = [text.endswith(side) and not text.endswith("\n") for text, side in zip((ours, theirs), sides, strict=True)]
    if last.after or not all(sides) or not all(ends):
        return last
    return replace(last, **{side: re.sub(r"\r?\n\Z", "", last.side(side)) for side in ("ours", "theirs")})


def git(arguments: Sequence[str], folder: Path, stdin: bytes = b"") -> bytes | None:
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


def stages_of(file: Path) -> list[str] | None:
    """Base, ours and theirs of a file in conflict as its repository's index has them, with `\\n` for line ends.

    The base of a file that both sides added is empty; what is binary is as if it were not there.
    """
    if "\n" in file.name:
        return None
    asked = b"".join(b":%d:./%s\n" % (stage, os.fsencode(file.name)) for stage in (1, 2, 3))
    said = git(["cat-file", "--batch"], file.parent, asked)
    texts: list[bytes | None] = []
    while said and len(texts) < 3:
        head, _, said = said.partition(b"\n")
        kind = re.fullmatch(rb"[0-9a-f]+ blob (\d+)", head)
        texts.append(said[: int(kind[1])] if kind else None)
        said = said[int(kind[1]) + 1 :] if kind else said
    if len(texts) < 3 or texts[1] is None or texts[2] is None:
        return None
    return as_stages(texts)


def as_stages(texts: Sequence[bytes | None]) -> list[str] | None:
    """Base, ours and theirs as text with `\\n` for line ends, a missing one empty; None where one is binary."""
    if any(b"\0" in (text or b"") for text in texts):
        return None
    return [decoded(text or b"")[0].replace("\r\n", "\n") for text in texts]


def merged_again(texts: Sequence[str], plain: bool = False) -> list[str | Hunk]:
    """The merge of three texts in parts, its conflicts with their base; `plain` as `git checkout -m` makes it.

    Merges look for lines in common by histograms, a checkout does not, and gits before 2.44 cannot be told to.
    """
    size = 7 + max((len(run) for text in texts for run in re.findall(r"[<=>|]{7,}", text)), default=0)
    with tempfile.TemporaryDirectory(prefix="llmerge-") as name:
        for side, text in zip(("base", "ours", "theirs"), texts, strict=True):
            Path(name, side).write_bytes(text.encode("utf-8", "surrogatepass"))
        merge = ("merge-file", "-p", "--diff3", f"--marker-size={size}")
        sides = ("ours", "base", "theirs")
        said = None if plain else git([*merge, "--diff-algorithm=histogram", *sides], Path(name))
        said = said or (None if plain else _by_merge(texts, Path(name), size)) or git([*merge, *sides], Path(name))
    return parse((said or b"").decode("utf-8", "surrogatepass"), size)


def _by_merge(texts: Sequence[str], folder: Path, marker_size: int) -> bytes | None:
    """The merge of three texts as two commits of a repository of their own, in the style that shows the base."""
    commits = b""
    for number, (side, text) in enumerate(zip(("base", "ours", "theirs"), texts, strict=True), 1):
        data = text.encode("utf-8", "surrogatepass")
        commits += b"commit refs/heads/%s\nmark :%d\ncommitter a <a> 0 +0000\ndata 0\n" % (side.encode(), number)
        commits += b"from :1\n" * (number > 1) + b"M 100644 inline file\ndata %d\n%s\n" % (len(data), data)
    if git(["init", "-q", "--bare", "."], folder) is None or git(["fast-import", "--quiet"], folder, commits) is None:
        return None
    (folder / "info").mkdir(exist_ok=True)
    (folder / "info/attributes").write_text(f"file conflict-marker-size={marker_size}\n")
    said = git(["-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree", "ours", "theirs"], folder) or b""
    return git(["cat-file", "blob", os.fsdecode(said.partition(b"\n")[0]) + ":file"], folder)


def _holder(conflict: Conflict, shown: Sequence[Hunk]) -> Hunk | None:
    """The one hunk in whose sides both sides of the conflict stand; merge style shows less than all of a hunk."""
    ours, theirs = unix(conflict.ours), unix(conflict.theirs)
    found = [hunk for hunk in shown if _holds(hunk, ours, theirs)]
    whole = [hunk for hunk in found if ours == hunk.ours and theirs == hunk.theirs]
    return next(iter(whole or found)) if len(whole or found) == 1 else None


def _holds(hunk: Hunk, ours: str, theirs: str) -> bool:
    """Whether these are its sides, but for lines that both have; of what has no base, also any part of them."""
    if not hunk.base:
        return "\n" + ours in "\n" + hunk.ours and "\n" + theirs in "\n" + hunk.theirs
    starts = [0, *(match.end() for match in re.finditer("\n", hunk.ours))]
    return any(
        hunk.ours.startswith(ours, at) and hunk.theirs == hunk.ours[:at] + theirs + hunk.ours[at + len(ours) :]
        for at in starts
    )


# ---- the file with them


def that_parse(
    text: str, proposals: Sequence[str | None], path: str = "", marker_size: int = MARKER_SIZE
) -> list[str | None]:
    """The proposals without those with which the file does not parse any more, though it does with either side.

    Conflicts of one file may depend on each other: a proposal is tried beside those before it, the rest taken from
    ours, then from theirs.

    >>> text = "<<<<<<< a\\nint a = 1;\\n=======\\nint a = 2;\\n>>>>>>> b\\n"
    >>> that_parse(text, ["int a = (1;\\n"], "A.java"), that_parse(text, ["int a = 3;\\n"], "A.java")
    ([None], ['int a = 3;\\n'])
    """
    parts = parse(text, marker_size)
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


def resolved(text: str, proposals: Sequence[str | None], marker_size: int = MARKER_SIZE) -> str:
    """The file with each conflict replaced by its proposal; one without a proposal stays as it is."""
    left = iter(proposals)
    parts = [(part, next(left)) if isinstance(part, Hunk) else (part, None) for part in parse(text, marker_size)]
    return render(part if new is None else new for part, new in parts)
