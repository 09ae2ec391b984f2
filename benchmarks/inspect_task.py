"""Merge conflicts as a task of Inspect (inspect.aisi.org.uk): any model that it knows, judged by our verdict.

    pip install -c constraints.txt -e '.[inspect]'
    inspect eval benchmarks/inspect_task.py -T path=outputs/benchmarks/conflictbench/items.jsonl \\
        --model openai-api/local/my-model
    inspect view

`path` is the `items.jsonl` of a public benchmark (`python -m llmerge_helpers.evaluate`), or a data set of merges by
its name, of which the test split is asked. `style`, `input` and `hints` say how, as in 02.
"""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import CORRECT, INCORRECT, NOANSWER, Score, Scorer, Target, accuracy, grouped, scorer, stderr
from inspect_ai.solver import TaskState, generate

from llmerge_helpers import merges
from llmerge_helpers.baselines import ask
from llmerge_helpers.conflicts import Form, Row
from llmerge_helpers.evaluate.measure import NO_ANSWER
from llmerge_helpers.evaluate.tables import merges_of
from llmerge_helpers.run import from_root
from llmerge_helpers.run.files import read_jsonl
from llmerge_helpers.verdict import verify

ROLES = {"system": ChatMessageSystem, "user": ChatMessageUser}


@task
def merge_conflicts(path: str = "auto", style: str = "full", input: str = "sides", hints: bool = False) -> Task:
    """Each conflict asked once; right is what the verdict calls right, exact beside it."""
    form = Form(style, input, hints).checked()
    rows = list(read_jsonl(from_root(path))) if path.endswith(".jsonl") else list(merges.load(path)["test"])
    samples = [sample(row, merge, form) for row, merge in zip(rows, merges_of(rows), strict=True)]
    return Task(dataset=MemoryDataset(samples, name="merge conflicts"), solver=generate(), scorer=[right(), exact()])


def sample(row: Row, merge: str, form: Form) -> Sample:
    """A conflict as Inspect has it: the chat, the developer's answer, and in its metadata the row and its merge."""
    chat = [ROLES[message["role"]](content=message["content"]) for message in ask(row, form)]
    facts = {"row": dict(row), "merge": merge, "language": row.get("language") or "Text"}
    return Sample(input=chat, target=row["answer"], id=row["id"], metadata=facts)


def _judged(state: TaskState) -> tuple[str, bool, str]:
    # what a provider calls reasoning stands in parts of its own, which the verdict does not read as an answer
    found = verify(state.output.completion, state.metadata["row"], finish_reason=_reason(state))
    return found.match_type, found.is_correct, found.detail


def _reason(state: TaskState) -> str:
    """Why the reply ended, in the words of the wire."""
    stop = state.output.stop_reason
    return "length" if stop in ("max_tokens", "model_length") else "stop"


# conflicts of one merge are alike: `cluster` makes the standard error count merges
@scorer(metrics=[accuracy(), stderr(cluster="merge"), grouped(accuracy(), "language", name_template="{group_name}")])
def right() -> Scorer:
    """Whether the reply is what the developer made, however it is laid out."""

    async def score(state: TaskState, target: Target) -> Score:
        match_type, is_right, detail = _judged(state)
        value = CORRECT if is_right else NOANSWER if match_type in NO_ANSWER else INCORRECT
        told = f"{match_type}: {detail}" if detail else match_type
        return Score(value=value, answer=state.output.completion, explanation=told, metadata={"verdict": match_type})

    return score


@scorer(metrics=[accuracy(), stderr(cluster="merge")])
def exact() -> Scorer:
    """Whether it is so to the letter."""

    async def score(state: TaskState, target: Target) -> Score:
        match_type, _, _ = _judged(state)
        return Score(value=CORRECT if match_type == "exact_match" else INCORRECT, explanation=match_type)

    return score
