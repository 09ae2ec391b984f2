"""The tool that a person resolves a merge with: what it writes, what it leaves, what it says."""

import io
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resolver import body, git, in_conflict

from llmerge_helpers import models, resolver
from llmerge_helpers.conflicts import Conflict, Decided, Hunk, make_hunk, parse
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import keep_calibration
from llmerge_helpers.evaluate.confidence import Calibration
from llmerge_helpers.generate import pick
from llmerge_helpers.resolver.confidence import levelled
from llmerge_helpers.resolver.merge import merge_at
from llmerge_helpers.resolver.proposals import Model, Proposal, sure, trained_model
from llmerge_helpers.resolver.screen import Screen, visible
from llmerge_helpers.resolver.tool import Session, opened
from llmerge_helpers.run.files import write_json

ROOT = Path(__file__).resolve().parent.parent


def session(path, words, merge=None, above=None, model=None):
    """A session on a file whose questions are answered with `words`, and what was shown."""
    left = iter(words)
    out = io.StringIO()
    screen = Screen(out, lambda question: next(left))
    return Session([opened(path, path.name)], model or Model(), screen, merge, above), out


line = st.text("ab<=>| é\x1b", max_size=9).map(lambda text: text + "\n")
lines = st.lists(line, max_size=5).map("".join)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.tuples(lines, lines, lines, lines, lines),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "latin-1"]),
    st.sampled_from("nsq"),
    st.booleans(),
)
def test_with_every_proposal_refused_the_file_is_what_it_was(tmp_path_factory, texts, newline, encoding, word, ends):
    head, ours, base, theirs, tail = texts
    text = (head + str(make_hunk(ours, base, theirs)) + tail).replace("\n", newline)
    data = (text if ends else text.rstrip("\r\n")).encode(encoding)
    path = tmp_path_factory.getbasetemp() / "refused.txt"
    path.write_bytes(data)
    if (found := opened(path, path.name)) is None:
        return
    asked, _ = session(path, [word] * 2 * len(found.chosen))
    asked.attended()
    assert path.read_bytes() == data == found.bytes_with(found.chosen)
    assert not path.with_name("refused.txt.orig").exists()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_what_is_taken_is_written_in_place_and_the_rest_stays(tmp_path, newline, encoding):
    path = tmp_path / "a.py"
    one = make_hunk("b = 2\n", "b = 1\n", "b = 1  # é\n")
    two = make_hunk("c = f(2)\n", "c = f(1)\n", "c = g(1)\n")
    data = f"# é\n{one}x = 0\n{two}z = 'ü'".replace("\n", newline).encode(encoding)
    path.write_bytes(data)
    path.chmod(0o755)
    asked, out = session(path, ["o", "n"])
    asked.attended()
    kept = f"# é\nb = 2\nx = 0\n{two}z = 'ü'".replace("\n", newline).encode(encoding)
    assert path.read_bytes() == kept and path.with_name("a.py.orig").read_bytes() == data
    assert path.stat().st_mode & 0o777 == 0o755
    asked, out = session(path, ["y"])
    asked.attended()
    assert b"c = g(2)" in path.read_bytes() and "PROPOSAL" in out.getvalue() and "% sure" in out.getvalue()
    assert path.with_name("a.py.orig").read_bytes() == data  # the first one stays
    assert path.with_name("a.py.orig1").read_bytes() == kept


