"""The hand-written scenarios conflict in real git, and their resolutions touch nothing but the conflicts."""

import re
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from llmerge_helpers.conflicts import Conflict, Hunk, language_of, parse
from llmerge_helpers.verdict.tokens import parses

SAMPLE = Path(__file__).parents[2] / "merges" / "sample"
SIDES = ("ours", "base", "theirs", "resolution")
KINDS = {"ours", "theirs", "ours_theirs", "theirs_ours", "base", "empty", "mixed"}
SCENARIOS = sorted(path.parent for path in SAMPLE.glob("*/*/about.md"))
# a banner's underline of any length is fine, and so is a lone "=======" (an underline of seven)
MARKER = re.compile(r"^(<{7}|\|{7}|>{7})( |\r?$)", re.MULTILINE)


def text(path: Path) -> str:
    data = path.read_bytes() if path.exists() else b""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def about(scenario: Path) -> dict[str, str]:
    return dict(re.findall(r"^(\w+): (.+)$", text(scenario / "about.md"), re.MULTILINE))


def files(scenario: Path, side: str = "ours") -> list[Path]:
    return sorted(path.relative_to(scenario / side) for path in (scenario / side).rglob("*") if path.is_file())


def split(merged: str) -> tuple[list[str], list[Hunk]]:
    """The texts before, between and after the conflicts of one merge, and the conflicts."""
    between, conflicts = [""], []
    for part in parse(merged):
        if isinstance(part, Hunk):
            conflicts.append(part)
            between.append("")
        else:
            between[-1] += part
    return between, conflicts


def sides(hunk: Hunk) -> tuple[str, str, str]:
    return hunk.ours, hunk.base or "", hunk.theirs


def merge_file(scenario: Path, path: Path) -> str:
    base = scenario / "base" / path
    labels = [f"-L{label}" for label in ("ours", "base", "theirs")]
    stages = [scenario / "ours" / path, base if base.exists() else "/dev/null", scenario / "theirs" / path]
    done = subprocess.run(["git", "merge-file", "-p", "--diff3", *labels, *stages], capture_output=True)
    assert 0 <= done.returncode < 128, done.stderr
    return done.stdout.decode("latin-1" if "latin1" in scenario.name else "utf-8")


def resolutions(scenario: Path, path: Path, between: list[str]) -> list[str]:
    """What stands in the resolution in place of each conflict; fails where the rest is not the merged text."""
    resolution = text(scenario / "resolution" / path)
    found = []
    whole_lines = r"((?:[^\n]*\n)*{}{})"
    for lazy in ("?", ""):
        pattern = whole_lines.format(lazy, "").join(map(re.escape, between[:-1]))
        pattern += whole_lines.format(lazy, "" if between[-1] else "[^\\n]*") + re.escape(between[-1])
        match = re.fullmatch(pattern, resolution)
        assert match, f"{scenario.name}: {path} differs from the merged text outside of the conflicts"
        found.append(list(match.groups()))
    assert found[0] == found[1], f"{scenario.name}: {path} can be cut in two ways"
    return found[0]


