"""Right answers with one small change: how many of them does the judge still call right, and why?

    python benchmarks/mutants.py [--count 6000] [--seed 0] [--list FILE] [SOURCE …]

A source is a data set or a repository; without one, the bundled sample. Each mutant is a developer's snippet in which
one token, one comment, one line or one piece of white space is another one. Languages take turns, so that rare ones
get their share. Prints a Markdown table by kind and one by language; `--list` writes every mutant that is called right,
with the lines that changed. What is changed, and what the change is, patterns tell here, with none of the judge's code,
so that the two do not share their mistakes: a change in "code" has to be read by eye, and so have line ends and
indentation in a language where they can count.
"""

from __future__ import annotations

import argparse
import difflib
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from llmerge_helpers.collect import collect_repository
from llmerge_helpers.conflicts import Row, render_answer
from llmerge_helpers.merges import load
from llmerge_helpers.verdict import verify

# how a comment starts, or starts and ends
_HASHES = "Python Ruby Shell YAML TOML Makefile Dockerfile CMake Perl R Julia Elixir PowerShell Properties INI"
_DASHES = "SQL Lua Haskell"
_TAGGED = "HTML XML Markdown Vue"
_PLAIN = "Text reStructuredText JSON"
_SPELLINGS = dict.fromkeys(_HASHES.split(), ("#", ()))
_SPELLINGS |= dict.fromkeys(_DASHES.split(), ("--", ()))
_SPELLINGS |= dict.fromkeys(_TAGGED.split(), ("", ("<!--", "-->")))
_SPELLINGS |= dict.fromkeys(_PLAIN.split(), ("", ())) | {"CSS": ("", ("/*", "*/"))}
_USUAL = ("//", ("/*", "*/"))

LONGEST = 100_000  # characters of a file: longer ones are slow to judge and show nothing new

_STRING = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
_TOKEN = re.compile(
    rf"(?P<string>{_STRING})|(?P<number>\d[\w.]*)|(?P<name>[^\W\d]\w*)|(?P<operator>[-+*/%=<>!&|^~?:.]+)|(?P<other>\S)"
)
_OTHER_OPERATOR = dict(pair.split() for pair in (
    "+ -", "- +", "* /", "/ *", "% *", "= ==", "== !=", "!= ==", "=== !==", "!== ===", "< <=", "<= <", "> >=", ">= >",
    "&& ||", "|| &&", "& |", "| &", "+= -=", "-= +=", "++ --", "-- ++", "<< >>", ">> <<", "-> .", "=> ->", ". ,",
    ": ;", ":: .", "? :", "! ~", "~ !", ":= =", "?. .", "... ..", "^ |", "?: ??", ".. ...",
))  # fmt: skip


class Token(NamedTuple):
    """A token that patterns found: where it lies, and whether it stands in a comment."""

    kind: str
    start: int
    end: int
    comment: bool


class Mutant(NamedTuple):
    """A snippet with one change, of a kind, and where it begins and ends in the right answer."""

    kind: str
    code: str
    start: int
    end: int


class Found(NamedTuple):
    """A mutant that was called right, and what kind of difference it is."""

    row: Row
    mutant: Mutant
    why: str


# ---- what stands in a snippet


def comment_spans(code: str, language: str) -> list[tuple[int, int]]:
    """Where comments lie, as far as patterns can tell; a string that has the signs of a comment is none."""
    line, block = _SPELLINGS.get(language, _USUAL)
    parts = [rf"(?P<string>\"\"\".*?\"\"\"|'''.*?'''|{_STRING})"] if language not in _TAGGED.split() else []
    comments = [rf"{re.escape(line)}[^\n]*"] if line else []
    comments += (
        [r"#(?![\[!])[^\n]*"] if language == "PHP" else [r"[;!][^\n]*"] if language in ("INI", "Properties") else []
    )
    if block:
        first, last = map(re.escape, block)
        comments.append(rf"{first}.*?(?:{last}|\Z)")
    if not comments:
        return []
    parts.append(rf"(?P<comment>{'|'.join(comments)})")
    spans = [m.span() for m in re.finditer("|".join(parts), code, re.DOTALL) if m.lastgroup == "comment"]
    end = code.find("*/") + 2
    if block and end > 1 and "/*" not in code[:end] and (line, block) == _USUAL:  # the snippet starts in a comment
        spans = [(0, end), *(span for span in spans if span[0] >= end)]
    return spans


