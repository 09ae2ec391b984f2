"""Datasets of merges: saved with a split that does not leak, and loaded again, ours and others'."""

import json
from pathlib import Path

import full_disk
import pytest
from datasets import Dataset, DatasetDict

from llmerge_helpers.collect import collect
from llmerge_helpers.conflicts import Conflict
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges import COLUMNS, choose, dataset_path, leakage_report, load, save, shares, siblings
from llmerge_helpers.merges.dataset import UNTOLD, group_near_duplicates

ROOT = Path(__file__).resolve().parents[2]


def row(number: int, *, family: str = "f", path: str = "", words: str = "", **more) -> dict:
    """A row that resembles no other, unless `words` are given."""
    words = words or " ".join(f"word{number}x{n}" for n in range(30))
    texts = {"before": "{\n", "ours": f"a {words}\n", "base": "", "theirs": f"b {words}\n", "after": "}\n"}
    made = dict.fromkeys(COLUMNS, "") | texts | {"resolution": f"a {words}\n", "kind": "ours", "label": "exact"}
    made |= {"id": f"r@{number}", "repository": family, "family": family, "hunk": 0, "language": "Java"}
    made |= {"path": path or f"{number}.java", "merge_commit": f"m{number}", "order": number, "merge_size": 99}
    made |= {"decided": number % 2 == 0, "white_space_only": number % 3 == 0, **more}
    made["question"] = Conflict.of(made).question()
    made["answer"] = made["before"] + made["resolution"] + made["after"]
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def counts(report) -> dict[str, int]:
    return dict(zip(report["check"], report["in both"], strict=True))


# -------------------------------------------------------------------------------------------------------- save, load


def test_rows_come_back_as_they_were_saved(tmp_path):
    rows = [row(n, family=f"f{n % 5}", ours="a\r\n\x0b\x85 \N{SNOWMAN}\n" * (n + 1)) for n in range(40)]
    saved = save(rows, tmp_path / "d")
    assert saved["train"].column_names == list(COLUMNS)
    found = {each["id"]: each for split in load(tmp_path / "d").values() for each in split}
    assert found == {each["id"]: each for each in rows}


def test_the_same_rows_give_the_same_bytes_wherever_and_whenever(tmp_path):
    for name in ("one", "two"):
        save((row(n, family=f"f{n % 3}") for n in range(20)), tmp_path / name / "dataset")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    save([row(n, family=f"f{n % 3}") for n in range(19)], tmp_path / "one" / "dataset")  # takes the place of the old
    assert files(tmp_path / "one") != files(tmp_path / "two")
    assert [p.name for p in (tmp_path / "one").iterdir()] == ["dataset"]


def test_no_family_is_on_both_sides(tmp_path, capsys):
    rows = [row(n, family=f"f{n % 7}") for n in range(70)]
    saved = save(rows, tmp_path / "d", test_size=0.3)
    assert counts(leakage_report(saved)) == dict.fromkeys(counts(leakage_report(saved)), 0)
    assert len(saved["test"]) == 20 and len(saved["train"]) == 50
    assert "split by family of repositories" in capsys.readouterr().out
    drawn = {tuple(sorted(set(save(rows, tmp_path / "d", seed=seed)["test"]["family"]))) for seed in range(5)}
    assert len(drawn) > 1, "the seed draws nothing"


def at(day: int) -> dict[str, str]:
    return {"merge_commit": f"m{day}", "committed_at": f"20{20 + day // 28:02}-02-{day % 28 + 1:02}T00:00:00+00:00"}


def sides(saved) -> list[set[str]]:
    return [set(saved[side]["merge_commit"]) for side in ("train", "test")]


def test_one_family_is_split_by_merge_and_the_newest_are_held_out(tmp_path, capsys):
    """Whatever the order of the rows, whatever the seed; a file may be on both sides, a merge never is."""
    rows = [row(n, path=f"{n % 10}.java", **at(n * 7 % 25)) for n in range(100)]
    for seed in (0, 1):
        saved = save(rows, tmp_path / "d", seed=seed)
        assert sides(saved) == [{f"m{day}" for day in range(20)}, {f"m{day}" for day in range(20, 25)}]
    assert "split by merge, the newest to test on, since all rows are of one family" in capsys.readouterr().out
    found = counts(leakage_report(saved))
    assert (found["merge commits"], found["files"], found["hunks, exactly"]) == (0, 10, 0)


