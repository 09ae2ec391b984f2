"""Small git histories built in one process, for tests that mine them."""

from __future__ import annotations

import subprocess
from pathlib import Path

FILE, SCRIPT, LINK, SUBMODULE = "100644", "100755", "120000", "160000"


def git(*arguments: str, cwd: Path, **options) -> str:
    """What git prints."""
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, check=True, **options)
    return done.stdout.decode("utf-8", "replace").strip()


class History:
    """Commits written down one by one; `build` makes the repository."""

    def __init__(self):
        self._stream: list[bytes] = []
        self._count = 0

    def commit(self, files: dict, *parents: int, branch: str = "main") -> int:
        """A commit of exactly these files: path -> text, bytes, or (mode, content); gives its number."""
        self._count += 1
        who = f"A Developer <dev@example.org> {1_600_000_000 + 60 * self._count} +0000"
        lines = [f"commit refs/heads/{branch}", f"mark :{self._count}", f"author {who}", f"committer {who}"]
        lines += ["data 1", "m"]
        lines += [f"{word} :{parent}" for word, parent in zip(["from", *["merge"] * 9], parents, strict=False)]
        if not parents:
            self._stream.append(f"reset refs/heads/{branch}\n".encode())
        out = ["\n".join([*lines, "deleteall", ""]).encode()]
        for path, content in files.items():
            mode, data = content if isinstance(content, tuple) else (FILE, content)
            data = data.encode() if isinstance(data, str) else data
            raw = path if isinstance(path, bytes) else path.encode()
            quoted = b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
            if mode == SUBMODULE:
                out.append(b"M 160000 " + data + b" " + quoted + b"\n")
            else:
                out.append(f"M {mode} inline ".encode() + quoted + f"\ndata {len(data)}\n".encode() + data + b"\n")
        self._stream.append(b"".join(out))
        return self._count

    def merge(self, base: dict, ours: dict, theirs: dict, resolution: dict, root: int | None = None) -> int:
        """A conflict and what became of it, on a branch of its own."""
        branch = f"b{self._count}"
        start = self.commit(base, *([root] if root else []), branch=branch)
        one = self.commit(ours, start, branch=branch)
        other = self.commit(theirs, start, branch=branch)
        return self.commit(resolution, one, other, branch=branch)

    def build(self, path: Path, bare: bool = False) -> Path:
        """The repository at `path`, a work tree with nothing checked out, or bare."""
        git("init", "--quiet", *(["--bare"] if bare else []), str(path), cwd=path.parent)
        git("fast-import", "--quiet", "--force", cwd=path, input=b"".join(self._stream))
        return path


def one_file(base, ours, theirs, resolution, path="src/App.java", more: dict | None = None) -> History:
    """A history with one merge, of one file; a side of None lacks it."""
    history = History()
    sides = [({path: text} if text is not None else {}) | (more or {}) for text in (base, ours, theirs, resolution)]
    history.merge(*sides)
    return history
