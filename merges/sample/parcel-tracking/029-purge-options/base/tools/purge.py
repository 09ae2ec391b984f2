"""Deletes parcels that were closed a long time ago."""

import argparse

from service.store import delete_closed_before, days_ago


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=730, help="keep this many days")
    options.add_argument("--dry-run", action="store_true", help="only count")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    count = delete_closed_before(days_ago(options.days), dry_run=options.dry_run)
    print(f"{count} parcels {'would be ' if options.dry_run else ''}deleted")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
