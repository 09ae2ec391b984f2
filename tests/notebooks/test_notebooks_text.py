"""The notebooks as text: what a reader, papermill, GitHub and Colab need of them, without running one."""

import ast
import json
import re
import statistics
import tomllib
from pathlib import Path

import nbformat
import pytest
from readme_tables import parameters_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
# design §6: scripts of users rely on these names
PARAMETERS = {
    "00_collect_merges": "name sources output context_lines max_merges wholesale context languages test_size seed "
    "scheduler",
    "01_generate": "dataset limit split teacher model base_url request samples until_correct "
    "max_tokens max_concurrency min_delay_s max_cost_usd price max_tokens_total patience shard cache_dir output_dir "
    "seed siblings context",
    "02_inspect_and_prepare": "examples correct_only accept max_tokens max_near_equal keep drop_flagged base_model "
    "style input hints siblings context grpo_share validation_size output_dir seed",
    "03_sft_train": "dataset limit base_model epochs max_steps batch_size gradient_accumulation_steps learning_rate "
    "lora_rank max_length load_in_4bit report_to rounds n_heldout draws base_tokens minutes resume output_dir seed",
    "04_to_grpo": "sft_model dataset limit max_steps probe num_generations conflicts max_prompt_tokens "
    "max_completion_length learning_rate beta load_in_4bit report_to n_heldout draws base_tokens minutes resume "
    "output_dir seed",
}
# keys, and folders that exist on one machine only
PRIVATE = re.compile(r"sk-[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{16,}|/root/|/home/[a-z]|/work/|/tmp/|[A-Z]:\\\\Users")


@pytest.fixture(params=NOTEBOOKS, ids=NAMES)
def path(request) -> Path:
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_lines(cell) -> int:
    return sum(1 for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#"))


def test_all_five_are_here():
    assert sorted(PARAMETERS) == NAMES


def test_it_is_valid_and_small(path, notebook):
    nbformat.validate(notebook)
    assert path.stat().st_size <= 150 * 1024
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata and "papermill" not in notebook.metadata


def test_papermill_sees_every_parameter(path):
    seen = parameters_of(path)
    assert " ".join(seen) == PARAMETERS[path.stem]
    for name, parameter in seen.items():
        assert parameter["inferred_type_name"] in {"int", "float", "str", "bool"}, name
        assert parameter["help"], f"{name} has no comment"
        assert not re.search(r"key|token$|secret|password", name), "a parameter is written to disk in clear text"


def test_it_ran_from_top_to_bottom_without_an_error(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]


def test_cells_are_small_and_the_story_is_told(notebook):
    cells = code_cells(notebook)
    story = [cell for cell in cells if "parameters" not in cell.metadata.get("tags", [])]  # there, a line is one
    assert statistics.median(map(code_lines, cells)) <= 6 and max(map(code_lines, story)) <= 15
    assert max(map(code_lines, cells)) <= 20
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    assert words / sum(map(code_lines, cells)) >= 3, "too little prose for the code"
    assert not [cell for cell in notebook.cells if not cell.source.strip()], "an empty cell"


def test_it_defines_nothing(notebook):
    for cell in code_cells(notebook):
        if "google.colab" in cell.source:
            continue
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        tree = compile(cell.source, "cell", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_nothing_private_is_in_it(path):
    assert not PRIVATE.search(path.read_text(encoding="utf-8"))


def test_no_progress_bar_is_stored(path):
    """One that a library draws ends up as a widget, or as dozens of lines."""
    assert not re.search(r"examples/s|it/s\]|s/it\]", path.read_text(encoding="utf-8"))


def test_the_order_of_the_house(path, notebook):
    first, cells = notebook.cells[0], notebook.cells
    assert first.source.startswith("# ")
    badge = f"https://colab.research.google.com/github/{REPOSITORY.removeprefix('https://github.com/')}/blob/main/notebooks/"
    assert badge + path.name in first.source
    tagged = [i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
    colab = [i for i, cell in enumerate(cells) if "google.colab" in cell.source and cell.cell_type == "code"]
    started = [i for i, cell in enumerate(cells) if re.search(r"^run = start\(", cell.source, re.M)]
    finished = [i for i, cell in enumerate(cells) if "run.finish(" in cell.source]
    assert len(tagged) == len(colab) == len(started) == len(finished) == 1
    assert colab[0] < tagged[0] < started[0] < finished[0]
    assert any("What we got" in cell.source for cell in cells[started[0] :])
    assert "papermill" in cells[-1].source and cells[-1].cell_type == "markdown"


def test_one_colab_cell_serves_all():
    """It differs in what it installs: git for 00, which replays merges, and torch for 03 and 04."""
    sources = set()
    for path in NOTEBOOKS:
        source = next(c.source for c in nbformat.read(path, as_version=4).cells if "google.colab" in c.source)
        needs = {"00": '"git", ', "03": '"train", ', "04": '"train", '}.get(path.stem[:2], "")
        assert f"colab.setup({needs}drive=drive)" in source
        sources.add(source[source.index("import sys") :].replace(f"({needs}", "("))
    assert len(sources) == 1
    assert REPOSITORY in sources.pop()


def test_links_between_notebooks_lead_somewhere(notebook):
    words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", words)
    assert targets and not [target for target in targets if not (ROOT / "notebooks" / target).exists()]


def test_training_notebooks_ask_colab_for_a_gpu():
    for path in NOTEBOOKS:
        metadata = json.loads(path.read_text())["metadata"]
        wants = path.stem.startswith(("03", "04"))
        assert (metadata.get("accelerator") == "GPU") == wants, path.stem
        assert (metadata.get("colab", {}).get("gpuType") == "T4") == wants, path.stem
