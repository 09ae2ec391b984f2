"""Resolve the conflicts of a merge, rebase, cherry-pick or stash one by one: proposals with reasons, yours the word.

llmerge-mergetool                               all files in conflict here, or the files that are named
llmerge-mergetool --yes-above 0.9               without asking, what is that sure
llmerge-mergetool --git BASE LOCAL REMOTE MERGED   as a tool of `git mergetool` (docs/mergetool.md)
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from llmerge_helpers.conflicts import Conflict, Decided, Hunk, has_markers, parse, render
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import pick
from llmerge_helpers.resolver.confidence import LEAST
from llmerge_helpers.resolver.files import (
    as_stages,
    based,
    conflicts_in,
    decoded,
    git,
    merged_again,
    resolved,
    stages_of,
    that_parse,
)
from llmerge_helpers.resolver.merge import Kept, Merge, marker_size, merge_at
from llmerge_helpers.resolver.proposals import Model, Proposal, in_this_merge, sure, trained_model
from llmerge_helpers.resolver.screen import KEYS, Screen
from llmerge_helpers.resolver.whole import Region, whole
from llmerge_helpers.run import redact
from llmerge_helpers.run.files import remove_left, write_atomic

_BELOW = "------------------------ >8 ------------------------ what is below is for reading, and left out"
_UNPARSED = "With it the file would not parse any more, though it does with either side."


@dataclass
class Opened:
    """A file in conflict: what it was, its conflicts, and what was chosen for each so far.

    In `text` each conflict is whole and shows its base; `raw` is what stands in its place in the file.
    """

    path: Path
    shown: str
    before: bytes
    text: str
    encoding: str
    size: int
    hunks: list[Hunk]
    raw: list[str]
    conflicts: list[Conflict]
    chosen: list[str | None]
    told: list[Proposal] = field(default_factory=list)
    backup: bool = True
    saved: bytes = b""

    def bytes_with(self, chosen: Sequence[str | None]) -> bytes:
        """The file with what was chosen, in its own encoding; a conflict without a choice stays, byte for byte."""
        if not any(each is not None for each in chosen):
            return self.before
        left = [raw if new is None else new for raw, new in zip(self.raw, chosen, strict=True)]
        return resolved(self.text, left, self.size).encode(self.encoding)

    def choosing(self, number: int, text: str | None) -> list[str | None]:
        """What is chosen once `text` is taken for a conflict."""
        return [*self.chosen[:number], text, *self.chosen[number + 1 :]]

    def holds(self, text: str) -> bool:
        """True if the encoding of the file has all characters of a text."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return False
        return True

    def fits(self, number: int, text: str) -> bool:
        """True if the file can be written with this choice, and still parses where it did with either side."""
        tried = self.choosing(number, text)
        return self.holds(text) and that_parse(self.text, tried, self.shown, self.size)[number] is not None

    def take(self, number: int, text: str) -> None:
        """Choose `text` for a conflict, and write the file: whole, or not at all, with what it was beside it."""
        chosen = self.choosing(number, text)
        data = self.bytes_with(chosen)
        try:
            if self.path.read_bytes() != self.saved:
                raise LlmergeError(
                    f"{self.shown} was changed by another program in the meantime, so it is left as it is: run again."
                )
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if self.backup and self.saved == self.before:
                write_atomic(_backup_of(self.path, self.before), self.before, mode=mode)
            write_atomic(self.path, data, mode=mode)
        except OSError as error:
            raise LlmergeError(
                f"{self.shown} cannot be written ({error.strerror or error}): make room or give permission."
            ) from None
        self.chosen, self.saved = chosen, data

    def line(self, number: int) -> int:
        """The line of the file, as it was, on which a conflict starts."""
        hunks, above = iter(self.raw[:number]), 1
        for part in parse(self.text, self.size):
            shown = next(hunks, None) if isinstance(part, Hunk) else part
            if shown is None:
                break
            above += shown.count("\n")
        return above

    @property
    def left(self) -> int:
        """How many conflicts nobody has decided."""
        return sum(each is None for each in self.chosen)


def _backup_of(path: Path, data: bytes) -> Path:
    """Where the file as it was is kept: `.orig` as git does it, and a number more where that is something else."""
    number = 0
    while True:
        kept = path.with_name(f"{path.name}.orig{number or ''}")
        if not kept.exists() or kept.read_bytes() == data:
            return kept
        number += 1


def opened(path: Path, shown: str, context: int = 5, stages: Sequence[str] | None = None) -> Opened | None:
    """The conflicts of a file with their base; None where it has no markers."""
    path = path.resolve()  # a link stays one: what it names is written
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LlmergeError(f"{shown} cannot be read ({error.strerror or error}): give a file in conflict.") from None
    return _opened(data, path, shown, context, stages)


