"""Verdicts: the traps that fool graders, the shapes that replies come in, and text that means harm."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_cases import FILES, OTHER_PAIRS, PAIRS, TOP_LEVEL_PAIRS, example

from llmerge_helpers.conflicts import Conflict, render_answer, render_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.verdict import MATCH_TYPES, verify

SETTINGS = settings(deadline=None, derandomize=True, max_examples=150)

ROW = {
    "language": "Java",
    "path": "src/A.java",
    "prefix": "package a;\n\n/* all */\nclass A {\n",
    "before": "    void f() {\n        start(1);\n",
    "ours": "        b = 1;\n",
    "base": "        b = 0;\n",
    "theirs": "        c(b);\n",
    "resolution": "        b = 1;\n        c(b);\n",
    "after": "        end(2);\n    }\n",
    "suffix": "\n    void g() {}\n    /* rest */\n}\n",
}
ROW["question"] = Conflict.of(ROW).question()
ROW["answer"] = ROW["before"] + ROW["resolution"] + ROW["after"]
ANSWER = ROW["answer"]
QUOTE = ROW["question"].split("\n\n", 1)[1]  # the question's code block


def snippet(resolution: str, before: str = ROW["before"], after: str = ROW["after"]) -> str:
    return before + resolution + after


def block(code: str, info: str = "java", fence: str = "```") -> str:
    return f"{fence}{info}\n{code}{fence}"


def match(reply, row=ROW, **options) -> str:
    return verify(reply, row, **options).match_type


# ---- the adversarial set


@pytest.mark.parametrize("whole", [True, False], ids=["file", "snippet"])
@pytest.mark.parametrize(
    "pair", PAIRS + TOP_LEVEL_PAIRS + OTHER_PAIRS, ids=lambda pair: f"{pair.language}: {pair.name}"
)
def test_adversarial_pairs(pair, whole):
    row, code = example(pair, whole=whole)
    verdict = verify(render_answer(code, pair.language), row)
    assert verdict.is_correct == pair.same, verdict
    assert verdict.match_type in (["normalized_match"] if pair.same else ["incorrect_resolution", "context_changed"])
    assert (verdict.first_difference is None) == pair.same
    developer = row["before"] + row["resolution"] + row["after"]
    assert verify(render_answer(developer, pair.language), row).match_type == "exact_match"


@pytest.mark.parametrize("language", FILES)
def test_the_files_of_the_adversarial_set_parse(language):
    """Else they would test no more than the snippets do."""
    pairs = [pair for pair in PAIRS if pair.language == language]
    assert pairs
    for pair in pairs:
        row, code = example(pair, whole=True)
        answers = [row["before"] + row["resolution"] + row["after"]]
        if pair.same and pair.name != "nested comments in Kotlin":  # its grammar cannot
            answers.append(code)
        assert [verify(render_answer(each, language), row).parses for each in answers] == [True] * len(answers), pair


# ---- the shapes of a right reply


@pytest.mark.parametrize(
    "reply",
    [
        block(ANSWER),
        block(ANSWER, "Java"),
        block(ANSWER, ""),
        block(ANSWER, fence="~~~~"),
        block(ANSWER, fence="`````"),
        block(ANSWER).replace("\n", "\r\n"),
        f"I keep both.\n\n{block(ANSWER)}\n\nThat is `b = 1` and `c(b)`.",
        render_reply("why", block(ANSWER)),
        f"why\n</think>\n{block(ANSWER)}",
        {"content": block(ANSWER), "reasoning_content": block("x\n")},
        render_reply(QUOTE, block(ANSWER)),
        f"The conflict:\n{QUOTE}\nThe answer:\n{block(ANSWER)}",
        f"Ours:\n{block(snippet(ROW['ours']))}\nBoth:\n{block(ANSWER)}",
        f"{block(ANSWER)}\nThe line that I took from theirs:\n{block(ROW['theirs'])}",
        f"{block(ANSWER)}\nIt was:\n{QUOTE}",
        f"{block(ANSWER)}\n```\n```\n",
        f"{block(ANSWER)}\n```",
        f"1. Both:\n   {block(ANSWER).replace(chr(10), chr(10) + '   ')}\n2. Done.",
    ],
)
def test_right_replies(reply):
    verdict = verify(reply, ROW)
    assert verdict.match_type == "exact_match" and verdict.is_correct and verdict.parses is True
    assert verdict.answer.replace("\r", "") == ANSWER and verdict.first_difference is None
    assert match(reply, {"question": ROW["question"], "answer": ANSWER}) == "exact_match"


@pytest.mark.parametrize(
    "code",
    [
        ANSWER + "\n\n",
        "\n" + ANSWER,
        ANSWER.lstrip(),  # the first line's indentation is lost: not exact
        ANSWER.replace("    ", "\t"),
        snippet("        b=1; // ours\n        c( b );\n"),
        snippet("        b = 1;\n\n        c(b);  \n"),
    ],
)
def test_the_same_tokens(code):
    for row in (ROW, {"question": ROW["question"], "answer": ANSWER}):
        verdict = verify(block(code), row)
        assert verdict.match_type == "normalized_match" and verdict.is_correct


def test_line_ends_do_not_count():
    row = {name: value.replace("\n", "\r\n") for name, value in ROW.items() if name != "question"}
    assert match(block(ANSWER), row) == "exact_match"
    assert (
        match(block(ANSWER), ROW | {"after": ROW["after"].rstrip("\n"), "answer": ANSWER.rstrip("\n")}) == "exact_match"
    )
    assert match(block(ANSWER.rstrip("\n") + "\n\n")) == "normalized_match"


def test_python_indentation_counts():
    row = {"language": "Python", "before": "    a()\n", "resolution": "    b()\n", "after": "    c()\n"}
    whole = row | {"prefix": "def f():\n", "suffix": "\n\nf()\n"}
    for case in (row, whole):
        assert match(block("    a()\n    b()  # b\n    c()\n"), case) == "normalized_match"
        assert match(block("    a()\n    b()\nc()\n"), case) == "context_changed"
        assert match(block("a()\n    b()\n    c()\n"), case) == "context_changed"
        assert match(block("    a()\n    if x:\n        b()\n    c()\n"), case) == "incorrect_resolution"
    for case in (row | {"before": "", "after": ""}, whole | {"before": "", "after": "", "prefix": "if x:\n    a()\n"}):
        assert match(block("b()\n"), case) == "incorrect_resolution"
        assert match(block("    b() \n"), case) == "normalized_match"


# ---- the shapes of a wrong one


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        # the conflict is left, or parts of it
        (QUOTE, "unresolved"),
        (ROW["question"], "unresolved"),
        (QUOTE.replace(" ours", " HEAD").replace(" theirs", " topic"), "unresolved"),
        (QUOTE.replace("        ", "  "), "unresolved"),
        (QUOTE.replace("\n<<", "\n  <<").replace("\n>>", "\n  >>"), "unresolved"),
        (f"{QUOTE}\n{QUOTE}", "unresolved"),
        (block(snippet("<<<<<<< ours\n" + ROW["resolution"])), "unresolved"),
        (block(snippet(ROW["ours"] + "=======\n" + ROW["theirs"])), "unresolved"),
        (block(snippet(ROW["ours"] + "||||||| base\n" + ROW["theirs"])), "unresolved"),
        (block(snippet("        /*\n<<<<<<< ours\n        */\n" + ROW["resolution"])), "unresolved"),
        # another resolution
        (block(snippet(ROW["ours"])), "incorrect_resolution"),
        (block(snippet(ROW["theirs"])), "incorrect_resolution"),
        (block(snippet(ROW["theirs"] + ROW["ours"])), "incorrect_resolution"),
        (block(snippet("")), "incorrect_resolution"),
        (block(snippet("// b = 1; c(b);\n")), "incorrect_resolution"),
        (block("int x;\n"), "incorrect_resolution"),
        (block(snippet(ROW["resolution"] + "    }\n    void h() {\n")), "incorrect_resolution"),
        # the right resolution, but not the lines around it
        (block(ANSWER.replace("start(1)", "start(2)")), "context_changed"),
        (block(ANSWER.replace("end(2)", "end()")), "context_changed"),
        (block(ANSWER + "}}\n"), "context_changed"),
        (block("*/\n" + ANSWER), "context_changed"),
        (block(ROW["resolution"]), "context_changed"),
        (block(ROW["resolution"] + ROW["after"]), "context_changed"),
        (block(ROW["before"] + ROW["after"] + ROW["resolution"]), "context_changed"),
        (block(ROW["resolution"] + ROW["before"] + ROW["after"]), "context_changed"),
        (block(ROW["prefix"] + ANSWER + ROW["suffix"]), "context_changed"),
        # nothing to judge
        ("", "invalid_output"),
        ("I would take `b = 1; c(b);`.", "invalid_output"),
        (ANSWER, "invalid_output"),
        ("```java\n```", "invalid_output"),
        ("```java\n \n\n```", "invalid_output"),
        (render_reply(block(ANSWER), "As above."), "invalid_output"),
        ({"content": "", "reasoning_content": block(ANSWER)}, "invalid_output"),
        ({"content": None}, "invalid_output"),
        # cut off
        (f"<think>{block(ANSWER)}", "truncated"),
        ("```java\n" + ANSWER, "truncated"),
        (f"{QUOTE}\n```java\n{ANSWER}", "truncated"),
        ("```java", "truncated"),
        (None, "failed"),
    ],
)
def test_wrong_replies(reply, expected):
    for row in (ROW, {name: ROW[name] for name in ("before", "resolution", "after", "language", "ours", "theirs")}):
        verdict = verify(reply, row)
        assert verdict.match_type == expected and not verdict.is_correct, verdict
        assert verdict.detail.endswith(".") or expected == "unresolved"


def test_a_reply_at_the_token_limit_is_truncated_even_if_it_looks_right():
    verdict = verify(block(ANSWER), ROW, finish_reason="length")
    assert verdict.match_type == "truncated" and not verdict.is_correct and verdict.answer == ANSWER
    assert match(block(ANSWER), finish_reason="stop") == "exact_match"


CALL = block("call(1);\n")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (f"It is about:\n{CALL}\nI cannot decide:\n{QUOTE}", "unresolved"),
        (f"{CALL}\n{CALL}\n{QUOTE.replace(' ours', ' HEAD')}", "unresolved"),
        (f"{block(ROW['ours'])}\n{block(ROW['theirs'])}\n{QUOTE}", "unresolved"),
        (f"{CALL}\n{QUOTE}\n{block(ANSWER)}", "exact_match"),
        (f"{CALL}\n{block(ANSWER)}\nIt was:\n{QUOTE}", "exact_match"),
        (f"{QUOTE}\nOnly the lines in place of it:\n{block(ROW['resolution'])}", "context_changed"),
    ],
)
def test_a_conflict_given_back_after_an_explanation(reply, expected):
    assert match(reply) == expected


@pytest.mark.parametrize(
    "behind", ["<|im_end|>", "</s>", " <|eot_id|>", "\n</answer>", "</answer>", " Both are kept.", ".", "**", " (end)"]
)
def test_what_stands_behind_the_closing_fence_does_not_count(behind):
    for more in ("", f"\nIt was:\n{QUOTE}"):
        assert match(block(ANSWER) + behind + more) == "exact_match"
        assert match(block(snippet(ROW["ours"])) + behind + more) == "incorrect_resolution"


def test_many_code_blocks_take_no_time():
    for piece in ("```\n", "```java\nx\n```\n", "~~~\n```\n"):
        text = piece * (100_000 // piece.count("```"))
        start = time.process_time()
        assert match(text) != "exact_match"
        assert time.process_time() - start < 0.5  # 0.05 on an idle machine


# ---- comments and blank lines around the conflict


@pytest.mark.parametrize(
    ("language", "mark"), [("Java", "//"), ("Python", "#"), ("Go", "//"), ("Scala", "//"), ("SQL", "--"), ("YAML", "#")]
)
def test_a_comment_around_the_conflict_is_context(language, mark):
    above, mine, his, below = ("a: 1, x: 0, y: 0, b: 2" if language == "YAML" else "a(1), x(0), y(0), b(2)").split(", ")
    before, after = f"{mark} one\n{above}\n", f"{below}  {mark} two\n{mark} three\n"
    row = {"language": language, "before": before, "resolution": f"{mine}\n", "after": after}
    row |= {"ours": f"{mine}\n", "base": "", "theirs": f"{his}\n"}
    code = f"{before}{mine}\n{after}"
    assert match(block(code), row) == "exact_match"
    for was, became in ((f"{mark} one\n", ""), ("one", "uno"), (f"  {mark} two", ""), ("three", "four")):
        assert match(block(code.replace(was, became)), row) == "context_changed", was
    assert match(block(code.replace(f"{mine}\n", f"{mine} {mark} new\n")), row) == "normalized_match"
    row["resolution"] = f"{mine} {mark} why\n"
    assert match(block(code), row) == "normalized_match"  # in the resolution they are the model's


@pytest.mark.parametrize(("language", "item"), [("Java", ""), ("Markdown", ""), ("YAML", "- "), ("HTML", "<br>")])
def test_blank_lines_at_the_edges_are_no_change(language, item):
    a, b, c = (f"{item}{letter}\n" for letter in "abc")
    row = {"language": language, "before": f"\n\n{a}", "resolution": b, "after": f"{c}\n"}
    for code in (f"{a}{b}{c}", f"\n{a}{b}{c}", f"\n\n{a}{b}{c}\n\n"):
        assert match(block(code), row) == "normalized_match"
    assert match(block(f"{a}{b.upper()}{c}"), row) in ("incorrect_resolution", "context_changed")
    assert match(block(f"{item}d\n{b}{c}"), row) == "context_changed"


# ---- empty resolutions


def test_nothing_may_be_the_right_resolution():
    row = ROW | {"resolution": "", "answer": snippet("")}
    assert match(block(snippet("")), row) == "exact_match"
    assert match(block(snippet("\n")), row) == "normalized_match"
    assert match(block(snippet(ROW["ours"])), row) == "incorrect_resolution"
    assert match(block(snippet("").replace("start(1)", "start(2)")), row) == "context_changed"
    assert match("```java\n```", row) == "invalid_output"
    whole = {"language": "Java", "before": "", "after": "", "resolution": "", "ours": "a();\n", "theirs": ""}
    assert match("```java\n```", whole) == "exact_match"
    assert match("```java\n\n```", whole) == "exact_match"
    assert match(block("// gone\n"), whole) == "normalized_match"
    assert match("", whole) == "invalid_output"


# ---- rows of questions and answers only


def test_rows_of_llmerge():
    conflict = "class A {\n<<<<<<< HEAD\n  int a;\n=======\n  long x;\n>>>>>>> 3f2a\n}"
    row = {"question": f"Resolve this:\n```java\n{conflict}\n```", "answer": "class A {\n  long a;\n}"}
    assert match(block("class A {\n  long a;\n}\n"), row) == "exact_match"
    assert match(block("class A { long a; }\n"), row) == "normalized_match"
    assert match(block("class A {\n  int a;\n}\n"), row) == "incorrect_resolution"
    assert match(block("class B {\n  long a;\n}\n"), row) == "context_changed"
    assert match(block(conflict + "\n"), row) == "unresolved"
    assert verify(block("class A { long a; }\n"), row).parses is None
    assert (
        match(block("class A { long a; }\n"), row | {"answer": block("class A {\n  long a;\n}\n")})
        == "normalized_match"
    )
    assert match(block("a b\n"), {"question": "no conflict", "answer": "a b"}) == "exact_match"


def test_markers_that_leaked_into_an_answer_are_code():
    """LLMerge's own data has markers of neighbouring conflicts in 8 % of its answers."""
    answer = ">>>>>>> f44f18\n  a();\n  b();\n<<<<<<< HEAD\n"
    row = {
        "question": "```java\n>>>>>>> f44f18\n<<<<<<< HEAD\n  a();\n=======\n  b();\n>>>>>>> x\n```",
        "answer": answer,
    }
    assert match(block(answer), row) == "exact_match"
    assert match(block(answer.replace("  b", "<<<<<<< HEAD\n=======\n  b")), row) == "unresolved"


