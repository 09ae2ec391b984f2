import json
import logging

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
