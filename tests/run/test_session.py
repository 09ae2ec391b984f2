import json
import logging
import os

import pytest

from llmerge_helpers import run as files
from llmerge_helpers import run as secrets
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import screen
from llmerge_helpers.run import session as run
from llmerge_helpers.run.__main__ import summary
from llmerge_helpers.run.session import check_parameters

DECLARED = """
dataset: str = "auto"  # a name under merges/, or a path
limit: int = 0  # conflicts to send; 0 sends all
learning_rate: float = 1.0e-4
correct_only: bool = False
"""


def parameters(injected: str) -> dict:
    return check_parameters(["import sys", DECLARED, "# Parameters\n" + injected])


def test_papermill_values_win_over_the_defaults():
    values = parameters('dataset = "mine"\nlimit = 10\n')
    assert values == {"dataset": "mine", "limit": 10, "learning_rate": 1e-4, "correct_only": False}


@pytest.mark.parametrize(
    ("injected", "sentence"),
    [
        ("lmit = 10", "unknown parameter 'lmit': did you mean 'limit'"),
        ("zzz = 1", "unknown parameter 'zzz': This notebook takes: dataset, limit, learning_rate, correct_only"),
        ('limit = "true"', "'limit' must be int, got 'true'"),
        ("limit = 1.5", "'limit' must be int"),
        ("limit = True", "'limit' must be int"),
        ("dataset = 7", "'dataset' must be str, got 7: use `-r`"),
        ('learning_rate = "1e-5"', "'learning_rate' must be float"),
        ("learning_rate = float('nan')", "'learning_rate' must be float"),
        ('correct_only = "yes"', "'correct_only' must be bool"),
        ("limit = None", "'limit' must be int, got None"),
        ("limit = [float('inf')]\nlmit = 3", "cannot be read"),
    ],
)
def test_a_wrong_parameter_is_one_sentence(injected, sentence):
    with pytest.raises(LlmergeError) as caught:
        parameters(injected)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_whole_numbers_are_floats_too():
    assert parameters("learning_rate = 1")["learning_rate"] == 1


def test_no_parameters_cell_means_no_parameters():
    assert check_parameters(["import sys", "x = 1"]) == {}


def test_a_second_run_in_one_session_reads_the_newest_cell():
    cells = [DECLARED, "# Parameters\nlimit = 3", "start()", DECLARED.replace("limit: int = 0", "limit: int = 5")]
    assert check_parameters(cells)["limit"] == 5


def test_the_root_is_found_from_below(tmp_path, monkeypatch):
    (tmp_path / "llmerge_helpers").mkdir()
    (tmp_path / "llmerge_helpers" / "__init__.py").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.delenv("LLMERGE_ROOT", raising=False)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert files.root() == tmp_path.resolve()
    assert run.from_root("outputs/x") == tmp_path.resolve() / "outputs" / "x"
    assert run.shown(tmp_path / "outputs" / "x") == "outputs/x"
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path / "notebooks"))
    assert files.root() == (tmp_path / "notebooks").resolve()


def test_secrets_are_masked_wherever_they_could_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    monkeypatch.setenv("DEEPSEEK_API_KEY", "a-value-without-a-prefix")
    assert secrets.secret("DEEPSEEK_API_KEY") == "a-value-without-a-prefix"
    assert run.redact("key a-value-without-a-prefix, hf_abcdefghijklmnop") == "key ***, ***"
    current = run.start("01_generate", {"limit": 3})
    folder = current.begin("outputs/x", log="x.log")
    logging.getLogger("llmerge_helpers.generate.asking").info("sent a-value-without-a-prefix")
    try:
        raise ValueError("a-value-without-a-prefix")
    except ValueError:
        logging.getLogger("llmerge_helpers.generate.asking").exception("failed")
    current.finish(folder, rows=3)
    written = "".join(p.read_text() for p in folder.iterdir())
    assert "failed" in written and "a-value" not in written


def test_a_parameter_may_not_carry_a_secret():
    with pytest.raises(LlmergeError, match="looks like a secret"):
        run.start("x", {"api_key": "abc"})


@pytest.mark.parametrize(
    "address", ["https://me:my-token@github.com/a/b", "https://ghp_0123456789abcdef@github.com/a/b"]
)
def test_an_address_may_not_carry_a_password(address):
    with pytest.raises(LlmergeError, match="parameter 'sources' holds a password") as caught:
        run.start("00_collect_merges", {"sources": address})
    assert "token@" not in str(caught.value) and "ghp_" not in str(caught.value)
    run.start("00_collect_merges", {"sources": "ssh://git@github.com/a/b,https://github.com/a/b"})


def test_a_table_shows_why_a_reply_is_wrong_to_its_end(capsys):
    import pandas as pd

    run.start("02_inspect_and_prepare", {})
    assert "x" * 200 in pd.DataFrame({"why": ["x" * 200]})._repr_html_()


