"""A file's text is stored once, and every way of reading rows gives `prefix` and `suffix` again, to the letter."""

import json
import pickle
import tempfile
from io import BytesIO
from pathlib import Path
from unittest import mock

import pytest
from datasets import Dataset, DatasetDict, concatenate_datasets, load_from_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.parquet import ParquetFile
from test_dataset import files, row

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges import COLUMNS, choose, load, save, texts
from llmerge_helpers.merges.dataset import UNTOLD

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def of_files(count: int, hunks: int = 4) -> list[dict]:
    """Rows of `count` files, several of each, as a merge with several hunks gives them."""
    made = []
    for file in range(count):
        rows = [row(100 * file + n, family=f"f{file % 2}", path=f"{file}.java", hunk=n) for n in range(hunks)]
        text = [f"// {file} \N{SNOWMAN}\r\n", *(each["answer"] + "\n" for each in rows)]
        for n, each in enumerate(rows):
            each |= {"prefix": "".join(text[: n + 1]), "suffix": "\n" + "".join(text[n + 2 :])}
        made += rows
    return made


def by_id(rows) -> dict[str, dict]:
    return {each["id"]: each for each in rows}


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=40), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_to_the_letter(cuts, together):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "files.parquet")
        with mock.patch.object(texts, "_TOGETHER", together), texts.TextWriter(path) as writer:
            places = [writer.place({"prefix": a, "answer": b, "suffix": c}) for a, b, c in cuts]
        stored = texts.Texts(path)
        before, behind = stored.around(places[::-1])
        one_by_one = [stored.around([place]) for place in places]
    assert list(zip(before, behind, strict=True)) == [(a, c) for a, _, c in cuts[::-1]]
    assert one_by_one == [([a], [c]) for a, _, c in cuts]


def test_a_text_is_stored_once_and_the_rest_of_a_snippet_is_not_known(tmp_path):
    rows = [each | {"suffix": each["suffix"] + "".join(f"line {n}\n" for n in range(9000))} for each in of_files(3)]
    rows[-1] |= {"prefix": None, "suffix": None}
    save(rows, tmp_path / "d", test_size=0)
    assert len(rows[0]["suffix"]) > 80_000 and sum(map(len, files(tmp_path / "d").values())) / len(rows) < 6_000
    assert by_id(load(tmp_path / "d")["train"]) == by_id(rows)


ROWS = of_files(12)
READ = {
    "iteration": lambda d: list(d),
    "to_list": lambda d: d.to_list(),
    "one by one": lambda d: [d[n] for n in range(len(d))],
    "choose": lambda d: choose(DatasetDict(train=d)),
    "choose, shuffled": lambda d: choose(DatasetDict(train=d), limit=len(d), seed=3),
    "pandas": lambda d: d.to_pandas().to_dict("records"),
    "pandas format": lambda d: d.with_format("pandas")[:].to_dict("records"),
    "to_dict": lambda d: Dataset.from_dict(d.to_dict()).to_list(),
    "columns": lambda d: [dict(zip(COLUMNS, each, strict=True)) for each in zip(*(d[c] for c in COLUMNS), strict=True)],
    "batches": lambda d: [each for batch in d.iter(7) for each in Dataset.from_dict(batch).to_list()],
    "select": lambda d: d.select(range(2, len(d))).to_list() + list(d.select([1, 0])),
    "select of select": lambda d: list(d.select([*range(len(d))][::-1]).select(range(len(d)))),
    "shuffle": lambda d: d.shuffle(seed=1).to_list(),
    "sort": lambda d: d.sort("path").to_list(),
    "filter": lambda d: d.filter(lambda each: each["prefix"] != "").to_list(),
    "map": lambda d: d.map(lambda each: {"label": each["label"]}).to_list(),
    "flatten_indices": lambda d: d.shuffle(seed=1).flatten_indices().to_list(),
    "split and joined": lambda d: concatenate_datasets([*d.train_test_split(0.3, seed=0).values()]).to_list(),
    "renamed and back": lambda d: d.rename_column("prefix", "x").rename_column("x", "prefix").to_list(),
    "removed and joined": lambda d: [
        a | b for a, b in zip(d.remove_columns("suffix"), d.select_columns(["suffix"]), strict=True)
    ],
    "pickle": lambda d: list(pickle.loads(pickle.dumps(d))),
    "stored again": lambda d: stored(d),
}