few = st.lists(st.sampled_from(["a\n", "b\n", "}\n", "x\n"]), max_size=6).map("".join)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(few, few, few, st.sampled_from(["\n", "\r\n"]), st.integers(0, 3))
def test_what_is_asked_does_not_depend_on_the_style_that_git_shows(tmp_path_factory, ours, base, theirs, newline, pick):
    folder, found = tmp_path_factory.getbasetemp() / "style", {}
    folder.mkdir(exist_ok=True)
    for side, text in (("ours", ours), ("base", base), ("theirs", theirs)):
        (folder / side).write_bytes(text.replace("\n", newline).encode())
    for style in ("--diff3", "--zdiff3", ""):
        command = ["git", "merge-file", "-p", *[style] * bool(style), "ours", "base", "theirs"]
        text = subprocess.run(command, cwd=folder, capture_output=True).stdout
        path = folder / "file.txt"
        path.write_bytes(text)
        if not (file := opened(path, "file.txt", stages=[base, ours, theirs])):
            return
        found[style] = [(each.ours, each.base, each.theirs) for each in file.conflicts]
        file.take(pick % len(file.chosen), "new" + newline)  # the others stay as git showed them
        assert path.read_bytes().count(b"<<<<<<< ") == sum(raw.count("<<<<<<< ") for raw in file.raw) - file.raw[
            pick % len(file.raw)
        ].count("<<<<<<< ")
        for kept in file.backup * [path.with_name("file.txt.orig")]:
            assert kept.read_bytes() == text
            kept.unlink()
    assert found["--zdiff3"] == found["--diff3"]
    # of two that are near each other git's usual style makes one, whose base is known too
    assert None not in [base for _, base, _ in found[""]] and len(found[""]) <= len(found["--diff3"])
    if len(found[""]) == len(found["--diff3"]):
        assert found[""] == found["--diff3"]


def test_both_functions_that_the_sides_added_keep_their_end(tmp_path):
    one, two = "  int a() {\n    return 1;\n  }\n", "  int b() {\n    return 2;\n  }\n"
    file = in_conflict(tmp_path / "r", "class A {\n}\n", f"class A {{\n{one}}}\n", f"class A {{\n{two}}}\n")
    assert file.read_text().count("  }\n") == 1  # git shows the bracket once, behind its markers
    asked, _ = session(file, ["y"])
    asked.attended()
    assert file.read_text() == f"class A {{\n{one}{two}}}\n"


