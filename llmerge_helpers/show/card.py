"""A conflict as a card: what each side did, what the developer did, what the model thought and answered, and why.

The same card reads in JupyterLab, Colab and GitHub (semantic HTML, nothing lost without CSS), in a terminal (`repr`),
and in Markdown. All text of models and repositories is escaped, capped, and made visible down to control characters.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from llmerge_helpers.conflicts import Conflict, Reply, Row, split_reply
from llmerge_helpers.conflicts.changes import MAX_LINES, Line, diff
from llmerge_helpers.conflicts.prompts import SYSTEM_PROMPT
from llmerge_helpers.generate import Example
from llmerge_helpers.show import code
from llmerge_helpers.verdict import Verdict, VerdictRecord

VERDICTS = {
    "exact_match": "✓ the same as the developer's resolution",
    "normalized_match": "✓ the same, but for comments or white space",
    "unresolved": "✗ the conflict is still there",
    "context_changed": "✗ changes the lines around the conflict",
    "incorrect_resolution": "✗ differs from the developer's resolution",
    "invalid_output": "✗ no code to read",
    "truncated": "✗ cut off before the end",
    "failed": "✗ no reply",
}
MAX_WIDTH = 200  # characters of a line that are shown
# tints are translucent, so that they read on white and on dark; the signs and tags carry the meaning without them. They
# and the alignment stand in the elements, because JupyterLab takes the style sheet out of a notebook it does not trust
_TAGS = {
    "+": ("ins", "text-decoration:none;background:rgba(46,160,67,.2)"),
    "-": ("del", "text-decoration:none;background:rgba(248,81,73,.2)"),
}
_TD = "text-align:left;vertical-align:top"
# once a card, as cells are shown one by one; a colour mixed with that of the text is dark on white and light on dark.
# Two panes stand side by side where there is room for both, and long lines are broken: nothing is scrolled sideways
STYLE = (
    "<style>.llm{margin:0 0 1.2em}.llm table{width:100%;margin:.4em 0}"
    ".llm tr{display:flex;flex-wrap:wrap;background:none!important}"
    ".llm td{flex:1 1 24em;min-width:0;padding:.3em .8em .3em 0!important}"
    ".llm pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font:.9em/1.35 monospace}"
    ".llm ins b{font-weight:inherit;background:rgba(46,160,67,.4)}"
    ".llm del b{font-weight:inherit;background:rgba(248,81,73,.4)}"
    ".llm mark{color:inherit;background:rgba(255,193,7,.3);outline:1px solid #ffc107}"
    ".llm .k{color:color-mix(in srgb,#80f 50%,currentColor)}.llm .s{color:color-mix(in srgb,#07c 55%,currentColor)}"
    ".llm pre i{color:color-mix(in srgb,currentColor 70%,transparent)}</style>"
)
# outside of these the category of a character is asked for, which is slow
_HIDDEN = re.compile(r"[^\t\n\x20-\x7e\xa1-\xac\xae-\u02ff\u2190-\u23ff\u2500-\u27ff\u3040-\u30ff\u4e00-\u9fff]")


# ---- the cards


@dataclass(frozen=True)
class ConflictView:
    """One conflict, and where there is one the reply to it and its verdict, as a card that shows itself.

    `reply` is a reply's text, an API message, or a `Reply`; `verdict` a `Verdict` or its `to_dict()`.
    """

    row: Row
    reply: Reply | str | Mapping[str, object] | None = None
    verdict: Verdict | VerdictRecord | None = None
    label: str = ""
    prompt: Sequence[Mapping[str, str]] | None = field(default=None, repr=False)

    @classmethod
    def from_example(cls, example: Example) -> ConflictView:
        """The card of one record of `examples.jsonl`."""
        sample = example.get("sample") or 0
        label = f"{example['example_id']:04d}" + (f".{sample}" if sample else "")
        reply = example.get("message") or example.get("answer") or None
        return cls(example["row"], reply, example.get("verdict"), label, example.get("prompt"))

    # what the card says, once

    @cached_property
    def _conflict(self) -> Conflict:
        return Conflict.of(self.row)

    @cached_property
    def _expected(self) -> str | None:
        """The snippet as the developers committed it, if the row tells."""
        answer, resolution = self.row.get("answer"), self.row.get("resolution")
        return self._conflict.with_(resolution) if answer is None and resolution is not None else answer

    @cached_property
    def _crlf(self) -> bool:
        c = self._conflict
        lines = c.with_(c.ours + c.known_base + c.theirs) + (self._expected or "")
        return "\r\n" in lines and "\n" not in lines.replace("\r\n", "")

    @cached_property
    def _reply(self) -> Reply | None:
        if self.reply is None or isinstance(self.reply, Reply):
            return self.reply
        return split_reply(self.reply)

    @cached_property
    def _verdict(self) -> VerdictRecord:
        verdict = self.verdict
        return {} if verdict is None else dict(verdict) if isinstance(verdict, Mapping) else verdict.to_dict()

    @property
    def heading(self) -> str:
        """Verdict, example, file and size, in one line."""
        c, kind, way = self._conflict, self._verdict.get("match_type"), self.row.get("kind")
        lines = conflict_lines(c)
        parts = [VERDICTS.get(kind, kind) if kind else "conflict", self.label, c.path, c.language]
        parts += [way and f"developer's way: {way.replace('_', ' then ')}", f"{lines} lines"]
        parts += ["CRLF line ends" if self._crlf else ""]
        return " · ".join(clip(" ".join(str(part).split()), 90) for part in parts if part)

    @property
    def why(self) -> str:
        """Why the verdict is what it is, and where the first difference lies."""
        verdict = self._verdict
        why = clip(" ".join((verdict.get("detail") or "").split()), 400)
        where = verdict.get("first_difference") or {}
        if where and verdict.get("match_type") in ("incorrect_resolution", "context_changed", "unresolved"):
            expected, got = (_quoted(where.get(key)) for key in ("expected", "got"))
            line = f" on line {where['line']} of the answer" if where.get("line") else ""
            why += f"{' ' if why else ''}First difference{line}: expected {expected}, got {got}."
        return why

    @cached_property
    def _sections(self) -> list[tuple[str, list[Line]]]:
        """The four panes, each a title and its lines."""
        c = self._conflict.unix() if self._crlf else self._conflict
        of = "as a diff from base" if c.base else "git has no base text"
        panes = [(f"ours, {of}", diff(c.known_base, c.ours)), (f"theirs, {of}", diff(c.known_base, c.theirs))]
        expected, got = self._expected, self._verdict.get("answer")
        if expected is None:
            return panes
        expected = expected.replace("\r\n", "\n")  # as the verdict compares
        developer, title = self._developer(expected), "developer's resolution (│), in its context"
        if got is None:
            what = "answer: none" if self.reply is not None or self._verdict else ""
            return [*panes, (title, developer), *([(what, [])] if what else [])]
        got = got.replace("\r\n", "\n").removesuffix("\n") + ("\n" if expected.endswith("\n") else "")
        if got == expected:
            return [*panes, ("answer: identical to the developer's resolution (│)", developer)]
        return [*panes, (title, developer), ("answer, as a diff from the developer's resolution", diff(expected, got))]

    def _developer(self, expected: str) -> list[Line]:
        """The lines that the developers committed; those that stand in place of the conflict have a bar."""
        c = self._conflict.unix()
        middle = c.cut(expected)
        if middle is None:
            return diff(expected, expected)
        return [*diff(c.before, c.before), *[("│", line) for _, line in diff(middle, middle)], *diff(c.after, c.after)]

    @cached_property
    def _folded(self) -> list[tuple[str, str]]:
        """The parts to unfold: title and text."""
        parts, reply = [], self._reply
        if reply is not None:
            words = len(reply.reasoning.split())
            source = f", from {reply.source}" if reply.source != "none" else ""
            parts.append((f"reasoning ({words:,} words{source})", reply.reasoning or "(none)"))
        prompt = self.prompt or (
            [{"role": "user", "content": self.row["question"]}] if self.row.get("question") else []
        )
        if prompt:
            said = [
                {**m, "content": "(the instruction shown in 01)"} if m["content"] == SYSTEM_PROMPT else m
                for m in prompt
            ]
            text = "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in said)
            parts.append((f"prompt ({len(text.split()):,} words)", text))
        elif self._conflict.base:
            parts.append(("base", self._conflict.base))
        if self.reply is not None:
            raw = self.reply
            if isinstance(raw, Mapping):
                fields = {k: v for k, v in raw.items() if v is not None}
                if reply is not None and reply.source in fields:
                    fields[reply.source] = "(above)"
                raw = "\n".join(f"{key}:\n{_plain(value)}\n" for key, value in fields.items())
            raw = raw.answer if isinstance(raw, Reply) else raw
            parts.append(("raw reply", raw))
        return parts

    # three ways to show it

    def _repr_html_(self) -> str:
        return STYLE + self.html()

    def html(self) -> str:
        """The card without its style sheet, for a page that has it."""
        panes = [
            f'<td style="{_TD}"><b>{_escaped(title)}</b>{self._pane(title, x)}</td>' for title, x in self._sections
        ]
        table = "".join(f"<tr>{''.join(panes[i : i + 2])}</tr>" for i in range(0, len(panes), 2))
        folded = "".join(
            f"<details><summary>{_escaped(title)}</summary><pre>{_escaped(capped(text, width=1000))}</pre></details>"
            for title, text in self._folded
        )
        verdict, _, rest = self.heading.partition(" · ")
        why = f"<div>{_escaped(self.why)}</div>" if self.why else ""
        return (
            f"<div class=llm><div><b>{_escaped(verdict)}</b> · {_escaped(rest)}</div>{why}"
            f"<table>{table}</table>{folded}</div>"
        )

    def _pane(self, title: str, lines: list[Line]) -> str:
        marked, mark = self._marked(lines) if title.startswith("answer, ") else (None, None)
        words = code.changed_words([(sign, line[:MAX_WIDTH]) for sign, line in lines])
        spans = self._colours(lines)
        texts = []
        for i, (sign, line) in enumerate(lines):
            shown = _blanks(line) if sign in _TAGS else line
            cut = shown[:MAX_WIDTH]
            text = code.markup(cut, spans[i], words.get(i, ()), mark if i == marked else None, visible)
            texts.append(text + _escaped(clip(shown)[len(visible(cut)) :]))
        out = []
        for sign, run in itertools.groupby(range(len(lines)), key=lambda i: lines[i][0]):
            block = "\n".join(f"{sign} {texts[i]}" for i in run)
            tag, style = _TAGS.get(sign, ("i", "") if sign == "…" else ("", ""))
            style = f' style="{style}"' if style else ""
            out.append(f"<{tag}{style}>{block}</{tag}>" if tag else block)
        return "<pre>" + ("\n".join(out) or "(nothing)") + "</pre>"

    def _colours(self, lines: list[Line]) -> dict[int, list[tuple[int, int, str]]]:
        """The colours of each line: old and new lines are read apart, as each is code and both together are not."""
        found: dict[int, list[tuple[int, int, str]]] = {i: [] for i in range(len(lines))}
        for signs in ("-", "+ │"):
            at = [i for i, (sign, _) in enumerate(lines) if sign in signs or (sign == " " and signs == "-")]
            spans = code.coloured([lines[i][1][:MAX_WIDTH] for i in at], self._conflict.language)
            found |= dict(zip(at, spans, strict=True))
        return found

    def _marked(self, lines: list[Line]) -> tuple[int | None, code.Range | None]:
        """Which line of the answer's pane holds the first differing token, and where in it that token stands."""
        where = self._verdict.get("first_difference") or {}
        answer = (self._verdict.get("answer") or "").split("\n")
        if not where.get("got") or not 0 < (where.get("line") or 0) <= len(answer):
            return None, None
        target, token = answer[where["line"] - 1], str(where["got"])
        found = [i for i, (sign, line) in enumerate(lines) if line == target and sign in "+ "]
        found.sort(key=lambda i: lines[i][0] == " ")
        start = target[:MAX_WIDTH].find(token)
        return (found[0], (start, start + len(token))) if found and start >= 0 else (None, None)

    def __repr__(self) -> str:
        parts = [self.heading, *([self.why] if self.why else [])]
        for title, lines in self._sections:
            parts.append(f"--- {title}")
            parts += _plain_lines(lines)
        for title, text in self._folded[:1]:
            if self._reply is not None:
                parts += [f"--- {title}", capped(text, lines=12)]
        return "\n".join(parts) + "\n"

    def to_markdown(self) -> str:
        """The card as Markdown with `diff` fences, for a README, an issue or a data card."""
        verdict, _, rest = self.heading.partition(" · ")
        parts = [f"**{verdict}** · {_markdown(rest)}"]
        if self.why:
            parts.append(_markdown(self.why))
        for title, lines in self._sections:
            body = "\n".join(_plain_lines(lines))
            parts.append(f"{title}:\n\n{_fenced(body, 'diff')}")
        for title, text in self._folded:
            parts.append(f"<details><summary>{title}</summary>\n\n{_fenced(capped(text), 'text')}\n\n</details>")
        return "\n\n".join(parts) + "\n"


