"""What goes to a model and what comes back: the question, and how a reply splits into reasoning and answer."""

from __future__ import annotations

import json
import re
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from llmerge_helpers.conflicts.changes import changes
from llmerge_helpers.conflicts.languages import fence_of, language_named, language_of, language_of_fence
from llmerge_helpers.conflicts.markers import MARKER_SIZE, Hunk, marker_sizes, parse, split_lines
from llmerge_helpers.errors import LlmergeError

if TYPE_CHECKING:  # a conflict is built on this room, and handed to it
    from llmerge_helpers.conflicts.conflict import Conflict

PROMPT_VERSION = "1"
SYSTEM_PROMPT = (
    "You resolve git merge conflicts. You see a snippet of a file with one conflict in it: our version, the base where "
    "it is known, and their version. Find out what each side changed and why, and keep what both wanted. "
    "Answer with the whole snippet, resolved, in one fenced code block. Copy the lines before and after the conflict "
    "unchanged, keep the indentation, and leave no conflict marker. If you cannot decide, return the snippet with its "
    "conflict as it is."
)
TEXTS = ("before", "ours", "base", "theirs", "after")  # what makes a conflict, in the order of the file
STYLES, INPUTS = ("full", "compact"), ("sides", "diffs")
CONTEXTS = ("", "message", "diff", "both")  # what a question tells of the commits of each side
MOST_SIBLINGS = 20
# the columns in which a row may have what the commits of a side say, and change
OF_SIDES = ("ours_message", "theirs_message", "ours_diff", "theirs_diff")


class Message(TypedDict):
    """One turn of a chat, as chat templates and APIs take it."""

    role: str
    content: str


class Form(NamedTuple):
    """How a conflict is put to a model, and in which form its reply is expected.

    `full` says what to do, and wants the whole snippet; `compact`, for small models that are trained on it, shows path
    and conflict only, and wants a plan or the resolution (`plans.py`). `diffs` shows each side as a diff from the base
    where that is known. With `hints` the question says what the free baselines would do; with `siblings`, how the merge
    was decided so far, and up to so many of its earlier conflicts; `context` tells the commits of each side by their
    `message`, their `diff`, or `both`.
    """

    style: str = "full"
    input: str = "sides"
    hints: bool = False
    siblings: int = 0
    context: str = ""

    def checked(self) -> Form:
        """Itself; an `LlmergeError` if there is no such style, input or context, or no such number of siblings."""
        if self.style not in STYLES:
            raise LlmergeError(f"style is {self.style!r}: use {' or '.join(STYLES)}.")
        if self.input not in INPUTS:
            raise LlmergeError(f"input is {self.input!r}: use {' or '.join(INPUTS)}.")
        if self.context not in CONTEXTS:
            raise LlmergeError(f"context is {self.context!r}: use {', '.join(CONTEXTS[1:])}, or leave it empty.")
        if not 0 <= self.siblings <= MOST_SIBLINGS:
            raise LlmergeError(f"siblings is {self.siblings}: give a number from 0 to {MOST_SIBLINGS}.")
        return self


FULL = Form()


# ---- the question


