"""The command `tidetables`."""

import argparse


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="tidetables")
    made.add_argument("station", help="its code, such as SKAR")
    made.add_argument("--days", type=int, default=7)
    made.add_argument("--format", choices=["text", "csv", "ics"])
    made.add_argument("--datum", default="chart")
    return made
