"""The house: its floors and doors hold, and a language, a teacher and a reward are one small change each."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import conflict_row

from llmerge_helpers import rewards, run, verdict
from llmerge_helpers.conflicts import languages
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import teachers

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


def test_a_reward_is_one_function():
    def shortness_reward(completions, **columns):
        return [1.0 / (1 + len(rewards.reply_text(c))) for c in completions]

    matrix = rewards.score_matrix(conflict_row(), (*rewards.REWARDS, shortness_reward))
    assert "shortness" in matrix.columns and matrix["shortness"].between(0, 1).all()


# ---- rooms, floors and doors

PACKAGE = ROOT / "llmerge_helpers"
FLOORS = (
    ("errors",),
    ("run", "conflicts"),
    ("verdict", "baselines", "collect", "merges"),
    ("generate", "models", "rewards"),
    ("prepare", "training", "evaluate"),
    ("show", "resolver", "colab"),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))
WINGS = sorted(path.parent.name for path in FILES if path.name == "__init__.py" and path.parent != PACKAGE)


def wing_of(path: Path) -> str:
    """The wing, or the room that is none, that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(path: Path, types: bool = True) -> list[tuple[str, str, str]]:
    """Each import of ours in a file, inside functions too, as wing, room ("" for the face) and name.

    Without `types`, those that only a type checker sees are left out.
    """
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    skipped = set() if types else {id(inner) for node in unseen for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "llmerge_helpers":
            continue
        _, *parts = node.module.split(".")
        for alias in node.names:
            wing, room, name = (*parts, "", "")[:2] + (alias.name,) if parts else (alias.name, "", "")
            if wing in WINGS and not room and (PACKAGE / wing / f"{name}.py").exists() and name not in handed_out(wing):
                room, name = name, ""  # a room by its name
            found.append((wing, room, name))
    return found


def handed_out(wing: str) -> set[str]:
    """The names that the face of a wing hands out."""
    tree = ast.parse((PACKAGE / wing / "__init__.py").read_text(encoding="utf-8"))
    return {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}


def test_sixteen_names_tell_the_story():
    names = {path.stem for path in PACKAGE.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert names == set(FLOOR) and len(names) == 16


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_and_through_the_faces(path):
    me = wing_of(path)
    for wing, room, name in imports_of(path):
        if path == PACKAGE / "__init__.py" or wing == me:
            continue
        assert FLOOR[wing] < FLOOR[me], f"{me} imports upwards, or from its own floor: {wing}"
        assert not (room and name in handed_out(wing)), f"{name} comes through the face: llmerge_helpers.{wing}"


@pytest.mark.parametrize("wing", WINGS)
def test_the_rooms_of_a_wing_stand_in_no_circle(wing):
    rooms = {path.stem: path for path in (PACKAGE / wing).glob("*.py") if path.stem not in ("__init__", "__main__")}
    below = {}
    for stem, path in rooms.items():
        below[stem] = {room for each, room, _ in imports_of(path, types=False) if each == wing}
    while free := [stem for stem, needs in below.items() if not needs & set(below)]:
        for stem in free:
            del below[stem]
    assert not below, f"a circle: {below}"


@pytest.mark.parametrize("wing", WINGS)
def test_a_face_tells_what_the_wing_is_for(wing):
    face = ast.parse((PACKAGE / wing / "__init__.py").read_text(encoding="utf-8"))
    words = ast.get_docstring(face)
    assert ">>> " in words and len(words.splitlines()) >= 6
    rooms = {path.stem for path in (PACKAGE / wing).glob("*.py")}
    module = importlib.import_module(f"llmerge_helpers.{wing}")
    for name in handed_out(wing):  # a function of a room's name would hide the room
        assert name not in rooms or inspect.ismodule(getattr(module, name)), f"{wing}.{name} is a room, and a function"
    assert set(module.__all__) == handed_out(wing)


def test_what_is_known_has_a_type():
    """A bare mapping, or anything at all, says nothing to who reads a signature."""
    lines = [line for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
    assert sum("Mapping[str, Any]" in line for line in lines) <= 30
    assert sum(bool(re.search(r"\bAny\b", line)) for line in lines) <= len(lines) / 100


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
    # rooms whose types are a library's, imported where they are used
    types = {"llmerge_helpers.training.callbacks": "transformers", "llmerge_helpers.merges.texts": "datasets"}
    allowed = types.get(name)
    found = ast.literal_eval(done.stdout)
    assert not found or allowed in found, found