def tokens_of(code: str, comments: Sequence[tuple[int, int]]) -> list[Token]:
    """The tokens of a snippet, those in its comments too."""
    found, cuts = [], [0, *(cut for span in comments for cut in span), len(code)]
    for number, (start, end) in enumerate(zip(cuts, cuts[1:], strict=False)):
        for match in _TOKEN.finditer(code, start, end):
            found.append(Token(match.lastgroup or "", *match.span(), bool(number % 2)))
    return found


# ---- one change


Maker = Callable[[str, list[Token], list[tuple[int, int]], str, random.Random], "tuple[int, int, str] | None"]


def _one(tokens: Iterable[Token], draw: random.Random, *kinds: str, comment: bool = False) -> Token | None:
    fitting = [t for t in tokens if t.comment == comment and (not kinds or t.kind in kinds)]
    return draw.choice(fitting) if fitting else None


def token_replaced(code, tokens, comments, language, draw):
    token = _one(tokens, draw)
    others = sorted({code[t.start : t.end] for t in tokens if token and t.kind == token.kind and not t.comment})
    others = [other for other in others if other != code[token.start : token.end]] if token else []
    return (token.start, token.end, draw.choice(others)) if others else None


def token_removed(code, tokens, comments, language, draw):
    return (token.start, token.end, "") if (token := _one(tokens, draw)) else None


def token_doubled(code, tokens, comments, language, draw):
    if not (token := _one(tokens, draw)):
        return None
    word = code[token.start : token.end]
    return token.end, token.end, " " * (token.kind in ("name", "number", "string")) + word


def tokens_swapped(code, tokens, comments, language, draw):
    pairs = [(a, b) for a, b in zip(tokens, tokens[1:], strict=False) if not a.comment and not b.comment]
    if not pairs:
        return None
    a, b = draw.choice(pairs)
    return a.start, b.end, code[b.start : b.end] + code[a.end : b.start] + code[a.start : a.end]


def operator_changed(code, tokens, comments, language, draw):
    fitting = [t for t in tokens if not t.comment and code[t.start : t.end] in _OTHER_OPERATOR]
    token = draw.choice(fitting) if fitting else None
    return (token.start, token.end, _OTHER_OPERATOR[code[token.start : token.end]]) if token else None


def number_changed(code, tokens, comments, language, draw):
    token = _one(tokens, draw, "number")
    if not token:
        return None
    word = code[token.start : token.end]
    changed = [str((int(word[0]) + 1) % 10) + word[1:], word + "0", word + ".0", word + "L", "0" + word, word + "_0"]
    return token.start, token.end, draw.choice(changed)


def string_changed(code, tokens, comments, language, draw):
    token = _one(tokens, draw, "string")
    if not token:
        return None
    word = code[token.start : token.end]
    at = draw.randrange(1, len(word))
    changed = [word[:at] + sign + word[at:] for sign in (" ", "x", "\\\\", "#", "//", "\t", "\u00a0")]
    changed += [word[:1] + word[1:-1].swapcase() + word[-1:], re.sub(r" ", "  ", word, count=1), word[:1] + word[-1:]]
    return token.start, token.end, draw.choice(changed)


def case_changed(code, tokens, comments, language, draw):
    token = _one(tokens, draw, "name")
    word = code[token.start : token.end] if token else ""
    return (token.start, token.end, draw.choice([word[:1].swapcase() + word[1:], word.swapcase()])) if token else None