def test_a_row_without_any_expected_answer_is_an_error():
    with pytest.raises(LlmergeError, match="answer"):
        verify("x", {"question": ROW["question"]})


# ---- code about conflicts and code blocks


def test_code_that_has_marker_lines():
    row = {"language": "Markdown", "before": "Git writes:\n", "after": "```\n"}
    row["resolution"] = "```\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n"
    row |= {"ours": row["resolution"], "base": "", "theirs": row["resolution"].replace("topic", "main")}
    answer = row["before"] + row["resolution"] + row["after"]
    question = Conflict.of(row).question()
    assert match(render_answer(answer, "Markdown"), row) == "exact_match"
    assert match(question, row) == "unresolved"
    assert match(render_answer(answer.replace("topic", "main"), "Markdown"), row) == "unresolved"
    underline = {
        "language": "Markdown",
        "before": "",
        "resolution": "Changes\n=======\n",
        "after": "x\n",
        "ours": "a\n",
    }
    assert match(block("Changes\n=======\nx\n"), underline) == "exact_match"
    underline |= {"ours": "Changes\n=======\n", "resolution": "a\n"}
    assert match(block("Changes\n=======\nx\n"), underline) == "incorrect_resolution"


def test_code_that_has_code_blocks():
    readme = "# Use\n\n```sh\nmake\n```\n\nor\n\n```sh\nmake test\n```\nend\n"
    row = {"language": "Markdown", "before": "# Use\n", "after": "end\n", "ours": "```sh\nmake\n```\n"}
    row["resolution"] = readme.removeprefix("# Use\n").removesuffix("end\n")
    assert match(render_answer(readme, "Markdown"), row) == "exact_match"
    assert match(block(readme, "markdown"), row) == "exact_match"  # a fence that is too short
    assert match(f"Here:\n{block(readme, 'markdown')}\nDone.", row) == "exact_match"
    assert (
        match(f"{Conflict.of(row | {'base': '', 'theirs': ''}).question()}\n\n{render_answer(readme, 'Markdown')}", row)
        == "exact_match"
    )