@pytest.mark.parametrize(
    ("sizes", "test_size", "expected"),  # hunks by merge, oldest first; merges in test
    [
        ((10, 10, 10, 10, 10), 0.2, 1),
        ((5, 5, 5, 5, 30), 0.2, 1),  # the newest merge alone is more than the share
        ((90, 4, 4, 2), 0.2, 3),  # as near to the share as it gets, and not all
        ((8, 1, 1, 1), 0.2, 2),
        ((5, 5), 0.01, 1),
        ((5, 5), 0.99, 1),
        ((5, 5), 0.0, 0),
        ((5, 5), 1.0, 2),
    ],
)
def test_whole_merges_come_as_near_to_the_share_as_they_can(sizes, test_size, expected, tmp_path):
    merges = [day for day, size in enumerate(sizes) for _ in range(size)]
    saved = save([row(n, **at(day)) for n, day in enumerate(merges)], tmp_path / "d", test_size=test_size)
    assert sides(saved)[1] == {f"m{day}" for day in range(len(sizes) - expected, len(sizes))}
    assert len(saved["train"]) + len(saved["test"]) == len(merges)


def test_merges_of_one_moment_stay_whole_and_other_time_zones_count(tmp_path):
    times = {"a": "2020-01-01T05:00:00+09:00", "b": "2019-12-31T21:00:00Z", "c": "2019-12-31T20:30:00"}
    rows = [row(n, merge_commit="abc"[n % 3], committed_at=times["abc"[n % 3]]) for n in range(12)]
    assert sides(save(rows, tmp_path / "d"))[1] == {"b"}
    rows = [row(n, **at(0) | {"merge_commit": f"m{n % 6}"}) for n in range(12)]
    train, test = sides(save(rows, tmp_path / "d"))
    assert train.isdisjoint(test) and len(test) == 1


@pytest.mark.parametrize("odd", [{"committed_at": ""}, {"committed_at": "in spring"}, {"merge_commit": ""}])
def test_without_merges_or_times_the_split_goes_by_file(odd, tmp_path, capsys):
    rows = [row(n, path=f"{n % 10}.java", **at(n)) for n in range(50)]
    rows[7] |= odd
    saved = save(rows, tmp_path / "d")
    assert set(saved["train"]["path"]).isdisjoint(saved["test"]["path"]) and len(saved["test"]) == 10
    assert "split by file, since all rows are of one family" in capsys.readouterr().out


def test_siblings_are_the_rows_of_a_merge_in_order(tmp_path):
    rows = [row(n, family=f"f{n % 2}", merge_commit=f"m{n % 4}", order=90 - n) for n in range(16)]
    saved = save(rows, tmp_path / "d", test_size=0)
    expected = [rows[n] for n in (13, 9, 5, 1)]
    assert (
        siblings(saved, rows[5])
        == siblings(saved["train"], rows[5])
        == siblings(rows, rows[5])
        == siblings(iter(rows), rows[5])
        == expected
    )
    assert siblings(rows, rows[5] | {"family": "another"}) == []  # it is not among them
    alone = {"question": "of a data set that names no merge"}
    assert siblings(rows, alone) == [alone]
    old = [row(n, merge_commit="m", path=f"{n % 2}.java", hunk=n, order=0) for n in range(4)]  # nobody counted
    assert [each["hunk"] for each in siblings(old, old[0])] == [0, 2, 1, 3]


def test_shares_of_all_rows_and_of_decided_ones(tmp_path):
    kinds = ["ours"] * 6 + ["mixed"] * 3 + ["theirs"]
    rows = [row(n, kind=kind, decided=n >= 4, language="Go") for n, kind in enumerate(kinds)]
    expected = {
        "rows": {"ours": 6, "mixed": 3, "theirs": 1},
        "share": {"ours": 0.6, "mixed": 0.3, "theirs": 0.1},
        "decided": {"ours": 2, "mixed": 3, "theirs": 1},
        "share of decided": {"ours": 0.333, "mixed": 0.5, "theirs": 0.167},
    }
    saved = save(rows, tmp_path / "d")
    for given in (rows, iter(rows), saved, Dataset.from_list(rows)):
        assert shares(given).to_dict() == expected
    assert shares(rows, "language").to_dict("list")["decided"] == [6]
    assert shares([]).empty and shares([each | {"decided": False} for each in rows])["share of decided"].sum() == 0


def test_one_family_is_split_by_file_and_it_says_so(tmp_path, capsys):
    saved = save([row(n, path=f"{n % 10}.java") for n in range(50)], tmp_path / "d")
    assert set(saved["train"]["path"]).isdisjoint(saved["test"]["path"])
    assert len(saved["test"]) == 10
    assert "split by file, since all rows are of one family" in capsys.readouterr().out


