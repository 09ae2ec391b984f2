"""Public benchmarks out of files of their own shape, and the command that measures on them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from pathlib import Path

import pandas as pd
import pytest
from rule_endpoint import serve_rules
from tiny import tiny_model

from llmerge_helpers import merges
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import public
from llmerge_helpers.evaluate.__main__ import main
from llmerge_helpers.run.files import read_jsonl

BASE = "class A {\n  int a = 1;\n  int m() {\n    return 0;\n  }\n}\n"
LEFT = BASE.replace("int a = 1", "int a = 2")
RIGHT = BASE.replace("int a = 1", "long a = 1").replace("return 0", "return 7")


def scenario(folder: Path, **versions: str | None) -> None:
    for name, text in versions.items():
        if text is not None:
            (folder / name / "src").mkdir(parents=True)
            (folder / name / "src" / "A.java").write_text(text)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Path:
    """ConflictBench in small: a mixed resolution, one side taken whole, a file that one side removed, no base."""
    root = tmp_path_factory.mktemp("ConflictBench") / "Resource" / "merge_scenarios"
    both = BASE.replace("int a = 1", "long a = 2").replace("return 0", "return 7")
    scenario(root / "shop" / ("a" * 40), base=BASE, left=LEFT, right=RIGHT, child=both)
    scenario(
        root / "shop" / ("b" * 40), base=BASE + "//\n", left=LEFT + "//\n", right=RIGHT + "//\n", child=LEFT + "//\n"
    )
    scenario(root / "seat" / ("c" * 40), base=BASE, left=LEFT, right=None, child=None)
    scenario(root / "seat" / ("d" * 40), base=None, left="int a;\n", right="int b;\n", child="int a;\nint b;\n")
    (root / "seat" / ("d" * 40) / "JDime").mkdir()
    return root.parent.parent


def test_conflictbench_is_read_with_its_own_names(bench):
    found = public.conflictbench(bench)
    assert found.named == 4 and [(r["repository"], r["merge_commit"][0], r["decided"]) for r in found.rows] == [
        ("seat", "d", True), ("shop", "a", True), ("shop", "b", False),
    ]  # fmt: skip
    row = found.rows[1]
    assert row["id"] == f"shop@{'a' * 12}:src/A.java#0" and row["license"] == "unknown" and row["parent_1"] == ""
    assert (row["ours"], row["base"], row["theirs"], row["resolution"]) == (
        "  int a = 2;\n", "  int a = 1;\n", "  long a = 1;\n", "  long a = 2;\n",
    )  # fmt: skip
    assert set(merges.COLUMNS) <= set(row) and sum(found.left_out.values()) == 1
    assert public.conflictbench(bench / "Resource" / "merge_scenarios").rows == found.rows


@pytest.mark.parametrize("path, says", [("none", "none is not there"), (".", "holds no scenario of ConflictBench")])
def test_what_is_no_conflictbench_is_said(tmp_path, path, says, capsys):
    assert main(["conflictbench", str(tmp_path / path)]) == 2 and says in capsys.readouterr().err


def test_the_command_measures_baselines_and_an_endpoint_and_reads_its_items_again(bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-no-known-shape")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    ready, stop, urls = threading.Event(), asyncio.Event(), []

    async def serve():
        async with serve_rules() as url:
            urls.append(url)
            loop.append(asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    loop: list[asyncio.AbstractEventLoop] = []
    server = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    server.start()
    ready.wait(10)
    ask = ["--model", "rules-2", "--base-url", urls[0], "--output-dir", "out"]
    assert main(["conflictbench", str(bench), *ask]) == 0
    said = capsys.readouterr().out
    loop[0].call_soon_threadsafe(stop.set)
    server.join(10)
    assert "3 conflicts of 3 merges, out of 4 merges" in said and "a-key-of" not in said
    folder = tmp_path / "out" / "conflictbench"
    page = (folder / "table.md").read_text()
    lines = {line.split(" | ")[0].strip("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert [*lines][2:-1] == [*public.BASELINES] and [*lines][-1].startswith("rules-2 (127.0.0.1:")
    assert lines["rules"].split(" | ")[1:3] == [*lines.values()][-1].split(" | ")[1:3]  # the same, over a wire
    assert "33.3 %" in lines["ours"].split(" | ")[2]
    rows = list(read_jsonl(folder / "items.jsonl"))
    monkeypatch.setattr("llmerge_helpers.generate.asking.Engine", None)  # answered before: nothing is asked again
    assert main(["conflictbench", str(folder / "items.jsonl"), *ask]) == 0
    assert list(read_jsonl(folder / "items.jsonl")) == rows and (folder / "table.md").read_text() == page


@pytest.mark.slow  # loads a model: half a minute where nothing has loaded torch yet
def test_a_model_of_ones_own_is_measured_too(bench, tmp_path, capsys):
    model = tiny_model(tmp_path / "student")
    given = ["--model", str(model), "--max-new-tokens", "4", "--output-dir", str(tmp_path / "out")]
    assert main(["conflictbench", str(bench), *given, "--model", "rules"]) == 0
    assert "| student | 0.0 %" in capsys.readouterr().out


def test_a_folder_that_is_no_model_is_said_before_anything_is_mined(bench, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["conflictbench", str(bench), "--model", str(tmp_path / "empty")]) == 2
    assert "holds neither an adapter nor a model" in capsys.readouterr().err


# ---- GitGoodBench


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory) -> tuple[Path, list[str]]:
    """A folder with the repository `Shop/Till`, and its two merges in conflict."""
    folder = tmp_path_factory.mktemp("mirrors")
    place = folder / "Shop__Till"
    place.mkdir()
    git(place, "init")
    shas = []
    for number in range(2):
        for branch, text in (
            ("main", f"base {number}\n"),
            ("topic", f"theirs {number}\n"),
            ("main", f"ours {number}\n"),
        ):
            if branch == "topic":
                git(place, "checkout", "-qb", f"topic{number}")
            else:
                git(place, "checkout", "-q", "main")
            (place / "a.py").write_text(text)
            git(place, "add", "a.py")
            git(place, "commit", "-qm", text)
        git(place, "merge", "-q", f"topic{number}")
        (place / "a.py").write_text(f"ours {number}\ntheirs {number}\n")
        git(place, "commit", "-qam", "merge")
        shas.append(git(place, "rev-parse", "HEAD"))
    return folder, shas


def hub_file(path: Path, shas: list[str]) -> Path:
    """As on the Hub: a scenario is what Python prints, and half of the rows are no merges."""
    cells = [{"merge_commit_hash": sha, "parents": [], "files_in_merge_conflict": ["a.py"]} for sha in shas]
    lines = [{"name": "shop/till", "sample_type": "merge", "scenario": str(cell)} for cell in cells]
    lines.append({"name": "shop/till", "sample_type": "file_commit_chain", "scenario": "{'file': 'a.py'}"})
    lines.append({"name": "shop/gone", "sample_type": "merge", "scenario": json.dumps(cells[0])})
    pd.DataFrame(lines).to_csv(path, index=False)
    return path


def test_gitgood_mines_the_merges_that_it_names_and_no_other(mirror, tmp_path):
    folder, shas = mirror
    found = public.gitgood(hub_file(tmp_path / "git_good_bench.csv", [shas[1], "f" * 40]), folder)
    assert [(row["repository"], row["merge_commit"], row["resolution"]) for row in found.rows] == [
        ("shop/till", shas[1], "ours 1\ntheirs 1\n")
    ]
    assert found.named == 3 and dict(found.left_out) == {
        "merges: not in this copy of the repository": 1, "merges: their repository is not here": 1,
    }  # fmt: skip
    assert str(found).splitlines()[0] == "1 conflicts of 1 merges, out of 3 merges that it names"


def test_gitgood_reads_the_parquet_files_of_its_repository(mirror, tmp_path):
    _, shas = mirror
    scraped = {"merge_scenarios": [{"had_conflicts": n == 0, "merge_commit_hash": sha} for n, sha in enumerate(shas)]}
    (tmp_path / "data").mkdir()
    pd.DataFrame({"name": ["shop/till", "shop/none"], "scraped_data": [scraped, None]}).to_parquet(
        tmp_path / "data" / "java_subset.parquet"
    )
    assert public.merges_named(tmp_path) == {"shop/till": {shas[0]}}


@pytest.mark.parametrize(
    "cell, says",
    [
        ("__import__('os').system('true')", "row 0 has a scenario"),
        ("(" * 5000, "row 0 has a scenario"),
        ("[1]", "row 0"),
    ],
)
def test_a_cell_of_a_benchmark_is_read_and_never_run(cell, says, tmp_path):
    pd.DataFrame([{"name": "a/b", "sample_type": "merge", "scenario": cell}]).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(LlmergeError, match=says):
        public.merges_named(tmp_path / "x.csv")


@pytest.mark.parametrize("name, text", [("x.csv", "name,other\na/b,1\n"), ("x.parquet", "no parquet"), ("y.txt", "a")])
def test_what_is_no_gitgood_is_said(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(LlmergeError, match="names no merge of GitGoodBench|cannot be read"):
        public.merges_named(tmp_path / name)


def test_whole_merges_are_right_when_all_of_their_conflicts_are():
    table = pd.DataFrame({
        "id": list("abc"), "merge_commit": list("mmn"), "match_type": ["exact_match", "different", "normalized_match"],
        "is_correct": [True, False, True], "answered": True, "decided": True, "sample": 0,
    })  # fmt: skip
    line = public.measured({"x": table, "rules": table}).loc["x"]
    assert [line[c].split(" %")[0] for c in ("exact", "right", "whole merges, exact", "whole merges, right")] == [
        "33.3", "66.7", "0.0", "50.0",
    ]  # fmt: skip
    assert line["right, against rules"].startswith("+0.0") and public.measured({"x": table}).shape == (1, 6)