def test_an_edit_is_taken_where_something_was_changed_and_the_conflict_below_it_is_left_out(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(str(make_hunk("f(a, 2)\n", "f(a, 1)\n", "g(a, 1)\n")))
    before = path.read_bytes()
    monkeypatch.setenv("VISUAL", "true")
    asked, out = session(path, ["e", "n"])
    asked.attended()
    assert path.read_bytes() == before and "Nothing was changed" in out.getvalue()
    monkeypatch.setenv("VISUAL", "sed -i.old s/g/h/")
    asked, out = session(path, ["e"])
    asked.attended()
    assert path.read_text() == "h(a, 2)\n"


def test_the_second_session_knows_what_the_first_one_did(tmp_path, monkeypatch, capfd):
    far = "".join(f"    m{n}();\n" for n in range(9)).strip()
    file = in_conflict(tmp_path / "r", *[body(f"a({v});", far, f"b({v});") for v in (1, 2, 3)])
    monkeypatch.chdir(file.parent)
    before = file.read_bytes()
    for answers, code in ((["o", "n"], 1), (["t"], 0), ([], 0)):
        left = iter(answers)
        monkeypatch.setattr(Screen, "_input", lambda self, question, left=left: next(left))
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        assert resolver.main([]) == code  # no model is named, and there is none: the rules
        told = capfd.readouterr().err
        assert ("git add -- A.java" in told) == (code == 0) and "the rules propose" in told
    assert sorted(each.name for each in file.parent.glob("A.java*")) == ["A.java", "A.java.orig"]
    assert file.with_name("A.java.orig").read_bytes() == before and "a(2)" in file.read_text()


def test_the_heading_is_still_there_when_the_question_comes(tmp_path, monkeypatch):
    path = tmp_path / "a.py"
    sides = ["".join(f"{side} = {n} + {'x' * 60}\n" for n in range(40)) for side in ("ours", "base", "theirs")]
    path.write_text(str(make_hunk(*sides)))
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 40)))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "40")
    out = io.StringIO()
    out.isatty = lambda: True
    Session([opened(path, "a.py")], Model(), Screen(out, lambda question: "n"), None, None).attended()
    assert sum(1 + len(line) // 80 for line in out.getvalue().split("a.py:")[1].splitlines()) < 40


def test_a_file_changed_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(str(make_hunk("a\n", "", "b\n")))
    asked, _ = session(path, ["o"])
    path.write_text("mine\n")
    with pytest.raises(LlmergeError, match="changed by another program"):
        asked.attended()
    assert path.read_text() == "mine\n"


def test_it_learns_from_what_a_person_decides_and_not_from_itself(tmp_path):
    path = tmp_path / "a.txt"
    hunk = make_hunk("one two\n", "zero\n", "three four\n")
    path.write_text("\n\n\n".join(str(hunk) for _ in range(3)))
    asked, out = session(path, ["o", "o", "y"])
    asked.attended()
    assert path.read_text().count("one two") == 3 and "2 were resolved so: ours" in out.getvalue()
    path.write_text(str(make_hunk("a\n", "z\n", "b\n")))
    asked, _ = session(path, [], above=0.0)
    asked.unattended()
    assert asked.earlier == []
    before = [Decided(Conflict(ours=f"a{n}\n", base="", theirs=f"b{n}\n"), f"b{n}\n") for n in range(3)]
    told = resolver.by_rules(Conflict(ours="a\n", base="", theirs="b\n"), before)
    assert (told.by, told.text) == ("rules: in merge", "b\n")


@pytest.mark.parametrize(
    ("ours", "base", "theirs"),
    [("timeout=20\n", "timeout=10\n", "timeout=30\n"), ("a b\n", "c d\n", "e f\n"), ("x\n", None, "y\n")],
)
def test_nothing_is_proposed_where_nothing_speaks_for_a_side(ours, base, theirs):
    told = resolver.by_rules(Conflict(ours=ours, base=base, theirs=theirs, path="a.cfg"))
    assert told.text is None and told.why and not sure(told, 0.0)


def test_a_version_is_no_other_number():
    told = resolver.by_rules(Conflict(ours="v = 1.2.3\n", base="v = 1.2.2\n", theirs="v = 1.3.0\n"))
    assert told.text == "v = 1.3.0\n"


def test_a_proposal_with_which_the_file_does_not_parse_is_none(tmp_path):
    path = tmp_path / "A.java"
    path.write_text(f"class A {{\n{make_hunk('int a = 1;' + chr(10), '', 'int a = 2;' + chr(10))}}}\n")
    asked, out = session(path, ["y", "n"])
    asked.files[0].told = [Proposal("int a = (1;\n", "because", 1.0, "a model")]
    before = path.read_bytes()
    asked.attended()
    assert "would not parse" in out.getvalue() and path.read_bytes() == before


def test_text_of_others_does_not_move_the_cursor(tmp_path):
    assert visible("a\x1b[2J\u202eb\r") == "a\\x1b[2J\\u202eb\\r"
    path = tmp_path / "a.txt"
    path.write_text(str(make_hunk("\x1b]0;x\x07a\n", "", "b\x9b\n", labels=("\x1bours", "b", "t"))))
    asked, out = session(path, ["n"])
    asked.attended()
    assert not set(out.getvalue()) & {"\x1b", "\x07", "\x9b"}


# ---- the command, in repositories


def run(folder, *arguments, **how):
    env = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "LLMERGE_ROOT": str(folder)}
    command = [sys.executable, "-m", "llmerge_helpers.resolver", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, stdin=subprocess.DEVNULL, **how)


def test_outside_a_project_it_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    for name in ("", "outputs/grpo_model", "./none"):
        with pytest.raises(LlmergeError, match="no trained model .*--model rules") as told:
            trained_model(name)
        assert "HF_TOKEN" not in str(told.value)
    (tmp_path / "outputs/grpo_model").mkdir(parents=True)
    assert trained_model() == str(tmp_path / "outputs/grpo_model")


@pytest.mark.parametrize("how", ["merge", "rebase", "cherry-pick", "stash"])
def test_what_is_in_progress_is_found_with_its_sides(tmp_path, how):
    folder = tmp_path / "r"
    file = in_conflict(folder, body("return x;"), body("return x + 1;"), body("return g(x);"))
    if how != "merge":
        git(folder, "merge", "--abort")
        if how == "stash":
            git(folder, "checkout", "-q", "main~1")
            file.write_text(body("return g(x);"))
            git(folder, "stash")
            git(folder, "checkout", "-q", "main")
            git(folder, "stash", "pop", check=False)
        else:
            git(folder, *(["rebase", "topic"] if how == "rebase" else ["cherry-pick", "topic"]), check=False)
    merge = merge_at(folder)
    assert merge.doing[0].split(",")[0] == how and merge.files == {"A.java": ""}
    found = opened(file, "A.java")
    assert found.conflicts[0].base == "    return x;\n"


