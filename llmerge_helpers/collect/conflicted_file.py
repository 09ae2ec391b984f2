"""One file in conflict: as git left it, as the developers committed it, and the rows that it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from llmerge_helpers.collect.attributes import has_own_merge
from llmerge_helpers.collect.decisions import WHOLESALE, took_side_whole
from llmerge_helpers.collect.encodings import decode_both
from llmerge_helpers.collect.labels import OUTSIDE_EDITS, Label, align, grown
from llmerge_helpers.collect.replay import REPLAY_MARKER_SIZE, CatFile, Merge, Replay, entries
from llmerge_helpers.collect.sources import Source
from llmerge_helpers.conflicts import (
    Conflict,
    Hunk,
    Row,
    has_markers,
    language_of,
    make_hunk,
    parse,
    render,
    split_lines,
)
from llmerge_helpers.conflicts.conflict import context_of
from llmerge_helpers.conflicts.prompts import TEXTS

UNKNOWN_ENCODING = "encoding is neither UTF-8 nor Latin-1"  # nor another one beyond doubt
MAX_FILE_BYTES = 1_000_000  # generated files, mostly
MAX_HUNK_CHARS = 40_000  # about 12,000 tokens of question: lock files and rewrites of whole files


@dataclass(frozen=True)
class Drop:
    """Why a file or a hunk gives no row."""

    reason: str


@dataclass(frozen=True)
class ConflictedFile:
    """One file as git left it, and as the developers committed it; `labels` has one entry a hunk."""

    merge: Merge
    path: str
    parts: list[str | Hunk]
    committed: str
    labels: list[Label]
    decided: bool = True  # False: it is one parent's, and nobody resolved a hunk of it for certain
    source: Source | None = None  # where it comes from, and how much context its rows show: what `look` knows
    context_lines: int = 5

    @property
    def hunks(self) -> list[Hunk]:
        """The conflicts, in order."""
        return [part for part in self.parts if isinstance(part, Hunk)]

    @property
    def text(self) -> str:
        """The file as `git merge` leaves it, with markers of the usual length."""
        return render(_usual(part) if isinstance(part, Hunk) else part for part in self.parts)

    @property
    def facts(self) -> dict[str, str | int]:
        """Where it comes from, and what is in it, for a small table."""
        found = ", ".join(label.found or label.reason for label in self.labels)
        return {
            **({"source": self.source.name} if self.source else {}),
            "merge": self.merge.sha[:12],
            "parents": f"{self.merge.parent_1[:12]} (ours), {self.merge.parent_2[:12]} (theirs)",
            "committed": self.merge.committed_at[:10],
            "file": self.path,
            "hunks": len(self.hunks),
            "labels": found,
        }

    @property
    def first(self) -> int:
        """Number of the first hunk that gives a row; a label alone is not enough."""
        return self.first_row()["hunk"]

    def text_excerpt(self, margin: int = 10) -> str:
        """The lines around the first hunk that gives a row, in the file that git left."""
        at = [number for number, part in enumerate(self.parts) if isinstance(part, Hunk)][self.first]
        before, hunk, after = self.parts[:at], _usual(self.parts[at]), self.parts[at + 1 :]
        above = split_lines(render(_usual(part) if isinstance(part, Hunk) else part for part in before))
        below = split_lines(render(_usual(part) if isinstance(part, Hunk) else part for part in after))
        return _excerpt([*above, *split_lines(str(hunk)), *below], len(above), len(split_lines(str(hunk))), margin)

    def committed_excerpt(self, margin: int = 10) -> str:
        """The lines around what stands in its place in the committed file."""
        label = self.labels[self.first]
        return _excerpt(split_lines(self.committed), label.start, label.end - label.start, margin)

    def alignment(self, margin: int = 4) -> str:
        """The committed lines around the first row's, each with what it stands for in the file that git left."""
        lines = split_lines(self.committed)
        found = [(number, label) for number, label in enumerate(self.labels) if label.found]
        stands = dict.fromkeys(range(len(lines)), "edited")
        for _, label in found:
            stands |= dict.fromkeys(range(label.start - label.before, label.end + label.after), "unchanged")
        for number, label in found:
            stands |= dict.fromkeys(range(label.start, label.end), f"in place of hunk {number}")
        label = self.labels[self.first]
        told = [f"{at + 1:>5}  {stands[at]:<18} │ {line}" for at, line in enumerate(lines)]
        return _excerpt(told, label.start, label.end - label.start, margin)

    def rows(self, facts: Row, context_lines: int) -> Iterator[Row | Drop]:
        """A row for each hunk that has a label, and for each other one the reason why not."""
        lines = split_lines(self.committed)
        starts = [0, *accumulate(map(len, lines))]
        for number, (hunk, label) in enumerate(zip(self.hunks, self.labels, strict=True)):
            if not label.found:
                yield Drop(label.reason)
                continue
            if label.found == "widened":
                hunk = grown(self.parts, number, label)
            above, below = lines[label.start - label.before : label.start], lines[label.end : label.end + label.after]
            before, after = context_of(above, below, context_lines)
            top, bottom = label.start - len(split_lines(before)), label.end + len(split_lines(after))
            conflict = Conflict.of_hunk(hunk, before, after, self.path)
            resolution = "".join(lines[label.start : label.end])
            if reason := _unfit(conflict, resolution, hunk):
                yield Drop(reason)
                continue
            row = Row(
                **facts,
                id=f"{facts['repository']}@{self.merge.sha[:12]}:{self.path}#{number}",
                merge_commit=self.merge.sha,
                parent_1=self.merge.parent_1,
                parent_2=self.merge.parent_2,
                committed_at=self.merge.committed_at,
                path=self.path,
                hunk=number,
                language=conflict.language,
                before=before,
                ours=conflict.ours,
                base=conflict.base,
                theirs=conflict.theirs,
                after=after,
                resolution=resolution,
                label=label.found,
                prefix=self.committed[: starts[top]],
                suffix=self.committed[starts[bottom] :],
                answer=conflict.with_(resolution),
                kind=conflict.kind_of(resolution),
                white_space_only="".join(conflict.ours.split()) == "".join(conflict.theirs.split()),
                question=conflict.question(),
            )
            assert row["prefix"] + row["answer"] + row["suffix"] == self.committed
            assert not any(has_markers(row[column]) for column in ("before", "after", "answer"))
            yield row

    @property
    def gives_a_row(self) -> bool:
        """Whether any of its conflicts gives a row."""
        return any(not isinstance(row, Drop) for row in self._own_rows())

    def first_row(self) -> Row:
        """The row of the first conflict that gives one."""
        return next(row for row in self._own_rows() if not isinstance(row, Drop))

    def _own_rows(self) -> Iterator[Row | Drop]:
        name, license = (self.source.name, self.source.license) if self.source else ("", "")
        return self.rows(Row(repository=name, family="", license=license), self.context_lines)


