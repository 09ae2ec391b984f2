"""The part of the Hub's HTTP API that sending and reading a data set needs, on loopback and in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Hub:
    """What a hub holds of one repository, and what it was asked."""

    url: str = ""
    private: bool | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)  # sent ahead of the commit that names them
    commits: list[list[str]] = field(default_factory=list)  # the paths that each commit wrote
    tokens: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)  # requests that nothing here answers

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr(self.commits).encode()).hexdigest()

    def entries(self) -> list[dict[str, str | int]]:
        """Its files, and the folders that they lie in."""
        folders = sorted({path.rpartition("/")[0] for path in self.files} - {""})
        marks = {path: hashlib.sha1(content).hexdigest() for path, content in self.files.items()}
        files = [
            {"type": "file", "path": path, "size": len(self.files[path]), "oid": mark} for path, mark in marks.items()
        ]
        return [*({"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in folders), *files]


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """A hub while the context is open; a repository is there once it was created."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.answer()

        do_HEAD = do_POST = do_PUT = do_GET

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            hub.tokens.add((self.headers.get("authorization") or "").removeprefix("Bearer "))
            path = unquote(urlsplit(self.path).path)
            for pattern, does in ROUTES.items():
                if found := re.fullmatch(pattern, path):
                    status, value, headers = does(found, body)
                    return self.send(status, value, headers)
            hub.unknown.append(f"{self.command} {path}")
            return self.send(404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})

        def send(self, status: int, value: object, headers: dict[str, str]) -> None:
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(content)), "X-Request-Id": "x", **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    def create(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        told = json.loads(body)
        if hub.private is not None:
            return 409, {"error": "exists"}, {}
        hub.private = told.get("private", told.get("visibility") == "private")
        return 200, {"url": f"{hub.url}/datasets/me/{told['name']}", "id": f"me/{told['name']}"}, {}

    def info(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        if hub.private is None:
            return 404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"}
        siblings = [{"rfilename": path} for path in hub.files]
        return 200, {"id": "me/x", "sha": hub.sha, "private": hub.private, "siblings": siblings, "tags": []}, {}

    def preupload(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        asked = [each["path"] for each in json.loads(body)["files"]]
        modes = {path: "lfs" if path.endswith(".parquet") else "regular" for path in asked}
        return 200, {"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes.items()]}, {}

    def lfs_batch(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        objects = json.loads(body)["objects"]
        told = [each | {"actions": {"upload": {"href": f"{hub.url}/lfs/{each['oid']}"}}} for each in objects]
        return 200, {"transfer": "basic", "objects": told}, {"Content-Type": "application/vnd.git-lfs+json"}

    def lfs_put(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        assert hashlib.sha256(body).hexdigest() == found[1]
        hub.large[found[1]] = body
        return 200, {}, {}

    def commit(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        lines = [json.loads(line) for line in body.splitlines()]
        values = {kind: [line["value"] for line in lines if line["key"] == kind] for kind in ("file", "lfsFile")}
        wrote = {each["path"]: base64.b64decode(each["content"]) for each in values["file"]}
        wrote |= {each["path"]: hub.large[each["oid"]] for each in values["lfsFile"]}
        hub.files |= wrote
        hub.commits.append(sorted(wrote))
        address = f"{hub.url}/datasets/me/x/commit/{hub.sha}"
        return 200, {"success": True, "commitOid": hub.sha, "commitUrl": address}, {}

    def tree(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        below = (found[1] or "").strip("/")
        within = [each for each in hub.entries() if each["path"].startswith(f"{below}/" if below else "")]
        return (200, within, {}) if within or not below else (404, {"error": "none"}, {"X-Error-Code": "EntryNotFound"})

    def paths(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        asked = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
        return 200, [each for each in hub.entries() if each["path"] in asked], {}

    def resolve(found: re.Match[str], body: bytes) -> tuple[int, object, dict[str, str]]:
        if found[1] not in hub.files:
            return 404, {"error": "no such file"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": hub.sha}
        content = hub.files[found[1]]
        return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": hub.sha}

    ROUTES = {
        r"/api/repos/create": create,
        r"/api/datasets/me/x(?:/revision/[^/]+)?": info,
        r"/api/datasets/me/x/preupload/[^/]+": preupload,
        r"/datasets/me/x\.git/info/lfs/objects/batch": lfs_batch,
        r"/lfs/([0-9a-f]{64})": lfs_put,
        r"/api/datasets/me/x/commit/[^/]+": commit,
        r"/api/datasets/me/x/tree/[^/]+(/.*)?": tree,
        r"/api/datasets/me/x/paths-info/[^/]+": paths,
        r"/datasets/me/x/resolve/[^/]+/(.+)": resolve,
        r"/api/validate-yaml": lambda found, body: (200, {"warnings": [], "errors": []}, {}),
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
