"""The ledger: keys, whole files only, what is set aside, claims between processes."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate.reply_cache import Ledger, request_key, request_keys

BODY = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "merge\nthis é"}]}
URL = "https://host/v1"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
bodies = st.dictionaries(st.text(min_size=1, max_size=4), json_values, min_size=1, max_size=5)


def record(key: str | None = None, body: dict = BODY, sample: int = 0, content: str = "hello", **more) -> dict:
    key = key or request_key(body, URL, sample)
    response = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    return {"key": key, "base_url": URL, "sample": sample, "request": body, "response": response, **more}


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(list(value))}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None, derandomize=True, max_examples=60)
@given(bodies)
def test_the_order_of_fields_does_not_change_the_key(body):
    assert request_key(body, URL, 0) == request_key(reordered(body), URL + "/", 0)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(bodies, json_values)
def test_any_changed_field_changes_the_key(body, value):
    name = next(iter(body))
    changed = body | {name: [body[name], value]}
    assert request_key(changed, URL, 0) != request_key(body, URL, 0)
    assert request_key(body, URL, 0) != request_key(body, URL, 1)
    assert request_key(body, URL, 0) != request_key(body, URL + "/x", 0)


def test_one_byte_of_the_question_changes_the_key():
    other = json.loads(json.dumps(BODY))
    other["messages"][0]["content"] += " "
    assert request_key(other, URL, 0) != request_key(BODY, URL, 0)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(bodies, st.lists(st.text(), min_size=1, max_size=3), st.text(st.characters(categories=None), max_size=20))
def test_keys_made_in_a_row_are_those_made_one_by_one(body, system, text):
    def body_of(text):
        chat = [{"role": "system", "content": each} for each in system] + [{"role": "user", "content": text}]
        return {**body, "messages": chat}

    key_of = request_keys(body_of(system[0]), URL + "/", 3)
    for each in (text, system[0], json.dumps(text), f"\ud800{text}"):
        assert key_of(each) == request_key(body_of(each), URL, 3)


def test_a_listing_knows_what_is_there(tmp_path):
    ledger, kept = Ledger(tmp_path), record()
    absent = next(key for n in range(9) if (key := request_key(BODY, URL, n)) != kept["key"])
    ledger.put(kept)
    ledger.put_attempt(record(absent))
    is_known = ledger.listing()
    assert is_known(kept["key"]) and not is_known(absent) and not is_known("00" + absent[2:])
    assert Ledger(tmp_path / "none").listing()(absent) is False
    (tmp_path / "ab").write_text("")
    assert ledger.listing()("ab" + absent[2:])  # nobody can tell: whoever opens it says why
    with pytest.raises(LlmergeError, match="cannot be read"):
        ledger.get("ab" + absent[2:])


def test_a_record_comes_back_as_it_was(tmp_path):
    ledger = Ledger(tmp_path / "not" / "there")
    kept = record(content="é \ud800 \x00 <b>\r\n", usage={"prompt_tokens": 3}, cost_usd=0.5)
    ledger.put(kept)
    assert ledger.get(kept["key"]) == {"schema": 1, **kept}
    path = ledger.path(kept["key"])
    assert path.parent.name == kept["key"][:2] and path.name == f"{kept['key']}.json"
    assert ledger.get(request_key(BODY, URL, 7)) is None


def check_a_failed_write_leaves_the_old_reply(tmp_path):
    """The disk is full in the middle of a write: the file-size limit of the process plays the disk."""
    ledger = Ledger(tmp_path)
    old = record(content="old")
    ledger.put(old)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        with pytest.raises(OSError):
            ledger.put(record(content="x" * 400_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    found = ledger.get(old["key"])
    assert found and found["response"] == old["response"]
    assert [path.name for path in tmp_path.glob("*/*")] == [f"{old['key']}.json"]


def test_a_failed_write_leaves_the_old_reply(tmp_path):
    check_a_failed_write_leaves_the_old_reply(tmp_path)


@pytest.mark.parametrize(
    "damage", ["torn", "empty", "not utf-8", "list", "other key", "no schema", "no response", "no reply"]
)
def test_a_torn_or_foreign_file_is_set_aside_with_a_warning(tmp_path, caplog, damage):
    ledger, good = Ledger(tmp_path), record()
    ledger.put(good)
    path = ledger.path(good["key"])
    text = path.read_text()
    whole = json.loads(text)
    content = {
        "torn": text[: len(text) // 2],
        "empty": "",
        "list": "[1]",
        "other key": json.dumps(whole | {"key": "0" * 64}),
        "no schema": json.dumps({"key": good["key"], "answer": 42}),
        "no response": json.dumps(whole | {"response": None}),
        "no reply": json.dumps(whole | {"response": {"choices": []}}),
    }.get(damage)
    path.write_bytes(b"\xff\xfe\x00" if content is None else content.encode())
    with caplog.at_level(logging.WARNING):
        assert ledger.get(good["key"]) is None
    assert "set aside" in caplog.text and path.name in caplog.text
    assert not path.exists() and (path.parent / f"{path.name}.set-aside").exists()
    ledger.put(good)
    assert ledger.get(good["key"])["response"] == good["response"]


def test_a_folder_in_place_of_a_reply_is_set_aside(tmp_path):
    ledger = Ledger(tmp_path)
    key = request_key(BODY, URL, 0)
    ledger.path(key).mkdir(parents=True)
    assert ledger.get(key) is None
    ledger.put(record())
    assert ledger.get(key) is not None


def test_temporary_files_of_a_killed_process_are_never_read(tmp_path):
    ledger = Ledger(tmp_path)
    key = request_key(BODY, URL, 0)
    ledger.path(key).parent.mkdir(parents=True)
    (ledger.path(key).parent / f".{key}.json.abc.tmp").write_text('{"half":')
    assert ledger.get(key) is None and list(ledger.records()) == []


def test_what_killed_processes_left_is_cleaned_up_when_it_is_old(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.put(record())
    old, new = (ledger.path(record()["key"]).parent / f".{name}.json.abc.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (1, 1))
    ledger.check_writable()
    assert not old.exists() and new.exists() and ledger.get(record()["key"])


def test_paid_replies_of_no_use_are_numbered_and_kept(tmp_path):
    ledger, good = Ledger(tmp_path), record(cost_usd=1.0)
    for cost in (0.25, 0.5):
        ledger.put_attempt(good | {"cost_usd": cost, "error": "blank"})
    ledger.put(good)
    assert [attempt["cost_usd"] for attempt in ledger.attempts(good["key"])] == [0.25, 0.5]
    assert sum(line["cost_usd"] for line in ledger.records()) == 1.75
    assert ledger.get(good["key"])["cost_usd"] == 1.0


def changed(**fields) -> dict:
    return {**BODY, **fields}


def test_a_claim_holds_until_it_is_released(tmp_path):
    ledger, other = Ledger(tmp_path), Ledger(tmp_path)
    key = request_key(BODY, URL, 0)
    assert ledger.claim(key) and not ledger.claim(key) and not other.claim(key)
    assert other.claim(request_key(BODY, URL, 1))
    ledger.release(key)
    assert other.claim(key)
    other.release(key)
    other.release(request_key(BODY, URL, 1))


def test_a_claim_of_another_process_ends_with_a_sigkill(tmp_path):
    key = request_key(BODY, URL, 0)
    code = "import time; from llmerge_helpers.generate.reply_cache import Ledger; "
    code += f"print(Ledger({str(tmp_path)!r}).claim({key!r}), flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline().strip() == "True"
        assert not Ledger(tmp_path).claim(key)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    ledger = Ledger(tmp_path)
    assert ledger.claim(key)
    ledger.release(key)


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LlmergeError, match="is a file: give a folder"):
        Ledger(tmp_path / "file")
    with pytest.raises(LlmergeError, match="cannot be written .* Nothing was asked"):
        Ledger(tmp_path / "file" / "below").check_writable()