def _excerpt(lines: list[str], start: int, size: int, margin: int) -> str:
    """`size` lines from `start` on with a margin, and how many more there are; of a long middle only both ends."""
    top, bottom = max(0, start - margin), min(len(lines), start + size + margin)
    shown = lines[top:bottom]
    if len(shown) > 80:
        shown = [*shown[:40], f"… {len(shown) - 80} lines …\n", *shown[-40:]]
    above, below = (f"… {count} lines …\n" if count else "" for count in (top, len(lines) - bottom))
    return above + "".join(shown) + below


def _usual(hunk: Hunk) -> Hunk:
    newline = "\r\n" if hunk.separator.endswith("\r\n") else "\n"
    labels = (hunk.ours_label, hunk.base_label, hunk.theirs_label)
    return make_hunk(hunk.ours, hunk.base, hunk.theirs, labels=labels, newline=newline)


def read_file(
    replay: Replay,
    path: bytes,
    objects: CatFile,
    languages: frozenset[str] | None = None,
    wholesale: bool = False,
) -> ConflictedFile | Drop:
    """The conflicted file at `path`, or the reason why there is none to learn from.

    One that was taken whole from one side is kept only if `wholesale`.
    """
    name = _text(path)
    if languages and language_of(name) not in languages:
        return Drop("another language")
    texts = _both_texts(replay, path, objects)
    if isinstance(texts, str):
        return Drop(texts)
    if is_generated(name, texts[1]):
        return Drop("generated file")
    parts = parse(texts[0], REPLAY_MARKER_SIZE)
    if not any(isinstance(part, Hunk) for part in parts):
        return Drop("no conflicting lines")
    if has_own_merge(replay.merge.parent_1, path, objects):
        return Drop("merged by a rule of .gitattributes")
    decided = not took_side_whole(replay, path, objects)
    if not (decided or wholesale):
        return Drop(WHOLESALE)
    labels = align(parts, split_lines(texts[1]))
    for number, label in enumerate(labels):
        if label.found == "widened" and not _stood(grown(parts, number, label), replay, path, objects):
            labels[number : number + label.hunks] = [Label("", reason=OUTSIDE_EDITS)] * label.hunks
    return ConflictedFile(replay.merge, name, parts, texts[1], labels, decided)


