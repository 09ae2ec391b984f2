import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import files

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def test_a_crash_while_writing_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_atomic(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_parents_are_made_and_line_ends_are_kept(tmp_path):
    files.write_atomic(tmp_path / "x" / "y.txt", "a\r\nb\n")
    assert (tmp_path / "x" / "y.txt").read_bytes() == b"a\r\nb\n"


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=40) | st.integers() | st.none(), max_size=3))
)
def test_json_lines_come_back_as_they_were(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    files.write_jsonl(path, rows)
    assert list(files.read_jsonl(path)) == rows


def test_half_a_character_does_not_make_a_file_unreadable(tmp_path):
    files.write_jsonl(tmp_path / "rows.jsonl", [{"a": "x\ud83dy"}])
    assert list(files.read_jsonl(tmp_path / "rows.jsonl")) == [{"a": "x\ud83dy"}]


def test_a_torn_line_is_named_as_seen_from_the_root(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    path = tmp_path / "outputs" / "rows.jsonl"
    path.parent.mkdir()
    path.write_text(json.dumps({"a": 1}) + '\n{"a": 2, "b"')
    with pytest.raises(LlmergeError, match=r"^outputs/rows\.jsonl, line 2 is torn"):
        list(files.read_jsonl(path))


def test_a_torn_json_file_is_named_as_seen_from_the_root(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    (tmp_path / "run.json").write_text('{"status": "fin')
    with pytest.raises(LlmergeError, match=r"^run\.json is not readable JSON"):
        files.read_json(tmp_path / "run.json")


# ---------------------------------------------------------------------------------------------------------- folders


def folder(path, text):
    path.mkdir(parents=True)
    (path / "a.txt").write_text(text)
    return path


def test_a_folder_takes_the_place_of_another_and_leaves_nothing_behind(tmp_path):
    for text in ("one", "two", "three"):
        with files.room_beside(tmp_path / "d") as room:
            files.replace_folder(folder(room / "new", text), tmp_path / "d")
        assert (tmp_path / "d" / "a.txt").read_text() == text and os.listdir(tmp_path) == ["d"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch, failing):
    old, calls, replace = folder(tmp_path / "d", "old"), [], os.replace

    def fail_once(*arguments):
        calls.append(arguments)
        if len(calls) == failing:
            raise OSError(28, "No space left on device")
        return replace(*arguments)

    monkeypatch.setattr(os, "replace", fail_once)
    with pytest.raises(LlmergeError, match="d cannot be written .No space left on device.: make room"):
        with files.room_beside(old) as room:
            files.replace_folder(folder(room / "new", "new"), old)
    assert len(calls) >= failing and (old / "a.txt").read_text() == "old" and os.listdir(tmp_path) == ["d"]


def test_what_cannot_be_read_is_not_called_a_place_to_write(tmp_path):
    (tmp_path / "d").mkdir()
    for missing in (tmp_path / "source", tmp_path / "d2" / "source", Path("elsewhere")):
        with pytest.raises(
            LlmergeError, match=rf"{missing.name} cannot be read .No such file.*, so .*d is not written"
        ):
            with files.room_beside(tmp_path / "d"):
                missing.read_text()
    for place in (tmp_path / "d" / "x", tmp_path / "d"):
        with pytest.raises(LlmergeError, match="d cannot be written"):
            with files.room_beside(tmp_path / "d") as room:
                (place if place.name == "x" else room / "x").read_text()


def test_a_kill_in_the_middle_of_replacing_leaves_the_old_folder_to_be_read(tmp_path):
    old, new = folder(tmp_path / "d", "old"), folder(tmp_path / "room" / "new", "new")
    code = f"""
import os, signal
from pathlib import Path
from llmerge_helpers.run import files
replace = os.replace
os.replace = lambda a, b: os.kill(os.getpid(), signal.SIGKILL) if str(a).endswith("new") else replace(a, b)
files.replace_folder(Path({str(new)!r}), Path({str(old)!r}))
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert not old.exists() and (files.in_place(old) / "a.txt").read_text() == "old"
    for text in ("new", "newer"):  # what was left stands in nobody's way
        with files.room_beside(old) as room:
            files.replace_folder(folder(room / "new", text), old)
        assert (files.in_place(old) / "a.txt").read_text() == text
    assert sorted(os.listdir(tmp_path)) == ["d", "room"]


def test_what_a_killed_process_left_a_day_ago_is_removed(tmp_path):
    for name, age in (
        (".d-killed.tmp", 100_000),
        (".d-at-work.tmp", 60),
        (".d-mine", 100_000),
        (".e-other.tmp", 100_000),
    ):
        folder(tmp_path / name, "left")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with files.room_beside(tmp_path / "d"):
        pass
    assert sorted(os.listdir(tmp_path)) == [".d-at-work.tmp", ".d-mine", ".e-other.tmp"]