@pytest.mark.parametrize(("sizes", "expected"), [((44, 14), 14), ((5, 50), 5), ((30, 30), 30), ((9,), 2)])
def test_small_families_go_to_test_and_there_is_always_one_if_there_are_two(sizes, expected, tmp_path):
    rows = [row(100 * f + n, family=f"f{f}", path="same.java") for f, size in enumerate(sizes) for n in range(size)]
    assert len(save(rows, tmp_path / "d")["test"]) == expected
    assert len(save(rows, tmp_path / "d", test_size=0.0)["test"]) == 0
    assert len(save(rows, tmp_path / "d", test_size=1.0)["train"]) == 0


def test_near_duplicates_of_test_rows_are_left_out_of_train(tmp_path, capsys):
    words = " ".join(f"token{n}" for n in range(60))
    rows = [row(n, family=f"f{n % 4}") for n in range(40)]
    rows += [row(100 + n, family=f"f{n}", words=f"{words} tail{n}") for n in range(4)]
    saved = save(rows, tmp_path / "d")
    kept = [each["id"] for split in saved.values() for each in split if each["ours"].startswith("a token0")]
    assert len(kept) == 1 and kept[0] in saved["test"]["id"]
    assert "3 rows were left out of train" in capsys.readouterr().out
    assert counts(leakage_report(saved))["rows, nearly (80% alike)"] == 0


def test_the_report_sees_what_leaks():
    same = [row(n, family="f", words="one two three four five six") for n in range(2)]
    leaky = DatasetDict(train=Dataset.from_list([same[0]]), test=Dataset.from_list([same[1]]))
    found = counts(leakage_report(leaky))
    assert found["families of repositories"] == found["repositories"] == found["hunks, exactly"] == 1
    assert found["rows, nearly (80% alike)"] == 1 and found["merge commits"] == 0


def test_groups_of_near_duplicates():
    words = [" ".join(f"{name}{n}" for n in range(50)) for name in "abc"]
    texts = [words[0], words[1], words[0] + " more", "", words[2], words[1] + ";", ""]
    assert group_near_duplicates(texts) == [0, 1, 0, 2, 3, 1, 2]
    assert group_near_duplicates([]) == []


def test_what_cannot_be_saved_is_one_sentence(tmp_path):
    with pytest.raises(LlmergeError, match="no row to save"):
        save([], tmp_path / "d")
    with pytest.raises(LlmergeError, match="row r@1 has no kind, answer"):
        save([{k: v for k, v in row(1).items() if k not in ("kind", "answer")}], tmp_path / "d")
    with pytest.raises(LlmergeError, match="test_size must lie between 0 and 1"):
        save([row(1)], tmp_path / "d", test_size=20)
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_cannot_be_replaced_is_kept(tmp_path, monkeypatch):
    save([row(1), row(2)], tmp_path / "d")
    before = files(tmp_path)
    full_disk.fill(monkeypatch)
    with pytest.raises(LlmergeError, match="d cannot be written .No space left on device.: make room"):
        save([row(3), row(4)], tmp_path / "d")
    assert files(tmp_path) == before


def test_a_dataset_is_found_after_a_kill_in_the_middle_of_replacing_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    save([row(1), row(2)], tmp_path / "merges/mine/dataset")
    (tmp_path / "merges/mine/dataset").rename(tmp_path / "merges/mine/.dataset.old")
    assert sorted(each["id"] for split in load("mine").values() for each in split) == ["r@1", "r@2"]
    save([row(3), row(4)], tmp_path / "merges/mine/dataset")
    assert sorted(each["id"] for split in load("mine").values() for each in split) == ["r@3", "r@4"]


# ------------------------------------------------------------------------------------------------ found, or not found