def test_without_asking_it_takes_what_is_sure_and_leaves_the_rest(tmp_path, monkeypatch, capfd):
    file = in_conflict(tmp_path / "r", body("f(a, 1);"), body("f(a, 2);"), body("g(a, 1);"))
    before = file.read_bytes()
    monkeypatch.chdir(file.parent)
    assert resolver.main(["--model", "rules", "--yes-above", "1"]) == 1 and file.read_bytes() == before
    assert resolver.main(["--model", "rules", "--diff", "A.java"]) in (0, 1) and file.read_bytes() == before
    assert resolver.main(["--model", "rules", "--yes-above", "0"]) == 0
    assert "g(a, 2);" in file.read_text() and file.with_name("A.java.orig").read_bytes() == before
    assert "git add -- A.java" in capfd.readouterr().err
    assert resolver.main(["--model", "rules", "--yes-above", "2"]) == 2  # no chance


def test_a_file_that_one_side_deleted_is_named_and_left(tmp_path, monkeypatch, capfd):
    folder = tmp_path / "r"
    in_conflict(folder, body("a();"), body("b();"), body("c();"))
    git(folder, "merge", "--abort")
    git(folder, "rm", "-q", "A.java")
    git(folder, "commit", "-q", "-m", "gone")
    git(folder, "merge", "topic", check=False)
    monkeypatch.chdir(folder)
    assert resolver.main(["--model", "rules", "--write"]) == 1
    assert "ours deleted it" in capfd.readouterr().err


def test_git_mergetool_keeps_what_was_decided_though_git_puts_the_file_back(tmp_path):
    far = "".join(f"    m{n}();\n" for n in range(9)).strip()
    texts = [body(f"f(a, {v});" if v < 3 else "g(a, 1);", far, f"t = {v}0;") for v in (1, 2, 3)]
    file = in_conflict(tmp_path / "r", *texts)
    command = f"{sys.executable} -m llmerge_helpers.resolver --model rules --yes-above 0 --git"
    command += ' "$BASE" "$LOCAL" "$REMOTE" "$MERGED"'
    git(file.parent, "config", "merge.tool", "llmerge")
    git(file.parent, "config", "mergetool.llmerge.cmd", f"PYTHONPATH={ROOT} {command}")
    git(file.parent, "config", "mergetool.llmerge.trustExitCode", "true")
    before = file.read_bytes()
    done = git(file.parent, "mergetool", "--no-prompt", check=False)
    assert done.returncode and file.read_bytes() == before  # git does that, when a tool leaves a conflict
    [kept] = merge_at(file.parent).remembered()
    assert kept.text.strip() == "g(a, 2);" and not kept.by_person
    git(file.parent, "config", "mergetool.llmerge.cmd", f"PYTHONPATH={ROOT} {command.replace('above 0', 'above 1')}")
    done = git(file.parent, "mergetool", "--no-prompt", check=False)
    assert b"taken again" in done.stderr + done.stdout


def test_standard_input_is_printed_with_its_proposals():
    text = str(make_hunk("f(a, 2)\n", "f(a, 1)\n", "g(a, 1)\n")) + "é"
    command = [sys.executable, "-m", "llmerge_helpers.resolver", "-", "--path", "a.py", "--model", "rules"]
    done = subprocess.run(command, input=text.encode("latin-1"), capture_output=True, cwd=ROOT)
    assert done.stdout == "g(a, 2)\né".encode("latin-1") and done.returncode == 0, done.stderr


