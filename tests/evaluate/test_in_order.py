"""A merge in its order: what a question tells in either setting, and that the two are never compared."""

from __future__ import annotations

import pytest

from llmerge_helpers.conflicts import Conflict, Form, render_answer
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import (
    by_model,
    by_rules,
    by_teacher,
    comparisons,
    evaluate_baselines,
    evaluate_in_merges,
    in_order,
    load_evaluation,
    summary,
    verdicts,
)
from llmerge_helpers.generate import pick
from llmerge_helpers.models import Completion, Loaded


def row(merge: str, order: int, takes: str) -> dict:
    """Both sides rewrote one line, and the developers took a side whole."""
    texts = {"ours": f"ours({merge}{order})\n", "base": f"old({order})\n", "theirs": f"theirs({merge}{order})\n"}
    here = {"id": f"{merge}{order}", "repository": "r", "merge_commit": merge, "order": order, "path": f"{order}.txt"}
    around = {"before": "first\n", "after": "last\n", "language": "Text"}
    return here | around | texts | {"resolution": texts[takes], "answer": f"first\n{texts[takes]}last\n", "kind": takes}


# out of order, as rows of a random draw are
ROWS = [row("m", 2, "ours"), row("n", 0, "theirs"), row("m", 0, "ours"), row("m", 1, "ours"), row("n", 1, "theirs")]


def always_theirs(turns):
    answers = (render_answer(turn.conflict.with_(turn.conflict.theirs), "Text") for turn in turns)
    return [Completion(answer, "stop", 1) for answer in answers]


@pytest.mark.parametrize(("setting", "waves", "said"), [("interactive", [5], "ours"), ("alone", [2, 2, 1], "theirs")])
def test_each_conflict_is_asked_with_what_came_before(setting, waves, said, tmp_path):
    asked, turns = [], []

    def answer(now):
        asked.append(len(now))
        turns.extend(now)
        return always_theirs(now)

    table = evaluate_in_merges("it", ROWS, answer, setting, siblings=2, output_dir=tmp_path)
    assert asked == waves and table["id"].tolist() == [each["id"] for each in ROWS]
    assert table["is_correct"].tolist() == [False, True, False, False, True] and set(table["setting"]) == {setting}
    found = {turn.row["id"]: turn for turn in turns}
    assert [len(found[f"m{n}"].decided) for n in range(3)] == [0, 1, 2]
    assert [Conflict.of(ROWS[k]) for k in (2, 3)] == [each.conflict for each in found["m2"].decided]
    assert found["m2"].row["earlier"]["ways"] == {said: 2} and found["n1"].row["earlier"]["ways"] == {"theirs": 1}
    assert load_evaluation(f"it-{setting}", tmp_path)["id"].tolist() == table["id"].tolist()


def test_what_was_not_resolved_is_not_decided(tmp_path):
    decided = []

    def silent(turns):
        decided.extend(len(turn.decided) for turn in turns)
        return [Completion("I cannot tell.", "stop", 1) for _ in turns]

    table = evaluate_in_merges("it", ROWS, silent, "alone", output_dir=tmp_path)
    assert decided == [0] * 5 and not table["answered"].any()
    with pytest.raises(LlmergeError, match="setting is 'both': use interactive or alone"):
        evaluate_in_merges("it", ROWS, silent, "both", output_dir=tmp_path)


def test_rules_models_and_teachers_go_through_a_merge(tmp_path, monkeypatch):
    rules = evaluate_in_merges("rules in merge", ROWS, by_rules, "interactive", output_dir=tmp_path)
    assert rules["is_correct"].tolist()[0] and rules["is_correct"].tolist()[4]  # what its merge did twice, and once

    prompts = []

    def complete(model, tokenizer, texts, **how):
        prompts.extend(texts)
        return [Completion("<think>\nours\n</think>\n\nOurs.", "stop", 3) for _ in texts]

    monkeypatch.setattr(in_order, "complete", complete)
    monkeypatch.setattr(in_order, "render_prompt", lambda tokenizer, chat: chat[-1]["content"])
    form = Form("compact", siblings=1)
    model = evaluate_in_merges(
        "it", ROWS, by_model(Loaded(None, None, ""), form), "alone", siblings=1, output_dir=tmp_path
    )
    assert model["is_correct"].tolist() == [True, False, True, True, False]
    assert [text.partition(": ")[2].partition(".\n")[0] for text in prompts] == [
        "nothing is decided yet", "nothing is decided yet", "1 decided (ours: 1)", "1 decided (ours: 1)",
        "2 decided (ours: 2)",
    ]  # fmt: skip

    options = {"cache_dir": str(tmp_path / "cache")}
    asked = by_teacher(pick("rules"), Form(siblings=3), options)
    teacher = evaluate_in_merges("rules", ROWS, asked, "interactive", siblings=3, output_dir=tmp_path)
    alone = evaluate_baselines(ROWS, ("rules",), output_dir=tmp_path)["rules"]
    assert teacher["is_correct"].tolist() == alone["is_correct"].tolist()  # it reads the conflict, and no more


def test_the_settings_never_stand_in_one_table(tmp_path):
    tables = {
        setting: evaluate_in_merges(setting, ROWS, by_rules, setting, output_dir=tmp_path)
        for setting in ("interactive", "alone")
    }
    for told in (summary, verdicts, lambda tables: comparisons(tables, [("alone", "interactive")])):
        with pytest.raises(LlmergeError, match="different settings .alone and interactive."):
            told(tables)
    rules = evaluate_baselines(ROWS, ("rules",), output_dir=tmp_path)
    assert len(summary(rules | {"interactive": tables["interactive"]})) == 2