def test_names_paths_and_auto(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    for name in ("sample", "mine"):
        save([row(1), row(2)], tmp_path / "merges" / name / "dataset")
    assert dataset_path("mine") == dataset_path("merges/mine") == tmp_path / "merges/mine/dataset"
    assert dataset_path(tmp_path / "merges/mine/dataset") == tmp_path / "merges/mine/dataset"
    assert dataset_path("auto") == tmp_path / "merges/sample/dataset"
    save([row(1), row(2)], tmp_path / "merges/repos_50/dataset")
    assert dataset_path() == tmp_path / "merges/repos_50/dataset"
    assert len(load("mine")["train"]) + len(load("mine")["test"]) == 2


def test_a_missing_dataset_names_the_command_that_builds_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    (tmp_path / "merges/repos_50").mkdir(parents=True)
    command = "papermill notebooks/00_collect_merges.ipynb out.ipynb -p name"
    with pytest.raises(LlmergeError, match=f"no dataset at merges/repos_50/dataset: `{command} repos_50` builds it"):
        load("repos_50")
    with pytest.raises(LlmergeError, match=f"{command} mine -p sources <a repository"):
        load("mine")


def test_a_damaged_dataset_is_one_sentence(tmp_path):
    save([row(1), row(2)], tmp_path / "d")
    for path in (tmp_path / "d").rglob("*.arrow"):
        path.write_bytes(b"torn")
    with pytest.raises(LlmergeError, match=r"d cannot be read \(.*\): build it again"):
        load(tmp_path / "d")


# ---------------------------------------------------------------------------------------------- datasets of others

QUESTION = """You are a semantic merge conflict resolution expert. Below is a snippet of code.
Here is the code snippet:
```java
    void run() {
<<<<<<< HEAD
        go(1);
=======
        go(2);
>>>>>>> topic
    }
```"""
ANSWER = "    void run() {\n        go(2);\n    }\n"


def others(*rows: dict) -> Dataset:
    return Dataset.from_list([{"question": QUESTION, "answer": ANSWER} | each for each in rows])


def test_llmerge_datasets_load_with_every_column(tmp_path):
    DatasetDict(train=others({}, {}), test=others({})).save_to_disk(str(tmp_path / "merges_x" / "dataset"))
    loaded = load(tmp_path / "merges_x")
    assert {k: len(v) for k, v in loaded.items()} == {"train": 2, "test": 1}
    first = loaded["train"][0]
    assert set(first) == set(COLUMNS) and first["question"] == QUESTION and first["answer"] == ANSWER
    assert (first["ours"], first["base"], first["theirs"]) == ("        go(1);\n", "", "        go(2);\n")
    assert (first["before"], first["resolution"]) == ("    void run() {\n", "        go(2);\n")
    assert (first["kind"], first["language"], first["id"]) == ("theirs", "Java", "merges_x/train#0")


@pytest.mark.parametrize("answer", [ANSWER.strip(), ANSWER.rstrip("\n"), f"```java\n{ANSWER}```"])
def test_answers_stripped_at_their_ends_or_fenced(answer, tmp_path):
    DatasetDict(train=others({"answer": answer})).save_to_disk(str(tmp_path / "d"))
    assert load(tmp_path / "d")["train"][0]["answer"] == ANSWER


def test_rows_whose_answer_does_not_fit_are_counted_and_left_out(tmp_path, capsys):
    bad = [{"answer": "something else\n"}, {"question": None}, {"answer": None}]
    DatasetDict(test=others({}, *bad)).save_to_disk(str(tmp_path / "d"))
    loaded = load(tmp_path / "d")
    assert len(loaded["test"]) == 1 and len(loaded["train"]) == 0
    assert "3 of 4 rows left out" in capsys.readouterr().out
    DatasetDict(test=others(*bad)).save_to_disk(str(tmp_path / "e"))
    with pytest.raises(LlmergeError, match="no question holds a conflict"):
        load(tmp_path / "e")


def test_a_dataset_without_splits_is_split(tmp_path):
    rows = [row(n, family=f"f{n % 4}") for n in range(40)]
    Dataset.from_list(rows).save_to_disk(str(tmp_path / "ours"))
    assert {k: len(v) for k, v in load(tmp_path / "ours").items()} == {"train": 30, "test": 10}
    different = [{"question": QUESTION.replace("go", f"call{n} other{n} more{n}")} for n in range(20)]
    fitting = [each | {"answer": ANSWER.replace("go", f"call{n} other{n} more{n}")} for n, each in enumerate(different)]
    others(*fitting, *fitting).save_to_disk(str(tmp_path / "theirs"))
    loaded = load(tmp_path / "theirs")
    assert len(loaded["train"]) + len(loaded["test"]) == 40
    assert set(loaded["train"]["question"]).isdisjoint(loaded["test"]["question"])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"text": ["a"]}, "no column question and no column answer, but text"),
        ({"question": ["a"], "label": ["b"]}, "no column answer, but question, label"),
    ],
)
def test_wrong_columns_are_one_sentence_that_names_them(columns, words, tmp_path):
    Dataset.from_dict(columns).save_to_disk(str(tmp_path / "d"))
    with pytest.raises(LlmergeError, match=words):
        load(tmp_path / "d")
    DatasetDict(validation=others({})).save_to_disk(str(tmp_path / "e"))
    with pytest.raises(LlmergeError, match="neither a split train nor test, but validation"):
        load(tmp_path / "e")