@dataclass(frozen=True)
class TrainingView:
    """The text given to the model, and the text it learns to write (`<ins>`, `+`: the part with loss)."""

    given: str
    learned: str

    def _repr_html_(self) -> str:
        tag, style = _TAGS["+"]
        given, learned = (
            _escaped(capped(text, width=2000)) for text in (self.given.rstrip("\n"), self.learned.rstrip("\n"))
        )
        return (
            f'{STYLE}<div class=llm><b>given</b> (no loss)<pre style="opacity:.75">{given}</pre>'
            f'<b>learned</b> (every token carries loss)<pre><{tag} style="{style}">{learned}</{tag}></pre></div>'
        )

    def __repr__(self) -> str:
        given, learned = (
            capped(text, width=2000).split("\n") for text in (self.given.rstrip("\n"), self.learned.rstrip("\n"))
        )
        return "\n".join([*(f"  {line}" for line in given), *(f"+ {line}" for line in learned)])


# ---- parts of a card


def conflict_lines(conflict: Conflict) -> int:
    """How many lines ours, base and theirs have together."""
    return sum(side.count("\n") for side in (conflict.ours, conflict.known_base, conflict.theirs))


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _blanks(line: str) -> str:
    """A changed line with the blanks at its end as dots: often they are all that changed."""
    end = len(line.rstrip(" \t"))
    return line[:end] + line[end:].replace(" ", "·").replace("\t", "→")


