"""One conflict as a type: what is cut out of an answer, put into a snippet, and told of both."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import Conflict, Hunk, make_hunk, messages, parse, question_of, split_lines
from llmerge_helpers.conflicts.conflict import context_of
from llmerge_helpers.conflicts.prompts import TEXTS
from llmerge_helpers.errors import LlmergeError

C = Conflict(before="int f() {\n", ours="  return y;\n", base="  return x;\n", theirs="  return g(x);\n", after="}\n")


def lines_of(letters):
    """Whole lines of these letters, as one text."""
    return st.lists(st.text(letters, max_size=6), max_size=4).map(lambda many: "".join(line + "\n" for line in many))


lines, plain = lines_of("ab{}=<| \t"), lines_of("ab{} \t")
conflicts = st.builds(Conflict, before=lines, ours=lines, base=st.none() | lines, theirs=lines, after=lines)


# ---- cutting


@pytest.mark.parametrize(
    ("answer", "hunk"),
    [
        ("int f() {\n  return g(y);\n}\n", "  return g(y);\n"),
        ("int f() {\n}\n", ""),  # nothing stays
        ("int f() {\n  return g(y);\n}", "  return g(y);\n"),  # a code block, or a data set, took the last line end
        ("int f() {\r\n  return g(y);\r\n}\r\n", "  return g(y);\n"),
        ("long f() {\n  return g(y);\n}\n", None),  # a line around the conflict is never its resolution
        ("int f() {\n  return g(y);\n};\n", None),
        ("int f() {\n  return g(y); }\n", None),  # what follows starts on a line of its own
        ("  return g(y);\n", None),
        ("int f() {\n", None),
        ("", None),
    ],
)
def test_what_stands_in_place_of_the_conflict(answer, hunk):
    assert C.cut(answer) == hunk


def test_blanks_that_were_stripped_from_both_ends_are_forgiven():
    c = Conflict(before="\n    void f() {\n", ours="  a;\n", theirs="  b;\n", after="    }\n\n")
    assert c.cut("void f() {\n  a;\n  b;\n    }") == "  a;\n  b;\n"
    assert c.cut("void f() {\n  a;\n  b;\n    }\n") == "  a;\n  b;\n"
    assert c.cut("void g() {\n  a;\n    }\n") is None


def test_a_conflict_of_windows_is_cut_in_its_own_line_ends():
    c = Conflict(before="a\r\n", ours="b\r\n", theirs="c\r\n", after="d\r\n")
    assert c.cut("a\nb\nc\nd\n") == "b\r\nc\r\n" == c.cut("a\r\nb\r\nc\r\nd\r\n")
    assert c.unix() == Conflict(before="a\n", ours="b\n", theirs="c\n", after="d\n")
    assert Conflict(ours="b\r\n", theirs="c\r\n").cut("x\n") == "x\r\n"


def test_at_the_end_of_a_file_without_a_line_end():
    c = Conflict(before="a\n", ours="b", base="", theirs="c", after="")
    assert (c.cut("a\nb"), c.cut("a\nb\n")) == ("b", "b\n")
    assert Conflict(before="a\n", ours="b\n", theirs="c\n").cut("a\nb") == "b\n"
    assert Conflict(before="a\n", ours="b\n", theirs="c\n").cut("a\n") == ""


@settings(max_examples=200, deadline=None, derandomize=True)
@given(conflicts, lines)
def test_what_was_put_in_comes_out_again(c, hunk):
    assert c.cut(c.with_(hunk)) == hunk


HARM = (
    str.strip,
    lambda text: text.removesuffix("\n"),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: "x" + text,
    lambda text: text + "x\n",
    lambda text: text[1:],
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(conflicts, lines, st.sampled_from(HARM))
def test_what_is_cut_out_of_a_changed_answer_fits_in_again(c, hunk, harm):
    """White space at the ends and line ends aside, what is cut out and the lines around are the answer: never less."""
    answer = harm(c.with_(hunk))
    found = c.cut(answer)
    assert found is None or c.with_(found).split() == answer.split()
    assert not found or not c.after or found.endswith("\n")  # what follows starts on a line of its own


# ---- reading and asking


def test_a_row_is_read_from_its_columns_or_out_of_its_question():
    row = {"before": "a\n", "ours": "b\n", "base": "", "theirs": "c\n", "after": "d\n", "path": "A.java"}
    c = Conflict.of(row)
    assert (c.language, c.path, c.base) == ("Java", "A.java", "")
    assert Conflict.of({"question": c.question()}) == c
    assert Conflict.of({"question": c.question(), "path": "B.kt", "language": "Kotlin"}).language == "Kotlin"
    assert Conflict.of({"ours": "b\n", "theirs": "c\n"}).base is None  # unknown is not empty
    for nothing in ({}, {"ours": "b\n"}, {"question": ""}, {"question": "no conflict"}):
        with pytest.raises(LlmergeError):
            Conflict.of(nothing)


def test_the_chat_takes_the_question_of_the_row_before_one_of_its_own():
    row = {"ours": "b\n", "theirs": "c\n", "question": "as it was asked"}
    assert question_of(row) == "as it was asked" == messages(row)[1]["content"]
    assert question_of({**row, "question": ""}) == Conflict.of(row).question()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.builds(Conflict, before=plain, ours=plain, base=st.none() | plain, theirs=plain, after=plain))
def test_a_marked_snippet_is_read_back(c):
    parts = ["", *parse(c.marked()), ""]
    [at] = [n for n, part in enumerate(parts) if isinstance(part, Hunk)]
    assert Conflict.of_hunk(parts[at], parts[at - 1], parts[at + 1]) == Conflict.of(
        {name: getattr(c, name) for name in TEXTS}
    )
    assert Conflict.of({"question": c.question()}).digest() == c.digest()


# ---- telling


def test_kinds_are_whole_sides_and_of_equal_ones_the_first():
    kinds = {
        "a\n": "ours",
        "b\n": "theirs",
        "a\nb\n": "ours_theirs",
        "b\na\n": "theirs_ours",
        "": "empty",
        "z\n": "base",
    }
    c = Conflict(ours="a\n", base="z\n", theirs="b\n")
    assert {text: c.kind_of(text) for text in kinds} == kinds
    assert c.kind_of("b") == "theirs" and c.kind_of("a b\n") == "mixed"
    assert Conflict(ours="a\r\n", theirs="b\r\n").kind_of("b") == "theirs"
    assert Conflict.of_hunk(make_hunk("a\n", "a\n", "b\n")).kind_of("a\n") == "ours"


def test_a_digest_tells_conflicts_apart_and_an_unknown_base_counts_as_empty():
    assert C.digest().hex() == "d11792ce9a438ecf3781d670b2f9a66d"
    changed = [Conflict(**{**{name: getattr(C, name) for name in TEXTS}, name: "x\n"}) for name in TEXTS]
    assert len({c.digest() for c in (C, *changed)}) == len(TEXTS) + 1
    assert Conflict(ours="a\n", theirs="b\n").digest() == Conflict(ours="a\n", base="", theirs="b\n").digest()
    assert json.dumps(C.text()) == json.dumps(C.before + C.ours + C.theirs + C.after)


def test_edits_say_what_each_side_did_to_the_base():
    assert C.ours_edit == (["x"], ["y"]) == C.edit("ours")
    assert C.theirs_edit == ([], ["g", "(", ")"])
    assert C.rewriter == ("ours", "theirs") and not C.added
    assert Conflict(ours="a\n", theirs="b\n").added and Conflict(ours="a\n", theirs="b\n").rewriter is None


@pytest.mark.parametrize(
    ("row", "language"),
    [
        ({"language": "java"}, "Java"),
        ({"language": "JAVA", "path": "a.py"}, "Java"),
        ({"language": "c++"}, "C++"),
        ({"language": "csharp"}, "C#"),
        ({"language": "js"}, "JavaScript"),
        ({"language": "Objective C"}, "Objective-C"),
        ({"language": "PostgreSQL"}, "SQL"),
        ({"language": "Klingon", "path": "a.py"}, "Python"),  # a name that is not known says nothing
        ({"language": "Klingon"}, "Text"),
        ({"language": "Text", "path": "a.py"}, "Text"),
        ({"path": "a.kt"}, "Kotlin"),
        ({}, "Text"),
    ],
)
def test_a_language_has_one_name_however_it_is_spelled(row, language):
    sides = {"before": "", "ours": "b\n", "theirs": "c\n", "after": ""}
    assert Conflict.of(sides | row).language == language
    if "path" not in row:
        question = "```go\n<<<<<<< a\nb\n=======\nc\n>>>>>>> d\n```"
        assert Conflict.of(row | {"question": question}).language == (language if language != "Text" else "Go")
    unmarked = "```\n<<<<<<< a\nb\n=======\nc\n>>>>>>> d\n```"
    assert Conflict.of(row | {"question": unmarked}).language == language


@settings(max_examples=200, deadline=None, derandomize=True)
@given(lines, lines, st.integers(0, 5))
def test_context_starts_and_ends_with_text_where_it_has_any(above, below, size):
    before, after = context_of(split_lines(above), split_lines(below), size)
    assert above.endswith(before) and below.startswith(after) and before.count("\n") <= size >= after.count("\n")
    for shown, edge, reach in (
        (before, 0, split_lines(above)[-size or len(above) :]),
        (after, -1, split_lines(below)[:size]),
    ):
        assert not shown.strip() or split_lines(shown)[edge].strip()
        assert shown.split() == "".join(reach).split() and (shown != "" or not reach)