def name_changed(code, tokens, comments, language, draw):
    token = _one(tokens, draw, "name")
    word = code[token.start : token.end] if token else ""
    return (token.start, token.end, draw.choice([word + "s", word[:-1], "_" + word])) if token else None


def bracket_dropped(code, tokens, comments, language, draw):
    fitting = [t for t in tokens if not t.comment and code[t.start : t.end] in "()[]{}"]
    token = draw.choice(fitting) if fitting else None
    return (token.start, token.end, "") if token else None


def _lines(code: str) -> list[tuple[int, int]]:
    """Where the lines lie that have text, with their line ends."""
    return [m.span() for m in re.finditer(r"[^\n]*\S[^\n]*(?:\n|\Z)", code)]


def line_removed(code, tokens, comments, language, draw):
    return (*draw.choice(lines), "") if (lines := _lines(code)) else None


def line_doubled(code, tokens, comments, language, draw):
    if not (lines := _lines(code)):
        return None
    start, end = draw.choice(lines)
    return end, end, code[start:end] if code[start:end].endswith("\n") else "\n" + code[start:end]


def lines_swapped(code, tokens, comments, language, draw):
    lines = [(a, b) for a, b in zip(_lines(code), _lines(code)[1:], strict=False) if code[b[1] - 1] == "\n"]
    if not lines:
        return None
    (start, middle), (middle_too, end) = draw.choice(lines)
    return start, end, code[middle_too:end] + code[middle:middle_too] + code[start:middle]


def indent_changed(code, tokens, comments, language, draw):
    if not (lines := _lines(code)):
        return None
    start, end = draw.choice(lines)
    margin = re.match(r"[ \t]*", code[start:end])[0]
    levels = [margin + ("\t" if "\t" in margin else "    ")]
    levels += [margin.removesuffix("\t") if "\t" in margin else margin[4:] if len(margin) >= 4 else margin[2:]] * bool(
        margin
    )
    return start, start + len(margin), draw.choice(levels)


def blank_added(code, tokens, comments, language, draw):
    token = _one(tokens, draw)
    return (token.end, token.end, " ") if token else None


def blank_inside(code, tokens, comments, language, draw):
    fitting = [t for t in tokens if not t.comment and t.kind != "string" and t.end - t.start > 1]
    if not fitting:
        return None
    token = draw.choice(fitting)
    at = draw.randrange(token.start + 1, token.end)
    return at, at, " "


def blank_removed(code, tokens, comments, language, draw):
    gaps = [(a.end, b.start) for a, b in zip(tokens, tokens[1:], strict=False) if not b.comment and not a.comment]
    gaps = [gap for gap in gaps if gap[0] < gap[1] and "\n" not in code[slice(*gap)]]
    return (*draw.choice(gaps), "") if gaps else None


def line_split(code, tokens, comments, language, draw):
    pairs = [(a, b) for a, b in zip(tokens, tokens[1:], strict=False) if not a.comment and not b.comment]
    gaps = [(a.end, b.start) for a, b in pairs if "\n" not in code[a.end : b.start]]
    return (*draw.choice(gaps), "\n") if gaps else None


def lines_joined(code, tokens, comments, language, draw):
    ends = [m.span() for m in re.finditer(r"[ \t]*\n[ \t]*(?=\S)", code) if m.start()]
    return (*draw.choice(ends), " ") if ends else None


def _comment(language: str, words: str, draw: random.Random) -> tuple[str, bool] | None:
    """A comment, and whether it goes to the end of the line."""
    line, block = _SPELLINGS.get(language, _USUAL)
    if block and (not line or draw.random() < 0.5):
        return f"{block[0]} {words} {block[1]}", False
    return (f"{line} {words}", True) if line else None


_WORDS = ("see below", "TODO: later", "it's done", 'say "hi"', "a = b;", "no end (", "}", "x */ y"[:1], "noqa", "\\")