def _plain_lines(lines: Sequence[Line]) -> list[str]:
    return [f"{sign} {clip(_blanks(x) if sign in _TAGS else x)}".rstrip() for sign, x in lines] or ["(nothing)"]


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)


def _quoted(token: str | None) -> str:
    return "the end" if token is None else "“" + clip(str(token).replace("\n", "⏎"), 60) + "”"


def _markdown(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]|#&])", r"\\\1", text.replace("\n", " "))


def _fenced(body: str, info: str) -> str:
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", body))])
    return f"{fence}{info}\n{body}\n{fence}"


# ---- text that is safe


def visible(text: str) -> str:
    """`text` with every character that could hide, move or colour something turned into a visible stand-in.

    >>> visible("a\\x1b[31mb\\u202ec")
    'a␛[31mb⟨U+202E⟩c'
    """
    return _HIDDEN.sub(lambda m: _stand_in(m[0]), text)


def _stand_in(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # format characters (bidi overrides, zero width), C1 controls, lone surrogates, private use, line separators
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    return f"⟨U+{code:04X}⟩" if hidden else character


def capped(text: str, lines: int = MAX_LINES, width: int = MAX_WIDTH) -> str:
    """At most `lines` lines of at most `width` characters, made visible; it says how much was left out.

    >>> print(capped("abcdef\\nb\\nc", lines=2, width=3))
    abc… 3 more characters
    b
    … 1 more lines
    """
    # cut before it is split: a reply may be one line of megabytes
    head = text[: lines * width * 8].split("\n", lines)[:lines]
    total = text.count("\n") + (not text.endswith("\n") and bool(text))
    shown = [clip(line, width) for line in head]
    if len(text) > lines * width * 8 and len(head) < lines:
        shown[-1] += f"… {len(text) - lines * width * 8:,} more characters"
    elif total > len(shown):
        shown.append(f"… {total - len(shown):,} more lines")
    return "\n".join(shown)


def clip(line: str, width: int = MAX_WIDTH) -> str:
    """At most `width` characters of a line, made visible; it says how many more there are."""
    more = len(line) - width
    return visible(line[:width]) + (f"… {more:,} more characters" if more > 0 else "")
