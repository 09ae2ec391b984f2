"""Runs the commands of README.md, then of `PAGES`, as written, in one shell, in a clean clone with an empty HOME.

`make readme` calls it. It takes about half an hour on two cores and needs a package index; the network is not asked for
anything else. What is replaced stands in `REPLACED`, with its reason; nothing else is.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
import tomllib
from pathlib import Path

from notebook_runs import SECRETS
from rule_endpoint import serve_rules

from llmerge_helpers.collect import build_scenarios
from llmerge_helpers.conflicts import make_hunk

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
# after the README, in this order: each page goes on where the one before it ended
PAGES = ("docs/own-repository.md", "docs/teachers.md", "docs/gpu.md")
REPLACED = {
    # a server of the same protocol on this machine, with the bundled rule teacher behind it
    "http://localhost:8000/v1": "{server}",
    # no key and no money: DeepSeek's settings, prices, quote and cap, with the answers of that server
    "-p max_cost_usd 2.0": "-p max_cost_usd 2.0 -p teacher deepseek -p base_url {server}",
    # a repository that was made for this run
    "/path/to/your/repository": "{repository}",
    # a file with a conflict, made for this run; a short run's model may well leave it (then the status is 1)
    "src/App.java --model outputs/grpo_model": "{conflicted} --model outputs/grpo_model || test $? = 1",
    # it serves until somebody stops it: half a minute of serving counts as working
    "jupyter lab ": "timeout 30 jupyter lab --no-browser --allow-root || test $? = 124 ",
}


def shell_blocks(page: str) -> list[str]:
    """The shell commands of a page of Markdown, block by block."""
    return re.findall(r"```sh\n(.*?)```", page, re.S)


def commands(**values: str) -> str:
    """The shell blocks of README.md and `PAGES` as one script, with its replacements made; each has to be needed."""
    pages = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", *PAGES)]
    script = "".join(block for page in pages for block in shell_blocks(page))
    for written, instead in REPLACED.items():
        assert written in script, f"no page says {written!r} any more"
        script = script.replace(written, instead.format(**values))
    return script


def serve() -> str:
    """The address of a rule teacher that answers as long as this process lives."""
    found: list[str] = []
    ready = threading.Event()

    async def forever() -> None:
        async with serve_rules() as url:
            found.append(url)
            ready.set()
            await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(forever()), daemon=True).start()
    ready.wait(10)
    return found[0]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        (place / "home").mkdir()
        repository = build_scenarios(ROOT / "merges" / "sample" / "parcel-tracking", place / "parcel-tracking")
        conflicted = place / "App.java"
        conflicted.write_text(f"class App {{\n{make_hunk('  int a = 2;', '  int a = 1;', '  long a = 1;')}}}\n")
        values = {"server": serve(), "repository": str(repository), "conflicted": str(conflicted)}
        script = commands(**values)
        unwanted = re.compile(r"VIRTUAL_ENV|PYTHON|LLMERGE|HF_|WANDB|PYENV")
        environment = {k: v for k, v in os.environ.items() if k not in SECRETS and not unwanted.match(k)}
        environment["HOME"] = str(place / "home")
        environment["PATH"] = ":".join(p for p in environment["PATH"].split(":") if ".venv" not in p)
        # the clone comes from here: what is committed is what is tried
        environment |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_VALUE_0": REPOSITORY}
        environment["GIT_CONFIG_KEY_0"] = f"url.{ROOT.as_uri()}.insteadOf"
        timed = "PS4='\n+ after ${SECONDS} s: '\n" + script  # root's bash takes no PS4 from the environment
        return subprocess.run(["bash", "-euxo", "pipefail", "-c", timed], cwd=place, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