def render_question(conflict: Conflict, form: Form = FULL, hints: str = "") -> str:
    """The user message: the conflict in its context, in one fenced block, and a line of hints where they are given.

    A base of None gives a conflict in merge style. What a fenced block cannot show is said in words, so that
    `parse_question` returns the same texts.

    >>> from llmerge_helpers.conflicts import Conflict
    >>> conflict = Conflict(before="a\\n", ours="b\\n", base="", theirs="c\\n", path="x.py")
    >>> render_question(conflict).splitlines()[:6]
    ['Resolve the merge conflict in x.py:', '', '```python', 'a', '<<<<<<< ours', 'b']
    """
    texts = {name: getattr(conflict, name) or "" for name in TEXTS}
    # markers of a length that no line of the texts has: what stands in the code can then never be taken for one
    taken = set().union(*map(marker_sizes, texts.values()))
    size = next(size for size in range(MARKER_SIZE, MARKER_SIZE + len(taken) + 1) if size not in taken)
    open_ended = [name for name, text in texts.items() if text and not text.endswith("\n")]
    asked = _ASKED[form.style]
    head = [f"{asked} in {_quote(conflict.path)}:" if conflict.path else f"{asked}:"]
    if size != MARKER_SIZE:
        head.append(f"The conflict markers are {size} characters long.")
    if open_ended:
        head.append(f"No line end at the end of: {', '.join(open_ended)}.")
    language = conflict.language or language_of(conflict.path)
    newline = newline_of(conflict)
    if form.input == "diffs" and conflict.base is not None:
        head.append(_AS_DIFFS)
        ours, base, theirs = (texts[name] + newline * (name in open_ended) for name in ("ours", "base", "theirs"))
        conflict = replace(conflict, base=None, ours=_diff(base, ours), theirs=_diff(base, theirs))
    body = conflict.marked(size, newline)
    fence = _fence_around(body)
    tail = f"\n\n{_HINTS}{hints}" if hints else ""
    return "\n".join(head) + f"\n\n{fence}{fence_of(language)}\n{body}{fence}{tail}"


def _diff(base: str, side: str) -> str:
    """All lines of both, each behind the sign of a diff, so that both can be read back."""
    old, new = split_lines(base), split_lines(side)
    lines: list[str] = []
    done = 0
    for _, i, j, k, m in changes(old, new):
        lines += [f" {line}" for line in old[done:i]]
        lines += [f"-{line}" for line in old[i:j]] + [f"+{line}" for line in new[k:m]]
        done = j
    return "".join([*lines, *(f" {line}" for line in old[done:])])


def _undo(diff: str, sign: str) -> str:
    """The lines of a diff that are common, and those behind `sign`."""
    return "".join(line[1:] for line in split_lines(diff) if line[0] in (" ", sign))


# ---- what stands before it: parts with a line each, and a block; their number, so that no code can pass for the end


def part(subject: str, said: str, block: str = "") -> str:
    """A part of what stands before a conflict: what it is about, what is said of it, and a fenced block."""
    return f"{_quote(subject)}, {said}:\n\n{block}\n\n" if block else f"{_quote(subject)}, {said}.\n\n"


def render_siblings(most: int, said: str, parts: Sequence[str]) -> str:
    """The parts on the earlier conflicts of the merge, with what is said of all of them."""
    return f"{_EARLIER} (at most {most}, {len(parts)} parts): {said}.\n\n{''.join(parts)}"


def render_context(context: str, parts: Sequence[str]) -> str:
    """The parts on the commits of both sides."""
    return f"{_COMMITS} ({context}, {len(parts)} parts).\n\n{''.join(parts)}"


def _asked_alone(question: str) -> tuple[str, int, str]:
    """A question without what stands before its conflict, and how many siblings and which context that was."""
    siblings, context, at = 0, "", 0
    for head in (_CONTEXT_HEAD, _SIBLINGS_HEAD):
        found = head.match(question, at)
        if not found:
            continue
        end = found.end()
        for _ in range(int(found["parts"])):
            each = _PART.match(question, end)
            if not each:
                return question, 0, ""
            end = each.end()
        at, told = end, found.groupdict()
        siblings, context = int(told.get("most") or siblings), told.get("context") or context
    return question[at:], siblings, context


_EARLIER, _COMMITS = "Earlier in this merge", "The commits of both sides"
_SIBLINGS_HEAD = re.compile(rf"{_EARLIER} \(at most (?P<most>\d{{1,2}}), (?P<parts>\d{{1,2}}) parts\): [^\n]+\.\n\n")
_CONTEXT_HEAD = re.compile(rf"{_COMMITS} \((?P<context>{'|'.join(CONTEXTS[1:])}), (?P<parts>\d) parts\)\.\n\n")
# a block ends at the first fence of its length: nothing in it has so many backticks in a row
_PART = re.compile(r"[^\n]+(?:\.|:\n\n(?P<fence>`{3,})[^`\n]*\n(?:(?s:.)*?\n)?(?P=fence))\n\n")

