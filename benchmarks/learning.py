"""Does it learn, and from which form of question, reply and teacher? Measured on conflicts of other repositories.

    python benchmarks/learning.py data WORK --train PATH… --test PATH…
    python benchmarks/learning.py ablation WORK --minutes 6
    python -m llmerge_helpers.training sft WORK/sft_rules.yaml          # and sft_developers.yaml
    python -m llmerge_helpers.training grpo WORK/grpo.yaml
    python benchmarks/learning.py table WORK

`data` mines the repositories, keeps short conflicts (a small model on a CPU has no time for long ones), leaves out of
the training side whatever shares a repository family with the test side or is nearly one of its conflicts, and writes
rows, datasets and files of settings. `ablation` trains each arm for the same processor time of one thread, scores the
plans of the test rows, and keeps what came of it in `WORK/ablation`: an arm that is there is not trained again, and
one that was stopped goes on where it was, at most a minute back.
`table` prints what there is of both; the longer runs are evaluated where they are, and resume where they stopped.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmerge_helpers.conflicts import Conflict, Form, Row
from llmerge_helpers.conflicts.plans import SENTENCES, render_compact, text_of
from llmerge_helpers.conflicts.prompts import OF_SIDES, TEXTS
from llmerge_helpers.run.files import atomic_file, read_json, read_jsonl, write_json, write_jsonl

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
ROOM = 16  # tokens of a reply beyond the longest of training
IN_MERGE = "rules in the merge"
BESIDE = "ours", "rules", IN_MERGE
SIBLINGS = 3  # earlier conflicts of the merge in a question that tells of them
VALIDATION = 100  # rows of training repositories, whole merges, by which plans are calibrated
BATCH, RATE, RANK = 8, 1.0e-3, 16
SAVE_S = 30.0  # processor time after which a run is saved
PART = 80  # rows that are scored before the next ones
NEW = "new text"  # what the thinking part says where no plan will do
WORDS = {plan: sentence.rstrip(".").lower() for plan, sentence in SENTENCES.items()} | {NEW: NEW}


class Arm(NamedTuple):
    """A way to ask and to teach."""

    form: Form
    teacher: str = "developers"
    swapped: bool = False  # ours and theirs change places in every other training row


HINTS = Form("compact", "sides", hints=True)
ARMS = {
    "hints": Arm(HINTS),
    "sides": Arm(Form("compact")),
    "hints, swapped": Arm(HINTS, swapped=True),
    "hints, rules teach": Arm(HINTS, "rules"),
    "diffs": Arm(Form("compact", "diffs")),
    "diffs, hints": Arm(Form("compact", "diffs", hints=True)),
    "sides, rules teach": Arm(Form("compact"), "rules"),
    "sides, swapped": Arm(Form("compact"), swapped=True),
    "hints, siblings": Arm(HINTS._replace(siblings=SIBLINGS)),
    "hints, messages": Arm(HINTS._replace(context="message")),
    "hints, commits": Arm(HINTS._replace(context="both")),
}


# ---- data


def short_rows(paths: list[str], work: Path, context_lines: int, most: int) -> list[Row]:
    """Every labelled conflict of the repositories whose question, hints included, and reply take `most` tokens.

    Each carries what was decided before it in its merge, by long conflicts too (`earlier`), and what the rules would
    put in its place, knowing that (`in_merge`).
    """
    from llmerge_helpers import models
    from llmerge_helpers.baselines import ask, rules_in_merge
    from llmerge_helpers.collect import collect
    from llmerge_helpers.conflicts import Decided, so_far
    from llmerge_helpers.merges import by_merge

    tokenizer = models.load_tokenizer(models.locate(MODEL))
    found = list(collect(paths, work / "parts", context_lines=context_lines, workers=1, context=True).rows())
    rows = []
    for number, before in ((n, merge[:k]) for merge in by_merge(found) for k, n in enumerate(merge)):
        row = found[number]
        if len(row["question"]) + len(row["resolution"]) > 6 * most:
            continue
        conflict = Conflict.of(row)
        decided = [Decided(Conflict.of(found[n]), found[n]["resolution"]) for n in before]
        row = {name: row[name] for name in (*TEXTS, *KEPT)} | {
            "earlier": so_far(decided, conflict, SIBLINGS),
            "in_merge": rules_in_merge(decided, conflict).resolution,
        }
        reply = render_compact(Conflict.of(row), row["resolution"])
        given, learned = models.training_text(tokenizer, ask(row, HINTS), reply)
        if len(tokenizer(given + learned)["input_ids"]) <= most:
            rows.append(row)
    return rows


KEPT = (
    "id", "repository", "family", "merge_commit", "path", "language", "kind", "resolution", "question", "answer",
    "order", "hunk", *OF_SIDES,
)  # fmt: skip


def some_of_each(rows: list[Row], most: int) -> list[Row]:
    """So many rows of each merge: they are alike, and a few large merges would speak for all."""
    from llmerge_helpers.merges.splits import merge_of

    numbers: Counter[str] = Counter()
    return [row for row in rows if not numbers.update([merge_of(row)]) and numbers[merge_of(row)] <= most]


def apart(train: list[Row], test: list[Row]) -> Iterator[Row]:
    """The training rows of other families than the test rows, that are nearly none of these."""
    from llmerge_helpers.merges.splits import family_of, near_duplicates_of, sketches

    families = {family_of(row) for row in test}
    known = list(sketches(Conflict.of(row).text() for row in test))
    found = near_duplicates_of(sketches(Conflict.of(row).text() for row in train), known)
    for row, near in zip(train, found, strict=True):
        if near is None and family_of(row) not in families:
            yield row


def taught(row: Row, teacher: str) -> str | None:
    """What the teacher puts in place of the conflict; None where the rules are not right."""
    from llmerge_helpers import baselines
    from llmerge_helpers.conflicts import render_answer
    from llmerge_helpers.verdict import verify

    if teacher == "developers":
        return row["resolution"]
    conflict, hunk = Conflict.of(row), baselines.resolve("rules", row)
    right = hunk is not None and verify(render_answer(conflict.with_(hunk), conflict.language), row).is_correct
    return hunk if right else None


def data(work: Path, given: argparse.Namespace) -> None:
    """Write rows, datasets and settings."""
    import yaml
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.baselines import ask
    from llmerge_helpers.merges.splits import merge_of

    shuffle = random.Random(0).shuffle
    test = short_rows(given.test, work, given.context_lines, given.max_length)
    shuffle(test)
    test = some_of_each(test, given.a_merge)[: given.n]
    train = short_rows(given.train, work, given.context_lines, given.max_length)
    shuffle(train)
    train = some_of_each(list(apart(train, test)), given.a_merge)
    held = {merge_of(row) for row in train[:VALIDATION]}
    validation = [row for row in train if merge_of(row) in held][: 3 * VALIDATION // 2]
    train = [row for row in train if merge_of(row) not in held]
    print(f"{len(train)} short conflicts to train on, {len(validation)} to validate, {len(test)} to test", flush=True)
    for name, rows in (("train", train), ("validation", validation), ("test", test)):
        write_jsonl(work / f"{name}.jsonl", rows)
    common = {"max_steps": -1, "report_to": "none", "seed": 0}
    for teacher in ("rules", "developers"):
        sides = {"train": train, "validation": validation[:32]}
        examples = {
            side: [
                {"id": row["id"], "prompt": ask(row, HINTS), "completion": [{"role": "assistant", "content": reply}]}
                for row in rows
                if (hunk := taught(row, teacher)) is not None
                for reply in [render_compact(Conflict.of(row), hunk)]
            ]
            for side, rows in sides.items()
        }
        print(f"{teacher}: {len(examples['train'])} rows", flush=True)
        folder = work / f"sft_{teacher}"
        DatasetDict({side: Dataset.from_list(rows) for side, rows in examples.items()}).save_to_disk(folder)
        settings = {"dataset": str(folder), "base_model": MODEL, "output_dir": f"{folder}_model", "epochs": 1.0}
        settings |= {"batch_size": BATCH, "lora_rank": RANK, "max_length": given.max_length, "save_steps": 40, **common}
        settings["rounds"] = int(teacher == "developers")  # of rejection sampling, on the GRPO data beside
        (work / f"sft_{teacher}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    untold = {"earlier", "in_merge", *OF_SIDES}  # a question with hints shows none of it
    plain = [{name: value for name, value in row.items() if name not in untold} for row in train]
    grpo = [{**row, "base": row["base"] or "", "prompt": ask(row, HINTS), "pass_rate": 0.5} for row in plain]
    DatasetDict(train=Dataset.from_list(grpo)).save_to_disk(work / "grpo_developers")
    settings = {
        "dataset": str(work / "grpo_developers"),
        "sft_model": str(work / "sft_developers_model"),
        "num_generations": 8,
    }
    settings |= {"output_dir": str(work / "grpo_model"), "save_steps": 10, **common, "max_steps": 60}
    (work / "grpo.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


# ---- the ablation


def lesson(row: Row, arm: Arm, number: int) -> tuple[Row, str] | None:
    """A row as this arm shows it, and the reply to it; None where the teacher has none."""
    resolution = taught(row, arm.teacher)
    if resolution is None:
        return None
    if arm.swapped and number % 2:
        row = row | {"ours": row["theirs"], "theirs": row["ours"]}
    return row, render_compact(Conflict.of(row), resolution)


def train(
    arm: Arm, rows: Sequence[Row], seconds: float, seed: int, place: Path
) -> tuple[PreTrainedModel, dict[str, float]]:
    """The base with what it learned in so much processor time, merged; and how many rows, steps and which loss.

    The head scores the positions of the reply only; TRL's scores those of the question, too. `place` keeps how far a
    run came, so that one that was stopped goes on.
    """
    import torch

    from llmerge_helpers import models
    from llmerge_helpers.baselines import ask
    from llmerge_helpers.models.chat import encode

    policy = models.new_policy(MODEL, lora_rank=RANK, seed=seed)
    weights = {name: p for name, p in policy.model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), lr=RATE, weight_decay=0.0)
    order, spent, seen, losses = random.Random(seed), 0.0, 0, []
    if place.exists():
        kept = torch.load(place, weights_only=True)
        policy.model.load_state_dict(kept["weights"], strict=False)
        optimizer.load_state_dict(kept["optimizer"])
        spent, seen, losses = kept["spent"], kept["seen"], kept["losses"]
        order = random.Random(f"{seed} {len(losses)}")
    policy.model.train()
    saved, queue = spent, []
    while spent < seconds:
        began = time.process_time()
        if not queue:
            pool = [each for n in order.sample(range(len(rows)), 8 * BATCH) if (each := lesson(rows[n], arm, n))]
            tokens = [encode(policy.tokenizer, ask(row, arm.form), reply) for row, reply in pool]
            tokens.sort(key=lambda each: len(each["input_ids"]))  # alike in length, so that little is padded
            queue = [tokens[n : n + BATCH] for n in range(0, len(tokens), BATCH)]
            order.shuffle(queue)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (len(losses) + 1) / 10) * (1 - spent / seconds)
        batch = queue.pop()
        losses.append(step(policy.model.get_base_model(), batch, policy.tokenizer.pad_token_id))
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seen, spent = seen + len(batch), spent + time.process_time() - began
        if spent - saved > SAVE_S or spent >= seconds:
            state = {"weights": {name: p.detach() for name, p in weights.items()}, "optimizer": optimizer.state_dict()}
            with atomic_file(place) as file:
                torch.save(state | {"spent": spent, "seen": seen, "losses": losses}, file)
            saved = spent
            print(f"  {spent:.0f} of {seconds:.0f} s, {seen} rows, loss {losses[-1]:.2f}", flush=True)
    last = losses[-10:]
    return policy.model.merge_and_unload().eval(), {
        "rows": seen, "steps": len(losses), "loss": sum(last) / max(1, len(last)), "processor_s": spent,
    }  # fmt: skip


def step(model: PreTrainedModel, batch: Sequence[dict[str, list[int]]], pad: int) -> float:
    """The gradients of a batch, and its loss."""
    import torch

    from llmerge_helpers import models

    ids, mask, labels = padded(batch, pad)
    with torch.autocast("cpu", torch.bfloat16, enabled=models.found_device().bfloat16):
        hidden = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        learned = labels[:, 1:] >= 0
        logits = model.lm_head(hidden[:, :-1][learned])
    loss = torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][learned])
    loss.backward()
    return loss.item()


def padded(batch: Sequence[dict[str, list[int]]], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, mask and labels of a batch, padded on the right."""
    import torch

    width = max(len(each["input_ids"]) for each in batch)
    size = len(batch), width
    ids, mask, labels = torch.full(size, pad), torch.zeros(size, dtype=torch.long), torch.full(size, -100)
    for n, each in enumerate(batch):
        length = len(each["input_ids"])
        ids[n, :length] = torch.tensor(each["input_ids"])
        labels[n, :length] = torch.tensor(each["labels"])
        mask[n, :length] = 1
    return ids, mask, labels


