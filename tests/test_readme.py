"""README.md and the pages below docs/ against the project: tables, links, pictures, and commands."""

import importlib.util
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import readme_images
from packaging.specifiers import SpecifierSet
from PIL import Image
from readme_commands import commands as whole_script
from readme_commands import shell_blocks
from readme_tables import parameters_of, with_tables

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/*.md"))
]


def commands() -> list[tuple[str, str]]:
    """Every line of a shell block, with its page."""
    found = []
    for name in PAGES:
        for block in shell_blocks((ROOT / name).read_text(encoding="utf-8")):
            lines = (line.split("  #")[0].strip() for line in block.replace("\\\n", " ").splitlines())
            found += [(name, line) for line in lines if line]
    return found


def test_the_parameter_tables_are_those_of_the_notebooks():
    page = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert with_tables(page) == page, "run `python tests/support/readme_tables.py`"
    assert page.count("| parameter | default | meaning |") == 5


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"(?:\]\(|src=\"|srcset=\")(?!https?:)([^)\"\s]+)", text):
        path, _, heading = target.partition("#")
        there = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert there.exists(), f"{name} links to {target}"
        if heading:
            titles = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.M)
            anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in anchors, f"{name} links to {target}"


def test_the_readme_is_short_and_every_page_is_reached_from_it():
    assert len(README.splitlines()) <= 150
    reached, left = set(), ["README.md"]
    while left:
        name = left.pop()
        reached.add(name)
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+\.md)", (ROOT / name).read_text(encoding="utf-8")):
            found = ((ROOT / name).parent / target).resolve().relative_to(ROOT).as_posix()
            left += [found] if found not in reached and (ROOT / found).exists() else []
    assert {name for name in PAGES if name.startswith("docs/")} <= reached


def test_pictures_are_small_and_show_the_card_of_today():
    pictures = list((ROOT / "notebooks" / "images").iterdir())
    assert {picture.stem for picture in pictures} == set(readme_images.THEMES)
    for picture in pictures:
        assert picture.stat().st_size < 150_000 and f"notebooks/images/{picture.name}" in README
        assert Image.open(picture).text["card"] == readme_images.digest(), "run `python tests/support/readme_images.py`"


def test_every_papermill_command_names_a_notebook_and_its_parameters():
    found = [(page, c) for page, c in commands() if c.startswith("papermill ")]
    assert len(found) >= 6
    known = {path.name: set(parameters_of(path)) for path in (ROOT / "notebooks").glob("*.ipynb")}
    for page, command in found:
        words = command.split()
        name = words[1].removeprefix("notebooks/")
        assert name in known, f"{page}: {command}"
        asked = {words[i + 1] for i, word in enumerate(words) if word in ("-p", "-r")}
        assert asked <= known[name], f"{page}: {command}"


def test_every_parameter_named_in_passing_is_one():
    known = {name for path in (ROOT / "notebooks").glob("*.ipynb") for name in parameters_of(path)}
    for page in PAGES:
        for name in re.findall(r"`-p (\w+)", (ROOT / page).read_text(encoding="utf-8")):
            assert name in known | {"name"}, f"{page}: -p {name}"


def test_every_module_that_is_run_is_there():
    found = {(page, module) for page, c in commands() for module in re.findall(r"-m (llmerge_helpers[\w.]*)", c)}
    assert len(found) >= 3
    for page, module in found:
        assert importlib.util.find_spec(module), f"{page}: {module}"


def test_the_commands_are_a_script_and_its_replacements_are_still_needed():
    script = whole_script(server="http://127.0.0.1:9/v1", repository="a-repository", conflicted="App.java")
    assert "/path/to" not in script and "localhost:8000" not in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""


def test_the_example_of_a_verdict_says_what_it_says():
    block = re.search(r"```python\n(.*?)\n```\n", (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8"), re.S)[1]
    *before, last = block.strip().splitlines()
    expression, said = last.rsplit("  # ", 1)
    names: dict[str, object] = {}
    exec("\n".join(before), names)
    assert eval(expression, names) == said


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in PAGES)
    used = set(re.findall(r"(?:`|^)make ([a-z]+)\b", text, re.M))
    assert used and used <= targets


def test_no_registry_host_and_no_path_of_one_machine_is_named():
    for path in [*(ROOT / name for name in PAGES), ROOT / "Makefile", ROOT / ".ci" / "run"]:
        assert not re.search(r"pypi\.org|/root/|/home/|/work/|registry\.npmjs", path.read_text(encoding="utf-8")), path


def test_every_pinned_version_runs_on_the_oldest_python():
    """A pin that asks for 3.11.5 stops the first command on Debian's 3.11.2."""
    oldest = re.search(r"\d+\.\d+", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"])
    installed = {re.sub(r"[-_.]+", "-", each.name).lower(): each for each in metadata.distributions()}
    for pin in (ROOT / "constraints.txt").read_text().split():
        name, version = pin.split("==")
        found = installed.get(re.sub(r"[-_.]+", "-", name).lower())
        assert found is not None, f"{pin} pins what nothing asks for"
        asked = found.metadata.get("Requires-Python") if found.version.split("+")[0] == version else None
        assert not asked or f"{oldest[0]}.0" in SpecifierSet(asked), f"{pin} needs Python {asked}"