def _stood(hunk: Hunk, replay: Replay, path: bytes, objects: CatFile) -> bool:
    """Whether the sides of a grown hunk are what each side had there; git may have merged a line beside it from one."""
    committed = objects.get(replay.merge.sha.encode() + b":" + path)
    for stage, text in ((1, hunk.base), (2, hunk.ours), (3, hunk.theirs)):
        blob = objects.get(replay.blobs[path][stage].encode()) if stage in replay.blobs[path] else None
        read = decode_both(blob[1], committed[1]) if blob and committed else None
        # git adds a line end to the end of a file before it writes a marker
        if read is None or (text or "") not in read[0] + "\n":
            return False
    return True


_LFS = b"spec/v1"
# at the start of a file, or of a side of a conflict that begins there
_LFS_POINTER = re.compile(
    rb"(?:\A|^[<|=]{%d}(?: [^\n]*)?\n)version https://(?:git-lfs|hawser)\.github\.com/spec/v1\r?$" % REPLAY_MARKER_SIZE,
    re.MULTILINE,
)
# what a tool writes at the top of its files; "generated" alone stands in decorators, and in prose about other things
_GENERATED = re.compile(
    r"""
    (?<![\w`@'"])@generated\b(?![(`'"])
    | \bDO\ NOT\ (?:EDIT|MODIFY|CHANGE)\b
    | (?i:
        (?:\b(?:not|never)|n['’]t)\ (?:be\ )?(?:manually\ |directly\ )?(?:edit(?:ed)?|modif(?:y|ied)|changed?)\b
            [^.!\n]{0,30}\b(?:this\ file|directly|manually|by\ hand)\b
        | ^[^\w\n"'`(]*(?:auto(?:matically)?[-\ ]?|machine[-\ ])generated(?:[^\w\n:]*$|\ (?:by|from|using|with)\b)
        | \b(?:auto(?:matically)?[-\ ]?|machine[-\ ])generated\ (?:file|code|source)\b
        | \b(?:file|code|class|script|document)\ (?:\w+\ ){1,2}(?:auto(?:matically)?[-\ ]?|machine[-\ ])generated\b
        | \bgenerated\b[^\n]*(?:\n[^\w\n]*)?\bdo\ not\ (?:edit|modify)\b
        | \bthis\ file\ \w+(?:\ been)?(?:\ an)?\ (?:amalgamation\ of|(?:merged|concatenated|assembled)\ from)\b
        | <!--\ generated\ by\b | <meta\ name="generator" | <link\ [^>\n]*\b(?:jazzy|doxygen|rustdoc|jsdoc[\w-]*)\.css\b
    )
    """,
    re.VERBOSE | re.MULTILINE,
)
# no text matches without one of these
_WORDS_OF_TOOLS = ("generat", "edit", "modif", "chang", "amalgamation", "merged", "concatenated", "assembled", ".css")
_GENERATED_NAME = re.compile(
    r"""
    .+\.lock | .+\.lockfile | [\w.-]+[-.]lock\.(?:json|yaml|yml|hcl) | go(?:\.work)?\.sum | npm-shrinkwrap\.json
    | (?:Package|Cartfile)\.resolved
    | .+\.min\.(?:js|css) | .+\.(?:js|mjs|cjs|css)\.map | .+\.snap | .+\.approved\.\w+
    | (?:phpstan|psalm|detekt|lint)-baseline\.\w+ | \.rubocop_todo\.yml
    """,
    re.VERBOSE,
)