def stored(rows: Dataset) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        rows.save_to_disk(f"{folder}/d")
        return load_from_disk(f"{folder}/d").to_list()


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("rows") / "d"
    save(ROWS, folder, test_size=0)
    return load(folder)["train"]


@pytest.mark.parametrize("way", READ)
def test_every_way_of_reading_gives_whole_rows(way, train):
    assert train.column_names == list(COLUMNS) == list(train.features)
    found = READ[way](train)
    assert len(found) == len(ROWS) and by_id(found) == by_id(ROWS)


def test_few_texts_are_in_memory_at_a_time(train, monkeypatch):
    """Reading a few rows, or columns that need no text, does not read all texts."""
    read, stored = [], train.data._texts
    monkeypatch.setattr(stored, "_group", lambda group, get=stored._group: read.append(group) or get(group))
    assert len(train["id"][:]) == len(train.select_columns(["id", "answer"]).to_list()) == len(ROWS)
    assert not read
    assert train[0]["prefix"] == ROWS[0]["prefix"] and set(read) == {0}


def test_rows_of_a_data_set_that_is_built_again_stay_what_they_were(tmp_path):
    save(ROWS, tmp_path / "d", test_size=0)
    old = load(tmp_path / "d")["train"]
    save([each | {"prefix": "other\n"} for each in ROWS], tmp_path / "d", test_size=0)
    assert by_id(old) == by_id(ROWS)


# ---------------------------------------------------------------------------------------------- older, copied, damaged


def test_data_sets_of_the_old_format_load_and_say_what_is_taken(tmp_path):
    """Files inline, and none of the columns that came later."""
    old = [{name: value for name, value in each.items() if name not in UNTOLD} | {"mine": 1} for each in ROWS]
    DatasetDict(train=Dataset.from_list(old), test=Dataset.from_list(old[:2])).save_to_disk(str(tmp_path / "d"))
    found = load(tmp_path / "d")
    assert found["train"].column_names == [*COLUMNS, "mine"]
    assert by_id(found["train"]) == by_id(each | UNTOLD for each in old)
    assert [type(found["train"][0][name]) for name in UNTOLD] == [int, int, bool, bool]
    save(choose(found), tmp_path / "new", test_size=0)
    assert by_id(load(tmp_path / "new")["train"]) == by_id(each | UNTOLD for each in ROWS)


def test_rows_copied_without_their_files_have_an_unknown_rest(tmp_path, capsys):
    save(ROWS, tmp_path / "d", test_size=0)
    load_from_disk(str(tmp_path / "d"))["train"].select(range(5)).save_to_disk(str(tmp_path / "copy"))
    found = load(tmp_path / "copy")
    assert "copy has no files.parquet: of each file, only the lines beside" in capsys.readouterr().out
    rows = [each for part in found.values() for each in part]
    assert by_id(rows) == by_id(each | {"prefix": None, "suffix": None} for each in ROWS[:5])


def test_a_column_of_others_called_file_is_no_place(tmp_path, capsys):
    given = [{name: each[name] for name in ("question", "answer")} | {"file": "A.java"} for each in ROWS[:4]]
    DatasetDict(train=Dataset.from_list(given)).save_to_disk(str(tmp_path / "d"))
    rows = load(tmp_path / "d")["train"]
    assert len(rows) == 4 and rows.column_names == list(COLUMNS) and not capsys.readouterr().out
    assert [{name: each[name] for name in UNTOLD} for each in rows] == [UNTOLD] * 4


