"""What the runs below `outputs/` came to, one line each: `python -m llmerge_helpers.run`."""

from __future__ import annotations

from llmerge_helpers.run.files import read_json, root, shown


def summary() -> str:
    """What the runs below `outputs/` came to, one line each, and where their files are."""
    lines = []
    for path in sorted((root() / "outputs").glob("**/run.json"), key=lambda p: read_json(p).get("started_at", "")):
        record = read_json(path)
        results = {k: v for k, v in record.get("results", {}).items() if isinstance(v, (int, float, str))}
        facts = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in results.items())
        lines.append(f"{record['notebook']:<24} {record['status']:<9} {shown(path.parent)}/  {facts}")
    return "\n".join(lines) or "nothing has been run yet: make demo"


if __name__ == "__main__":
    print(summary())
