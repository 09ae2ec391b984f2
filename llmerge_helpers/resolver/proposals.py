"""What stands in place of a conflict, by the rules, a trained model or any endpoint, with a reason and a confidence."""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from llmerge_helpers.baselines import ask, rules_in_merge
from llmerge_helpers.baselines.rules import decide
from llmerge_helpers.conflicts import Conflict, Decided, Message, has_markers, split_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import kept_calibration
from llmerge_helpers.evaluate.confidence import Calibration
from llmerge_helpers.generate import Teacher, generate, going_out
from llmerge_helpers.resolver.confidence import LEAST, chance, features
from llmerge_helpers.run import from_root
from llmerge_helpers.verdict import proposal

TRAINED = ("outputs/grpo_model", "outputs/sft_model")  # what 04 and 03 leave, the later one first
MOST_TOKENS = 16_384
IN_MERGE = "in_merge"
_WITHOUT_BASE = ("same_text", "only_blanks")


class Proposal(NamedTuple):
    """What to put in place of a conflict, None where nothing can be told; `confidence` None where nobody measured."""

    text: str | None
    why: str
    confidence: float | None = None
    by: str = "rules"
    reasoning: str = ""


# ---- the rules, and what the merge tells


def by_rules(conflict: Conflict, earlier: Sequence[Decided] = ()) -> Proposal:
    """What the rules say in this merge, and how likely that is right; nothing where nothing speaks for a side."""
    found, (rule, own) = rules_in_merge(earlier, conflict), decide(conflict)
    spoken = found.rule != rule  # the merge has, and against the rules or where they have no reason
    if not spoken and (why := _unknown(conflict, rule)):
        return Proposal(None, why)
    if _ends_twice(conflict, found.resolution):
        return Proposal(None, "One side behind the other would leave the block twice, and the second one never runs.")
    if found.resolution != own.resolution:
        rule = IN_MERGE
    known = conflict.base is not None or rule in _WITHOUT_BASE  # measured with the base only
    confidence = chance(features(conflict, rule, found.resolution, earlier)) if known else None
    return Proposal(found.resolution, found.why, confidence, f"rules: {rule.replace('_', ' ')}")


def _unknown(conflict: Conflict, rule: str) -> str:
    """Why the rules cannot know, empty where they can.

    Without the base they cannot tell what was changed from what was added, and would keep both versions of a line.
    """
    if conflict.base is None and rule not in _WITHOUT_BASE:
        return "The base is not known, so nobody can tell what was changed from what was added."
    if rule == "guess":
        return "Nothing speaks for a side: the two rewrote the same text."
    if rule == "larger_number" and not _VERSION.search(conflict.ours + conflict.theirs):
        return "Nothing speaks for a side: they differ in a number that is no version, and larger is not newer."
    return ""


# measured: of numbers like these the larger one is right in 81 of 100, of all others in 27
_VERSION = re.compile(r"\d\.\d|version|release|copyright|©|20\d\d|sha|date", re.IGNORECASE)
_LEAVES = re.compile(r"([ \t]*)(return|throw|raise|break|continue|goto|exit|die)\b(?!.*\b(if|unless|when)\b)")


def _ends_twice(conflict: Conflict, text: str) -> bool:
    """True if the text is one side behind the other, and the first one ends with a statement that leaves the block."""
    for first, second in ((conflict.ours, conflict.theirs), (conflict.theirs, conflict.ours)):
        lines, more = ([line for line in side.splitlines() if line.strip()] for side in (first, second))
        if first != second and lines and more and text.split() == (first + "\n" + second).split():
            last, indent = _LEAVES.match(lines[-1]), more[0][: len(more[0]) - len(more[0].lstrip())]
            if last and last[1] == indent and not re.match(r"\s*(case|default|else|\}|end)\b|\s*\w+:", more[0]):
                return True
    return False


# ---- whoever answers


