"""A trained model on conflicts of one's own: a file with conflict markers in, the same file with its proposals out.

python -m llmerge_helpers.resolver src/App.java --model outputs/grpo_model > proposed.java
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from llmerge_helpers.conflicts import Conflict, Hunk, messages, parse, render, split_lines
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.verdict import proposal


def conflicts_in(text: str, path: str = "", context_lines: int = 5) -> list[Conflict]:
    """The conflicts of a file, with the context that models are trained on.

    >>> text = "a\\n<<<<<<< HEAD\\nb\\n||||||| base\\n=======\\nc\\n>>>>>>> topic\\nd\\n"
    >>> [(c.before, c.ours, c.theirs, c.after) for c in conflicts_in(text, "x.py")]
    [('a\\n', 'b\\n', 'c\\n', 'd\\n')]
    """
    parts = ["", *parse(text), ""]
    found = []
    for n, hunk in enumerate(parts):
        if isinstance(hunk, Hunk):
            above, below = (split_lines(p) if isinstance(p, str) else [] for p in (parts[n - 1], parts[n + 1]))
            before, after = "".join(above[max(0, len(above) - context_lines) :]), "".join(below[:context_lines])
            found.append(Conflict.of_hunk(hunk, before, after, path))
    return found


def answers(conflicts: Sequence[Conflict], model: str, max_new_tokens: int = 0) -> list[str | None]:
    """What `model` (an adapter, a base model, or `rules`) puts in place of each conflict; None where it gives nothing
    that fits: cut off, no code, a marker left, or other lines around the conflict."""
    if model == "rules":
        from llmerge_helpers.baselines.rules import decide

        return [decide(conflict)[1].resolution for conflict in conflicts]
    from llmerge_helpers import models
    from llmerge_helpers.training import completion_budget

    budget = max_new_tokens or completion_budget(models.read_lineage(model) if models.is_adapter(model) else {})
    network, tokenizer, _ = models.load_for_evaluation(model)
    prompts = [models.render_prompt(tokenizer, messages({"question": conflict.question()})) for conflict in conflicts]
    replies = models.complete(network, tokenizer, prompts, max_new_tokens=budget, batch_size=4)
    return [
        proposal(reply.text, conflict, finish_reason=reply.finish_reason)
        for reply, conflict in zip(replies, conflicts, strict=True)
    ]


def resolved(text: str, proposals: Sequence[str | None]) -> str:
    """The file with each conflict replaced by its proposal; one without a proposal stays as it is."""
    left = iter(proposals)
    parts = [(part, next(left)) if isinstance(part, Hunk) else (part, None) for part in parse(text)]
    return render(part if new is None else new for part, new in parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the file with its conflicts resolved as far as the model can; nothing is written or checked."""
    import argparse

    parser = argparse.ArgumentParser(prog="llmerge_helpers.resolver", description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a file with conflict markers (best with a base: git checkout --conflict=diff3)")
    parser.add_argument("--model", default="outputs/grpo_model", help="folder of an adapter, a model, or: rules")
    parser.add_argument("--context-lines", type=int, default=5, help="as in 00")
    parser.add_argument("--max-new-tokens", type=int, default=0, help="0: what the replies of training needed")
    given = parser.parse_args(arguments)
    try:
        try:
            text = Path(given.file).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise LlmergeError(f"{given.file} cannot be read ({why}): give a text file with conflicts.") from None
        conflicts = conflicts_in(text, given.file, given.context_lines)
        if not conflicts:
            raise LlmergeError(f"{given.file} has no conflict (<<<<<<<, =======, >>>>>>>): give a file that has.")
        found = answers(conflicts, given.model, given.max_new_tokens)
    except LlmergeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(resolved(text, found).encode("utf-8"))
    sys.stdout.flush()
    done = sum(each is not None for each in found)
    print(f"{done} of {len(found)} conflicts resolved by {given.model}: read them before you commit.", file=sys.stderr)
    return 0 if done == len(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
