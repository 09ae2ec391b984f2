"""Every figure of the series in one style: one colour a verdict, n in the title, intervals on rates, CSV beside PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from llmerge_helpers.evaluate import Rate, estimate, rate_of, wilson
from llmerge_helpers.evaluate.tables import in_the_mean
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import write_atomic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which colour-blind readers can tell apart (https://jfly.uni-koeln.de/color/)
COLOURS = {
    "exact_match": "#009E73",
    "normalized_match": "#56B4E9",
    "unresolved": "#F0E442",
    "context_changed": "#E69F00",
    "incorrect_resolution": "#D55E00",
    "invalid_output": "#CC79A7",
    "truncated": "#0072B2",
    "failed": "#767676",  # theirs is black, which a dark page swallows
}
WORDS = {name: name.replace("_", " ") for name in COLOURS}
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#767676")
# figures have no background and stand on the page's own, white or dark: on both, text in this grey has a contrast of 4
GREY, INK = "#A8A8A8", "#7A7A7A"
UNITS = {"loss": "loss (nats a token)", "reward": "reward, mean of a step"}  # of the first column of `curves`
SHADES = 48  # colours of a figure, transparent ones among them
STYLE = {
    "figure.figsize": (6, 3.5),
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#80808040",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "font.size": 9,
    "svg.hashsalt": "llmerge",
}

Given = ParamSpec("Given")


def _styled(draw: Callable[Given, Plot]) -> Callable[Given, Plot]:
    """Draw in the style of the series, whatever the user's own matplotlib is set to."""

    @wraps(draw)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> Plot:
        from matplotlib import rc_context, rcdefaults

        with rc_context():
            rcdefaults()
            with rc_context(STYLE):
                return draw(*args, **kwargs)

    return drawn


@dataclass(frozen=True)
class Plot:
    """A finished figure: it shows itself in a notebook, and its figures stand in `data`."""

    title: str
    data: pd.DataFrame = field(repr=False)
    png: bytes = field(repr=False)
    path: Path | None = None

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return self.png, {"width": 600}  # drawn at 2×, so that it is sharp on every screen

    def __repr__(self) -> str:
        where = f" ({shown(self.path)})" if self.path else ""
        return f"{self.title}{where}\n{self.data.to_string(index=False, max_rows=12)}"


@_styled
def verdicts_by(
    results: pd.DataFrame, column: str | None = None, path: str | Path | None = None, top: int = 10
) -> Plot:
    """Shares of the verdicts for each value of `column` (None: all in one), most frequent values first.

    The right answers come first in each bar, so the interval at their end is that of the rate of right answers. Where
    conflicts got different numbers of answers, the first of each counts, as in `evaluate.rate_of`.
    """
    results = in_the_mean(results)
    name = column or "group"
    groups = results[column].astype(str) if column else results["match_type"].map(lambda _: "all")
    rows = _counted(groups.rename(name), results["match_type"], COLOURS, top)
    right = results["match_type"].isin(("exact_match", "normalized_match"))
    named = {row[name] for row in rows}
    drawn = groups.where(groups.isin(named), rows[-1][name] if rows else "")  # the rest is one group
    for row in rows:
        found = rate_of(results[drawn == row[name]], right[drawn == row[name]])
        row |= {
            "right": int(right[drawn == row[name]].sum()),
            "merges": found.merges,
            "low": found.low,
            "high": found.high,
        }
    data = _frame(rows, None if rows else [name, "n", "right", "merges", "low", "high"])
    whole = rate_of(results, right)
    several = f" conflicts, {len(results)} answers" if len(results) > whole.n else ""
    size = f"{whole.n}{several}" + (", merges unknown" if whole.merges is None else f" of {whole.merges} merges")
    title = f"Verdicts{f' by {column}' if column else ''} (n = {size})"
    figure, axes = _stacked(data, name, [(kind, WORDS[kind], colour) for kind, colour in COLOURS.items()])
    rate = data["right"] / data["n"]
    error = [rate - data["low"], data["high"] - rate]
    for colour, width in (("white", 3.0), ("black", 1.2)):  # a white rim keeps it visible on every colour
        axes.errorbar(
            rate, range(len(data)), xerr=error, fmt="none", ecolor=colour, capsize=3, lw=width, capthick=width
        )
    axes.set_xlabel("share of replies; the bar shows the 95 % interval of right answers")
    return _save(figure, axes, title, data, path)