def test_a_killed_tool_leaves_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "a.txt"
    hunk = str(make_hunk("f(a, 2)\n", "f(a, 1)\n", "g(a, 1)\n"))
    before = "".join(f"{n}\n{hunk}" for n in range(6))
    allowed = {before.replace(hunk, "g(a, 2)\n", n) for n in range(7)}
    rng = random.Random(0)
    for _ in range(8):
        path.write_text(before)
        child = os.fork()
        if not child:
            asked, _ = session(path, ["o"] * 6)
            Path(tmp_path / "go").touch()
            asked.above = 0.0
            asked.unattended()
            os._exit(0)
        time.sleep(rng.uniform(0.0, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert path.read_text() in allowed
        assert not [p for p in parse(path.read_text()) if isinstance(p, Hunk) and p.theirs != "g(a, 1)\n"]


def test_a_person_answers_in_a_terminal(tmp_path):
    file = in_conflict(tmp_path / "r", body("f(a, 1);"), body("f(a, 2);"), body("g(a, 1);"))
    main, side = pty.openpty()
    env = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    command = [sys.executable, "-m", "llmerge_helpers.resolver", "--model", "rules"]
    tool = subprocess.Popen(command, cwd=file.parent, env=env, stdin=side, stdout=side, stderr=side, close_fds=True)
    os.close(side)
    shown, answered = b"", False
    try:
        while select.select([main], [], [], 60)[0]:
            try:
                part = os.read(main, 4096)
            except OSError:
                break
            shown += part
            if not part:
                break
            if b"? for help]" in shown and not answered:
                answered = bool(os.write(main, b"y\n"))
        assert tool.wait(30) == 0, shown
    finally:
        tool.kill()
        os.close(main)
    assert b"PROPOSAL" in shown and b"\x1b[" in shown and "g(a, 2);" in file.read_text()


def test_a_level_lies_between_its_neighbours():
    levels = [(0.2, 0.3), (0.8, 0.7), (0.9, 0.9)]
    assert [levelled(p, levels) for p in (0, 0.2, 0.5, 0.85, 1)] == [0.3, 0.3, 0.5, 0.8, 0.9]


def test_a_trained_model_is_as_sure_as_03_measured(tmp_path, monkeypatch):
    """Its words were 90 % likely, and such replies were right three times in four on the validation conflicts."""
    asked = Conflict(before="x\n", ours="f(a, 2)\n", base="f(a, 1)\n", theirs="g(a, 1)\n", after="y\n", path="a.py")
    reply = models.Completion("Both.\n```python\nx\ng(a, 2)\ny\n```\n", "stop", 9, 0.9)
    monkeypatch.setattr(models, "load_for_evaluation", lambda name: (None, None, None))
    monkeypatch.setattr(models, "render_prompt", lambda tokenizer, chat: "asked")
    monkeypatch.setattr(models, "complete", lambda *given, **how: [reply])
    (tmp_path / "adapter_config.json").write_text("{}")
    lineage = {"stage": "sft", "base_model": "m", "adapter_hash": "a", "parents": []}
    write_json(tmp_path / "lineage.json", lineage)
    model = Model(str(tmp_path))
    assert not model.calibrated and model.proposals([asked])[0].confidence is None
    keep_calibration(tmp_path, Calibration(slope=0.5, conflicts=40))
    [told] = model.proposals([asked])
    assert model.calibrated and told.text == "g(a, 2)\n" and "40 validation conflicts" in told.why
    assert told.confidence == pytest.approx(0.75)
    write_json(tmp_path / "lineage.json", lineage | {"adapter_hash": "b"})  # it was trained again since
    assert not model.calibrated and model.proposals([asked])[0].confidence is None


def test_a_teacher_of_01_answers_and_its_agreement_is_the_confidence(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = Conflict(before="x\n", ours="f(a, 2)\n", base="f(a, 1)\n", theirs="g(a, 1)\n", after="y\n", path="a.py")
    [told] = Model("rules", pick("rules"), samples=2).proposals([asked])
    assert told.text == "g(a, 2)\n" and told.confidence == 0.75 and "2 of 2 answers" in told.why and told.reasoning
    assert (tmp_path / "llmerge/replies").is_dir()
    there = Model("m", pick("openai", model="m", base_url="https://api.example.org/v1"))
    assert "1 conflict of shop goes to api.example.org" in there.sends([asked], "shop")