def comment_added(code, tokens, comments, language, draw):
    made, lines = _comment(language, draw.choice(_WORDS), draw), _lines(code)
    if not made or not lines:
        return None
    start, end = draw.choice(lines)
    text = code[start:end]
    margin = re.match(r"[ \t]*", text)[0]
    if draw.random() < 0.5:  # on a line of its own
        return start, start, f"{margin}{made[0]}\n"
    at = start + len(text.rstrip())
    token = _one(tokens, draw)
    return (at, at, f"  {made[0]}") if made[1] or not token else (token.end, token.end, f" {made[0]} ")


def comment_removed(code, tokens, comments, language, draw):
    return (*draw.choice(comments), "") if comments else None


def comment_changed(code, tokens, comments, language, draw):
    token = _one(tokens, draw, comment=True)
    return (token.start, token.end, draw.choice(["", "other", code[token.start : token.end] * 2])) if token else None


def comment_opened(code, tokens, comments, language, draw):
    """Code becomes a comment."""
    made, token = _comment(language, "", draw), _one(tokens, draw)
    if not made or not token:
        return None
    if made[1]:
        return token.start, token.start, made[0]
    first, last = _SPELLINGS.get(language, _USUAL)[1]
    return token.start, token.end, f"{first} {code[token.start : token.end]} {last}"


def comment_closed(code, tokens, comments, language, draw):
    """A comment becomes code: its signs go, or its end moves."""
    if not comments:
        return None
    start, end = draw.choice(comments)
    text = code[start:end]
    line, block = _SPELLINGS.get(language, _USUAL)
    if block and text.startswith(block[0]):
        return draw.choice([(start, end, text.removeprefix(block[0]).removesuffix(block[1])), (end - 2, end, "")])
    words = text.lstrip("/#-;! ")
    cut = draw.randrange(len(words) + 1)
    return start, end, draw.choice([words, text[: len(text) - cut] + "\n" + text[len(text) - cut :]])


MAKERS: tuple[Maker, ...] = (
    token_replaced, token_removed, token_doubled, tokens_swapped, operator_changed, number_changed, string_changed,
    case_changed, name_changed, bracket_dropped, line_removed, line_doubled, lines_swapped, indent_changed, blank_added,
    blank_inside, blank_removed, line_split, lines_joined, comment_added, comment_removed, comment_changed,
    comment_opened, comment_closed,
)  # fmt: skip


def mutants(row: Row, draw: random.Random, kinds: Iterable[Maker]) -> Iterator[Mutant]:
    """One mutant of the row's right answer of each kind that it has a place for; line ends at its end make none."""
    code, language = row["answer"].replace("\r\n", "\n"), row["language"]
    comments = comment_spans(code, language)
    tokens = tokens_of(code, comments)
    for make in kinds:
        if change := make(code, tokens, comments, language, draw):
            start, end, text = change
            changed = code[:start] + text + code[end:]
            if changed.rstrip("\n") != code.rstrip("\n") and changed.strip():
                yield Mutant(make.__name__.replace("_", " "), changed, start, end)


# ---- what became of them


REASONS = ("comment", "blanks", "blank lines", "indentation", "line ends", "code")


def why(row: Row, mutant: Mutant) -> str:
    """What kind of difference a mutant shows, one of `REASONS`."""
    language = row["language"]
    left, right = (_without_comments(text, language) for text in (row["answer"].replace("\r\n", "\n"), mutant.code))
    if left == right:
        return "comment"
    if _words(left) != _words(right):
        return "code"
    if "comment" in mutant.kind:
        return "comment"
    lines = [[line.strip() for line in text.split("\n") if line.strip()] for text in (left, right)]
    if lines[0] == lines[1]:
        margins = [re.findall(r"^([ \t]*)\S", text, re.MULTILINE) for text in (left, right)]
        return "blank lines" if margins[0] == margins[1] else "indentation"
    return "blanks" if [_words(line) for line in lines[0]] == [_words(line) for line in lines[1]] else "line ends"


def _words(code: str) -> list[str]:
    return [code[token.start : token.end] for token in tokens_of(code, ())]