def _opened(data: bytes, path: Path, shown: str, context: int, stages: Sequence[str] | None) -> Opened | None:
    text, encoding = decoded(data)
    size = marker_size(path)
    if b"\0" in data or not conflicts_in(text, shown, context, size):
        return None
    stages = (stages_of(path) if path.name else None) or stages
    again: list[str | Hunk] = []
    parts = whole(text, again, size)
    for plain in (True, False) if stages else ():  # the last one that was tried stands, if neither fits
        again = merged_again(stages or [], plain)
        parts = whole(text, again, size)
        if all(part.found for part in parts if isinstance(part, Region)):
            break
    regions = [part for part in parts if isinstance(part, Region)]
    text = render(part.hunk if isinstance(part, Region) else part for part in parts)
    found = conflicts_in(text, shown, context, size)
    if stages:
        found = based(found, stages, [part for part in again if isinstance(part, Hunk)])
    hunks, raw = [region.hunk for region in regions], [region.raw for region in regions]
    return Opened(path, shown, data, text, encoding, size, hunks, raw, found, [None] * len(found), saved=data)


# ---- one after the other


class Session:
    """All conflicts in their order, what was decided, and what the next ones learn of it."""

    def __init__(self, files: list[Opened], model: Model, screen: Screen, merge: Merge | None, above: float | None):
        self.files, self.model, self.screen, self.merge, self.above = files, model, screen, merge, above
        self.kept = merge.remembered() if merge else []
        self.all_above: float | None = None
        conflicts = [conflict for file in files for conflict in file.conflicts]
        told = iter(model.proposals(conflicts))
        for file in files:
            file.told = [next(told) for _ in file.conflicts]

    @property
    def earlier(self) -> list[Decided]:
        """What a person has decided before in this merge: what was taken unasked is no evidence."""
        return [each.decided for each in self.kept if each.by_person]

    def told(self, file: Opened, number: int) -> Proposal:
        """What to propose now; nothing where the file could not stand it."""
        if file.hunks[number].ambiguous:
            return Proposal(None, "A line of a side looks like a marker, so nobody can tell where the side ends.")
        told = in_this_merge(file.told[number], file.conflicts[number], self.earlier)
        if told.text is None or file.fits(number, told.text):
            return told
        return told._replace(text=None, why=_UNPARSED, confidence=None)

    def take(self, file: Opened, number: int, text: str, by_person: bool) -> None:
        """Write a decision into its file, and remember it."""
        file.take(number, text)
        conflict = file.conflicts[number]
        kept = Kept(conflict.digest().hex(), file.shown, conflict.ours, conflict.base, conflict.theirs, text, by_person)
        self.kept = [*(each for each in self.kept if each.digest != kept.digest), kept]
        if self.merge:
            self.merge.remember(self.kept)

    def again(self) -> int:
        """Take what was decided before git put the file back, as it does when a tool leaves a conflict; how many."""
        known = {each.digest: each for each in self.kept}
        done = 0
        for file in self.files:
            for number, conflict in enumerate(file.conflicts):
                kept = known.get(conflict.digest().hex())
                if kept and file.fits(number, kept.text):
                    file.take(number, kept.text)
                    done += 1
        return done

    def unattended(self) -> None:
        """Take every proposal that is sure enough, and ask nobody."""
        for file in self.files:
            for number, chosen in enumerate(file.chosen):
                told = self.told(file, number)
                if chosen is None and sure(told, LEAST if self.above is None else self.above):
                    self.take(file, number, told.text or "", by_person=False)

    def attended(self) -> None:
        """Ask about each conflict, and at the end once more about those that were put off."""
        places = [(file, n) for file in self.files for n, chosen in enumerate(file.chosen) if chosen is None]
        put_off: list[tuple[Opened, int]] = []
        for count, (file, number) in enumerate(places, 1):
            word = self._ask(file, number, f"{count} of {len(places)}")
            if word == "q":
                return
            if word == "s":
                put_off.append((file, number))
        for count, (file, number) in enumerate(put_off, 1):
            if self._ask(file, number, f"put off, {count} of {len(put_off)}") == "q":
                return

    def _ask(self, file: Opened, number: int, count: str) -> str:
        """What was answered: y, n, s or q; the choice is taken."""
        told, conflict = self.told(file, number), file.conflicts[number]
        hunk = file.hunks[number]
        if self.all_above is not None and sure(told, self.all_above):
            self.take(file, number, told.text or "", by_person=False)
            self.screen.say(f"taken: {file.shown}, {told.by}")
            return "y"
        head = f"{count} · {file.shown}:{file.line(number)} · {conflict.language}"
        roles = self.merge.doing[1:] if self.merge else ("", "")
        labels = (hunk.ours_label, hunk.theirs_label)
        names = [f"{label} ({role})" if role else label for label, role in zip(labels, roles, strict=True)]
        self.screen.conflict(conflict, told, head, names)
        keys = "n/e/o/t/s/v/q" if told.text is None else "y/n/e/o/t/s/a/v/q"
        while True:
            word = self.screen.answer(f"{count} [{keys}, ? for help] ").strip().lower()[:1]
            text = {"y": told.text, "a": told.text, "o": conflict.ours, "t": conflict.theirs}.get(word)
            if word in ("n", "s", "q"):
                return word
            if word == "v":
                self.screen.conflict(conflict, told, head, names, whole=True)
            elif word == "e":
                text = self._edited(file, number, told.text)
            elif word in ("y", "a") and text is None:
                self.screen.say("There is no proposal here: take o or t, edit it, or leave it with n.", "warn")
            elif text is None:
                self.screen.say(KEYS)
            if text is None:
                continue
            if word in ("o", "t", "e") and not file.fits(number, text):
                if not file.holds(text):
                    self.screen.say(f"It holds characters that {file.encoding} has not.", "warn")
                    continue
                if self.screen.answer("The file does not parse with it. Take it? [y/N] ").strip().lower()[:1] != "y":
                    continue
            self.take(file, number, text, by_person=True)
            what = _counted(len(text.splitlines()), "line") if text else "nothing stays"
            self.screen.say(f"taken: {what}, written into {file.shown}", "dim")
            if word == "a":
                self.all_above = LEAST if told.confidence is None else told.confidence
            return "y"

    def _edited(self, file: Opened, number: int, text: str | None) -> str | None:
        """What a person makes of the proposal, or of the conflict, in their editor; None where nothing was made of it.

        Below the proposal stands the conflict, as an editor covers the screen.
        """
        start = shown = str(file.hunks[number]) if text is None else text
        if text is not None:
            below = [_BELOW, *file.conflicts[number].marked(file.size).splitlines()]
            shown += ("" if not text or text.endswith("\n") else "\n") + "\n".join(below) + "\n"
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        with tempfile.TemporaryDirectory(prefix="llmerge-") as folder:
            place = Path(folder, f"conflict{file.path.suffix}")
            place.write_bytes(shown.encode(file.encoding))
            try:
                done = subprocess.run([*shlex.split(editor), str(place)])
                new = place.read_bytes().decode(file.encoding)
            except (OSError, ValueError) as error:
                self.screen.say(f"The editor {editor} did not work ({error}): set EDITOR.", "warn")
                return None
        above = re.split(r"^-{9,} >8 -{9,}", new, maxsplit=1, flags=re.MULTILINE)
        new, below = above[0], above[1:]
        new = new if not below or start.endswith("\n") else new.removesuffix("\n")
        if new == start and not done.returncode and not has_markers(new, file.size):
            self.screen.say("Nothing was changed in it: y takes the proposal as it is.", "warn")
            return None
        if done.returncode or has_markers(new, file.size):
            self.screen.say("Not taken: the editor failed, or a marker is left.", "warn")
            return None
        hunk = file.hunks[number]
        if "\r\n" in hunk.ours + hunk.theirs and "\r\n" not in new:
            new = new.replace("\n", "\r\n")
        is_last = file.text.endswith(str(hunk))
        return new + hunk.separator.lstrip("=").lstrip(" ") if new and not new.endswith("\n") and not is_last else new


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