@_styled
def rates(
    counts: Mapping[str, Rate | tuple[int, int]], path: str | Path | None = None, title: str = "Right answers"
) -> Plot:
    """Rates with 95 % intervals, one line a name, best first; `counts` is what `evaluate.right` gives.

    A pair (right, n) will do where nothing is known of merges: each conflict then counts as a merge of its own. A
    teacher beside its baselines, or base, SFT and GRPO: the first name is drawn in colour, the others in grey.
    """
    found = {name: each if isinstance(each, Rate) else _alone(*each) for name, each in counts.items()}
    rows = [
        {"name": name, "right": each.right, "n": each.n, "merges": each.merges, "rate": each.right / max(each.n, 1),
         "low": each.low, "high": each.high}
        for name, each in found.items()
    ]  # fmt: skip
    lead = rows[0]["name"] if rows else ""
    data = _frame(sorted(rows, key=lambda r: -r["rate"]), ["name", "right", "n", "merges", "rate", "low", "high"])
    figure, axes = _axes(height=1.1 + 0.3 * len(data))
    for y, row in enumerate(data.itertuples()):
        colour = COLOURS["exact_match"] if row.name == lead else INK
        error = [[row.rate - row.low], [row.high - row.rate]]
        axes.errorbar(row.rate, y, xerr=error, fmt="o", color=colour, capsize=3, ms=6, lw=1.6)
        label = f"{100 * row.rate:.0f} %"
        axes.annotate(label, (row.rate, y), (0, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set_yticks(range(len(data)), [f"{r.name}  ({_short(r.right)} of {r.n})" for r in data.itertuples()])
    axes.set_ylim(len(data) - 0.5, -0.7)
    axes.set_xlim(0, 1)
    _percent(axes)
    sizes = sorted({each.n for each in found.values()})
    many = f"n = {sizes[0]}" if len(sizes) == 1 else f"n = {sizes[0]}–{sizes[-1]}" if sizes else "n = 0"
    same = {each.size for each in found.values()}
    axes.set_xlabel("rate of right answers, 95 % interval" + (f"; {same.pop()}" if len(same) == 1 else ""))
    return _save(figure, axes, f"{title} ({many})", data, path)


def _short(number: float) -> str:
    """A count, or a mean of counts.

    >>> _short(12345), _short(36.0), _short(36.25), _short(2 / 3)
    ('12345', '36', '36.25', '0.67')
    """
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _alone(right: int, n: int) -> Rate:
    return Rate(right, n, None, *wilson(right, n))


@_styled
def length_by_verdict(lengths: Sequence[float], verdicts: Sequence[str], path: str | Path | None = None) -> Plot:
    """How long the reasoning is for each verdict: one dot a reply, a bar at the median."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({"length": list(lengths), "verdict": list(verdicts)})
    present = [name for name in COLOURS if (frame["verdict"] == name).any()]
    figure, axes = _axes(height=1.1 + 0.35 * len(present))
    random = np.random.default_rng(0)
    rows = []
    for y, name in enumerate(present):
        values = frame.loc[frame["verdict"] == name, "length"].to_numpy(dtype=float)
        quarters = np.quantile(values, [0.25, 0.5, 0.75]).round(1)
        rows.append({"verdict": name, "n": len(values), **dict(zip(("q25", "median", "q75"), quarters, strict=True))})
        drawn = values if len(values) <= 2000 else random.choice(values, 2000, replace=False)
        jitter = y + random.uniform(-0.27, 0.27, len(drawn))
        axes.plot(np.maximum(drawn, 1), jitter, "o", ms=3.2, alpha=0.6, color=COLOURS[name], mec=INK, mew=0.2)
        axes.plot([max(quarters[1], 1)] * 2, [y - 0.36, y + 0.36], color=INK, lw=2)
    axes.set_yticks(range(len(present)), [f"{WORDS[r['verdict']]}  ({r['n']})" for r in rows])
    axes.invert_yaxis()
    wide = len(frame) and frame["length"].max() > 10 * max(frame["length"].min(), 1)
    axes.set_xscale("log" if wide else "linear")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel(f"words of reasoning{' (logarithmic)' if wide else ''}; the upright bar is the median")
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")
    return _save(figure, axes, f"Length of reasoning by verdict (n = {len(frame)})", _frame(rows), path)


@_styled
def token_lengths(lengths: Sequence[int], limit: int, path: str | Path | None = None, estimated: bool = False) -> Plot:
    """How many tokens a training example has, and which of them the limit drops."""
    import numpy as np

    values = np.asarray(list(lengths), dtype=float)
    over = int((values > limit).sum()) if limit else 0
    top = values.max(initial=1)
    limit_shown = bool(limit) and limit <= 3 * top  # a far limit would squeeze the bars; the legend says that none fell
    top = max(top, limit) if limit_shown else top
    width = limit / max(1, round(40 * limit / top)) if limit_shown else top / 40  # the limit falls between two bars
    edges = np.arange(0, top + 2 * width, width)
    kept, _ = np.histogram(values[values <= limit] - 0.5 if limit else values, edges)
    cut, _ = np.histogram(values[values > limit] if limit else values[:0], edges)
    figure, axes = _axes()
    axes.bar(edges[:-1], kept, width, align="edge", color=COLOURS["truncated"], label=f"kept ({len(values) - over})")
    axes.bar(
        edges[:-1], cut, width, bottom=kept, align="edge", color=COLOURS["incorrect_resolution"], hatch="//",
        edgecolor=INK, label=f"over {limit:,}: dropped ({over})" if limit else f"dropped ({over})",
    )  # fmt: skip
    if limit_shown:
        axes.axvline(limit, color=INK, lw=1.2, ls="--")
        axes.annotate(
            f"max_tokens {limit:,}", (limit, 0.97), (-4, 0), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="right", va="top", fontsize=8, rotation=90,
        )  # fmt: skip
    axes.set_xlabel("tokens in the whole example" + (" (estimated from characters)" if estimated else ""))
    axes.set_ylabel("examples")
    axes.set_xlim(0, top * 1.03)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="best")
    data = _frame({"from": edges[:-1].round(1), "to": edges[1:].round(1), "kept": kept, "dropped": cut})
    return _save(figure, axes, f"Tokens per example (n = {len(values)})", data, path)


@_styled
def waterfall(steps: Iterable[tuple[str, int]], path: str | Path | None = None, title: str = "What was kept") -> Plot:
    """From all to what is left: the first step is the start, every other one how many were dropped, and why."""
    steps = list(steps)
    rows, left = [], steps[0][1] if steps else 0
    for i, (label, count) in enumerate(steps):
        left -= count if i else 0
        rows.append({"step": label, "dropped": count if i else 0, "left": left})
    data = _frame(rows, ["step", "dropped", "left"])
    drawn = data[(data["dropped"] > 0) | (data.index == 0)].reset_index(drop=True)
    figure, axes = _axes(height=1.0 + 0.28 * len(drawn))
    y = range(len(drawn))
    axes.barh(y, drawn["left"], color=COLOURS["exact_match"], height=0.66)
    axes.barh(y, drawn["dropped"], left=drawn["left"], color=GREY, hatch="//", edgecolor=INK, height=0.66)
    for i, row in enumerate(drawn.itertuples()):
        label = f"{row.left:,}" + (f"  (−{row.dropped:,})" if row.dropped else "")
        axes.annotate(label, (row.left + row.dropped, i), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(y, drawn["step"])
    _room_for(axes, len(drawn))
    axes.grid(axis="y", visible=False)
    axes.set_xlim(0, (steps[0][1] if steps else 1) * 1.18 + 0.1)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("left after the step; hatched: dropped by it")
    return _save(figure, axes, f"{title} (n = {steps[0][1] if steps else 0})", data, path)


@_styled
def kinds_by(conflicts: pd.DataFrame, column: str = "language", path: str | Path | None = None, top: int = 8) -> Plot:
    """How developers resolved conflicts: shares of the kinds for each value of `column`, most frequent values first."""
    kinds = ("ours", "theirs", "ours_theirs", "theirs_ours", "base", "empty", "mixed")
    rows = _counted(conflicts[column], conflicts["kind"], kinds, top)
    colours = (*LINES[: len(kinds) - 1], GREY)
    data = _frame(rows, None if rows else [column, "n"])
    figure, axes = _stacked(data, column, [(k, _words(k), colour) for k, colour in zip(kinds, colours, strict=True)])
    axes.set_xlabel("share of conflicts; mixed: written anew, or of parts of both sides")
    return _save(figure, axes, f"Kinds of resolution by {column} (n = {len(conflicts)})", data, path)


def _words(kind: str) -> str:
    return {"ours_theirs": "ours, then theirs", "theirs_ours": "theirs, then ours"}.get(kind, kind)


@_styled
def curves(
    history: pd.DataFrame, columns: Sequence[str], path: str | Path | None = None, title: str = "Training"
) -> Plot:
    """Loss or reward by step of training: the raw values faint, their moving average (over ten points) on top.

    Columns that are missing or hold nothing are left out; a column with few values (evaluation) is drawn as dots.
    """
    columns = [c for c in columns if c in history and history[c].notna().any()]
    data = history[["step", *columns]].dropna(subset=columns, how="all").reset_index(drop=True)
    figure, axes = _axes()
    for i, (colour, column) in enumerate(zip(LINES, columns, strict=False)):
        part = data[["step", column]].dropna()
        name = column.replace("_", " ")
        if len(part) < max(3, len(data) / 3):
            size = max(7 - 3 * i, 2)  # one on top of another shows
            axes.plot(part["step"], part[column], "o-", color=colour, ms=size, lw=1, label=name)
            continue
        span = max(1, min(10, len(part) // 3))
        axes.plot(part["step"], part[column], color=colour, alpha=0.45, lw=1)
        axes.plot(part["step"], part[column].rolling(span, min_periods=1).mean(), color=colour, lw=1.9, label=name)
    axes.set_xlabel("step; faint: raw, strong: moving average")
    if len(columns):
        axes.set_ylabel(UNITS.get(columns[0], columns[0].replace("_", " ")))
        axes.legend(loc="best")
    return _save(figure, axes, f"{title} (n = {data['step'].nunique()} logged steps)", data, path)


@_styled
def reliability(
    pairs: Sequence[tuple[float, bool]],
    path: str | Path | None = None,
    merges: Sequence[Hashable] | None = None,
    title: str = "Reliability",
) -> Plot:
    """What a confidence means: of answers as sure as this, how many are right, by tenths, each with its interval.

    `pairs` are a confidence from 0 to 1 and whether the answer was right; `merges` says of which merge each is.
    """
    told = [(float(confidence), bool(right)) for confidence, right in pairs]
    rows = []
    for tenth in range(10):
        inside = [n for n, (confidence, _) in enumerate(told) if min(int(confidence * 10), 9) == tenth]
        if not inside:
            continue
        found = estimate([told[n][1] for n in inside], [merges[n] for n in inside] if merges is not None else None)
        said = sum(told[n][0] for n in inside) / len(inside)
        rate = found.right / found.n
        rows.append({"says": said, "right": rate, "low": found.low, "high": found.high, "n": found.n})
    data = _frame(rows, ["says", "right", "low", "high", "n"])
    figure, axes = _axes()
    axes.plot([0, 1], [0, 1], color=GREY, lw=1.2, ls="--", label="as sure as right")
    errors = [(data["right"] - data["low"]).clip(lower=0), (data["high"] - data["right"]).clip(lower=0)]
    axes.errorbar(data["says"], data["right"], errors, fmt="o", color=LINES[0], capsize=3, label="found")
    for row in data.itertuples():
        axes.annotate(str(row.n), (row.says, row.right), (5, -9), textcoords="offset points", fontsize=7)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.03)
    _percent(axes)
    axes.grid(axis="y")
    axes.yaxis.set_major_formatter(axes.xaxis.get_major_formatter())
    axes.set_xlabel("confidence")
    axes.set_ylabel("right, 95 % interval")
    axes.legend(loc="upper left")
    return _save(figure, axes, f"{title} (n = {len(told)})", data, path)


# --------------------------------------------------------------------------------------------------- one way to draw


def _axes(height: float = 0) -> tuple[Figure, Axes]:
    # without pyplot: no global state, no figure shown twice, no window; taller than the style only for many lines
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, max(3.5, height)), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y")
    return figure, axes


def _counted(groups: pd.Series, kinds: pd.Series, names: Iterable[str], top: int) -> list[dict[str, object]]:
    """How many of each kind each group has, the largest groups first; all but the `top` largest are one group."""
    order = groups.value_counts().sort_index().sort_values(ascending=False, kind="stable").index.tolist()
    if others := order[top:]:
        groups = groups.where(~groups.isin(others), f"{len(others)} others")
        order = [*order[:top], f"{len(others)} others"]
    present = [name for name in names if (kinds == name).any()]
    found = [{name: int((kinds[groups == value] == name).sum()) for name in present} for value in order]
    return [{groups.name: v, "n": sum(counts.values()), **counts} for v, counts in zip(order, found, strict=True)]


def _stacked(data: pd.DataFrame, group: str, parts: Iterable[tuple[str, str, str]]) -> tuple[Figure, Axes]:
    """A bar a line of `data`, made of the shares of the columns that it has; `parts` are column, label and colour."""
    figure, axes = _axes(height=1.5 + 0.3 * len(data))
    left = data["n"] * 0.0
    for column, label, colour in parts:
        if column in data:
            share = data[column] / data["n"]
            axes.barh(range(len(data)), share, left=left, color=colour, label=label, height=0.68)
            left = left + share
    sizes = [f"{n}" for n in data["n"]]
    if "merges" in data:
        known = data["merges"].notna().all()
        of = [f" of {m} merge{'s' * (m != 1)}" if known else "" for m in data["merges"]]
        sizes = [n + merges for n, merges in zip(sizes, of, strict=True)]
    axes.set_yticks(range(len(data)), [f"{v}  ({size})" for v, size in zip(data[group], sizes, strict=True)])
    axes.set_xlim(0, 1)
    _percent(axes)
    _room_for(axes, len(data))
    if len(data):
        figure.legend(ncols=4, loc="outside lower center", columnspacing=1.2, handlelength=1.2)
    return figure, axes


def _percent(axes: Axes) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x")


def _room_for(axes: Axes, bars: int) -> None:
    """The first bar on top; one or two bars stay slim, in the middle."""
    empty = max(3 - bars, 0) / 2
    axes.set_ylim(bars - 0.5 + empty, -0.5 - empty)


def _frame(rows: object, columns: Sequence[str] | None = None) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns) if columns else None)


def _save(figure: Figure, axes: Axes, title: str, data: pd.DataFrame, path: str | Path | None) -> Plot:
    from PIL import Image

    axes.set_title(title)
    drawn, png = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    # few colours are plenty for flat figures and a quarter of the bytes, which a notebook carries as base64
    Image.open(drawn).quantize(SHADES, method=Image.Quantize.FASTOCTREE).save(png, "png", optimize=True)
    if path is not None:
        path = from_root(path).with_suffix(".png")
        write_atomic(path, png.getvalue())
        write_atomic(path.with_suffix(".csv"), data.to_csv(index=False, lineterminator="\n"))
    return Plot(title, data, png.getvalue(), path)
