"""`merges/<name>/dataset`: rows saved with a split that does not leak, and loaded with the columns that others use."""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts import Conflict, Row, fences
from llmerge_helpers.conflicts.languages import language_named
from llmerge_helpers.conflicts.prompts import OF_SIDES, TEXTS
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges.elsewhere import four_columns, is_file_of_rows, read_rows
from llmerge_helpers.merges.rows import Rows
from llmerge_helpers.merges.splits import (
    group_near_duplicates,
    held_out_groups,
    near_duplicates_of,
    newest_groups,
    sketches,
    split_keys,
    time_of,
)
from llmerge_helpers.run import from_root, root, shown
from llmerge_helpers.run.files import in_place, replace_folder, room_beside, write_atomic

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset, DatasetDict
    from datasketch import MinHash
    from pandas import DataFrame

    from llmerge_helpers.merges.texts import Texts

COLUMNS = (
    "id", "repository", "family", "merge_commit", "parent_1", "parent_2", "path", "hunk", "order", "merge_size",
    "committed_at", "license", "language", "before", "ours", "base", "theirs", "after", "resolution", "kind", "label",
    "decided", "white_space_only", "prefix", "suffix", "question", "answer",
)  # fmt: skip
# what a row is taken to be where a data set does not say; no merge has 0 conflicts
UNTOLD = {"order": 0, "merge_size": 0, "decided": True, "white_space_only": False}
_BUILD = "papermill notebooks/00_collect_merges.ipynb out.ipynb -p name"


# ---------------------------------------------------------------------------------------------------------- saving


def save(
    rows: Iterable[Row],
    path: str | os.PathLike,
    *,
    test_size: float = 0.2,
    seed: int = 0,
    threshold: float = 0.8,
) -> DatasetDict:
    """Write the rows as a `DatasetDict` with `train` and `test`, and give it back; the same rows give the same bytes.

    No family of repositories is on both sides; with one family only, no merge is, and the newest are in `test`. Rows of
    `train` that are nearly the same as one of `test` (Jaccard similarity of at least `threshold`) are left out. Prints
    what it did. Rows go to disk as they come, the text of a file once; an older dataset at `path` is replaced when the
    new one is whole.
    """
    from datasets import DatasetDict

    if not 0 <= test_size <= 1:
        raise LlmergeError(f"test_size must lie between 0 and 1, not {test_size}.")
    path = from_root(path)
    with room_beside(path) as room:
        everything, known = _write_rows(rows, room / "rows.arrow", room / "files.parquet")
        level, (train, test) = _split(everything, test_size, seed)
        copies = near_duplicates_of((known[n] for n in train), [known[n] for n in test], threshold)
        dropped = sum(copy is not None for copy in copies)
        train = [n for n, copy in zip(train, copies, strict=True) if copy is None]
        # a split without rows cannot be loaded again: it is left out, and `load` puts it back
        sides = {"train": train, "test": test}
        whole = DatasetDict({side: _named(everything.select(rows), side) for side, rows in sides.items() if rows})
        write_dataset(whole, path, room, files=room / "files.parquet")
    kept = f"{len(train)} rows to train on, {len(test)} to test on"
    print(f"{shown(path)}: {kept}; split by {_SPLIT_BY[level]}.")
    if dropped:
        print(f"{dropped} rows were left out of train: nearly the same as a row of test.")
    return load(path)


def _split(rows: Dataset, test_size: float, seed: int) -> tuple[str, tuple[list[int], list[int]]]:
    """What the split goes by, and the numbers of the rows to train on, and of those to test on."""
    whence = rows.select_columns(["family", "repository", "merge_commit", "committed_at", "path"]).to_list()
    level, keys = split_keys(whence)
    if level == "merge":  # other hunks of a merge tell how it was decided, and later ones build on it
        chosen = newest_groups(keys, [time_of(row) for row in whence], test_size)
    else:
        if level == "conflict":  # nothing to go by but the texts
            texts = (Conflict.of(row).text() for row in rows.select_columns(list(TEXTS)))
            keys = [str(group) for group in group_near_duplicates(texts)]
        chosen = held_out_groups(keys, [1.0] * len(keys), test_size, seed)
    sides = ([n for n, key in enumerate(keys) if (key in chosen) == test] for test in (False, True))
    return level, tuple(sides)


