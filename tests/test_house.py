"""CONTRIBUTING.md says that a language, a teacher and a reward are one small change each: here they are made."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import conflict_row

from llmerge_helpers import rewards
from llmerge_helpers.conflicts import languages
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import teachers
from llmerge_helpers.run import session as run
from llmerge_helpers.verdict import judge as verdict

ROOT = Path(__file__).resolve().parent.parent


def test_a_language_is_one_line(monkeypatch):
    assert languages.language_of("main.zig") == "Text"
    monkeypatch.setitem(languages.TABLE, "Zig", ("zig", "zig", "free", ".zig"))
    monkeypatch.setitem(languages.BY_NAME, ".zig", "Zig")
    row = {"before": "f(", "resolution": "a+b", "after": ");\n", "language": "Zig"}
    assert verdict.verify("```zig\nf(a + b); // sum\n```", row).match_type == "normalized_match"


def test_a_teacher_is_any_compatible_endpoint(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    teacher = teachers.pick("openai", model="my-model", base_url="http://localhost:8000/v1")
    assert teacher.body([], 10)["model"] == "my-model" and teacher.endpoint == "http://localhost:8000/v1"


def test_a_teacher_with_a_name_is_one_entry(monkeypatch):
    entry = teachers.Service("https://api.example.org/v1", "thinker-2", "EXAMPLE_API_KEY")
    monkeypatch.setitem(teachers.SERVICES, "example", entry)
    monkeypatch.delenv("EXAMPLE_API_KEY", raising=False)
    with pytest.raises(LlmergeError, match="teacher example needs EXAMPLE_API_KEY"):
        teachers.pick("example")
    monkeypatch.setenv("EXAMPLE_API_KEY", "a-value-of-no-known-shape")
    teacher = teachers.pick("example")
    assert teacher.body([], 10)["model"] == "thinker-2" and teacher.endpoint == "https://api.example.org/v1"
    assert teacher.api_key == "a-value-of-no-known-shape" not in run.redact(f"key {teacher.api_key} {teacher}")
    with pytest.raises(LlmergeError, match="choose one of auto, deepseek, example, openai, rules"):
        teachers.pick("exmaple")


def test_a_reward_is_one_function(monkeypatch):
    def shortness_reward(completions, **columns):
        return [1.0 / (1 + len(rewards.reply_text(c))) for c in completions]

    monkeypatch.setattr(rewards, "REWARDS", (*rewards.REWARDS, shortness_reward))
    matrix = rewards.score_matrix(conflict_row())
    assert "shortness" in matrix.columns and matrix["shortness"].between(0, 1).all()


MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "llmerge_helpers").rglob("*.py")
    if path.stem != "__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_importing_a_module_loads_nothing_heavy(name):
    heavy = "{'torch', 'transformers', 'trl', 'peft', 'datasets', 'pandas', 'matplotlib', 'scipy', 'openai', 'pyarrow'}"
    code = f"import sys, {name}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    allowed = {"llmerge_helpers.training.callbacks": "transformers"}.get(name)
    found = ast.literal_eval(done.stdout)
    assert not found or allowed in found, found