def test_damaged_and_foreign_texts_are_one_sentence(tmp_path):
    for name in "de":
        save(ROWS[: 12 if name == "d" else None], tmp_path / name, test_size=0)
    good, short = (tmp_path / name / "files.parquet" for name in "ed")
    whole = good.read_bytes()
    good.write_bytes(short.read_bytes())
    with pytest.raises(LlmergeError, match=r"files.parquet has no text [0-9a-f]{32}: build the data set again"):
        load(tmp_path / "e")["train"].to_list()
    good.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LlmergeError, match=r"e cannot be read \(.*\): build it again"):
        load(tmp_path / "e")
    page = ParquetFile(BytesIO(whole)).metadata.row_group(0).column(1).data_page_offset + 40
    good.write_bytes(whole[:page] + bytes(60) + whole[page + 60 :])
    with pytest.raises(LlmergeError, match=r"files.parquet cannot be read \(.*\): build the data set again"):
        load(tmp_path / "e")["train"].to_list()


def test_what_lies_on_disk_can_be_joined_by_other_programs(tmp_path):
    """The format, for whoever reads it without us: `file`, `start` and `end` beside a Parquet table of texts."""
    import pandas

    save(ROWS, tmp_path / "d", test_size=0)
    assert json.loads((tmp_path / "d/dataset_dict.json").read_text())["splits"] == ["train"]
    rows = (
        load_from_disk(str(tmp_path / "d"))["train"]
        .to_pandas()
        .merge(pandas.read_parquet(tmp_path / "d/files.parquet"))
    )
    assert len(rows) == len(ROWS) and rows["file"].nunique() == 12
    for each in rows.to_dict("records"):
        assert each["text"][each["start"] : each["end"]] == each["answer"]
        assert each["text"][: each["start"]] == by_id(ROWS)[each["id"]]["prefix"]


# ------------------------------------------------------------------------------------------------- rows by need


def test_chosen_rows_are_a_list_to_whoever_reads_them(train):
    whole = train.to_list()
    for rows, wanted in (
        (choose(DatasetDict(train=train)), whole),
        (choose(DatasetDict(train=train)) + whole[:2], whole + whole[:2]),
        (
            choose(DatasetDict(train=train), limit=5, seed=1) + [],
            list(choose(DatasetDict(train=train), limit=5, seed=1)),
        ),
    ):
        assert rows == wanted and wanted == list(rows) and len(rows) == len(wanted) and rows != wanted[:-1]
        assert [rows[n] for n in range(-len(rows), len(rows))] == wanted * 2
        assert rows[2:4] == wanted[2:4] and rows[::3] == wanted[::3] and rows.select([3, 1, len(rows) - 1]) == [
            wanted[3], wanted[1], wanted[-1]
        ]  # fmt: skip
        assert rows.column_names == list(COLUMNS)
        assert list(rows.select_columns(["id", "kind"])) == [{name: r[name] for name in ("id", "kind")} for r in wanted]
        for beyond in (len(rows), -len(rows) - 1):
            with pytest.raises(IndexError):
                rows[beyond]
    assert (rows + [{"id": "of another kind"}]).column_names is None


def test_few_of_the_chosen_rows_are_in_memory(train, monkeypatch):
    from llmerge_helpers.merges import rows as room

    monkeypatch.setattr(room, "TOGETHER", 4)
    read = []
    monkeypatch.setattr(room.Rows, "_read", lambda self, n, get=room.Rows._read: read.append(n) or get(self, n))
    chosen = choose(DatasetDict(train=train))
    assert not read and chosen[9]["id"] in by_id(ROWS) and read == [2], "only the part that was looked at"
    assert len(list(chosen)) == len(ROWS) and read == [2, 0, 1, *range(3, 12)], "one part after the other, each once"