def _schema(more: Sequence[str] = ()) -> pyarrow.Schema:
    import pyarrow

    types = {"hunk": pyarrow.int64()}
    types |= {name: pyarrow.bool_() if isinstance(value, bool) else pyarrow.int64() for name, value in UNTOLD.items()}
    return pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in (*COLUMNS, *more)])


def _write_rows(rows: Iterable[Row], path: Path, files: Path) -> tuple[Dataset, list[MinHash]]:
    """All rows in one memory-mapped file, with the texts of their files in another, and a sketch of each conflict."""
    import pyarrow
    from datasets import Dataset

    from llmerge_helpers.merges.texts import AROUND, PLACE, TextWriter

    known: list[MinHash] = []
    batch: list[dict[str, object]] = []
    rows = iter(rows)
    first = next(rows, None)
    more = [name for name in OF_SIDES if first and name in first]
    schema = pyarrow.schema([*(field for field in _schema(more) if field.name not in AROUND), *PLACE])
    with (
        pyarrow.OSFile(str(path), "wb") as file,
        pyarrow.ipc.new_stream(file, schema) as stream,
        TextWriter(files) as texts,
    ):

        def flush() -> None:
            stream.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema=schema))
            known.extend(sketches(Conflict.of(row).text() for row in batch))
            batch.clear()

        for row in chain([first] if first else [], rows):
            missing = [column for column in COLUMNS if column not in row and column not in UNTOLD]
            if missing:
                raise LlmergeError(f"row {row.get('id', len(known))} has no {', '.join(missing)}.")
            kept = {column: row[column] for column in schema.names if column in row}
            batch.append(
                kept
                | {name: value for name, value in UNTOLD.items() if row.get(name) in (None, "")}
                | texts.place(row)._asdict()
            )
            if len(batch) == 256:
                flush()
        if batch:
            flush()
    if not known:
        raise LlmergeError("there is no row to save: no conflict of these sources has a resolution that is certain.")
    return Dataset.from_file(str(path)), known


_SPLIT_BY = {
    "family": "family of repositories",
    "merge": "merge, the newest to test on, since all rows are of one family",
    "file": "file, since all rows are of one family, and not of several merges with a time",
    "conflict": "row, since all rows are of one file",
}


def _named(dataset: Dataset, split: str) -> Dataset:
    """The dataset under a fingerprint made of its rows, where `datasets` would draw one by time and place."""
    from datasets import Dataset, NamedSplit

    with without_bars():
        dataset = dataset.flatten_indices(keep_in_memory=True) if len(dataset) < 10_000 else dataset.flatten_indices()
    mark = hashlib.sha256(split.encode())
    for ident, answer in zip(dataset["id"], dataset["answer"], strict=True):
        mark.update(f"{ident}\0{answer}\0".encode("utf-8", "surrogatepass"))
    return Dataset(dataset.data, info=dataset.info, split=NamedSplit(split), fingerprint=mark.hexdigest()[:16])


def write_dataset(dataset: DatasetDict, path: Path, room: Path, card: str = "", files: Path | None = None) -> None:
    """Write `dataset` and its card in `room`, then put both, with `files`, in the place of `path`, as a whole."""
    with without_bars():
        # an empty split gets no file by default, and then cannot be loaded
        dataset.save_to_disk(room / "dataset", num_shards={s: None if len(p) else 1 for s, p in dataset.items()})
    if card:
        write_atomic(room / "dataset" / "README.md", card)
    if files:
        os.replace(files, room / "dataset" / files.name)
    replace_folder(room / "dataset", path)


@contextmanager
def without_bars() -> Iterator[None]:
    """`datasets` without its progress bars: each would leave dozens of lines in a saved notebook."""
    import datasets

    shown_before = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not shown_before:
            datasets.enable_progress_bars()


# --------------------------------------------------------------------------------------------------------- loading