# ---- and read back

_ASKED = {"full": "Resolve the merge conflict", "compact": "Conflict"}
_AS_DIFFS = "Each side is a diff from the base."
_HINTS = "Hints: "
_QUESTION = re.compile(
    rf"(?:{_ASKED['full']}|(?P<compact>{_ASKED['compact']}))(?: in (?P<path>[^\n]+))?:\n"
    r"(?:The conflict markers are (?P<size>\d{1,6}) characters long\.\n)?"
    r"(?:No line end at the end of: (?P<open>[a-z, ]+)\.\n)?"
    rf"(?P<diffs>{re.escape(_AS_DIFFS)}\n)?"
    r"\n(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<body>(?s:.*)\n)(?P=fence)"
    rf"(?:\n\n(?P<hints>{_HINTS})[^\n]*)?\s*\Z"
)


def parse_question(question: str) -> dict[str, str | None]:
    """The before, ours, base, theirs, after, language and path that a question shows: the fields of a `Conflict`.

    Reads `render_question`'s own text, exactly, and any other text with a conflict in it, such as the questions of
    LLMerge and Merge-Bench: a fenced conflict, usually without its base (then base is None). Of several conflicts the
    one in the middle is meant. Raises LlmergeError if there is none.
    """
    alone, _, _ = _asked_alone(question)
    found = _QUESTION.match(alone) if "\n\n```" in alone else None
    if found:
        parts = parse(found["body"], int(found["size"] or MARKER_SIZE))
        texts = _texts(parts, (found["open"] or "").split(", "), bool(found["diffs"]))
        if texts:
            return texts | {"language": language_of_fence(found["info"]), "path": _unquote(found["path"] or "")}
    blocks = [(fence.info, parse(fence.body)) for fence in fences(question)]
    for info, parts in [*blocks, ("", parse(question))]:
        texts = _texts(parts)
        if texts:
            return texts | {"language": language_of_fence(info), "path": ""}
    raise LlmergeError("There is no complete conflict (<<<<<<<, =======, >>>>>>>) in this question.")


def form_of(prompt: str | Sequence[Mapping[str, str]]) -> Form:
    """The form in which a chat, or a question, asks; that of every teacher where it is none of ours.

    >>> conflict = {"ours": "a\\n", "base": "", "theirs": "b\\n"}
    >>> from llmerge_helpers.conflicts import messages
    >>> form_of(messages(conflict, Form("compact", "diffs")))
    Form(style='compact', input='diffs', hints=False, siblings=0, context='')
    """
    whole = prompt if isinstance(prompt, str) else prompt[-1]["content"] if prompt else ""
    question, siblings, context = _asked_alone(whole)
    found = _QUESTION.match(question) if "\n\n```" in question else None
    if not found:
        return FULL
    style, input = "compact" if found["compact"] else "full", "diffs" if found["diffs"] else "sides"
    return Form(style, input, bool(found["hints"]), siblings, context)


