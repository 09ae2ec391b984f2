"""The question holds all of a conflict, and a reply of any shape splits into reasoning and answer."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import (
    Conflict,
    Decided,
    Reply,
    fences,
    languages,
    messages,
    render_answer,
    render_reply,
    so_far,
    split_reply,
)
from llmerge_helpers.conflicts.prompts import CONTEXTS, INPUTS, STYLES, SYSTEM_PROMPT, Form, form_of, parse_question
from llmerge_helpers.errors import LlmergeError

SETTINGS = settings(deadline=None, derandomize=True, max_examples=300)
ROW = {
    "before": "class A {\n",
    "ours": "  int a;\n",
    "base": "  int x;\n",
    "theirs": "  long x;\n",
    "after": "}\n",
    "language": "Java",
    "path": "src/A.java",
}

# ---- the question


def test_the_question_is_short_and_plain():
    assert Conflict.of(ROW).question() == (
        "Resolve the merge conflict in src/A.java:\n"
        "\n"
        "```java\n"
        "class A {\n"
        "<<<<<<< ours\n"
        "  int a;\n"
        "||||||| base\n"
        "  int x;\n"
        "=======\n"
        "  long x;\n"
        ">>>>>>> theirs\n"
        "}\n"
        "```"
    )
    assert len(SYSTEM_PROMPT) < 600  # the student has few tokens


line = st.sampled_from(
    [
        "<<<<<<< a",
        "<<<<<<<",
        "=======",
        "======== x",
        "||||||| b",
        "|||||||",
        ">>>>>>> c",
        ">>>>>>>>",
        "```",
        "````java",
    ]
    + ["~~~", "a", "", "x = 1\r", "\r", " b", "Resolve the merge conflict:", "No line end at the end of: ours."]
)
text = (
    st.tuples(st.lists(line, max_size=6).map("\n".join), st.sampled_from(["", "\n", "\r\n"])).map("".join) | st.text()
)


@SETTINGS
@given(
    text,
    text,
    st.none() | text,
    text,
    text,
    st.sampled_from(sorted(languages.TABLE)),
    st.text() | st.sampled_from(["a/b.py", '"x', "a:", "``` x", "a b", "", "ü.c", ":\n\n```x\na\n```"]),
    st.builds(
        Form,
        st.sampled_from(STYLES),
        st.sampled_from(INPUTS),
        st.just(False),
        st.sampled_from([0, 0, 1, 3]),
        st.sampled_from([*CONTEXTS, ""]),
    ),
    st.sampled_from(["", "rules ours; token merge none"]),
    st.tuples(text, text, text),
)
def test_parse_question_undoes_the_question(before, ours, base, theirs, after, language, path, form, hints, told):
    row = {"before": before, "ours": ours, "base": base, "theirs": theirs, "after": after}
    row |= {"language": language, "path": path}
    decided = [Decided(Conflict(ours=told[0], base=told[1], theirs="", path=path), each) for each in told]
    more = {
        "earlier": so_far(decided[: len(ours)], Conflict.of(row), 2),
        "ours_message": told[1],
        "theirs_diff": told[2],
    }
    question = messages(row | more, form, hints)[-1]["content"]
    assert parse_question(question) == row
    assert parse_question(question + "\n") == row
    assert form_of([{"role": "user", "content": question}]) == form._replace(
        input="sides" if base is None else form.input, hints=bool(hints)
    )
    blocks = fences(question)  # a person, or a model, sees one closed block with all of it, the last one
    assert blocks[-1].closed and after in blocks[-1].body and (len(blocks) == 1 or form.siblings or form.context)
    assert ours in blocks[-1].body or form.input == "diffs"


def test_a_question_tells_its_merge_so_far():
    first, second = (Conflict(ours=f"{n}\n", base="", theirs="x\n", path=f"{n}.py") for n in "ab")
    decided = [Decided(first, "a\n"), Decided(second, "new\n")]
    row = ROW | {"earlier": so_far(decided, Conflict.of(ROW), 2)}
    one, both = (messages(row, Form(siblings=n))[1]["content"] for n in (1, 2))
    assert one.startswith(
        "Earlier in this merge (at most 1, 2 parts): 2 decided (ours: 1; new text: 1).\n\n"
        "b.py, resolved as new text:\n\n```python\n<<<<<<< ours\nb\n"
    )
    assert "b.py, new text:\n\n```python\nnew\n```\n\nResolve the merge conflict in src/A.java:" in one
    assert "a.py, resolved as ours:" in both and "a.py" not in one
    # without siblings, a question is what it was, and so is the key under which its answer lies
    assert messages(row) == messages(ROW) and form_of(messages(row)) == Form()
    assert form_of(messages(ROW, Form("compact", siblings=4))) == Form("compact", siblings=4)


def test_what_a_question_tells_is_bounded():
    long = Conflict(ours="x = 1\n" * 10_000, base="", theirs="y\n", path="b.py")
    row = ROW | {"earlier": so_far([Decided(long, long.ours)] * 400, Conflict.of(ROW), 20)}
    row |= {f"{side}_{what}": "+ line\n" * 10_000 for side in ("ours", "theirs") for what in ("message", "diff")}
    question = messages(row, Form(siblings=20, context="both"))[1]["content"]
    assert len(question) < 20_000 and "b.py, 10005 lines, resolved as ours." in question
    assert parse_question(question)["ours"] == ROW["ours"] and question.count("+ line\n…\n") == 4
    for form in (Form(siblings=21), Form(siblings=-1), Form(context="all")):
        with pytest.raises(LlmergeError, match="siblings is|context is"):
            form.checked()


def test_what_a_code_block_cannot_show_is_said():
    question = Conflict.of(ROW | {"ours": "<<<<<<< here", "after": "x"}).question()
    assert "The conflict markers are 8 characters long.\nNo line end at the end of: ours, after.\n" in question
    assert "\n<<<<<<<< ours\n<<<<<<< here\n|||||||| base\n" in question
    assert Conflict.of(ROW | {"ours": "```\n"}).question().splitlines()[2] == "````java"
    crlf = Conflict.of({name: value.replace("\n", "\r\n") for name, value in ROW.items()}).question()
    assert "\n<<<<<<< ours\r\n  int a;\r\n" in crlf


def test_questions_of_llmerge_and_merge_bench():
    question = (
        "You are a semantic merge conflict resolution expert. …Here is the code snippet:\n"
        "```java\nclass A {\n<<<<<<< HEAD\n  int a;\n=======\n  long x;\n>>>>>>> 3f2a Merge 'x'\n}\n```"
    )
    expected = ROW | {"base": None, "path": ""}
    assert parse_question(question) == expected
    assert parse_question(question.replace("\n", "\r\n"))["theirs"] == "  long x;\r\n"
    bare = question.split("```java\n")[1].removesuffix("```")
    assert parse_question(bare) == expected | {"language": "Text"}
    assert parse_question(question.removesuffix("\n```"))["after"] == "}"
    assert parse_question(f"For example:\n```java\nint x;\n```\n{question}") == expected


def test_the_conflict_in_the_middle_is_meant():
    one, two, three = (f"<<<<<<< a\n{n}\n=======\n>>>>>>> b\n" for n in (1, 2, 3))
    found = parse_question(f"```\n{one}x\n{two}y\n{three}\n```")
    assert found["ours"] == "2\n" and found["before"] == one + "x\n"


@pytest.mark.parametrize("question", ["", "hello", "```java\nint x;\n```", "<<<<<<< a\n=======\n"])
def test_no_conflict_in_a_question_is_an_error(question):
    with pytest.raises(LlmergeError, match="no complete conflict"):
        parse_question(question)


def test_messages():
    assert messages({"question": "q"}) == [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": "q"},
    ]
    assert messages(ROW)[1]["content"] == Conflict.of(ROW).question()


# ---- replies


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>\nwhy\n</think>\n\nanswer", Reply("why", "answer", "think_tags")),
        ("\n <think>why</think>answer\n", Reply("why", "answer", "think_tags")),
        ("why\n</think>\n\nanswer", Reply("why", "answer", "think_tags")),  # the template opened it
        ("</think>answer", Reply("", "answer", "think_tags")),
        ("<think>\n\n</think>\n\nanswer", Reply("", "answer", "think_tags")),
        ("Well.\n<think>why</think>answer", Reply("Well.\nwhy", "answer", "think_tags")),
        ("<think>why, but then", Reply("why, but then", "", "think_tags", truncated=True)),
        ("<think>why\n```\nx\n```", Reply("why\n```\nx\n```", "", "think_tags", truncated=True)),
        ("<think>a </think> b </think> c", Reply("a", " b </think> c", "think_tags")),
        ("answer", Reply("", "answer", "none")),
        ("", Reply("", "", "none")),
        ("```\nx\n```", Reply("", "```\nx\n```", "none")),
        ("I keep x.\n```\nx\n```\nDone.", Reply("I keep x.", "```\nx\n```\nDone.", "prose")),
        # a tag that the code has
        ('```\ns = "</think>"\n```', Reply("", '```\ns = "</think>"\n```', "none")),
        (
            '```\na\n```\n</think>\n```\nb = "</think>"\n```',
            Reply("```\na\n```", '```\nb = "</think>"\n```', "think_tags"),
        ),
        # the reasoning leaves a code block open
        ("so\n```\nx\n</think>\n```\ny\n```", Reply("so\n```\nx", "```\ny\n```", "think_tags")),
        # the reasoning quotes code with a tag in it, or a tag in words
        (
            '<think>so\n```\ns = "</think>"\n```\nwell\n</think>\nb',
            Reply('so\n```\ns = "</think>"\n```\nwell', "b", "think_tags"),
        ),
        ("```\nx\n```\nIt keeps `</think>`.", Reply("", "```\nx\n```\nIt keeps `</think>`.", "none")),
        ("```\n<thought>\na\n</thought>\n```", Reply("", "```\n<thought>\na\n</thought>\n```", "none")),
        # other names, and tags that say more than their name
        ("<thinking>\nwhy\n</thinking>\nb", Reply("why", "b", "think_tags")),
        ("Well.\n<thinking>\n```\nx\n```\n</thinking>\nb", Reply("Well.\n\n```\nx\n```", "b", "think_tags")),
        ("<THINK >why</think >b", Reply("why", "b", "think_tags")),
        ('<reasoning effort="high">why</reasoning>b', Reply("why", "b", "think_tags")),
        ("<thought>\n```\nx\n```", Reply("```\nx\n```", "", "think_tags", truncated=True)),
        ("Well.\n<thinking>\n```\nx\n```", Reply("Well.\n\n```\nx\n```", "", "think_tags", truncated=True)),
        ("<think/>b", Reply("", "<think/>b", "none")),
        # more than one
        ("<think>a</think>\n<think>b</think>\nc", Reply("a\n\nb", "c", "think_tags")),
        (
            "<think>a</think>\nSo:\n<thinking>```\nb\n```</thinking>\nc",
            Reply("a\n\nSo:\n```\nb\n```", "c", "think_tags"),
        ),
        ("<think>a</think>\n<think>b", Reply("a\n\nb", "", "think_tags", truncated=True)),
        ({"content": "answer", "reasoning_content": "why"}, Reply("why", "answer", "reasoning_content")),
        ({"content": "answer", "reasoning": "why\n"}, Reply("why", "answer", "reasoning")),
        ({"content": "answer", "reasoning_content": None, "reasoning": "why"}, Reply("why", "answer", "reasoning")),
        (
            {
                "content": [{"type": "text", "text": "ans"}, {"type": "text", "text": "wer"}],
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "first "},
                    {"type": "reasoning.summary", "summary": "second"},
                    {"type": "reasoning.encrypted", "data": "eA=="},
                ],
            },
            Reply("first second", "answer", "reasoning_details"),
        ),
        ({"content": "<think>again</think>b", "reasoning": "why"}, Reply("why", "b", "reasoning")),
        ({"content": "I say.\n```\nx\n```", "reasoning": "why"}, Reply("why", "I say.\n```\nx\n```", "reasoning")),
        ({"content": "<think>why</think>b", "reasoning_content": ""}, Reply("why", "b", "think_tags")),
        ({"content": None, "reasoning_content": "why"}, Reply("why", "", "reasoning_content")),
        # in parts, as Mistral, Anthropic and others send them
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "wh"}, {"type": "text", "text": "y"}]},
                    {"type": "text", "text": "ans"},
                    {"type": "text", "text": "wer"},
                ]
            },
            Reply("why", "answer", "thinking_parts"),
        ),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": "why", "signature": "x"},
                    {"type": "text", "text": "answer"},
                ]
            },
            Reply("why", "answer", "thinking_parts"),
        ),
        (
            {"content": [{"type": "reasoning", "summary": [{"text": "why"}]}, {"type": "text", "text": "answer"}]},
            Reply("why", "answer", "thinking_parts"),
        ),
        ({"content": [{"text": "why", "thought": True}, {"text": "answer"}]}, Reply("why", "answer", "thinking_parts")),
        ({"content": [{"type": "thinking", "thinking": "why"}]}, Reply("why", "", "thinking_parts")),
        ({"content": [{"type": "text", "text": "<think>why</think>b"}]}, Reply("why", "b", "think_tags")),
        ({"content": "<thought>\nwhy\n</thought>b"}, Reply("why", "b", "think_tags")),
        ({"content": "why\n</thought>\nb"}, Reply("why", "b", "think_tags")),
        # a server that took the end of the reasoning for reasoning
        ({"content": None, "reasoning": "why\n</think>\n\nb"}, Reply("why", "b", "reasoning")),
        ({"content": "", "reasoning_content": "<think>why</think>b"}, Reply("why", "b", "reasoning_content")),
        ({"content": "b", "reasoning": "why\n</think>\nand"}, Reply("why\n</think>\nand", "b", "reasoning")),
        ({"content": "b", "thinking": "why"}, Reply("why", "b", "thinking")),
        # the marks of some models, left in the text
        ("[THINK]why[/THINK]\nb", Reply("why", "b", "think_tags")),
        ("[THINK]\n```\n[/THINK]\n```\nwhy\n[/THINK]b", Reply("```\n[/THINK]\n```\nwhy", "b", "think_tags")),
        ("[THINK]\n```\nx\n[/THINK]b", Reply("```\nx", "b", "think_tags")),
        ("[THINK]why", Reply("why", "", "think_tags", truncated=True)),
        ("I say [THINK]why[/THINK]", Reply("", "I say [THINK]why[/THINK]", "none")),
        ("\n<seed:think>why</seed:think>b", Reply("why", "b", "think_tags")),
        ("◁think▷why◁/think▷b", Reply("why", "b", "think_tags")),
        ("<|begin_of_thought|>\nwhy\n<|end_of_thought|>\n\nb", Reply("why", "b", "think_tags")),
        ("<|START_THINKING|>why<|END_THINKING|>b", Reply("why", "b", "think_tags")),
        (
            "<|channel|>analysis<|message|>why<|end|><|start|>assistant<|channel|>final<|message|>b",
            Reply("why", "b", "think_tags"),
        ),
        ({"role": "assistant", "content": None}, Reply("", "", "none")),
        ({}, Reply("", "", "none")),
    ],
)
def test_split_reply(reply, expected):
    assert split_reply(reply) == expected


@SETTINGS
@given(st.text(alphabet="a `\n<>/think", max_size=60) | st.text(), st.text(alphabet="a `\n~x", max_size=60))
def test_a_rendered_reply_splits_again(reasoning, code):
    reasoning = reasoning.replace("</think>", "").strip()
    answer = render_answer(code, "Java")
    assert split_reply(render_reply(reasoning, answer)) == Reply(reasoning, answer, "think_tags")
    (block,) = fences(answer)
    assert block.closed and block.info == "java" and block.body.removesuffix("\n") == code.removesuffix("\n")


tags = st.lists(
    st.sampled_from(["<think>", "</think>", "```", "````", "~~~", "\n", "\r\n", " ", "a", "java"]), max_size=20
)


def bare(text):
    """The text without tags and white space."""
    return "".join(text.replace("<think>", "").replace("</think>", "").split())


@SETTINGS
@given(tags.map("".join))
def test_any_reply_splits(reply):
    parts = split_reply(reply)
    assert parts.answer in reply and bare(parts.reasoning) in bare(reply)
    assert split_reply({"content": reply}) == parts


# ---- fenced code blocks

BEHIND = ("<|im_end|>", "</s>", " <|eot_id|>", "</answer>", "<｜end▁of▁sentence｜>", "<end_of_turn>", "[/INST]")
BEHIND += (" Hope this helps!", " (both sides kept)", "Done.", " <|im_end|> and more")
INFOS = ("sh", "java title=x", "python numbers", "{r, echo=FALSE}", "mermaid", 'foo title="a b"')


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("```java\nx\n```", [("java", "x\n", True)]),
        ("```Java\r\nx\r\n```\r\n", [("Java", "x\r\n", True)]),
        ("```\nx\n```\n~~~ c \ny\n~~~~  \n", [("", "x\n", True), ("c", "y\n", True)]),
        ("````md\n```java\nx\n```\n````", [("md", "```java\nx\n```\n", True)]),
        ("```\n~~~\n```", [("", "~~~\n", True)]),
        ("~~~\n```\n~~~", [("", "```\n", True)]),
        ("```\n```", [("", "", True)]),
        ("```\n\n```", [("", "\n", True)]),
        ("```java\nx", [("java", "x", False)]),
        ("```", [("", "", False)]),
        ("1. so:\n   ```java\n   if\n     x\n\n  y\n   ```", [("java", "if\n  x\n\ny\n", True)]),
        ("- \n\t```\n\tx\n\t```", [("", "x\n", True)]),
        ("``` a`b\nx", []),
        ("``\nx\n``", []),
        ("x ```\ny\n```", [("", "", False)]),
        ("```\n x = '''\n    ```\n```", [("", " x = '''\n    ```\n", True)]),  # too far in to close
        ("```\nx\n```y\n```", [("", "x\n```y\n", True)]),
        ("```\nx```\n", [("", "x```\n", False)]),
        # text behind the closing fence
        *((f"```java\nx\n```{text}", [("java", "x\n", True)]) for text in BEHIND),
        *((f"```java\nx\n```{text}\nor\n~~~\ny\n~~~", [("java", "x\n", True), ("", "y\n", True)]) for text in BEHIND),
        *((f"```md\nx\n```{info}\ny\n```", [("md", f"x\n```{info}\ny\n", True)]) for info in INFOS),
        ("```md\nx\n```sh", [("md", "x\n```sh", False)]),
    ],
)
def test_fences(given_text, expected):
    found = fences(given_text)
    assert [(fence.info, fence.body, fence.closed) for fence in found] == expected
    for fence in found:
        assert given_text[fence.start : fence.end].lstrip().startswith(("```", "~~~"))


@SETTINGS
@given(tags.map("".join))
def test_blocks_do_not_overlap(any_text):
    found = fences(any_text)
    ends = [0, *(offset for fence in found for offset in (fence.start, fence.end))]
    assert ends == sorted(ends) and ends[-1] <= len(any_text)
    assert all(fence.closed for fence in found[:-1])


@pytest.mark.parametrize(
    "piece", ["```\n", "```java\nx\n```\n", "```\n</think>\n```\n", "<think>\n", "</thinking>\n", "```a b\n"]
)
def test_many_fences_and_tags_take_no_time(piece):
    text = piece * (400_000 // len(piece))
    start = time.process_time()
    fences(text), split_reply(text)
    assert time.process_time() - start < 0.5  # a tenth of it, on an idle machine
