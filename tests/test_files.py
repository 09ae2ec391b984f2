import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers import files
from llmerge_helpers.errors import LlmergeError

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