def _without_comments(code: str, language: str) -> str:
    for start, end in reversed(comment_spans(code, language)):
        code = code[:start] + code[end:]
    return code


def rows_of(sources: Sequence[str]) -> list[Row]:
    """The rows of data sets and repositories."""
    rows: list[Row] = []
    for source in sources or [str(Path(__file__).parents[1] / "merges" / "sample" / "dataset")]:
        if (Path(source) / "dataset_dict.json").exists():
            rows += [row for split in load(source).values() for row in split]
        else:
            rows += collect_repository(source)
    return rows


def in_turn(rows: Iterable[Row], draw: random.Random) -> Iterator[Row]:
    """The rows again and again, one of each language in turn."""
    queues: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["answer"].strip() and len(row["prefix"] + row["answer"] + row["suffix"]) < LONGEST:
            queues[row["language"]].append(row)
    for queue in queues.values():
        draw.shuffle(queue)
    number = 0
    while queues:
        for name in sorted(queues):
            yield queues[name][number % len(queues[name])]
        number += 1


def measure(rows: Sequence[Row], count: int, seed: int) -> tuple[Counter[tuple[str, str]], list[Found]]:
    """How many mutants of each kind and language were made, and those that were called right."""
    draw = random.Random(seed)
    made: Counter[tuple[str, str]] = Counter()
    found, seen, idle = [], set(), 0
    for row in in_turn(rows, draw):
        fresh = 0
        for mutant in mutants(row, draw, draw.sample(MAKERS, 12)):
            if (key := (row["id"], mutant.code)) in seen:
                continue
            seen.add(key)
            fresh += 1
            made[mutant.kind, row["language"]] += 1
            if verify(render_answer(mutant.code, row["language"]), row).is_correct:
                found.append(Found(row, mutant, why(row, mutant)))
            if made.total() >= count:
                return made, found
        idle = 0 if fresh else idle + 1
        if idle > 1000:  # few small rows have no more mutants
            break
    return made, found


def shown(found: Found) -> str:
    """A mutant as a block of text: what it is, and the lines that changed."""
    row, mutant, reason = found
    left, right = (text.split("\n") for text in (row["answer"].replace("\r\n", "\n"), mutant.code))
    diff = list(difflib.unified_diff(left, right, lineterm="", n=0))[2:]
    body = "\n".join(f"    {line!r}"[:220] for line in diff if not line.startswith("@@"))
    return f"{reason} | {mutant.kind} | {row['language']} | {row['path']} | {row['id']}\n{body}\n"


def table(title: str, made: Counter[str], found: Iterable[tuple[str, str]]) -> None:
    """Prints how many were made, and how many called right for each reason, as Markdown."""
    right = Counter(found)
    print(f"| {title} | mutants | called right | {' | '.join(REASONS)} |\n|---{'|---:' * (2 + len(REASONS))}|")
    for name, number in [*sorted(made.items()), ("**all**", made.total())]:
        each = [
            sum(n for (key, r), n in right.items() if r == reason and name in (key, "**all**")) for reason in REASONS
        ]
        print(f"| {name} | {number:,} | {sum(each)} | {' | '.join(map(str, each))} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--count", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", type=Path, help="where to write every mutant that is called right")
    options = parser.parse_args()
    rows = rows_of(options.sources)
    start = time.perf_counter()
    made, found = measure(rows, options.count, options.seed)
    seconds = time.perf_counter() - start
    languages, kinds = Counter(), Counter()
    for (kind, language), number in made.items():
        kinds[kind] += number
        languages[language] += number
    table("kind", kinds, ((f.mutant.kind, f.why) for f in found))
    table("language", languages, ((f.row["language"], f.why) for f in found))
    if options.list:
        options.list.write_text(
            "\n".join(map(shown, sorted(found, key=lambda f: (f.why, f.row["language"], f.mutant.kind))))
        )
    print(f"{len(rows):,} rows, {made.total():,} mutants in {seconds:.0f} s.", file=sys.stderr)


if __name__ == "__main__":
    main()