# ---- the command


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmerge-mergetool", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("file", nargs="*", help="files in conflict (default: all of this repository); - reads one and prints it")
    add("--git", nargs=4, metavar=("BASE", "LOCAL", "REMOTE", "MERGED"), help="called by git mergetool")
    add("--model", default="", help="rules, a folder of an adapter or model, or a name that --base-url serves")
    add("--base-url", default="", help="any OpenAI-compatible endpoint; its key is read from OPENAI_API_KEY")
    add("--teacher", default="", help="a teacher of 01 by its name: deepseek, openai, rules")
    add(
        "--samples",
        type=int,
        default=0,
        help="answers a conflict (default: 1; 5 with --yes-above for a model that 03 has not calibrated)",
    )
    add("--yes-above", type=float, metavar="P", help="take what is at least this sure, from 0 to 1, and ask nobody")
    add("--write", action="store_true", help=f"as --yes-above {LEAST}: what is more likely right than wrong")
    add("--print", action="store_true", dest="printed", help="print the file with its proposals, and write nothing")
    add("--diff", action="store_true", help="print what would be changed as a diff, and write nothing")
    add("--path", default="", help="the name of the file that - reads, for its language")
    add("--no-backup", action="store_true", help="leave no .orig beside a file that was written")
    add("--context-lines", type=int, default=5, help="as in 00")
    add("--max-new-tokens", type=int, default=0, help="as the model was trained with")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Resolve what a person, or `--yes-above`, accepts; 0 if nothing is left, 1 if a conflict is, 2 for an error."""
    given = _parser().parse_args(arguments)
    screen = Screen()
    try:
        return _run(given, screen)
    except LlmergeError as error:
        print(redact(f"error: {error}"), file=sys.stderr)
        return 2
    except (KeyboardInterrupt, EOFError):
        print("\nstopped: what you accepted is written, all else is as it was.", file=sys.stderr)
        return 1


def _run(given: argparse.Namespace, screen: Screen) -> int:
    _check(given)
    merge, files, others, settled = _files_of(given)
    unattended = given.yes_above is not None or given.write
    one_file = len(given.file) == 1 and not given.git and not unattended
    piped = not (sys.stdin.isatty() and sys.stdout.isatty())
    prints = given.printed or given.diff or (one_file and piped)
    if not prints and not unattended and not (sys.stdin.isatty() and screen.out.isatty()):
        raise LlmergeError("there is no terminal to ask in: give --yes-above 0.9, --write, --print or --diff.")
    model = _model_of(given, screen, asks_nobody=unattended)
    conflicts = [conflict for file in files for conflict in file.conflicts]
    if model.teacher and not model.teacher.local and conflicts:
        screen.prose(model.sends(conflicts, merge.root.name if merge else "no repository"))
        if not unattended and not prints and screen.answer("Send them? [y/N] ").strip().lower()[:1] != "y":
            raise LlmergeError("nothing was sent, and nothing is changed.")
    session = Session(files, model, screen, None if prints else merge, given.yes_above)
    if prints:
        return _print(session, given)
    if merge and conflicts and not unattended:
        doing, ours, theirs = merge.doing
        screen.prose(
            f"{doing}: ours is {ours}, theirs is {theirs}. {_counted(len(conflicts), 'conflict')}, {model.label}.",
            "head",
        )
    if given.git and (done := session.again()):
        screen.say(f"{done} that you decided before, when git put the file back, taken again.")
    stopped = False
    try:
        session.unattended() if unattended else session.attended()
    except (KeyboardInterrupt, EOFError):
        stopped = True
    return _told(session, others, settled, bool(given.git), stopped)


def _check(given: argparse.Namespace) -> None:
    if given.yes_above is not None and not 0 <= given.yes_above <= 1:
        raise LlmergeError(f"--yes-above is a chance from 0 to 1, got {given.yes_above}.")
    if given.samples < 0 or given.context_lines < 0 or given.max_new_tokens < 0:
        raise LlmergeError("--samples, --context-lines and --max-new-tokens must not be negative.")
    if "-" in given.file and len(given.file) > 1:
        raise LlmergeError("- reads one file from standard input: name no other beside it.")


def _files_of(given: argparse.Namespace) -> tuple[Merge | None, list[Opened], dict[str, str], list[Path]]:
    """The merge, its files with markers, those that need another decision, and those resolved here before."""
    names = given.file
    if len(names) == 4 and not given.git and not any(map(_in_conflict, names[:3])) and _in_conflict(names[3]):
        given.git, names = names, []
    if names == ["-"]:
        given.printed = not given.diff
        data = sys.stdin.buffer.read()
        found = _opened(data, Path(given.path or "-"), given.path or "-", given.context_lines, None)
        if found is None:
            raise LlmergeError("standard input has no conflict (<<<<<<<, =======, >>>>>>>): give a file that has.")
        return None, [found], {}, []
    if given.git:
        *sides, merged = map(Path, given.git)
        stages = as_stages([side.read_bytes() if side.is_file() else None for side in sides])
        found = opened(merged, str(merged), given.context_lines, stages)
        if found is None:
            raise LlmergeError(f"{merged} has no conflict that its text shows: resolve it by hand.")
        found.backup = False  # git keeps one, as its mergetool.keepBackup says
        return merge_at(merged.resolve().parent), [found], {}, []
    if names:
        places = {name: Path(name) for name in names}
        merge = merge_at(places[names[0]].resolve().parent) if places[names[0]].exists() else None
        odd = {}
    else:
        merge = merge_at(Path.cwd())
        if merge is None:
            raise LlmergeError("here is no git repository: go into one that has conflicts, or name the files.")
        if not merge.files:
            raise LlmergeError(f"{merge.root.name} has no file in conflict: nothing is to be done.")
        places = {path: merge.root / path for path in merge.files}
        odd = {path: why for path, why in merge.files.items() if why}
    keeps = git(["config", "--bool", "mergetool.keepBackup"], merge.root) if merge else None
    touched = {kept.path for kept in merge.remembered()} if merge else set()
    files, others, settled = [], {}, []
    for shown, place in places.items():
        if not names and not place.is_file():
            others[shown] = odd.get(shown) or "it is no file here"
            continue
        remove_left(place.parent.glob(f".{place.name}.*.tmp"))
        found = opened(place, shown, given.context_lines)
        if found is None and names:
            raise LlmergeError(f"{shown} has no conflict (<<<<<<<, =======, >>>>>>>): give a file that has.")
        if found is None and shown in touched and not odd.get(shown):
            settled.append(place)
            continue
        if found is None:
            others[shown] = odd.get(shown) or "its text shows no conflict"
            continue
        # what git left is kept once; a later session finds it there
        has_one = shown in touched and place.with_name(f"{place.name}.orig").exists()
        found.backup = not given.no_backup and (keeps or b"").strip() != b"false" and not has_one
        files.append(found)
    return merge, files, others, settled


def _in_conflict(name: str) -> bool:
    try:
        return has_markers(Path(name).read_bytes().decode("latin-1"))
    except OSError:
        return False


def _model_of(given: argparse.Namespace, screen: Screen, asks_nobody: bool) -> Model:
    samples = given.samples or (5 if asks_nobody and given.yes_above is not None else 1)
    if given.base_url or (given.teacher and given.teacher != "rules"):
        teacher = pick(given.teacher or "openai", model=given.model, base_url=given.base_url)
        return Model(teacher.model, None if teacher.name == "rules" else teacher, samples, given.max_new_tokens)
    if "rules" in (given.model, given.teacher):
        return Model()
    try:
        model = Model(trained_model(given.model), None, samples, given.max_new_tokens)
    except LlmergeError:
        if given.model:
            raise
        screen.say("There is no trained model here, so the rules propose; --model names another.", "dim")
        return Model()
    return replace(model, samples=1) if model.calibrated and not given.samples else model


def _print(session: Session, given: argparse.Namespace) -> int:
    """Print the files as they would be, or a diff; nothing is written."""
    left = count = 0
    above = LEAST if given.yes_above is None else given.yes_above
    for file in session.files:
        for number in range(len(file.chosen)):
            told = session.told(file, number)
            if sure(told, above) or (told.text is not None and told.confidence is None and given.yes_above is None):
                file.chosen = file.choosing(number, told.text)
        left, count = left + file.left, count + len(file.chosen)
        data = file.bytes_with(file.chosen)
        if given.diff:
            names = f"a/{file.shown}".encode(), f"b/{file.shown}".encode()
            lines = (text.splitlines(keepends=True) for text in (file.before, data))
            data = b"".join(difflib.diff_bytes(difflib.unified_diff, *lines, *names))
        sys.stdout.buffer.write(data)
    sys.stdout.flush()
    by = session.model.label
    print(f"{count - left} of {count} conflicts resolved by {by}: read them before you commit.", file=sys.stderr)
    return 0 if not left else 1


def _told(session: Session, others: dict[str, str], settled: list[Path], by_git: bool, stopped: bool) -> int:
    """Say what is done and what is left; 1 if a conflict is."""
    screen = session.screen
    done = [file.path for file in session.files if not file.left] + settled
    count = sum(len(file.chosen) for file in session.files)
    left = sum(file.left for file in session.files)
    screen.say()
    early = "stopped: " if stopped else ""
    rest = f", {left} left as {'it was' if left == 1 else 'they were'}" if left else ""
    screen.say(f"{early}{count - left} of {_counted(count, 'conflict')} resolved{rest}.", "head")
    for path in settled:
        screen.say(f"  {os.path.relpath(path)}: resolved before", "dim")
    for file in session.files:
        if file.left:
            screen.say(f"  {file.shown}: {file.left} of {len(file.chosen)} left")
    for path, why in others.items():
        screen.say(f"  {path}: {why}; decide with git add or git rm", "warn")
    if by_git and left:
        kept = "; what you took is remembered, and taken again next time" if count > left else ""
        screen.prose(f"git now puts this file back as it was{kept}.")
    elif done and not by_git:
        screen.say("read them, then: git add -- " + " ".join(shlex.quote(os.path.relpath(path)) for path in done))
    return 1 if left or others else 0