def _texts(
    parts: list[str | Hunk], open_ended: Sequence[str] = (), diffs: bool = False
) -> dict[str, str | None] | None:
    hunks = [n for n, part in enumerate(parts) if isinstance(part, Hunk)]
    if not hunks:
        return None
    at = hunks[len(hunks) // 2]
    hunk: Hunk = parts[at]
    texts = {
        "before": "".join(map(str, parts[:at])),
        "ours": hunk.ours,
        "base": hunk.base,
        "theirs": hunk.theirs,
        "after": "".join(map(str, parts[at + 1 :])),
    }
    if diffs:
        texts |= {"base": _undo(hunk.ours, "-"), "ours": _undo(hunk.ours, "+"), "theirs": _undo(hunk.theirs, "+")}
    newline = "\r\n" if hunk.separator.endswith("\r\n") else "\n"
    return {name: text and text.removesuffix(newline) if name in open_ended else text for name, text in texts.items()}


def newline_of(conflict: Conflict) -> str:
    """The line end of the markers: as git does, that of the hunk's first text."""
    texts = (conflict.ours, conflict.theirs, conflict.base or "", conflict.before, conflict.after)
    first = next((text for text in texts if "\n" in text), "")
    return "\r\n" if first[: first.find("\n") + 1].endswith("\r\n") else "\n"


def _quote(path: str) -> str:
    plain = path.isprintable() and path == path.strip() and not path.startswith('"')
    return path if plain else json.dumps(path)


def _unquote(path: str) -> str:
    if not path.startswith('"'):
        return path
    try:
        return str(json.loads(path))
    except ValueError:
        return path


# ---- the reply


@dataclass(frozen=True)
class Reply:
    """A reply in two parts; `source` says where the reasoning came from.

    It is reasoning_content, reasoning, reasoning_details or thinking (fields of an API message), thinking_parts (of a
    content in parts), think_tags (a model's own marks included), prose (the words before the first code block) or none.
    `truncated`: the reasoning was never closed.
    """

    reasoning: str
    answer: str
    source: str
    truncated: bool = False


def split_reply(message: str | Mapping[str, object]) -> Reply:
    """The reasoning and the answer in a model's text or in an API's message.

    >>> split_reply("so b wins\\n</think>\\n\\nb").reasoning  # the chat template wrote the opening <think>
    'so b wins'
    >>> split_reply({"content": "b", "reasoning_content": "so b wins"}).source
    'reasoning_content'
    """
    if isinstance(message, str):
        return _split_text(message)
    parts = message.get("content")
    thought = [part for part in parts if _is_thought(part)] if isinstance(parts, list | tuple) else []
    content = _text_of([part for part in parts if not _is_thought(part)] if thought else parts)
    fields = [(name, message.get(name)) for name in _FIELDS]
    for source, value in [*fields, ("thinking_parts", thought)]:
        reasoning = _text_of(value).strip()
        if reasoning:
            inline = _split_text(content)
            if not content.strip():  # a server that took no notice of the end of the reasoning
                whole = _split_text(reasoning)
                if whole.source == "think_tags" and whole.answer:
                    return Reply(whole.reasoning, whole.answer, source)
            answer = inline.answer if inline.source == "think_tags" else content
            return Reply(reasoning, answer, source)
    return _split_text(content)


_FIELDS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")


def _is_thought(part: object) -> bool:
    kinds = ("thinking", "thought", "reasoning", "reasoning_content", "think")
    return isinstance(part, Mapping) and (part.get("type") in kinds or part.get("thought") is True)


_NAMES = "think|thinking|thought|reasoning"
_OPEN = re.compile(rf"(?<![^`]`)<(?P<name>{_NAMES})(?:\s[^<>\n]*)?(?<!/)>", re.IGNORECASE)
_OPEN_LINE = re.compile(rf"^[ \t]*{_OPEN.pattern}", re.IGNORECASE | re.MULTILINE)
_CLOSE = re.compile(rf"(?<![^`]`)</(?P<name>{_NAMES})\s*>", re.IGNORECASE)
_CLOSE_LINE = re.compile(rf"^[ \t]*{_CLOSE.pattern}[ \t\r]*$", re.IGNORECASE | re.MULTILINE)
# Marks of reasoning that are no tags, and stay in the text where a server does not know the model: Magistral, Seed-OSS,
# Kimi, OpenThinker, Command, gpt-oss. They count at the very start of a reply only.
_MARKS = (
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
_BEFORE_FINAL = re.compile(r"<\|end\|>(?:<\|start\|>assistant)?\s*\Z")
_MOST_THOUGHTS = 20  # blocks of reasoning in one reply, so that a hostile one takes no time


def _split_text(text: str) -> Reply:
    start = text.lstrip()
    for opening, closing in _MARKS:
        if start.startswith(opening):
            return _split_marked(start[len(opening) :], closing)
    thoughts: list[str] = []
    rest = text
    while len(thoughts) < _MOST_THOUGHTS:
        blocks = fences(rest)
        opened = _opening(rest, blocks)
        if thoughts and not opened:
            break
        closing = _closing(rest, blocks, opened)
        if not closing:
            if opened:
                thoughts.append(rest[: opened.start()] + rest[opened.end() :])
                return Reply(_joined(thoughts), "", "think_tags", truncated=True)
            break
        thought = rest[: closing.start()]
        inner = opened if opened and opened.end() <= closing.start() else _OPEN.search(thought)
        thoughts.append(thought[: inner.start()] + thought[inner.end() :] if inner else thought)
        rest = rest[closing.end() :]
    if thoughts:
        return Reply(_joined(thoughts), _trim(rest), "think_tags")
    first = blocks[0].start if blocks else 0
    prose = text[:first].strip()
    return Reply(prose, _trim(text[first:]), "prose") if prose else Reply("", _trim(text), "none")


def _split_marked(text: str, closing: str) -> Reply:
    """The reply behind the mark that opens its reasoning; a mark that a code block quotes does not close it."""
    pattern = re.compile(re.escape(closing))
    found = next(outside_code(pattern, text, fences(text)), None) or pattern.search(text)
    if not found:
        return Reply(text.strip(), "", "think_tags", truncated=True)
    return Reply(_BEFORE_FINAL.sub("", text[: found.start()]).strip(), _trim(text[found.end() :]), "think_tags")


def _joined(thoughts: list[str]) -> str:
    return "\n\n".join(filter(None, map(str.strip, thoughts)))


def _opening(text: str, blocks: list[Fence]) -> re.Match[str] | None:
    """The tag that opens reasoning at the start of the text, or of a line before the first code block."""
    start = _OPEN.match(text, len(text) - len(text.lstrip()))
    return start or _OPEN_LINE.search(text, 0, blocks[0].start if blocks else len(text))


def _closing(text: str, blocks: list[Fence], opened: re.Match[str] | None) -> re.Match[str] | None:
    """The tag that ends the reasoning: one that no code block quotes, or one alone on its line.

    A text that does not open its reasoning (the template did) ends it with `</think>`, or with what it opened later.
    """
    names = (
        {opened["name"].lower()}
        if opened
        else {"think", "thinking", "thought", *(tag["name"].lower() for tag in outside_code(_OPEN, text, blocks))}
    )
    after = opened.end() if opened else 0
    for tag in outside_code(_CLOSE, text, blocks):
        if tag["name"].lower() in names and tag.start() >= after:
            return tag
    for tag in _CLOSE_LINE.finditer(text, after) if blocks else ():  # in a code block that the reasoning left open
        block = blocks[bisect(blocks, tag.start(), key=lambda block: block.start) - 1]
        quoted = (each["name"].lower() for each in _OPEN.finditer(text, block.start, tag.start()))
        if tag["name"].lower() in names and tag["name"].lower() not in quoted:
            return tag
    if not opened:
        return None
    return next((tag for tag in _CLOSE.finditer(text, after) if tag["name"].lower() in names), None)


def outside_code(pattern: re.Pattern[str], text: str, blocks: list[Fence]) -> Iterator[re.Match[str]]:
    """The matches of a pattern that start in none of the code blocks of the text."""
    left = iter(blocks)
    block = next(left, None)
    for match in pattern.finditer(text):
        while block and block.end <= match.start():
            block = next(left, None)
        if not block or match.start() < block.start:
            yield match


def tags_outside_code(text: str) -> int:
    """How many tags of reasoning, opening and closing ones, stand outside of the text's code blocks.

    >>> tags_outside_code("<think>a</think>\\n```\\n</think>\\n```\\n")
    2
    """
    blocks = fences(text)
    return sum(1 for pattern in (_OPEN, _CLOSE) for _ in outside_code(pattern, text, blocks))


def _trim(answer: str) -> str:
    return answer.lstrip("\r\n").rstrip()


def _text_of(value: object) -> str:
    """The text in a field of a message: a string, or a list of parts (OpenAI's content, OpenRouter's details)."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        names = ("text", "summary", "content", "thinking", "reasoning")
        return next((text for name in names if (text := _text_of(value.get(name)))), "")
    if isinstance(value, list | tuple):
        return "".join(map(_text_of, value))
    return ""


def render_reply(reasoning: str, answer_text: str) -> str:
    """The text that a student learns to write: think, then answer."""
    return f"<think>\n{reasoning}\n</think>\n\n{answer_text}"


def render_answer(code: str, language: str) -> str:
    """The code in a fenced block that nothing in it can close."""
    return fenced(code, fence_of(language))


def fenced(code: str, info: str) -> str:
    """The code in a fenced block with this info string."""
    fence = _fence_around(code)
    code = code if not code or code.endswith("\n") else code + "\n"
    return f"{fence}{info}\n{code}{fence}"


# ---- fenced code blocks


class Fence(NamedTuple):
    """A fenced code block: its info string, the text in it, and where the whole block stands in the text."""

    info: str
    body: str
    start: int
    end: int
    closed: bool


# what a model, or its server, writes behind its last fence: the end of a turn, a tag, or some words
_SPECIAL = r"(?:<[|｜][^<>\n]*[|｜]>|</?[A-Za-z][\w-]*>|\[/?[A-Z_]+\])"
_WORDS = r"(?:[^\s`~{}=<>]++ [^`~{}=\n]++|\w++[.!]|[.,:;!?*)]{1,3}|\([^`~{}=\n]*\))"
_OPENING = re.compile(rf"^([ \t]*)(`{{3,}}+|~{{3,}}+)[ \t]*(?!{_SPECIAL})([^\n]*)(?:\n|\Z)", re.MULTILINE)
_CLOSING = {
    mark: re.compile(rf"^([ \t]*)({mark}{{3,}}+)[ \t]*({_SPECIAL}[^\n]*|{_WORDS})?[ \t\r]*(?:\n|\Z)", re.MULTILINE)
    for mark in "`~"
}
_MOST_BLOCKS = 1000  # of more code blocks than that, none is an answer


def fences(text: str) -> list[Fence]:
    """The fenced code blocks in order, by the rules of CommonMark, but at any indentation (models put them in lists).

    What stands behind a closing fence and cannot be an info string is text after the block. A block that never ends is
    reported with `closed` False.

    >>> [(fence.info, fence.body) for fence in fences("so:\\n```Java\\nint x;\\n```\\n")]
    [('Java', 'int x;\\n')]
    >>> fences("```\\nint x;\\n```<|im_end|>")[0].body
    'int x;\\n'
    """
    blocks: list[Fence] = []
    position = 0
    while len(blocks) < _MOST_BLOCKS and (opened := _OPENING.search(text, position)):
        position = opened.end()
        indent, marks, info = opened.groups()
        if marks[0] == "`" and "`" in info:
            continue
        closed = next((each for each in _CLOSING[marks[0]].finditer(text, position) if _closes(each, opened)), None)
        end = len(text) if not closed else closed.start(3) if closed[3] else closed.end()
        body = _dedent(text[position : closed.start() if closed else end], indent)
        blocks.append(Fence(info.strip(), body, opened.start(), end, bool(closed)))
        position = end
    return blocks


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    """Whether a fence ends the block that another one opened: no shorter, not far further in, with no info string."""
    if not fence[2].startswith(opened[2]) or len(fence[1]) > len(opened[1]) + 3:
        return False
    return not fence[3] or bool(re.match(_SPECIAL, fence[3])) or not language_named(fence[3].split()[0])


def _dedent(body: str, indent: str) -> str:
    """The body without the indentation of its fence, as far as each line has it."""
    return re.sub(rf"^[ \t]{{1,{len(indent)}}}", "", body, flags=re.MULTILINE) if indent else body


def _fence_around(text: str) -> str:
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    return "`" * (longest + 1)