@dataclass(frozen=True)
class Model:
    """Who proposes: the rules, the folder or name of a model, or a teacher; `samples` answers a conflict."""

    name: str = "rules"
    teacher: Teacher | None = None
    samples: int = 1
    max_new_tokens: int = 0

    @property
    def calibrated(self) -> bool:
        """True if one answer tells how sure it is: 03 measured that on validation conflicts."""
        return self.teacher is None and self.name != "rules" and kept_calibration(self.name) is not None

    @property
    def label(self) -> str:
        """What it is called on the screen."""
        return self.teacher.label if self.teacher else self.name

    def sends(self, conflicts: Sequence[Conflict], repository: str) -> str:
        """One sentence on what leaves this machine, and to whom."""
        if not self.teacher or self.teacher.name == "rules":
            return "Nothing leaves this machine."
        times = f" ({self.samples} answers each)" if self.samples > 1 else ""
        return going_out([{"repository": repository}] * len(conflicts), self.teacher) + times

    def proposals(self, conflicts: Sequence[Conflict]) -> list[Proposal]:
        """What it puts in place of each conflict; with several samples, the answer that most of them agree on."""
        if self.name == "rules" and not self.teacher:
            return [by_rules(conflict) for conflict in conflicts]
        drawn = self._from_teacher(conflicts) if self.teacher else self._from_weights(conflicts)
        return [_most(texts, conflict, self) for texts, conflict in zip(drawn, conflicts, strict=True)]

    def _from_teacher(self, conflicts: Sequence[Conflict]) -> list[list[_Drawn]]:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmerge" / "replies"
        how = {"samples": self.samples, "cache_dir": str(cache), "progress": False}
        limit = self.max_new_tokens or MOST_TOKENS
        rows = [asdict(conflict) | {"resolution": ""} for conflict in conflicts]  # nobody knows it: none is judged
        results = asyncio.run(generate(rows, self.teacher, max_tokens=limit, **how))
        drawn: list[list[_Drawn]] = [[] for _ in conflicts]
        for result in results:
            reply = result.reply
            conflict = conflicts[result.index]
            if reply is None:
                drawn[result.index].append(_Drawn(None, result.error or "no reply came"))
                continue
            text = proposal(reply.answer, conflict, finish_reason=result.finish_reason)
            drawn[result.index].append(_Drawn(text, reply.reasoning))
        return drawn

    def _from_weights(self, conflicts: Sequence[Conflict]) -> list[list[_Drawn]]:
        from llmerge_helpers import models

        usual, form = models.habits(self.name)
        budget = self.max_new_tokens or usual
        network, tokenizer, _ = models.load_for_evaluation(self.name)
        chats: list[list[Message]] = [ask(asdict(conflict), form) for conflict in conflicts]
        prompts = [models.render_prompt(tokenizer, chat) for chat in chats]
        more = {} if self.samples == 1 else {"sampling": models.Sampling(temperature=0.7, top_p=0.95)}
        drawn: list[list[_Drawn]] = [[] for _ in conflicts]
        known = kept_calibration(self.name)
        for number in range(self.samples):
            seed = {"seed": 1_000 * number} if more else {}
            replies = models.complete(network, tokenizer, prompts, max_new_tokens=budget, batch_size=4, **more, **seed)
            for n, (reply, conflict) in enumerate(zip(replies, conflicts, strict=True)):
                text = proposal(reply.text, conflict, finish_reason=reply.finish_reason)
                drawn[n].append(_Drawn(text, split_reply(reply.text).reasoning, known, reply.confidence))
        return drawn


class _Drawn(NamedTuple):
    text: str | None
    reasoning: str
    calibration: Calibration | None = None
    likely: float = math.nan  # the mean probability of its tokens


def _most(drawn: Sequence[_Drawn], conflict: Conflict, model: Model) -> Proposal:
    """The answer that most of the samples give; its share, where there are several, is the confidence."""
    counts = Counter(each.text for each in drawn if each.text is not None and not has_markers(each.text))
    if not counts:
        told = next((each.reasoning for each in drawn if each.reasoning), "")
        return Proposal(None, "None of its answers can be taken as it is.", None, model.label, told)
    text, many = counts.most_common(1)[0]
    reasoning = next(each.reasoning for each in drawn if each.text == text)
    if len(drawn) == 1 and (known := drawn[0].calibration) and not math.isnan(drawn[0].likely):
        why = f"So sure it is of its words, and so often it was right then on {known.conflicts} validation conflicts."
        return Proposal(text, why, known(drawn[0].likely), model.label, reasoning)
    if len(drawn) == 1:
        why = "One answer was asked for, so nothing tells how sure it is."
        return Proposal(text, why, None, model.label, reasoning)
    why = f"{many} of {len(drawn)} answers say this."
    # one more of each is counted: five answers that agree are no certainty, least of all of who always says the same
    return Proposal(text, why, (many + 1) / (len(drawn) + 2), model.label, reasoning)


def in_this_merge(told: Proposal, conflict: Conflict, earlier: Sequence[Decided]) -> Proposal:
    """What was proposed before, or what the merge's earlier conflicts tell by now.

    >>> by_rules(Conflict(ours="t = 2\\n", base="t = 1\\n", theirs="t = 3\\n")).text is None
    True
    """
    if not earlier:
        return told
    learnt = by_rules(conflict, earlier)
    # a model's own proposal goes before what the rules say, and behind what the merge has said against them
    return learnt if told.by.startswith("rules") or learnt.by.endswith("in merge") else told


def trained_model(name: str = "") -> str:
    """The folder of a trained model: the one that is named, or the latest that 03 and 04 left in this project."""
    for each in [name] if name else TRAINED:
        for folder in (Path(each).expanduser(), from_root(each)):
            if folder.is_dir():
                return str(folder.resolve())
    is_path = not name or name.startswith((".", "/", "~", "outputs/")) or name.count("/") > 1
    if not is_path:
        return name  # a model of the hub, or one that the loader knows
    where = f"in {name}" if name else "here"
    raise LlmergeError(
        f"there is no trained model {where}: name the folder that 03 or 04 wrote (--model FOLDER), an endpoint "
        "(--model NAME --base-url URL), or take --model rules, which needs none."
    )


def answers(conflicts: Sequence[Conflict], model: str, max_new_tokens: int = 0) -> list[str | None]:
    """What `model` (an adapter, a base model, or `rules`) puts in place of each conflict; None where it gives nothing
    that fits: cut off, no code, a marker left, or other lines around the conflict."""
    return [each.text for each in Model(model, max_new_tokens=max_new_tokens).proposals(conflicts)]


def sure(proposal: Proposal, above: float) -> bool:
    """True if nobody has to be asked; what nobody measured is not sure, unless everything shall be taken."""
    if proposal.text is None:
        return False
    return proposal.confidence >= above if proposal.confidence is not None else above <= LEAST