def test_run_json_says_started_then_finished(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    current = run.start("01_generate", {"limit": 3, "dataset": "auto"})
    folder = current.begin("outputs/deepseek_sft")
    assert json.loads((folder / "run.json").read_text())["status"] == "started"
    with pytest.raises(LlmergeError, match=r"was not finished: run `papermill notebooks/01_generate\.ipynb"):
        run.require_finished("outputs/deepseek_sft", "01_generate")
    current.finish(folder, right=2)
    record = run.require_finished("outputs/deepseek_sft", "01_generate")
    assert record["parameters"] == {"limit": 3, "dataset": "auto"} and record["results"] == {"right": 2}
    with pytest.raises(LlmergeError, match="is not there"):
        run.require_finished("outputs/elsewhere", "01_generate")
    assert "right 2" in summary()
    assert str(tmp_path) not in capsys.readouterr().out


def test_an_unwritable_output_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    (tmp_path / "outputs").write_text("a file where a folder should be")
    with pytest.raises(LlmergeError, match="outputs/x cannot be written"):
        run.start("x", {}).begin("outputs/x")


def test_progress_reads_as_a_result_at_the_end():
    with screen.progress(4, "asked") as bar:
        for done in range(1, 5):
            bar.update(done, right=done - 1, failed=0)
    assert bar.line(final=True) == "asked: 4/4 · 3 right · 0 failed"


def test_the_error_shows_as_one_line_in_a_notebook():
    assert LlmergeError("no")._render_traceback_() == ["LlmergeError: no"]


def test_what_an_earlier_run_did_says_nothing_of_the_time_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    bar = screen.progress(100, done=90)
    assert "left" not in bar.line()
    now[0] += 60
    bar.update(95)
    assert bar.line() == "95/100 · 60 s left"


# ---- a run has its folder, and an earlier one is never replaced

SETTINGS = {"dataset": "merges/a", "limit": 10, "samples": 1, "endpoint": "rules://1", "model": "rules"}


def one_run(changes: dict, finish: bool = True, folder: str = "outputs/deepseek_sft") -> dict:
    """A run of 01 with these settings, and a file that is its own; the settings come back."""
    settings = SETTINGS | changes
    current = run.start("01_generate", {"limit": settings["limit"]})
    place = current.begin(folder, settings=settings)
    (place / "results.csv").write_text(json.dumps(settings))
    if finish:
        current.finish(place, right=1)
    return settings


def what_lies(tmp_path) -> dict[str, dict]:
    found = tmp_path.glob("outputs/deepseek_sft*")
    return {path.name: json.loads((path / "results.csv").read_text()) for path in found}


@pytest.mark.parametrize("finish", [True, False], ids=["finished", "half"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "other"}, "model rules -> other"),
        ({"endpoint": "http://localhost:8000/v1"}, "endpoint rules://1 -> http://local"),
        ({"dataset": "merges/b"}, "dataset merges/a -> merges/b"),
        ({"samples": 4}, "samples 1 -> 4"),
        ({"limit": 5}, "limit 10 -> 5"),
        ({"temperature": 0.5}, "temperature None -> 0.5"),
    ],
)
def test_other_settings_keep_the_earlier_run_beside(tmp_path, monkeypatch, capsys, change, says, finish):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    earlier = one_run({}, finish)
    capsys.readouterr()
    later = one_run(change)
    assert what_lies(tmp_path) == {"deepseek_sft": later, "deepseek_sft_1": earlier}
    told = capsys.readouterr().out
    assert "it is kept as outputs/deepseek_sft_1" in told and says in told
    third = one_run({"model": "a third"})
    assert what_lies(tmp_path) == {"deepseek_sft": third, "deepseek_sft_1": earlier, "deepseek_sft_2": later}


@pytest.mark.parametrize("limit", [10, 11, 0])
def test_the_same_settings_and_a_larger_limit_go_on_in_the_folder(tmp_path, monkeypatch, limit):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    one_run({}, finish=False)
    later = one_run({"limit": limit})
    assert what_lies(tmp_path) == {"deepseek_sft": later}


def test_all_conflicts_are_more_than_any_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    whole, few = one_run({"limit": 0}), one_run({"limit": 10_000})
    assert what_lies(tmp_path) == {"deepseek_sft": few, "deepseek_sft_1": whole}


def test_a_run_that_lay_beside_goes_on_in_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    half, other = one_run({}, finish=False), one_run({"model": "other"})
    current = run.start("01_generate", {"limit": 10})
    place = current.begin("outputs/deepseek_sft", settings=SETTINGS)
    assert what_lies(tmp_path) == {"deepseek_sft": half, "deepseek_sft_2": other}
    assert json.loads((place / "run.json").read_text())["status"] == "started"


def test_a_run_of_an_older_version_or_with_a_torn_record_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    for number, text in enumerate(('{"notebook": "01_generate", "status": "finished"}', '{"notebook": "01'), 1):
        folder = tmp_path / "outputs/deepseek_sft"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(text)
        run.start("01_generate", {}).begin(folder, settings=SETTINGS | {"samples": 2 * number})
        assert (tmp_path / f"outputs/deepseek_sft_{2 * number - 1}/run.json").read_text() == text
        folder.rename(tmp_path / f"outputs/deepseek_sft_{2 * number}")


def test_the_folder_of_another_notebook_or_of_a_run_that_lives_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    run.start("02_inspect_and_prepare", {}).begin("outputs/sft_dataset")
    with pytest.raises(LlmergeError, match="is the output of 02_inspect_and_prepare: choose another output_dir"):
        one_run({}, folder="outputs/sft_dataset")
    one_run({}, finish=False)
    path = tmp_path / "outputs/deepseek_sft/run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"process": os.getppid()}))
    with pytest.raises(LlmergeError, match=r"is being written by process \d+, with other settings \(samples 1 -> 2\)"):
        one_run({"samples": 2})
    path.write_text(json.dumps(record | {"process": 2**22 + 1}))  # no process has a number that large
    one_run({"samples": 2})
    assert set(what_lies(tmp_path)) == {"deepseek_sft", "deepseek_sft_1"}