def plan_scores(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], form: Form, place: Path
) -> None:
    """Keep in `place`, for each row, the log-probability of each plan, by the first word that only it has.

    One pass over the question and `both, ours` gives both places where plans part.
    """
    import torch

    from llmerge_helpers import models
    from llmerge_helpers.baselines import ask
    from llmerge_helpers.models.chat import prompt_ids

    said = {plan: prompt_ids(tokenizer, f"<think>\n{words}\n</think>") for plan, words in WORDS.items()}
    start = next(n for n, ids in enumerate(zip(*said.values(), strict=False)) if len(set(ids)) > 1)
    path, other = said["ours_theirs"], said["theirs_ours"]
    fork = next(n for n in range(start, len(path)) if path[n] != other[n])
    firsts = {plan: ids[start] for plan, ids in said.items()}
    if len(set(firsts.values())) != len(firsts) - 1:
        raise SystemExit("two plans begin with the same token: they cannot be told apart in one pass")
    found = {int(n): scores for n, scores in (read_json(place) if place.exists() else {}).items()}
    prompts = [prompt_ids(tokenizer, models.render_prompt(tokenizer, ask(row, form))) for row in rows]
    # alike in length within a part, so that what was scored of the (shuffled) rows before a stop is a fair sample
    order = sorted(set(range(len(rows))) - set(found), key=lambda n: (n // PART, len(prompts[n])))
    for at in range(0, len(order), 16):
        some = order[at : at + 16]
        batch = [{"input_ids": prompts[n] + path[:fork], "labels": prompts[n] + path[:fork]} for n in some]
        ids, mask, _ = padded(batch, tokenizer.pad_token_id)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=models.found_device().bfloat16):
            hidden = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            places = [(k, len(prompts[n]) + where - 1) for k, n in enumerate(some) for where in (start, fork)]
            logits = model.lm_head(torch.stack([hidden[k, where] for k, where in places]))
        logs = torch.log_softmax(logits.float(), -1)
        for k, n in enumerate(some):
            first, second = logs[2 * k], logs[2 * k + 1]
            found[n] = {plan: first[token].item() for plan, token in firsts.items()}
            for plan, ids_of_plan in (("ours_theirs", path), ("theirs_ours", other)):
                found[n][plan] += second[ids_of_plan[fork]].item()
        write_json(place, found)


def ablation(work: Path, given: argparse.Namespace) -> None:
    """Train and score the arms that are not there yet, in their order."""
    import torch

    from llmerge_helpers import models

    torch.set_num_threads(1)
    rows, tokenizer = load(work), models.load_tokenizer(models.locate(MODEL))
    for name in given.only or ("base", "base, hints", *ARMS):
        place = work / "ablation" / f"{name.replace(', ', '-').replace(' ', '_')}.{given.minutes:g}.{given.seed}.json"
        parts = {side: place.with_suffix(f".{side}") for side in ("test", "validation")}
        if all(len(scored(part, rows[side])) == len(rows[side]) for side, part in parts.items()):
            continue
        began, learned = time.monotonic(), {"rows": 0, "steps": 0, "loss": float("nan")}
        arm = {"base": Arm(Form("compact")), "base, hints": Arm(HINTS)}.get(name) or ARMS[name]
        if name.startswith("base"):
            model = models.load_base(models.locate(MODEL)).eval()
        else:
            model, learned = train(arm, rows["train"], 60 * given.minutes, given.seed, place.with_suffix(".pt"))
        write_json(place, {"arm": name, "minutes": given.minutes, "seed": given.seed} | learned)
        for side, part in parts.items():
            plan_scores(model, tokenizer, rows[side], arm.form, part)
        print(f"{name}: {learned}, {time.monotonic() - began:.0f} s by the clock in this run", flush=True)


def scored(place: Path, rows: Sequence[Row]) -> list[dict[str, float]]:
    """The scores that are kept of the first rows, whole parts of them."""
    found = read_json(place) if place.exists() else {}
    whole = next((n for n in range(len(rows)) if str(n) not in found), len(rows))
    whole -= whole % PART if whole < len(rows) else 0
    return [found[str(n)] for n in range(whole)]


def load(work: Path) -> dict[str, list[Row]]:
    """The rows of each side."""
    return {name: list(read_jsonl(work / f"{name}.jsonl")) for name in ("train", "validation", "test")}


def right_plans(row: Row) -> dict[str, bool]:
    """Which plans are right; one that has no answer, or that writes code, is not."""
    from llmerge_helpers.verdict import verify

    conflict = Conflict.of(row)
    return {
        plan: text_of(conflict, plan) is not None and verify(said, row).is_correct for plan, said in SENTENCES.items()
    }


def chosen(scores: Sequence[dict[str, float]], rows: Sequence[Row], off: dict[str, float] | None = None) -> list[str]:
    """The plan of each row with the highest score, less `off`, among those that have an answer."""
    plans = []
    for score, row in zip(scores, rows, strict=True):
        able = [plan for plan in SENTENCES if text_of(Conflict.of(row), plan) is not None]
        plans.append(max(able, key=lambda plan: score[plan] - (off or {}).get(plan, 0.0)))
    return plans


def print_ablation(work: Path) -> None:
    """The arms beside the baselines, on the same rows."""
    from llmerge_helpers import baselines, evaluate
    from llmerge_helpers.conflicts import render_answer
    from llmerge_helpers.merges.splits import merge_of
    from llmerge_helpers.verdict import verify

    rows = load(work)["test"]
    merges, rights = [merge_of(row) for row in rows], [right_plans(row) for row in rows]

    def resolved(hunks: Sequence[str | None]) -> list[bool]:
        answers = [
            None if h is None else render_answer(Conflict.of(r).with_(h), r["language"])
            for h, r in zip(hunks, rows, strict=True)
        ]
        return [a is not None and verify(a, row).is_correct for a, row in zip(answers, rows, strict=True)]

    found: dict[str, list[bool]] = {
        name: resolved([baselines.resolve(name, row) for row in rows]) for name in ("ours", "theirs", "union", "rules")
    }
    found[IN_MERGE] = resolved([row["in_merge"] for row in rows])
    merged = [text_of(Conflict.of(row), "token_merge") is not None for row in rows]
    found["token merge, else ours"] = [
        right["token_merge" if clean else "ours"] for right, clean in zip(rights, merged, strict=True)
    ]
    found["oracle of the seven plans"] = [any(right.values()) for right in rights]
    head = "arm", "rows", "loss", "right", *(f"against {name}" for name in BESIDE), "plans"
    print(f"| {' | '.join(head)} |\n|---|---:|---:|{'---|' * (len(head) - 3)}")
    for name, right in found.items():
        print(f"| {name} | | | {evaluate.rate(right, merges)} |{' |' * (len(BESIDE) + 1)}")
    arms: dict[tuple[str, str], list[bool]] = {}
    for place in sorted((work / "ablation").glob("*.json")):
        arm = read_json(place)
        tested = scored(place.with_suffix(".test"), rows)
        by = scored(place.with_suffix(".validation"), load(work)["validation"])
        half = {plan: sum(each[plan] for each in by) / len(by) / 2 for plan in SENTENCES} if by else None
        some = rows[: len(tested)]  # all of them, unless the run was stopped
        for how, off in (("", None), (", calibrated", half))[: 1 + bool(by)] if tested else ():
            plans = chosen(tested, some, off)
            right = [each[plan] for each, plan in zip(rights, plans, strict=False)]
            groups = merges[: len(some)]
            told = [beside(right, found[name][: len(some)], groups) for name in BESIDE]
            run = f"{arm['minutes']:g} min, seed {arm['seed']}{how}"
            name = f"{arm['arm']}, {run}"
            arms[arm["arm"], run] = right
            cells = name, arm["rows"], f"{arm['loss']:.2f}", evaluate.rate(right, groups), *told, dict(Counter(plans))
            print(f"| {' | '.join(map(str, cells))} |")
    for (name, run), right in arms.items():
        for (plain, other), known in arms.items():  # at any time: what is told costs time
            if plain == "hints" != name and run.partition(",")[2] == other.partition(",")[2]:
                both = min(len(right), len(known))
                print(f"{name}, {run}, against {plain}, {other}: {beside(right[:both], known[:both], merges[:both])}")


def beside(right: Sequence[bool], other: Sequence[bool], merges: Sequence[str]) -> str:
    """By how many points one is better than the other on the same rows, with its interval and chance."""
    from llmerge_helpers import evaluate

    p = evaluate.paired(right, other, merges)
    return f"{100 * p['diff']:+.1f} ({100 * p['low']:+.1f} to {100 * p['high']:+.1f}), p = {p['p']:.2g}"


# ---- the longer runs


def table(work: Path) -> None:
    """Evaluate the longer runs that are there and print them."""
    from llmerge_helpers import evaluate, training
    from llmerge_helpers.models import read_lineage

    rows = load(work)["test"]
    found = {name: work / f"{name}_model" for name in ("sft_rules", "sft_developers", "grpo")}
    found["round"] = work / "sft_developers_model_round1"
    stages = {name: str(path) for name, path in found.items() if (path / "lineage.json").exists()}
    if not stages:
        return
    budget = max(training.completion_budget(read_lineage(path)) for path in stages.values()) + ROOM
    how = {"output_dir": work / "evaluation", "max_new_tokens": budget, "form": HINTS}
    stages = {"base": MODEL, **stages}
    tables = {name: evaluate.evaluate(each, rows, name, **how) for name, each in stages.items()}
    tables |= evaluate.evaluate_baselines(rows, output_dir=how["output_dir"])
    print(evaluate.summary(tables).to_string())
    print(evaluate.verdicts(tables).to_string())
    order = list(stages)[::-1]
    pairs = [(a, b) for a in order[:-1] for b in (*order[order.index(a) + 1 :], "ours", "theirs", "rules")]
    print(evaluate.comparisons(tables, pairs).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("data", "ablation", "table"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--train", nargs="+", default=[])
    parser.add_argument("--test", nargs="+", default=[])
    parser.add_argument("--n", type=int, default=500, help="conflicts to test on")
    parser.add_argument("--a-merge", type=int, default=4, help="conflicts of one merge at most")
    parser.add_argument("--max-length", type=int, default=240, help="tokens of a question with hints and its reply")
    parser.add_argument("--context-lines", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=6.0, help="processor time of an arm")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], help="arms, by name")
    given = parser.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if given.step == "table":
        print_ablation(work)
        table(work)
    else:
        (data if given.step == "data" else ablation)(work, given)


if __name__ == "__main__":
    main()
