"""Conflict cards: what they say, and that no text of a stranger gets out of its place."""

import html
import html.parser
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import Conflict, messages
from llmerge_helpers.conflicts.changes import diff
from llmerge_helpers.conflicts.languages import TABLE
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.show import ConflictView, TrainingView, browse, code
from llmerge_helpers.show.card import VERDICTS, capped, visible
from llmerge_helpers.verdict import MATCH_TYPES, verify

ROW = {
    "id": "shop@0123456789ab:src/Cart.java#0",
    "repository": "shop",
    "path": "src/Cart.java",
    "language": "Java",
    "kind": "mixed",
    "before": "class Cart {\n",
    "ours": "  int total(int tax) {\n    return sum + tax;\n",
    "base": "  int total() {\n    return sum;\n",
    "theirs": "  int total() {\n    return Math.max(sum, 0);\n",
    "after": "  }\n}\n",
    "resolution": "  int total(int tax) {\n    return Math.max(sum, 0) + tax;\n",
}
ROW["answer"] = ROW["before"] + ROW["resolution"] + ROW["after"]
ROW["question"] = Conflict.of(ROW).question()
RIGHT = f"<think>\nkeep both\n</think>\n\n```java\n{ROW['answer']}```"
WRONG = RIGHT.replace("Math.max(sum, 0) + tax", "sum + tax")
ALLOWED = {"style", "div", "b", "i", "span", "mark", "table", "tr", "td", "pre", "ins", "del", "details", "summary"}


def card(reply, row=ROW, **options):
    return ConflictView(row, reply, verify(reply, row), **options)


