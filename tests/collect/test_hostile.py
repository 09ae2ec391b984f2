"""A stranger's repository: it runs nothing, and what is damaged in it costs only itself."""

import os
import shutil
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from histories import History, git, one_file

from llmerge_helpers.collect import collect, collect_repository, look
from llmerge_helpers.collect.replay import Damaged, Workshop
from llmerge_helpers.collect.repository import MachineTrouble, Repository, check_machine
from llmerge_helpers.errors import LlmergeError

SIDES = "x\nb\ny\n", "x\no\ny\n", "x\nt\ny\n", "x\nr\ny\n"

# Every way in which a repository can name a program, as lines of its config; TRAP is a program that leaves a mark.
_REMOTE = '[remote "origin"]\n promisor = true\n'  # what git would fetch missing objects from
_ALWAYS = "[protocol]\n allow = always\n"
PROGRAMS = {
    "lazy fetch by ext": f"[extensions]\n partialClone = origin\n{_REMOTE} url = ext::TRAP\n{_ALWAYS}",
    "promisor without the extension": f"{_REMOTE} url = ext::TRAP\n{_ALWAYS}",
    "lazy fetch by ssh": f"{_REMOTE} url = ssh://h/r\n[core]\n sshCommand = TRAP\n",
    "ssh without a promisor": "[core]\n sshCommand = TRAP\n[ssh]\n variant = simple\n",
    "git proxy": f"{_REMOTE} url = git://h/r\n[core]\n gitProxy = TRAP\n",
    "upload pack": f"{_REMOTE} url = /nowhere\n uploadpack = TRAP\n",
    "remote helper": f"{_REMOTE} url = trap://h\n vcs = trap\n{_ALWAYS}",
    "credential helper": f"[credential]\n helper = !TRAP\n{_REMOTE} url = http://127.0.0.1:9/r\n",
    "askpass": f"[core]\n askPass = TRAP\n{_REMOTE} url = http://127.0.0.1:9/r\n",
    "file monitor": "[core]\n fsmonitor = TRAP\n",
    "hooks": "[core]\n hooksPath = HOOKS\n",
    "pager": "[core]\n pager = TRAP\n[pager]\n rev-list = TRAP\n cat-file = TRAP\n config = TRAP\n",
    "editor": "[core]\n editor = TRAP\n[sequence]\n editor = TRAP\n",
    "alias": "[alias]\n rev-list = !TRAP\n cat-file = !TRAP\n merge-tree = !TRAP\n rev-parse = !TRAP\n",
    "filter": "[filter \"trap\"]\n clean = TRAP\n smudge = TRAP\n process = TRAP\n required = true\n",
    "textconv": "[diff \"trap\"]\n textconv = TRAP\n command = TRAP\n[diff]\n external = TRAP\n",
    "merge driver": "[merge \"trap\"]\n driver = TRAP\n recursive = trap\n[merge]\n default = trap\n",
    "merge tool": "[merge]\n tool = trap\n[mergetool \"trap\"]\n cmd = TRAP\n",
    "signatures": "[gpg]\n program = TRAP\n[gpg \"ssh\"]\n program = TRAP\n[log]\n showSignature = true\n",
    "trailers": "[trailer \"x\"]\n command = TRAP\n cmd = TRAP\n",
    "alternate references": "[core]\n alternateRefsCommand = TRAP\n",
    "pack objects": "[uploadpack]\n packObjectsHook = TRAP\n",
    "submodules": "[submodule \"s\"]\n update = !TRAP\n url = ext::TRAP\n active = true\n",
    "another file": "[include]\n path = INCLUDED\n[includeIf \"gitdir:**\"]\n path = INCLUDED\n",
}  # fmt: skip


def trapped(tmp_path: Path, settings: str) -> tuple[Path, Path]:
    """A repository with one merge, settings that name a program, and hooks and attributes that call for it."""
    mark, trap = tmp_path / "ran", tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    attributes = "* filter=trap diff=trap merge=trap\n"
    repo = one_file(*SIDES, path="a.py", more={".gitattributes": attributes}).build(tmp_path / "repo")
    hooks = tmp_path / "hooks"
    for folder in (hooks, repo / ".git/hooks"):
        folder.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-index-change", "post-checkout", "pre-auto-gc", "post-merge"):
            shutil.copy(trap, folder / name)
    (tmp_path / "included").write_text(f"[core]\n fsmonitor = {trap}\n sshCommand = {trap}\n")
    (repo / ".git/info/attributes").write_text(attributes)
    for name, path in (("TRAP", trap), ("HOOKS", hooks), ("INCLUDED", tmp_path / "included")):
        settings = settings.replace(name, str(path))
    with open(repo / ".git/config", "a") as file:
        file.write(settings)
    return repo, mark


