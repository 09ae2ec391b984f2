"""What goes to a model and what comes back: the question, and how a reply splits into reasoning and answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.conflicts.languages import fence_of, language_of, language_of_fence
from llmerge_helpers.conflicts.markers import MARKER_SIZE, Hunk, marker_sizes, parse
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


class Message(TypedDict):
    """One turn of a chat, as chat templates and APIs take it."""

    role: str
    content: str


# ---- the question


def render_question(conflict: Conflict) -> str:
    """The user message: the conflict in its context, in one fenced block.

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
    body = conflict.marked(size)
    fence = _fence_around(body)
    path = conflict.path
    head = [f"Resolve the merge conflict in {_quote(path)}:" if path else "Resolve the merge conflict:"]
    if size != MARKER_SIZE:
        head.append(f"The conflict markers are {size} characters long.")
    if open_ended:
        head.append(f"No line end at the end of: {', '.join(open_ended)}.")
    language = conflict.language or language_of(path)
    return "\n".join(head) + f"\n\n{fence}{fence_of(language)}\n{body}{fence}"


_QUESTION = re.compile(
    r"Resolve the merge conflict(?: in (?P<path>[^\n]+))?:\n"
    r"(?:The conflict markers are (?P<size>\d{1,6}) characters long\.\n)?"
    r"(?:No line end at the end of: (?P<open>[a-z, ]+)\.\n)?"
    r"\n(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<body>(?s:.*)\n)(?P=fence)\s*\Z"
)


def parse_question(question: str) -> dict[str, str | None]:
    """The before, ours, base, theirs, after, language and path that a question shows: the fields of a `Conflict`.

    Reads `render_question`'s own text, exactly, and any other text with a conflict in it, such as the questions of
    LLMerge and Merge-Bench: a fenced conflict, usually without its base (then base is None). Of several conflicts the
    one in the middle is meant. Raises LlmergeError if there is none.
    """
    found = _QUESTION.match(question) if "\n\n```" in question else None
    if found:
        parts = parse(found["body"], int(found["size"] or MARKER_SIZE))
        texts = _texts(parts, open_ended=(found["open"] or "").split(", "))
        if texts:
            return texts | {"language": language_of_fence(found["info"]), "path": _unquote(found["path"] or "")}
    blocks = [(fence.info, parse(fence.body)) for fence in fences(question)]
    for info, parts in [*blocks, ("", parse(question))]:
        texts = _texts(parts)
        if texts:
            return texts | {"language": language_of_fence(info), "path": ""}
    raise LlmergeError("There is no complete conflict (<<<<<<<, =======, >>>>>>>) in this question.")


def _texts(parts: list[str | Hunk], open_ended: list[str] = ()) -> dict[str, str | None] | None:
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

    It is reasoning_content, reasoning or reasoning_details (fields of an API message), think_tags, prose (the words
    before the first code block) or none. `truncated`: the reasoning was never closed.
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
    content = _text_of(message.get("content"))
    for source in ("reasoning_content", "reasoning", "reasoning_details"):
        reasoning = _text_of(message.get(source)).strip()
        if reasoning:
            inline = _split_text(content)
            answer = inline.answer if inline.source == "think_tags" else content
            return Reply(reasoning, answer, source)
    return _split_text(content)


def _split_text(text: str) -> Reply:
    start = text.lstrip()
    if start.startswith("<think>"):
        reasoning, closing, answer = start.removeprefix("<think>").partition("</think>")
        return Reply(reasoning.strip(), _trim(answer), "think_tags", truncated=not closing)
    blocks = fences(text)
    end = _lone_close(text, blocks)
    if end is not None:
        reasoning = text[:end].replace("<think>", "", 1)
        return Reply(reasoning.strip(), _trim(text[end + len("</think>") :]), "think_tags")
    first = blocks[0].start if blocks else 0
    prose = text[:first].strip()
    return Reply(prose, _trim(text[first:]), "prose") if prose else Reply("", _trim(text), "none")


def _lone_close(text: str, blocks: list[Fence]) -> int | None:
    """Where the reasoning ends in a text that does not open it: a `</think>` that no code block quotes, or one alone on
    its line."""
    found = [match.start() for match in re.finditer("</think>", text)]
    position = 0
    for block in blocks:
        while position < len(found) and found[position] < block.start:
            return found[position]
        while position < len(found) and found[position] < block.end:
            position += 1
    if position < len(found):
        return found[position]
    alone = re.search(r"^[ \t]*</think>[ \t\r]*$", text, re.MULTILINE)
    return text.index("</think>", alone.start()) if alone else None


def _trim(answer: str) -> str:
    return answer.lstrip("\r\n").rstrip()


def _text_of(value: object) -> str:
    """The text in a field of a message: a string, or a list of parts (OpenAI's content, OpenRouter's details)."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next((value[key] for key in ("text", "summary", "content") if isinstance(value.get(key), str)), "")
    if isinstance(value, list | tuple):
        return "".join(map(_text_of, value))
    return ""


def render_reply(reasoning: str, answer_text: str) -> str:
    """The text that a student learns to write: think, then answer."""
    return f"<think>\n{reasoning}\n</think>\n\n{answer_text}"


def render_answer(code: str, language: str) -> str:
    """The code in a fenced block that nothing in it can close."""
    fence = _fence_around(code)
    code = code if not code or code.endswith("\n") else code + "\n"
    return f"{fence}{fence_of(language)}\n{code}{fence}"


# ---- fenced code blocks


@dataclass(frozen=True)
class Fence:
    """A fenced code block: its info string, the text in it, and where the whole block stands in the text."""

    info: str
    body: str
    start: int
    end: int
    closed: bool


_OPENING = re.compile(r"([ \t]*)(`{3,}|~{3,})[ \t]*([^\n]*)\n?")


def fences(text: str) -> list[Fence]:
    """The fenced code blocks in order, by the rules of CommonMark, but at any indentation (models put them in lists).

    A block that never ends is reported with `closed` False.

    >>> [(fence.info, fence.body) for fence in fences("so:\\n```Java\\nint x;\\n```\\n")]
    [('Java', 'int x;\\n')]
    """
    blocks: list[Fence] = []
    opened: tuple[int, int, str, str, str] | None = None  # start, start of body, indentation, marks, info
    position = 0
    for line in text.split("\n"):
        end = min(position + len(line) + 1, len(text))
        match = _OPENING.fullmatch(line.rstrip("\r")) if "```" in line or "~~~" in line else None
        if match and not opened:
            indent, marks, info = match.groups()
            if marks[0] == "~" or "`" not in info:
                opened = position, end, indent, marks, info.strip()
        elif match and opened and not match[3].strip():
            start, body, indent, marks, info = opened
            if match[2].startswith(marks) and len(match[1]) <= len(indent) + 3:
                blocks.append(Fence(info, _dedent(text[body:position], indent), start, end, True))
                opened = None
        position = end
    if opened:
        start, body, indent, marks, info = opened
        blocks.append(Fence(info, _dedent(text[body:], indent), start, len(text), False))
    return blocks


def _dedent(body: str, indent: str) -> str:
    """The body without the indentation of its fence, as far as each line has it."""
    return re.sub(rf"^[ \t]{{1,{len(indent)}}}", "", body, flags=re.MULTILINE) if indent else body


def _fence_around(text: str) -> str:
    longest = max(map(len, re.findall("`{3,}", text)), default=2)
    return "`" * (longest + 1)
