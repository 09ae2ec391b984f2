"""What is said before anything is sent, and the pause at the quote."""

import pytest

from llmerge_helpers.conflicts import Form
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Budget, Teacher, agree, going_out
from llmerge_helpers.generate.prices import Quote
from llmerge_helpers.run import screen

RULES = Teacher("rules", "rules", "")
DEEPSEEK = Teacher("deepseek", "deepseek-flash", "https://api.deepseek.com", "key")
LOCAL = Teacher("openai", "mine", "http://localhost:8000/v1")
FAR = Teacher("openai", "mine", "https://llm.example.org:8443/v1")


def test_every_endpoint_is_called_by_its_host_and_model():
    found = {teacher.label: (teacher.place, teacher.local) for teacher in (RULES, DEEPSEEK, LOCAL, FAR)}
    assert found == {
        "rules": ("rules", True), "deepseek-flash (deepseek)": ("deepseek", False),
        "mine (localhost:8000)": ("localhost:8000", True),
        "mine (llm.example.org:8443)": ("llm.example.org:8443", False),
    }  # fmt: skip
    assert Teacher("openai", "m", "https://user@host.example/v1").place == "host.example"


def test_what_is_told_beside_the_conflict_is_said():
    said = going_out([{"repository": "a"}] * 2, DEEPSEEK, Form(siblings=2, context="diff"))
    assert "with the lines around them, how others of their merges were resolved, the commits of both sides; " in said


@pytest.mark.parametrize(
    ("teacher", "repositories", "says"),
    [
        (RULES, ["a"], "Nothing leaves this machine"),
        (DEEPSEEK, ["a"], "1 conflict of a goes to api.deepseek.com, with the lines around it"),
        (FAR, ["a", "b", "a"], "3 conflicts of a, b go to llm.example.org:8443, with"),
        (LOCAL, ["a"] * 2, "2 conflicts of a go to localhost:8000, on this machine"),
        (FAR, list("abcde"), "5 conflicts of a, b, c and 2 other repositories go to"),
        (FAR, [None], "1 conflict of a data set that names no repository goes to"),
    ],
)
def test_one_sentence_says_what_goes_where(teacher, repositories, says):
    told = going_out([{"repository": name} for name in repositories], teacher)
    assert says in told and "\n" not in told


def quote(worst, left=40):
    return Quote(6, left, 6, worst and worst / 4, worst and worst / 3, worst and worst / 2, worst)


@pytest.mark.parametrize(
    ("teacher", "worst", "cap", "left", "pauses"),
    [
        (DEEPSEEK, 9.0, 0.0, 40, True),
        (FAR, None, 0.0, 40, True),
        (DEEPSEEK, 9.0, 2.0, 40, False),
        (DEEPSEEK, 9.0, 0.0, 0, False),
        (RULES, 0.0, 0.0, 40, False),
        (LOCAL, None, 0.0, 40, False),
        (LOCAL, 3.0, 0.0, 40, True),  # a proxy for what costs money
    ],
)
def test_it_pauses_where_money_is_at_stake_and_no_cap_is_set(teacher, worst, cap, left, pauses):
    asked = []
    agree(quote(worst, left), Budget(cap), teacher, lambda text: asked.append(text) or "y")
    assert bool(asked) == pauses
    if asked:
        assert teacher.label in asked[0] and "40" in asked[0] and ("in dollars" in asked[0]) == (worst is not None)


@pytest.mark.parametrize(
    ("said", "cap"), [("y", 0), (" Yes ", 0), ("2", 2), ("$2.50", 2.5), ("0.5 $", 0.5), (".5", 0.5)]
)
def test_a_yes_goes_on_and_a_number_is_the_cap(said, cap):
    budget = Budget()
    agree(quote(9.0), budget, DEEPSEEK, lambda text: said)
    assert budget.cap == cap


@pytest.mark.parametrize("said", ["n", "No", "", "  "])
def test_a_no_sends_nothing_more(said):
    with pytest.raises(LlmergeError, match="stopped at the quote: 6 answers are on disk, and nothing more is sent"):
        agree(quote(9.0), Budget(), DEEPSEEK, lambda text: said)


@pytest.mark.parametrize("said", ["maybe", "0", "1,5", "-1", "1e3", "nan"])
def test_what_is_not_understood_is_asked_again(said):
    answers, budget = [said, "3"], Budget()
    agree(quote(9.0), budget, DEEPSEEK, lambda text: answers.pop(0))
    assert budget.cap == 3 and not answers
    answers = ["3", "y"]
    agree(quote(None), budget := Budget(), FAR, lambda text: answers.pop(0))
    assert budget.cap == 0, "a cap in dollars means nothing where no price is known"


def test_without_anybody_to_ask_it_goes_on(monkeypatch):
    agree(quote(9.0), Budget(), DEEPSEEK)  # a shell
    monkeypatch.setattr(screen, "_in_notebook", lambda: True)
    from IPython.core.error import StdinNotImplementedError

    def nobody(text):
        raise StdinNotImplementedError("papermill")

    monkeypatch.setattr("builtins.input", nobody)
    agree(quote(9.0), Budget(), DEEPSEEK)
    monkeypatch.setattr("builtins.input", lambda text: "1.5")
    agree(quote(9.0), budget := Budget(), DEEPSEEK)
    assert budget.cap == 1.5