class Page(html.parser.HTMLParser):
    """The tags, whether they nest, and the text that is left when all of them and all CSS are gone."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.text, self.attributes, self.cells = set(), [], "", set(), []
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "td" or (tag == "pre" and "td" in self.open):  # a title, then its lines
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if "td" in self.open:
            self.cells[-1] += data

    def handle_comment(self, data):
        raise AssertionError("a comment got in")

    handle_decl = handle_pi = unknown_decl = handle_comment


def test_a_wrong_answer_shows_both_sides_and_where_it_differs():
    page = Page(card(WRONG)._repr_html_())
    assert page.text.startswith(f"{VERDICTS['incorrect_resolution']} · src/Cart.java · Java")
    assert page.cells[::2] == [
        "ours, as a diff from base",
        "theirs, as a diff from base",
        "developer's resolution (│), in its context",
        "answer, as a diff from the developer's resolution",
    ]
    assert "-   int total() {\n-     return sum;\n+   int total(int tax) {\n+     return sum + tax;" in page.cells[1]
    assert "+     return Math.max(sum, 0);" in page.cells[3]
    assert "-     return Math.max(sum, 0) + tax;\n+     return sum + tax;" in page.cells[7]
    assert "expected “Math”, got “sum”" in page.text


def test_the_first_differing_token_is_marked_on_its_line():
    markup = card(WRONG)._repr_html_()
    assert re.findall("<mark>([^<]*)</mark>", markup) == ["sum"]
    assert "+     <span class=k>return</span> <mark>sum</mark> + tax;" in markup


def test_words_that_differ_are_marked_and_only_where_lines_are_alike():
    alike = ConflictView({"base": "int a = 1;\n", "ours": "int a = 2;\n", "theirs": "print(x)\n", "path": "A.java"})
    ours, theirs = re.findall("<pre>(.*?)</pre>", alike._repr_html_(), re.S)[:2]
    assert re.findall("<b>(.*?)</b>", ours) == ["1", "2"] and "<b>" not in theirs


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.text("ab<&'\"#/ \t\u202e1", max_size=12), max_size=6), st.sampled_from(["Python", "Java", "", "XML"])
)
def test_colour_and_marks_change_no_character(lines, language):
    rows = [("-+"[i % 2], line) for i, line in enumerate(lines)]
    words, spans = code.changed_words(rows), code.coloured(lines, language)
    for i, line in enumerate(lines):
        marked = code.markup(line, spans[i], words.get(i, ()), (1, 3), visible)
        assert html.unescape(re.sub("<[^>]*>", "", marked)) == visible(line)


def test_every_language_has_colours_or_none_and_they_lie_in_their_lines():
    lines = ["", "# if 'a' /* x", "<b c='d'>\t// é", '*/ return "1"; -- $x', '"""a', 'b"""']
    found = {language: code.coloured(lines, language) for language in TABLE}
    for spans in found.values():
        assert all(0 <= low < high <= len(line) for line, row in zip(lines, spans, strict=True) for low, high, _ in row)
    assert not any(found["Text"]) and all(
        any(found[name]) for name in ("Java", "Makefile", "HTML", "INI", "Dockerfile")
    )


def test_nothing_is_scrolled_sideways_and_panes_go_below_each_other():
    markup = card(WRONG)._repr_html_() + TrainingView("a", "b")._repr_html_()
    rules = re.findall(r"\.llm pre\{([^}]*)\}", markup)
    assert len(rules) == 2 and all("pre-wrap" in rule and "anywhere" in rule for rule in rules)
    assert "overflow-x" not in markup and "flex-wrap:wrap" in markup


def test_an_identical_answer_is_said_once():
    page = Page(card(RIGHT)._repr_html_())
    assert len(page.cells) == 6
    assert page.cells[4] == "answer: identical to the developer's resolution (│)"
    assert page.text.startswith(VERDICTS["exact_match"])


def test_an_answer_that_ends_with_an_empty_line_is_identical_too():
    row = {**ROW, "after": ROW["after"] + "\n", "answer": ROW["answer"] + "\n"}
    assert len(Page(card(f"```java\n{row['answer']}```", row)._repr_html_()).cells) == 6


def test_every_verdict_has_words_of_its_own():
    assert set(VERDICTS) == set(MATCH_TYPES)
    assert len(set(VERDICTS.values())) == len(VERDICTS)


@pytest.mark.parametrize(
    "reply", [None, "", "no code here", "<think>\nhm", {"content": None, "reasoning_content": "hm"}]
)
def test_replies_without_an_answer_still_show_the_conflict(reply):
    view = card(reply)
    page = Page(view._repr_html_())
    assert "developer's resolution (│), in its context" in page.cells
    assert "int total(int tax)" in page.text and "int total(int tax)" in repr(view)


def test_a_conflict_alone_has_no_verdict():
    view = ConflictView(ROW)
    assert view.heading.startswith("conflict · src/Cart.java")
    assert "reasoning" not in Page(view._repr_html_()).text


def test_rows_with_only_question_and_answer_work():
    row = {"question": ROW["question"], "answer": ROW["answer"]}
    page = Page(card(WRONG, row)._repr_html_())
    assert "+   int total(int tax) {" in page.cells[1] and "-     return Math.max(sum, 0) + tax;" in page.cells[-1]


def test_without_a_base_both_sides_are_all_new():
    row = {**ROW, "base": ""}
    page = Page(ConflictView(row)._repr_html_())
    assert page.cells[0] == "ours, git has no base text"
    assert page.cells[1].startswith("+   int total(int tax)")


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> </pre></td></table></details> <!-- &lt; &amp;amp; "
    "\x1b[31mred\x00\x08 \u202eright to left\u2066 zero\u200bwidth \ufeff \x85 \u2028 ```\n````diff\n</details>\n"
)


def hostile_cards():
    everywhere = {**ROW, **dict.fromkeys(("before", "ours", "theirs", "after", "path", "language", "kind"), HOSTILE)}
    everywhere |= {"resolution": HOSTILE, "answer": HOSTILE * 3, "question": Conflict.of(ROW).question() + HOSTILE}
    verdict = {
        "match_type": "incorrect_resolution", "is_correct": False, "answer": HOSTILE, "detail": HOSTILE,
        "first_difference": {"index": 0, "expected": HOSTILE, "got": "<script>", "line": 1},
    }  # fmt: skip
    prompt = [*messages(ROW), {"role": HOSTILE, "content": HOSTILE}]
    yield ConflictView(everywhere, f"<think>{HOSTILE}</think>{HOSTILE}", verdict, HOSTILE, prompt)
    yield ConflictView(everywhere, {"content": HOSTILE, "reasoning_content": HOSTILE, HOSTILE: [HOSTILE]}, verdict)
    yield ConflictView(everywhere, None, {**verdict, "match_type": HOSTILE})


def unseen(text):
    return {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {"\n", "\t"}


@pytest.mark.parametrize("view", hostile_cards(), ids=["text", "message", "no reply"])
def test_hostile_text_stays_text(view):
    markup = view._repr_html_()
    page = Page(markup)
    assert page.tags <= ALLOWED and page.attributes <= {"style", "class"}
    assert "<script>" in page.text and "onerror" in page.text  # still there to read
    for shown in (markup, repr(view), view.to_markdown()):
        assert not unseen(shown)
    assert "␛[31mred" in page.text and "⟨U+202E⟩" in page.text


def test_markdown_fences_are_longer_than_what_they_hold():
    view = next(hostile_cards())
    text = view.to_markdown()
    opened = None
    for line in text.split("\n"):
        run = re.fullmatch(r"(`{3,})(\w*)", line)
        if run and opened is None:
            opened = run[1]
        elif opened and re.fullmatch(rf"`{{{len(opened)},}}", line):
            opened = None
        else:
            assert opened or not line.startswith("+ ")
    assert opened is None


def test_huge_texts_are_capped_and_quick():
    line, many = "x" * 1_000_000, "line of code;\n" * 200_000
    row = {**ROW, "ours": line + "\n", "theirs": many, "base": many[:100_000], "answer": line, "resolution": line}
    reply = f"<think>\n{line}\n{many}</think>\n\n```java\n{line[:-1]}y\n{many}```"
    verdict = {"match_type": "incorrect_resolution", "answer": line[:-1] + "y\n" + many, "detail": line}
    view = ConflictView(row, reply, verdict)
    markup = view._repr_html_()
    assert len(markup) < 100_000 and len(repr(view)) < 60_000 and len(view.to_markdown()) < 100_000
    assert "999,800 more characters" in markup and "more lines" in markup
    Page(markup)


def test_crlf_is_named_once_and_mixed_line_ends_are_shown():
    crlf = {
        k: v.replace("\n", "\r\n") if k in ("before", "ours", "base", "theirs", "after", "answer") else v
        for k, v in ROW.items()
    }
    reply = WRONG
    view = ConflictView(crlf, reply, verify(reply, crlf))
    assert "CRLF line ends" in view.heading and "␍" not in Page(view._repr_html_()).cells[1]
    mixed = {**ROW, "theirs": ROW["theirs"].replace("\n", "\r\n")}
    assert "␍" in Page(ConflictView(mixed)._repr_html_()).cells[3]


any_text = st.text(st.characters(codec=None), max_size=120) | st.text("<>&\"'`ab+- \n\r\t\x1b\u202e", max_size=120)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(any_text, any_text, any_text, any_text, any_text)
def test_any_text_gives_a_well_formed_card(ours, base, theirs, answer, reply):
    row = {"before": "", "ours": ours, "base": base, "theirs": theirs, "after": "", "answer": answer, "path": reply}
    verdict = {"match_type": "unresolved", "answer": reply, "first_difference": {"got": ours[:3], "line": 1}}
    view = ConflictView(row, reply, verdict)
    page = Page(view._repr_html_())
    assert page.tags <= ALLOWED and not unseen(page.text) and not unseen(repr(view)) and not unseen(view.to_markdown())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from("abc"), max_size=40), st.lists(st.sampled_from("abc"), max_size=40))
def test_a_diff_holds_both_texts(a, b):
    rows = diff("".join(x + "\n" for x in a), "".join(x + "\n" for x in b), context=1000)
    assert [line for sign, line in rows if sign in " -"] == a
    assert [line for sign, line in rows if sign in " +"] == b


def test_a_long_diff_leaves_out_what_did_not_change():
    lines = [f"{i}\n" for i in range(100)]
    rows = diff("".join(lines), "".join([*lines[:50], "new\n", *lines[50:]]))
    assert rows[0] == ("…", "47 unchanged lines") and ("+", "new") in rows and rows[-1] == ("…", "47 unchanged lines")


def test_a_missing_last_line_end_is_seen():
    assert diff("a\nb\n", "a\nb") == [(" ", "a"), ("-", "b"), ("+", "b⟨no line end⟩")]


def test_visible_keeps_what_people_write():
    for text in ("naïve Größe 日本語 → ≤ 'x' \t\n", "пример α β"):
        assert visible(text) == text
    assert capped("") == ""


def test_training_view_marks_the_part_with_loss():
    view = TrainingView("<|im_start|>user\n2+2?\n", "<think>\n<b>4</b>\n</think>")
    page = Page(view._repr_html_())
    assert page.text.index("learned") < page.text.index("<b>4</b>")
    assert "  2+2?" in repr(view) and "+ <b>4</b>" in repr(view)


# ------------------------------------------------------------------------------------------------------ many of them


def example(number, reply, sample=0, **row):
    row = {**ROW, "id": f"{number}", **row}
    return {
        "example_id": number, "sample": sample, "id": row["id"], "row": row, "prompt": messages(row),
        "message": {"content": reply}, "reasoning": "because", "answer": reply, "verdict": verify(reply, row).to_dict(),
        "usage": {"completion_tokens": 10 + number}, "cost_usd": 0.5,
    }  # fmt: skip


EXAMPLES = [
    example(0, RIGHT), example(1, WRONG, language="Python"), example(2, "no code"), example(3, RIGHT, kind="ours"),
    example(3, WRONG, sample=1, kind="ours"),
]  # fmt: skip


def test_the_table_puts_the_worst_first():
    frame = browse.table(EXAMPLES)
    assert (
        frame["verdict"].tolist()
        == ["invalid_output", "incorrect_resolution", "incorrect_resolution"] + ["exact_match"] * 2
    )
    assert frame["example_id"].tolist() == [2, 1, 3, 0, 3]
    assert frame.loc[0, ["tokens", "cost_usd", "lines"]].tolist() == [12, 0.5, 6]
    assert browse.table([]).empty


def test_show_prints_the_same_cards_for_the_same_seed(capsys):
    browse.cards(EXAMPLES, n=2, seed=1)
    first = capsys.readouterr().out
    browse.cards(EXAMPLES, n=2, seed=1)
    assert capsys.readouterr().out == first and first.count("--- ours") == 2


def test_browse_outside_a_live_notebook_shows_cards(capsys, monkeypatch):
    for name in ("JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)
    assert browse.browser(EXAMPLES, n=2) is None
    assert capsys.readouterr().out.count("--- ours") == 2
    with pytest.raises(LlmergeError, match="nothing to browse"):
        browse.browser([])


def test_browse_without_ipywidgets_shows_cards(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    assert browse.browser(EXAMPLES, n=1, widgets=True) is None
    assert "ipywidgets is not installed" in capsys.readouterr().out


def test_the_browser_says_which_conflict_of_its_merge_is_shown():
    pytest.importorskip("ipywidgets")
    merged = {"merge_commit": "a1", "merge_size": 12}
    told = [e | {"row": e["row"] | merged | {"order": n}} for n, e in enumerate(EXAMPLES)]
    alone = EXAMPLES[4] | {"row": EXAMPLES[4]["row"] | {"merge_commit": "b2", "merge_size": 1, "order": 0}}
    browser = browse.Browser([*told[:4], alone])
    here = len({e["row"].get("id") for e in told[:4]})
    assert browser.count.value == f"1 of 5 · conflict 3 of the 12 of its merge, {here} of them here"
    assert browse.Browser([alone]).count.value == "1 of 1"


def test_the_browser_filters_searches_steps_and_jumps():
    pytest.importorskip("ipywidgets")
    browser = browse.Browser(EXAMPLES)
    assert [example["example_id"] for example in browser.examples] == browse.table(EXAMPLES)["example_id"].tolist()
    assert browser.count.value == "1 of 5" and VERDICTS["invalid_output"] in browser.card.value
    browser.next.click()
    assert browser.count.value == "2 of 5" and VERDICTS["incorrect_resolution"].split("'")[0] in browser.card.value
    browser.previous.click()
    browser.previous.click()
    assert browser.count.value == "5 of 5" and "identical" in browser.card.value
    browser.filters["verdict"].value = "incorrect_resolution"
    assert browser.count.value == "1 of 2 (of 5)"
    browser.filters["language"].value = "Python"
    assert browser.found == [1] and browser.next.disabled
    browser.search.value = "NO CODE"
    assert browser.found == [] and "Nothing fits" in browser.card.value
    browser.next.click()
    for control in browser.filters.values():
        control.value = ""
    assert browser.found == [0]
    assert all(len(label) < 40 for control in browser.filters.values() for label, _ in control.options)


def test_a_jump_keeps_the_filters_and_text_finds_all():
    pytest.importorskip("ipywidgets")
    browser = browse.Browser([example(n, WRONG if n < 3 else RIGHT, id=f"shop@{n % 2}#{n}") for n in range(6)])
    browser.jump.value = "4"
    assert browser.count.value == "5 of 6" and browser.jump.value == ""
    browser.jump.value = "shop@1"
    assert browser.count.value == "1 of 3 (of 6)"
    browser.filters["verdict"].value = "exact_match"
    assert browser.count.value == "1 of 2 (of 6)"
    browser.jump.value = "3"  # all of that verdict again, at the one with this number
    assert browser.count.value == "1 of 3 (of 6)" and browser.filters["verdict"].value == "exact_match"
    browser.jump.value = "2"
    assert browser.count.value == "no example 2 among these: the filters hide it"
    browser.jump.value = "77"
    assert browser.count.value == "no example 77"
    browser.jump.value = "<b>"
    assert browser.found == [] and browser.count.value == "0 of 0 (of 6)"