@pytest.fixture(scope="module")
def hunks() -> list[tuple[Path, Path, Hunk, str]]:
    """Every conflict of every scenario with the text that replaced it."""
    found = []
    for scenario in SCENARIOS:
        for path in files(scenario):
            between, conflicts = split(merge_file(scenario, path))
            replaced = resolutions(scenario, path, between)
            found += [(scenario, path, *pair) for pair in zip(conflicts, replaced, strict=True)]
    return found


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """One throwaway repository with the bases of all scenarios, and a branch for each side."""
    root = tmp_path_factory.mktemp("scenarios")

    def git(*arguments: str) -> None:
        pinned = ["-c", "core.autocrlf=false", "-c", "user.name=T", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", root, *pinned, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "base")
    for side in ("base", "ours", "theirs"):
        if side != "base":
            git("switch", "-q", "-c", side, "base")
        for scenario in SCENARIOS:
            for path in files(scenario, side):
                target = root / scenario.relative_to(SAMPLE) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((scenario / side / path).read_bytes())
        git("add", "-A")
        git("commit", "-q", "-m", side)
    return root


def test_every_scenario_has_the_same_files_on_every_side():
    for scenario in SCENARIOS:
        assert files(scenario), scenario
        for side in ("theirs", "resolution"):
            assert files(scenario, side) == files(scenario), scenario
        assert set(files(scenario, "base")) <= set(files(scenario)), scenario
        assert {path.name for path in scenario.iterdir()} <= {*SIDES, "about.md"}, scenario


def test_about_says_what_happened():
    for scenario in SCENARIOS:
        assert re.match(r"\d{3}-[a-z0-9-]+$", scenario.name)
        assert re.match(r"# .+\n\n\S.+\n\nkind: \w+\ndifficulty: \w+\n\Z", text(scenario / "about.md")), scenario


def test_every_scenario_conflicts_and_the_resolution_touches_nothing_else(hunks):
    assert {scenario for scenario, *_ in hunks} == set(SCENARIOS)
    assert len(hunks) >= 56


def test_resolutions_hold_no_marker():
    for scenario in SCENARIOS:
        for path in files(scenario, "resolution"):
            assert not MARKER.search(text(scenario / "resolution" / path)), scenario


def test_git_merge_tree_finds_the_same_conflicts(hunks, repository):
    # a merge of whole trees uses another diff algorithm than merge-file: the conflicts must not depend on it
    command = ["git", "-C", repository, "-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree"]
    tree = subprocess.run([*command, "ours", "theirs"], capture_output=True, text=True).stdout.split("\n")[0]
    for scenario in SCENARIOS:
        for path in files(scenario):
            name = f"{tree}:{(scenario.relative_to(SAMPLE) / path).as_posix()}"
            merged = subprocess.run(["git", "-C", repository, "show", name], capture_output=True, check=True).stdout
            merged = merged.decode("latin-1" if "latin1" in scenario.name else "utf-8")
            expected = [sides(conflict) for found, of, conflict, _ in hunks if (found, of) == (scenario, path)]
            assert [sides(conflict) for conflict in split(merged)[1]] == expected, f"{scenario.name}: {path}"


def test_declared_kind_is_the_kind_of_the_first_hunk(hunks):
    first = {}
    for scenario, _, conflict, resolution in hunks:
        first.setdefault(scenario, Conflict.of_hunk(conflict).kind_of(resolution))
    assert first == {scenario: about(scenario)["kind"] for scenario in SCENARIOS}


def test_every_kind_and_difficulty_occurs_in_a_plausible_mix(hunks):
    kinds = Counter(Conflict.of_hunk(conflict).kind_of(resolution) for *_, conflict, resolution in hunks)
    assert set(kinds) == KINDS
    share = {name: count / len(hunks) for name, count in kinds.items()}
    assert 0.15 <= share["ours"] <= 0.3 and 0.15 <= share["theirs"] <= 0.3
    assert 0.3 <= share["mixed"] <= 0.5
    difficulties = Counter(about(scenario)["difficulty"] for scenario in SCENARIOS)
    assert set(difficulties) == {"easy", "medium", "hard"}
    assert min(difficulties.values()) >= len(SCENARIOS) / 5


def test_many_services_in_several_languages_each():
    services = Counter(scenario.parent.name for scenario in SCENARIOS)
    assert len(services) >= 12 and min(services.values()) >= 12
    for service in services:
        languages = {language_of(str(path)) for s in SCENARIOS if s.parent.name == service for path in files(s)}
        assert len(languages) >= 3, service


def test_the_hunks_are_of_many_languages(hunks):
    languages = Counter(language_of(str(path)) for _, path, *_ in hunks)
    assert len(languages) >= 15 and len(hunks) >= 300
    assert max(languages.values()) <= 0.35 * len(hunks)


def test_hard_files_are_there():
    contents = {path: path.read_bytes() for s in SCENARIOS for side in SIDES for path in (s / side).rglob("*.*")}
    assert any(b"\r\n" in data for data in contents.values())
    assert any(not data.endswith(b"\n") for data in contents.values())
    assert any(b"\n=======\n" in data for data in contents.values())
    assert any(re.search(rb"\n={8,}\n", data) for data in contents.values())
    assert any(not data.isascii() and data.decode("utf-8", "ignore").encode() == data for data in contents.values())
    assert any(data.decode("utf-8", "ignore").encode() != data for data in contents.values())
    assert any(" " in path.name for path in contents)
    assert any(not path.name.isascii() for path in contents)
    assert any(not files(scenario, "base") for scenario in SCENARIOS)


def test_git_keeps_every_byte_of_the_scenarios():
    names = [path for s in SCENARIOS for side in SIDES for path in (s / side).rglob("*") if path.is_file()]
    command = ["git", "-C", str(SAMPLE), "check-attr", "--stdin", "-z", "text"]
    done = subprocess.run(command, input=b"\0".join(str(name).encode() for name in names), capture_output=True)
    if done.returncode:
        pytest.skip("not in a git work tree")
    assert Counter(done.stdout.split(b"\0")[2::3]) == {b"unset": len(names)}


def test_every_side_parses():
    known = Counter()
    for scenario in SCENARIOS:
        for side in SIDES:
            for path in files(scenario, side):
                found = parses(text(scenario / side / path), language_of(str(path)))
                assert found is not False, (scenario.name, side, path)
                known[found] += 1
    assert known[True] > 0.6 * known.total()  # the others are in languages without a grammar that is always right


def test_no_two_hunks_are_near_duplicates(hunks):
    def shingles(hunk: tuple[Path, Path, Hunk, str]) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+|[^\w\s]", "".join(sides(hunk[2])) + hunk[3])
        return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}

    for (one, left), (other, right) in combinations([(hunk, shingles(hunk)) for hunk in hunks], 2):
        similarity = len(left & right) / len(left | right)
        assert similarity < 0.4, f"{one[0].name} and {other[0].name}: {similarity:.2f}"