def lose(repo: Path, name: str) -> None:
    found = git("rev-parse", name, cwd=repo)
    (repo / ".git/objects" / found[:2] / found[2:]).unlink()


def try_all(source: Path | str, tmp_path: Path) -> list[str]:
    """What goes wrong when a source is mined, mined into parts, and looked at."""
    said = []
    for read in (
        lambda: list(collect_repository(source, cache_dir=tmp_path / "clones")),
        lambda: collect(source, tmp_path / "work", workers=1),
        lambda: look([source]),
    ):
        try:
            read()
        except Exception as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("missing", ["nothing", "b0^1:a.py", "b0:a.py", "b0~1", "b0^{tree}"])
@pytest.mark.parametrize("way", PROGRAMS)
def test_a_repository_that_names_a_program_runs_none(way, missing, tmp_path, monkeypatch):
    repo, mark = trapped(tmp_path, PROGRAMS[way])
    trap = tmp_path / "bin"
    trap.mkdir()
    shutil.copy(tmp_path / "trap", trap / "git-remote-trap")
    monkeypatch.setenv("PATH", f"{trap}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    if missing != "nothing":
        lose_quietly(repo, missing)
    mark.unlink(missing_ok=True)
    try_all(repo, tmp_path)
    assert not mark.exists()


def lose_quietly(repo: Path, name: str) -> None:
    """Lose an object without asking git in the trap."""
    config = repo / ".git/config"
    kept = config.read_text()
    config.write_text("[core]\n repositoryformatversion = 0\n hooksPath = /dev/null\n")
    lose(repo, name)
    config.write_text(kept)


@pytest.mark.parametrize("way", ["lazy fetch by ext", "lazy fetch by ssh", "hooks", "file monitor", "pack objects"])
def test_a_clone_of_one_runs_none_either(way, tmp_path, monkeypatch):
    repo, mark = trapped(tmp_path, PROGRAMS[way])
    monkeypatch.chdir(tmp_path)
    lose_quietly(repo, "b0:a.py")
    mark.unlink(missing_ok=True)
    try_all(f"file://{repo}", tmp_path)
    assert not mark.exists()


def test_no_work_in_a_repository_that_is_not_ours_needs_a_setting_of_git(tmp_path, monkeypatch):
    """Docker and NFS: git refuses a folder of another user, and nobody has to tell it `safe.directory`."""
    repo = one_file(*SIDES, path="a.py").build(tmp_path / "repo")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert subprocess.run(["git", "status"], cwd=repo, capture_output=True).returncode
    assert len(list(collect_repository(repo))) == 1


# ---------------------------------------------------------------------------------------------- what is damaged


def six(path: Path, **changes) -> Path:
    history = History()
    for n in range(6):
        history.merge(*({f"src/{n}.py": f"x\n{side}{n}\ny\n"} for side in "botr"))
    return history.build(path)


def spoil(repo: Path, name: str, how: str) -> None:
    found = git("rev-parse", name, cwd=repo)
    place = repo / ".git/objects" / found[:2] / found[2:]
    data = place.read_bytes()
    place.chmod(0o644)
    if how == "garbage":
        place.write_bytes(b"garbage")
    elif how == "short":  # it says that it is longer than it is
        kind, _, rest = zlib.decompress(data).partition(b" ")
        size, _, body = rest.partition(b"\0")
        place.write_bytes(zlib.compress(kind + b" " + size + b"\0" + body[: len(body) // 2]))
    elif how == "empty":
        place.write_bytes(b"")
    else:
        place.unlink()


@pytest.mark.parametrize("how", ["garbage", "short", "empty", "gone"])
@pytest.mark.parametrize("name", ["b8:src/2.py", "b8^1:src/2.py", "b8^{tree}", "b8^1^{tree}", "b8^2:src"])
def test_an_object_that_is_damaged_costs_one_merge(name, how, tmp_path):
    repo = six(tmp_path / "repo")
    spoil(repo, name, how)
    found = collect(repo, tmp_path / "work", workers=1)
    paths = [row["path"] for row in found.rows()]
    assert paths == [f"src/{n}.py" for n in (0, 1, 3, 4, 5)]
    assert "git fsck" in found.table()["problem"][0]


@pytest.mark.parametrize("how", ["whole", "garbage", "short", "gone"])
def test_objects_asked_for_ahead_are_those_asked_for_one_by_one(how, tmp_path):
    repo = six(tmp_path / "repo")
    shas = git("rev-parse", *(f"b{4 * n}" for n in range(6)), cwd=repo).split()
    asked = [f"{sha}:src/{n}.py".encode() for n, sha in enumerate(shas)]
    asked += [f"{shas[0]}:src/none blob 3".encode(), f"{shas[1]}^{{tree}}".encode(), b"x" * 5000, b"a\nb", asked[0]]
    if how != "whole":
        spoil(repo, "b8:src/2.py", how)
    with Workshop.open(Repository.open(repo)) as workshop, workshop.cat_file() as one, workshop.cat_file() as ahead:
        told = []
        ahead.ask_ahead(asked)
        assert how != "whole" or set(asked[:8]) <= ahead._recent.keys()
        for objects in (one, ahead):
            told.append([])
            for name in asked:
                try:
                    told[-1].append(objects.get(name))
                except Damaged:
                    told[-1].append("damaged")
    assert told[0] == told[1] and told[0].count(None) == 3 + (how in ("garbage", "gone"))
    assert ("damaged" in told[0]) == (how == "short")


def test_answers_too_long_to_wait_for_are_given_one_by_one(tmp_path, monkeypatch):
    repo = six(tmp_path / "repo")
    monkeypatch.setattr("llmerge_helpers.collect.replay._AHEAD", 50)
    sha = git("rev-parse", "b0", cwd=repo)
    with Workshop.open(Repository.open(repo)) as workshop, workshop.cat_file() as objects:
        objects.ask_ahead([f"{sha}:src/0.py".encode(), f"{sha}^{{tree}}".encode()])
        assert not objects._recent
        assert objects.get(f"{sha}:src/0.py".encode()) == ("blob", b"x\nr0\ny\n")


@pytest.mark.parametrize("name", ["shallow", "info/grafts", "info/attributes"])
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(name, tmp_path):
    repo = six(tmp_path / "repo")
    os.mkfifo(repo / ".git" / name)
    assert len(list(collect_repository(repo))) == 6


@pytest.mark.parametrize("through", ["itself", "a link", "another repository"])
def test_a_pipe_of_which_git_would_read_is_refused_at_once(through, tmp_path):
    repo = six(tmp_path / "repo")
    info = repo / ".git/objects/info"
    if through == "another repository":
        info = tmp_path / "other/objects/info"
        info.mkdir(parents=True)
        (repo / ".git/objects/info/alternates").write_text(f"{info.parent}\n")
    place = tmp_path / "pipe" if through == "a link" else info / "alternates"
    os.mkfifo(place)
    if through == "a link":
        (info / "alternates").symlink_to(place)
    with pytest.raises(LlmergeError, match="alternates is a pipe or a device.*: remove it"):
        next(collect_repository(repo))


def test_a_reference_to_nothing_costs_nothing(tmp_path):
    repo = six(tmp_path / "repo")
    (repo / ".git/refs/heads/gone").write_text("1" * 40 + "\n")
    (repo / ".git/refs/heads/odd").write_text("what\n")
    (repo / ".git/refs/tags").mkdir(exist_ok=True)
    (repo / ".git/refs/tags/blob").write_text(git("rev-parse", "b0:src/0.py", cwd=repo) + "\n")
    assert len(list(collect_repository(repo))) == 6


@pytest.mark.parametrize("instead", [("100644", "a file\n"), ("120000", "elsewhere"), ("160000", "1" * 40)])
def test_a_folder_that_became_something_else_costs_one_file(instead, tmp_path):
    sides = [{"dir/a.py": side, "b.py": side} for side in SIDES]
    sides[3] = {"dir": instead, "b.py": SIDES[3]}
    history = History()
    history.merge(*sides)
    rows = list(collect_repository(history.build(tmp_path / "repo")))
    assert [row["path"] for row in rows] == ["b.py"]


@pytest.mark.parametrize(("time_", "year"), [(-86400 * 365, "1969"), (0, "1970"), (10**11, "5138"), (10**13, None)])
def test_odd_times(time_, year, tmp_path):
    repo = six(tmp_path / "repo")
    tree, parents = git("rev-parse", "b8^{tree}", cwd=repo), git("rev-parse", "b8^1", "b8^2", cwd=repo).split()
    head = f"tree {tree}\n" + "".join(f"parent {parent}\n" for parent in parents)
    data = f"{head}author A <a@b> {time_} +0000\ncommitter A <a@b> {time_} +0000\n\nm\n".encode()
    made = git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", cwd=repo, input=data)
    (repo / ".git/refs/heads/b8").write_text(made + "\n")
    rows = list(collect_repository(repo))
    assert len(rows) == (6 if year else 5)
    if year:
        (row,) = (row for row in rows if row["path"] == "src/2.py")
        assert row["merge_commit"] == made and (row["committed_at"][:4] == year or time_ < 0)


# ------------------------------------------------------------------------------------------ what the machine does


@pytest.mark.parametrize(
    "said",
    [
        "error: unable to write file: No space left on device", "fatal: write error: Disk quota exceeded",
        "error: open(\"x\"): Permission denied", "fatal: Out of memory, malloc failed", "fatal: Too many open files",
        "error: inflate: Input/output error", "fatal: unable to create temporary file: Read-only file system",
    ],
)  # fmt: skip
def test_trouble_of_the_machine_is_told_from_damage(said):
    with pytest.raises(MachineTrouble, match="Nothing of it was stored"):
        check_machine(f"warning: x\n{said}", 128, "here")
    check_machine("fatal: unable to read tree 123", 128, "here")
    check_machine("", -11, "here")
    with pytest.raises(MachineTrouble, match="SIGKILL"):
        check_machine("", -9, "here")


def full_after(tmp_path: Path, monkeypatch, command: str, said: str, code: int = 128) -> None:
    """A git whose `command` fails as it does on a full disk."""
    real, folder = shutil.which("git"), tmp_path / "bin"
    folder.mkdir()
    fail = f'[ "$a" = {command} ] && {{ echo "{said}" >&2; exit {code}; }}'
    script = f'#!/bin/sh\nfor a in "$@"; do {fail}; done\nexec {real} "$@"\n'
    (folder / "git").write_text(script)
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize("command", ["merge-tree", "cat-file", "rev-list", "for-each-ref"])
def test_a_full_disk_stops_the_run_and_nothing_is_stored(command, tmp_path, monkeypatch):
    repo, other = six(tmp_path / "repo"), six(tmp_path / "other")
    full_after(tmp_path, monkeypatch, command, "fatal: write error: No space left on device")
    with pytest.raises(MachineTrouble, match="No space left on device"):
        collect([repo, other], tmp_path / "work", workers=1)
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can make a small disk")
def test_a_disk_that_is_full_in_earnest(tmp_path, monkeypatch):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        history = History()
        for n in range(40):
            history.merge(
                *({f"{n}.py": "".join(f"{n} {side} {line * 7919}\n" for line in range(900))} for side in "botr")
            )
        repo = history.build(tmp_path / "repo")
        monkeypatch.setenv("TMPDIR", str(small))
        monkeypatch.setattr("tempfile.tempdir", None)
        with pytest.raises(MachineTrouble):
            collect(repo, tmp_path / "work")
        assert not list((tmp_path / "work").iterdir()) and not list(small.iterdir())
    finally:
        monkeypatch.undo()
        subprocess.run(["umount", small], check=True)


def test_workers_end_with_the_process_that_started_them(tmp_path):
    """A parent that is killed cannot tell them, and they would wait for ever."""
    script = """
import time, os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from llmerge_helpers.collect.mining import _end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_end_with_parent)
    print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
    time.sleep(60)
"""
    (tmp_path / "script.py").write_text(script)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "script.py")], stdout=subprocess.PIPE, text=True)
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert workers and not any(Path(f"/proc/{pid}").exists() for pid in workers)