def dataset_path(name: str | os.PathLike = "auto") -> Path:
    """Folder of a dataset, by name under `merges/` or by path; "auto" is repos_50 where it is built, else sample.

    A file of rows is where it is.
    """
    text = os.fspath(name)
    if is_file_of_rows(from_root(text)):
        return from_root(text)
    if text == "auto":
        built = [root() / "merges" / each / "dataset" for each in ("repos_50", "sample")]
        return next((folder for folder in built if _is_saved(folder)), built[-1])
    candidates = [from_root(text), from_root(text) / "dataset"]
    if "/" not in text and os.sep not in text:
        candidates = [root() / "merges" / text / "dataset", root() / "merges" / text, *candidates]
    return next((folder for folder in candidates if _is_saved(folder)), candidates[0])


def dataset_version(name: str | os.PathLike = "auto") -> str:
    """What tells a dataset from another that was built in its place, 12 letters; empty where there is none."""
    place = in_place(dataset_path(name))
    found = [place] if place.is_file() else sorted(place.glob("**/state.json"))
    # each holds the fingerprint of its rows
    return hashlib.sha256(b"".join(path.read_bytes() for path in found)).hexdigest()[:12] if found else ""


def _is_saved(folder: Path) -> bool:
    folder = in_place(folder)
    return (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()


def load(path: str | os.PathLike = "auto") -> DatasetDict:
    """The dataset called `path` (a name under merges/, "auto", or a folder), with `train`, `test` and all COLUMNS.

    Reads what `save` wrote, now or before files were stored once, and rows that others made, be it a saved dataset or a
    file (JSON lines, JSON, CSV, TSV, parquet): with `question` and `answer`, as LLMerge and Merge-Bench have them, the
    hunk is parsed back out of the question; with ours, base, theirs and resolution, or A, O, B and M as MergeBERT calls
    them, these are it. A dataset without splits is split as `save` would. `prefix` and `suffix` are cut out of the
    files as rows are read, so that memory stays bounded.
    """
    from datasets import Dataset, DatasetDict, load_from_disk

    folder = dataset_path(path)
    if is_file_of_rows(folder):
        return _with_splits(_of_file(folder))
    if not _is_saved(folder):
        name = folder.parent.name if folder.name == "dataset" else folder.name
        where = "" if (root() / "merges" / name).exists() else " -p sources <a repository, URL, repos.csv or folder>"
        raise LlmergeError(f"there is no dataset at {shown(folder)}: `{_BUILD} {name}{where}` builds it.")
    try:
        loaded = load_from_disk(str(in_place(folder)))
        loaded = DatasetDict(all=loaded) if isinstance(loaded, Dataset) else loaded
        texts = _texts_of(loaded, in_place(folder))
    except Exception as error:  # datasets and pyarrow raise many kinds for a damaged folder
        raise LlmergeError(f"{shown(folder)} cannot be read ({type(error).__name__}): build it again.") from error
    for split, rows in loaded.items():
        loaded[split] = rows = _told_whole(rows, texts)
        if not set(COLUMNS) <= set(rows.column_names):
            loaded[split] = _completed(rows, rows.column_names, f"{folder.parent.name}/{split}", folder)
    if "all" in loaded:
        loaded = _with_splits(loaded["all"])
    if "train" not in loaded and "test" not in loaded:
        raise LlmergeError(f"{shown(folder)} has neither a split train nor test, but {', '.join(loaded)}.")
    for split in ("train", "test"):
        if split not in loaded:
            other = next(iter(loaded.values()))
            loaded[split] = other.select([])
    return loaded


def _texts_of(loaded: DatasetDict, folder: Path) -> Texts | None:
    """The file texts beside the rows, where they have such; None for rows that carry their own, or that lost them."""
    from llmerge_helpers.merges.texts import FILES, PLACE, Texts

    if not any(set(PLACE.names) <= set(rows.column_names) for rows in loaded.values()):
        return None
    if (folder / FILES).exists():
        return Texts(folder / FILES)
    print(f"{shown(folder)} has no {FILES}: of each file, only the lines beside the conflict are known.")
    return None


def _told_whole(rows: Dataset, texts: Texts | None) -> Dataset:
    """Rows of ours with all COLUMNS, by `texts` and by what is taken where older ones do not say; others as given."""
    from datasets import Features

    from llmerge_helpers.merges.texts import AROUND, PLACE, with_texts

    stored = set(PLACE.names) <= set(rows.column_names)
    if set(COLUMNS) - {*rows.column_names, *UNTOLD, *(AROUND if stored else ())}:
        return rows
    features = Features.from_arrow_schema(_schema())
    values = UNTOLD | (dict.fromkeys(AROUND) if stored and not texts else {})
    for name in [name for name in values if name not in rows.column_names]:
        rows = rows.add_column(name, [values[name]] * len(rows), feature=features[name])
    names = [*COLUMNS, *(name for name in rows.column_names if name not in (*COLUMNS, *PLACE.names))]
    return with_texts(rows, texts, names) if stored and texts else rows.select_columns(names)


def choose(dataset: DatasetDict, split: str = "train", limit: int = 0, seed: int = 0) -> Rows:
    """The rows of a split, or `limit` of them drawn with a seed; a larger limit keeps those of a smaller one.

    They are read when they are looked at, some neighbours at a time, so that any number of them fits into memory.
    """
    if split not in dataset:
        raise LlmergeError(f"there is no split '{split}' in this dataset: choose one of {', '.join(dataset)}.")
    if limit < 0:
        raise LlmergeError(f"limit is {limit}: give the number of conflicts, or 0 for all.")
    rows = dataset[split]
    if not len(rows):
        raise LlmergeError(
            f"the split '{split}' is empty: choose another one, or build the dataset with another test_size."
        )
    numbers: Sequence[int] = range(len(rows))
    if limit:
        random.Random(seed).shuffle(numbers := list(numbers))
    return Rows(rows, numbers[: limit or None])


def shares(rows: Iterable[Row] | DatasetDict, column: str = "kind") -> DataFrame:
    """How often each value of a column comes, the most frequent first: among all rows, and among the decided ones.

    A row is undecided if it says that its merge took one parent's tree as it is. Of a `DatasetDict` all splits count.

    >>> rows = [{"kind": "ours", "decided": False}, {"kind": "ours", "decided": True}, {"kind": "mixed"}]
    >>> shares(rows).to_dict("list")
    {'rows': [2, 1], 'share': [0.667, 0.333], 'decided': [1, 1], 'share of decided': [0.5, 0.5]}
    """
    import pandas

    parts = rows.values() if isinstance(rows, Mapping) else [rows]
    # of a data set, read only what is asked for
    light = [p.select_columns([column, "decided"]) if hasattr(p, "select_columns") else p for p in parts]
    told = [(row.get(column), row.get("decided") is not False) for part in light for row in part]
    found, decided = Counter(value for value, _ in told), Counter(value for value, sure in told if sure)
    order = sorted(found, key=lambda value: (-found[value], str(value)))
    table = pandas.DataFrame({"rows": [found[v] for v in order]}, index=pandas.Index(order, name=column))
    table["share"] = (table["rows"] / len(told)).round(3)
    table["decided"] = [decided[v] for v in order]
    table["share of decided"] = (table["decided"] / max(1, decided.total())).round(3)
    return table


def _with_splits(rows: Dataset) -> DatasetDict:
    from datasets import DatasetDict

    _, (train, test) = _split(rows, 0.2, 0)
    return DatasetDict(train=rows.select(train), test=rows.select(test))


def _of_file(path: Path) -> Dataset:
    from datasets import Dataset, Features

    rows = read_rows(path)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    if set(COLUMNS) - {*columns, *UNTOLD}:
        return _completed(rows, columns, path.stem, path)
    # rows of ours, as an `items.jsonl` has them; `from_list` would take the columns of the first row only
    ours = [{name: _typed(row.get(name), UNTOLD.get(name)) for name in COLUMNS} for row in rows]
    return Dataset.from_list(ours, features=Features.from_arrow_schema(_schema()))


def _typed(value: object, untold: object) -> object:
    """A value as a row of ours has it: a CSV holds nothing but texts."""
    if value in (None, ""):
        return value if untold is None else untold
    return str(value).strip().lower() == "true" if isinstance(untold, bool) else value


def _completed(rows: Iterable[Row], columns: Sequence[str], name: str, place: Path) -> Dataset:
    """The rows with every column of ours, from what they have; those that do not fit are counted and left out."""
    from datasets import Dataset, Features

    sides = four_columns(columns)
    missing = [column for column in ("question", "answer") if column not in columns]
    if missing and not sides:
        raise LlmergeError(
            f"{shown(place)} is not a dataset of merges: it has no column {' and no column '.join(missing)}, "
            f"but {', '.join(columns) or 'none at all'}; ours, base, theirs and resolution (or A, O, B and M) would do "
            f"as well. `{_BUILD} sample` shows what one looks like."
        )
    numbered = [(f"{name}#{number}", row) for number, row in enumerate(rows)]
    found = [from_question(row, i) if not missing else from_sides(row, sides, i) for i, row in numbered]
    kept = [row for row in found if row is not None]
    if found and not kept:
        why = "no question holds a conflict, or no answer keeps the lines around it"
        raise LlmergeError(f"{shown(place)}: {'no row has two sides and a resolution' if missing else why}.")
    if len(kept) < len(found):
        what = "a side or the resolution is missing" if missing else "their answer does not fit the question"
        print(f"{name}: {len(found) - len(kept)} of {len(found)} rows left out, {what}.")
    return Dataset.from_list(kept, features=Features.from_arrow_schema(_schema()))


# -------------------------------------------------------------------------------------------- data sets made elsewhere


def from_question(row: Mapping[str, object], ident: str) -> Row | None:
    """A row of ours from a question with a conflict in it and an answer; None where they do not fit."""
    try:
        conflict = Conflict.of({name: row.get(name) for name in ("question", "path", "language")})
    except LlmergeError:
        return None
    answer = str(row["answer"] or "")
    blocks = fences(answer)
    if answer.lstrip().startswith("```") and blocks:
        answer = blocks[0].body
    resolution = conflict.cut(answer)
    if resolution is None:
        return None
    return _made(row, conflict, resolution, ident)


def from_sides(row: Mapping[str, object], names: Mapping[str, str], ident: str) -> Row | None:
    """A row of ours from the four texts of a conflict, under these names; None where one is no text.

    A conflict is of whole lines: where no text ends one, all do.

    >>> row = {"A": "a = 2", "O": "a = 1", "B": "b = 1", "M": "b = 2", "path": "x.py"}
    >>> made = from_sides(row, four_columns(row), "them#0")
    >>> made["ours"], made["answer"], made["language"]
    ('a = 2\\n', 'b = 2\\n', 'Python')
    """
    texts = {side: row.get(name) for side, name in names.items()}
    if texts["base"] is None:
        texts["base"] = ""
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    if not any(text.endswith("\n") for text in texts.values()):
        texts = {side: text and text + "\n" for side, text in texts.items()}
    around = {name: str(row.get(name) or "") for name in ("before", "after", "path")}
    language = {"language": language_named(row.get("language") or row.get("lang"))}
    conflict = Conflict.of({**around, **language, **{side: texts[side] for side in ("ours", "base", "theirs")}})
    return _made(dict(row) | {"question": ""}, conflict, texts["resolution"], ident)


def _made(row: Mapping[str, object], conflict: Conflict, resolution: str, ident: str) -> Row:
    made = {column: str(row.get(column) or "") for column in COLUMNS}
    made |= {name: row[name] if isinstance(row.get(name), type(value)) else value for name, value in UNTOLD.items()}
    made |= {name: getattr(conflict, name) or "" for name in (*TEXTS, "path", "language")}
    made |= {side: row.get(side) for side in ("prefix", "suffix")}  # None: the rest of the file is not known
    made |= {"resolution": resolution, "answer": conflict.with_(resolution), "kind": conflict.kind_of(resolution)}
    made |= {"id": str(row.get("id") or ident), "label": made["label"] or "given"}
    made["question"] = made["question"] or conflict.question()
    made["hunk"] = row["hunk"] if isinstance(row.get("hunk"), int) else 0
    return made