# ---- snippets that start in the middle of something


def test_a_snippet_that_starts_inside_a_comment():
    row = {
        "language": "Java",
        "before": " * Says it's so.\n",
        "resolution": " */\nint a = 1;\n",
        "after": "int b;\n",
    }
    code = row["before"] + row["resolution"] + row["after"]
    assert match(block(code.replace("a = 1", "a=1")), row) == "normalized_match"
    assert match(block(code.replace("a = 1", "a = 2")), row) == "incorrect_resolution"
    assert match(block(code.replace("int b", "int c")), row) == "context_changed"
    cron = {"language": "Java", "before": "run(1);\n", "resolution": 'at("*/5");\n', "after": "end();\n"}
    assert match(block('run(2);\nat("*/5");\nend();\n'), cron) == "context_changed"
    star = {"language": "Java", "before": "* x;\n", "resolution": 'at("*/5");\n', "after": ""}
    assert match(block('* y;\nat("*/5");\n'), star) == "context_changed"


def test_a_conflict_in_a_comment():
    row = ROW | {
        "prefix": ROW["prefix"] + "/*\n",
        "before": "one\n",
        "after": "two\n*/\n" + ANSWER,
        "resolution": "b\n",
    }
    row.pop("answer")
    code = row["before"] + "b\n" + row["after"]
    assert match(block(code), row) == "exact_match"
    assert match(block(code.replace("one\nb", "one\nc")), row) == "incorrect_resolution"
    assert match(block(code.replace("one\nb", "one\n  b")), row) == "normalized_match"
    assert match(block(code.replace("one\nb", "one\n<<<<<<< ours\nb")), row) == "unresolved"
    assert match(block(code.replace("one\nb", "one\nb */ b = 2; /*")), row) == "incorrect_resolution"