def is_generated(path: str, text: str) -> bool:
    """Whether a tool writes the file, by its name or its first lines: nobody resolves its conflicts by reading them.

    Lock files are, and recorded outputs, minified files and lists of known problems.

    >>> is_generated("a/yarn.lock", ""), is_generated("A.java", "/* Autogenerated by Thrift */")
    (True, True)
    """
    name = path.rsplit("/", 1)[-1]
    top = text[:1000]
    said = any(map(top.lower().__contains__, _WORDS_OF_TOOLS)) and _GENERATED.search(top)
    return bool(_GENERATED_NAME.fullmatch(name) or said)


def _both_texts(replay: Replay, path: bytes, objects: CatFile) -> tuple[str, str] | str:
    """The file as git left it and as it was committed, or the reason why there are no two texts."""
    modes = set(replay.files[path].values())
    if "160000" in modes:
        return "submodule"
    if "120000" in modes:
        return "symbolic link"
    if b"\n" in path:
        return "line break in its name"
    conflicted = objects.get(replay.tree.encode() + b":" + path)
    if conflicted is None or conflicted[0] != "blob":
        return "deleted or renamed on one side"
    committed = objects.get(replay.merge.sha.encode() + b":" + path)
    if committed is None and _is_listed(replay.merge.sha, path, objects):
        return "content missing in this copy of the repository"
    if committed is None or committed[0] != "blob":
        return "deleted or moved by the developer"
    pair = conflicted[1], committed[1]
    if any(b"\0" in data for data in pair):
        return "not text"
    if any(_LFS in data and _LFS_POINTER.search(data) for data in pair):
        return "pointer of Git LFS"
    if any(len(data) > MAX_FILE_BYTES for data in pair):
        return "too long"
    if b"<" * REPLAY_MARKER_SIZE not in pair[0]:
        complete = {2, 3} <= replay.files[path].keys()
        return "no conflicting lines" if complete else "deleted or renamed on one side"
    return decode_both(*pair) or UNKNOWN_ENCODING


def _is_listed(commit: str, path: bytes, objects: CatFile) -> bool:
    """Whether a file stands in the tree of a commit, be its content there or not."""
    folder, _, name = path.rpartition(b"/")
    tree = objects.get(commit.encode() + b":" + folder)
    found = entries(tree[1], len(commit) // 2) if tree and tree[0] == "tree" else ()
    return any(mode.startswith(b"100") and entry == name for mode, entry, _ in found)


def _text(path: bytes) -> str:
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        return path.decode("latin-1")


def _unfit(conflict: Conflict, resolution: str, hunk: Hunk) -> str:
    """Why a labelled hunk makes no row, or ""."""
    if conflict.base is None:
        return "its markers are text of the file"  # the replay always shows a base
    if hunk.ambiguous:
        return "its text can be read in two ways"
    texts = [*(getattr(conflict, name) for name in TEXTS), resolution]
    if "<" * (REPLAY_MARKER_SIZE + 1) in conflict.base:
        return "its base is a conflict too"  # a criss-cross merge
    if any(map(has_markers, texts)):
        return "conflict markers in the text"
    if sum(map(len, texts)) > MAX_HUNK_CHARS:
        return "too long"
    return ""