# ----------------------------------------------------------------------------------------------- the bundled sample


def test_the_bundled_dataset_is_what_the_scenarios_give_today(tmp_path):
    found = collect(ROOT / "merges" / "sample", tmp_path / "work", workers=1)
    made, bundled = save(found.rows(), tmp_path / "dataset"), load("sample")
    advice = "run `papermill notebooks/00_collect_merges.ipynb out.ipynb` and commit merges/sample/dataset"
    if (dataset_path("sample") / "files.parquet").exists():
        assert files(tmp_path / "dataset") == files(ROOT / "merges" / "sample" / "dataset"), advice
    for split, rows in made.items():  # a sample of the older format does not tell what came later
        told = [name for name in rows.column_names if name not in UNTOLD]
        assert rows.select_columns(told).to_list() == bundled[split].select_columns(told).to_list(), advice


def test_the_bundled_dataset_shows_every_kind_and_keeps_the_services_apart():
    sample = load("sample")
    rows = [each for split in sample.values() for each in split]
    kinds = {"ours", "theirs", "ours_theirs", "theirs_ours", "base", "empty", "mixed"}
    assert len(rows) >= 300 and {each["kind"] for each in rows} == kinds
    assert {"Java", "Python", "TypeScript", "Go", "C"} <= {each["language"] for each in rows}
    assert not set(sample["train"]["repository"]) & set(sample["test"]["repository"])
    assert len(set(sample["train"]["repository"])) >= 8 and len(sample["test"]) >= 60
    assert set(counts(leakage_report(sample)).values()) == {0}
    assert json.loads((ROOT / "merges/sample/dataset/dataset_dict.json").read_text())["splits"] == ["train", "test"]


@pytest.mark.parametrize(("name", "size"), [("repos_50", 50), ("repos_reaper_100", 100)])
def test_lists_of_repositories(name, size):
    from llmerge_helpers.collect import find_sources

    found = find_sources(ROOT / "merges" / name / "repos.csv")
    assert len(found) == size == len({source.name.lower() for source in found})
    assert all(source.location == f"https://github.com/{source.name}" for source in found)
    assert {source.license for source in found} <= {"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause"}


def test_choose_gives_the_same_rows_whatever_the_limit_and_leaves_no_file(tmp_path):
    rows = Dataset.from_dict({"question": [str(n) for n in range(20)]})
    DatasetDict(train=rows).save_to_disk(str(tmp_path / "d"))
    before = sorted(p.name for p in (tmp_path / "d").rglob("*"))
    data = {**DatasetDict.load_from_disk(str(tmp_path / "d")), "test": rows.select([])}
    assert [r["question"] for r in choose(data)] == [str(n) for n in range(20)]
    ten, five = choose(data, "train", 10, seed=3), choose(data, "train", 5, seed=3)
    assert ten[:5] == five and ten != choose(data, "train", 10, seed=4)
    assert sorted(p.name for p in (tmp_path / "d").rglob("*")) == before
    for arguments, sentence in ((("foo",), "no split 'foo'"), (("train", -1), "limit is -1"), (("test",), "is empty")):
        with pytest.raises(LlmergeError, match=sentence):
            choose(data, *arguments)


def test_an_imported_snippet_is_not_taken_for_its_whole_file():
    """Where the rest of the file is not known, a piece that starts inside a comment is no broken file."""
    from llmerge_helpers.merges.dataset import from_question
    from llmerge_helpers.verdict import verify

    question = (
        "Resolve the merge conflict in A.java:\n\n```java\n * of a comment\n */\n<<<<<<< ours\nint a = 1;\n"
        "||||||| base\nint a;\n=======\nint a = 2;\n>>>>>>> theirs\nint b;\n```\n"
    )
    row = {"question": question, "answer": " * of a comment\n */\nint a = 2;\nint b;\n"}
    new = from_question(row, "x#0")
    assert new["prefix"] is None and new["suffix"] is None
    reply = "```java\n * of a comment\n */\nint a =  2;\nint b; // done\n```"
    assert verify(reply, new).match_type == verify(reply, row).match_type == "normalized_match"