def test_code_that_swallows_what_stands_behind_it():
    """The snippet alone looks right; the file does not."""
    verdict = verify(block(ANSWER + "/*\n"), ROW)
    assert verdict.match_type == "context_changed" and verdict.parses is True
    assert verdict.first_difference == {"index": 25, "expected": None, "got": None, "line": 7}
    assert match(block(snippet(ROW["resolution"] + '        s = """;\n'))) == "incorrect_resolution"


def test_the_same_tokens_that_do_not_parse():
    row = {"language": "Go", "before": "\tg()\n", "resolution": "\ta.b()\n", "after": "\tk()\n"}
    row |= {"prefix": "package a\n\nfunc f() {\n", "suffix": "}\n"}
    verdict = verify(block("\tg()\n\ta\n\t.b()\n\tk()\n"), row)
    assert verdict.match_type == "incorrect_resolution" and verdict.parses is False
    verdict = verify(block("\tg()\n\ta.\n\t\tb()\n\tk()\n"), row)
    assert verdict.match_type == "normalized_match" and verdict.parses is True


# ---- what else a verdict tells


def test_first_difference():
    verdict = verify(block(snippet("        b = 1;\n        // call\n        d(b);\n")), ROW)
    assert verdict.first_difference == {"index": 14, "expected": "c", "got": "d", "line": 5}
    assert verdict.parses is True and verdict.fence == 0
    verdict = verify(block("    void f() {\n        start(1);\n"), ROW)
    assert verdict.first_difference == {"index": 10, "expected": "b", "got": None, "line": 2}
    assert verdict.parses is False
    verdict = verify(block(ANSWER + "x\n"), ROW)
    assert verdict.first_difference["expected"] is None and verdict.first_difference["got"] == "x"
    python = {"language": "Python", "before": "", "resolution": "if a:\n    b()\n", "after": ""}
    assert verify(block("if a:\nb()\n"), python).first_difference["expected"] == "<indent>"


