"""README.md against the project: its tables, its links, and its commands."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import papermill
import pytest
from packaging.specifiers import SpecifierSet
from readme_commands import commands as whole_script
from readme_tables import with_tables

from llmerge_helpers import merges
from llmerge_helpers.show import ConflictView

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.S)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_parameter_tables_are_those_of_the_notebooks():
    assert with_tables(README) == README, "run `python tests/support/readme_tables.py`"
    assert README.count("| parameter | default | meaning |") == 5


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "merges/README.md", "benchmarks/README.md"])
def test_links_lead_somewhere(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert ((ROOT / name).parent / target).exists(), f"{name} links to {target}"


def test_every_papermill_command_names_a_notebook_and_its_parameters():
    found = [c for c in commands() if c.startswith("papermill ")]
    assert len(found) >= 6
    for command in found:
        words = command.split()
        notebook = ROOT / ("" if words[1].startswith("notebooks/") else "notebooks") / words[1]
        known = papermill.inspect_notebook(str(notebook))
        assert {words[i + 1] for i, word in enumerate(words) if word in ("-p", "-r")} <= set(known), command


def test_the_replacements_of_the_whole_run_are_still_needed():
    script = whole_script(README, server="http://127.0.0.1:9/v1", repository="a-repository", conflicted="App.java")
    assert "/path/to" not in script and "localhost:8000" not in script


def test_the_conflict_is_what_a_card_writes():
    rows = (row for split in merges.load("sample").values() for row in split)
    row = next(row for row in rows if row["path"] == "PriceCategory.java" and row["kind"] == "mixed")
    assert ConflictView(row).to_markdown().split("\n\n<details>")[0] in README


def test_every_make_target_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    used = set(re.findall(r"\bmake ([a-z]+)\b", README + (ROOT / "CONTRIBUTING.md").read_text()))
    assert used and used <= targets


def test_no_registry_host_and_no_path_of_one_machine_is_named():
    for path in [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), ROOT / "Makefile", ROOT / ".ci" / "run"]:
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