def test_a_verdict_is_plain_data():
    verdict = verify(block(snippet("")), ROW)
    data = json.loads(json.dumps(verdict.to_dict()))
    assert data["match_type"] == "incorrect_resolution" and data["is_correct"] is False
    assert set(data) == {"match_type", "is_correct", "answer", "fence", "first_difference", "parses", "detail"}


# ---- text that means harm


@pytest.mark.parametrize("language", ["Java", "Python", "JavaScript", "Ruby", "YAML", "Markdown"])
@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "{[(",
        "/*",
        "'",
        '"""',
        "`",
        "<",
        "a ",
        "\n",
        "#define A ",
        "<<~E\n",
        "${",
        "=begin\n",
        "\x00",
        "<think>",
        "~~~\n",
        ">>>>>>>\n",
        "\\",
    ],
)
def test_long_hostile_answers(piece, language):
    text = piece * (8_000 // len(piece))
    for reply in (f"```java\n{snippet(text)}\n```", text, f"{text}</think>\n```\n{text}\n```"):
        assert verify(reply, ROW | {"language": language}).match_type in MATCH_TYPES


def test_far_too_long_code_is_not_even_parsed():
    verdict = verify(block(snippet("f();\n" * 10_000)), ROW)
    assert verdict.match_type == "incorrect_resolution" and verdict.first_difference is None


replies = st.lists(
    st.sampled_from(
        [
            "<think>",
            "</think>",
            "```",
            "```java",
            "````",
            "~~~",
            "<<<<<<< ours",
            "=======",
            ">>>>>>> theirs",
            "\ud800",
            "\x00",
        ]
        + [ROW["before"], ROW["ours"], ROW["resolution"], ROW["after"], ANSWER, "/*", '"', "é", "\r"]
    ),
    max_size=12,
)


@SETTINGS
@given(st.tuples(replies, st.sampled_from(["\n", ""])).map(lambda parts: parts[1].join(parts[0])) | st.text())
def test_any_reply_has_a_verdict(reply):
    for row in (ROW, {"question": ROW["question"], "answer": ANSWER}):
        verdict = verify(reply, row)
        assert verdict.match_type in MATCH_TYPES and verdict.detail
        assert verdict.is_correct == (verdict.match_type in ("exact_match", "normalized_match"))
        if verdict.is_correct:  # nothing is right that does not hold all of the words
            assert "".join(ANSWER.split()) in "".join(verdict.answer.split())
        if verdict.answer is not None:
            assert verdict.answer in reply


texts = st.lists(
    st.sampled_from(
        ["a", "  b", "", "```", "````", "=======", "<<<<<<< x", ">>>>>>> y", "/*", "*/", "# c", "'", "x\r"]
    ),
    max_size=5,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@SETTINGS
@given(texts, texts, texts, st.sampled_from(["Java", "Python", "Markdown", "YAML"]), st.booleans())
def test_the_developers_answer_is_always_exact(before, resolution, after, language, final):
    after = after if final else after.rstrip()
    row = {"before": before, "ours": "o\n", "base": "", "theirs": "t\n", "after": after, "language": language}
    row["question"] = Conflict.of(row).question()
    row["resolution"] = resolution
    answer = before + resolution + after
    assert match(render_answer(answer, language), row) == "exact_match"
    if not answer.lstrip().startswith("```"):  # one code block and nothing else: a dataset's way to write an answer
        assert match(render_answer(answer, language), {"question": row["question"], "answer": answer}) == "exact_match"
    assert not verify(row["question"], row).is_correct


def test_comments_count_where_the_conflict_is_about_comments():
    row = {
        "language": "Java",
        "before": "class A {\n",
        "ours": "  /** Old words, corrected. */\n",
        "base": "  /** Old words. */\n",
        "theirs": "  /** Old words, and {@link B}. */\n",
        "after": "  int a;\n}\n",
        "resolution": "  /** Old words, corrected, and {@link B}. */\n",
    }

    def judged(code):
        return verify(f"```java\n{row['before']}{code}{row['after']}```", row).match_type

    assert judged(row["resolution"]) == "exact_match"
    assert judged("  /** Old words, corrected,\n   and {@link B}. */\n".replace("\n   and", " and")) == "exact_match"
    assert judged("    /** Old words, corrected, and   {@link B}. */\n") == "normalized_match"
    for wrong in ("", row["ours"], row["theirs"], "  // nothing\n"):
        assert judged(wrong) == "incorrect_resolution", wrong
    code = row | {
        "ours": "  // one\n  int b;\n",
        "theirs": "  // two\n  int c;\n",
        "resolution": "  int b;\n  int c;\n",
    }
    answer = f"```java\n{row['before']}  // both\n  int b;\n  int c;\n{row['after']}```"
    assert verify(answer, code).match_type == "normalized_match"


def test_white_space_does_not_count_in_a_conflict_about_white_space():
    row = {"before": "void f() {\n", "after": "}\n", "language": "Java", "base": "    g({a});\n"}
    row |= {"ours": "    g( {a} );\n", "theirs": "    g({ a });\n", "resolution": "    g({ a });\n"}
    row["answer"] = row["before"] + row["resolution"] + row["after"]
    assert verify(f"```java\n{row['before']}{row['ours']}{row['after']}```", row).match_type == "normalized_match"


@pytest.mark.parametrize("whole", [True, False], ids=["file", "snippet"])
@pytest.mark.parametrize(
    ("language", "before", "ours", "theirs", "after", "wrong", "same"),
    [
        (
            *("Java", "/**\n * A size.\n", " * @since\t1.0\n", " * @since 1.0\n", " */\nint a;\n"),
            *(["", " * @since 2.0\n", " * Words.\n"], [" *  @since   1.0\n"]),
        ),
        ("Python", "a()\n", "# one  two\n", "# one two\n", "b()\n", ["", "# three\n"], ["#  one two\n"]),
        ("SQL", "select 1;\n", "-- one\t\n", "-- one\n", "select 2;\n", ["", "-- two\n"], ["--  one\n"]),
        # comments that are the same, around code that is written otherwise
        (
            *("C", "f();\n", "g( a ); // one\n", "g(a);  // one\n", "h();\n"),
            *(["g(a);\n", "g(a); // two\n"], ["g(a); //  one\n", "g( a);// one\n"]),
        ),
        # a side that is not there, and one of comments alone
        ("Go", "f()\n", "// one\n", "", "g()\n", ["", "// two\n"], ["//  one\n"]),
    ],
)
def test_comments_count_where_no_side_has_other_code(whole, language, before, ours, theirs, after, wrong, same):
    row = {"language": language, "before": before, "ours": ours, "base": "", "theirs": theirs, "after": after}
    row |= {"resolution": ours} | ({"prefix": "", "suffix": ""} if whole else {})
    assert match(render_answer(before + ours + after, language), row) == "exact_match"
    for code in wrong:
        assert match(render_answer(before + code + after, language), row) == "incorrect_resolution", code
    for code in same:
        assert match(render_answer(before + code + after, language), row) == "normalized_match", code
    unknown = {name: value for name, value in row.items() if name not in ("ours", "base", "theirs")}
    assert match(render_answer(before + wrong[0] + after, language), unknown) == "normalized_match"


@pytest.mark.parametrize(
    ("name", "comment"),
    [("java", "//"), ("JAVA", "//"), ("js", "//"), ("csharp", "//"), ("c++", "//"), ("PYTHON", "#"), ("rb", "#")],
)
def test_a_language_of_any_spelling_has_its_comments(name, comment):
    """Else it would be plain text, in which comments and blanks count."""
    row = {"before": "f();\n", "resolution": "g();\n", "after": "h();\n", "ours": "g();\n", "theirs": "k();\n"}
    reply = block(f"f();\ng(); {comment} why\nh();\n", "")
    assert match(reply, row | {"language": name}) == "normalized_match"
    assert match(reply, row) == match(reply, row | {"language": "Klingon"}) == "incorrect_resolution"
    question = f"```{name}\nf();\n<<<<<<< a\ng();\n=======\nk();\n>>>>>>> b\nh();\n```"
    for known in (row, {"answer": "f();\ng();\nh();\n"}):
        for language in ("", "Klingon"):
            assert match(reply, known | {"question": question, "language": language}) == "normalized_match"
