"""Figures: the numbers beside them, one colour a verdict, and the same bytes for the same data."""

import io

import pandas as pd
import pytest

from llmerge_helpers.evaluate import estimate, wilson
from llmerge_helpers.show import plots
from llmerge_helpers.verdict import MATCH_TYPES

RESULTS = pd.DataFrame(
    {
        "match_type": ["exact_match"] * 6 + ["normalized_match"] * 2 + ["incorrect_resolution"] * 3 + ["failed"],
        "kind": ["ours"] * 4 + ["mixed"] * 8,
        "language": [f"L{i}" for i in range(12)],
    }
)


def size(plot):
    from PIL import Image

    return Image.open(io.BytesIO(plot.png)).size


def test_every_verdict_has_one_colour_of_its_own():
    assert tuple(plots.COLOURS) == MATCH_TYPES
    assert len(set(plots.COLOURS.values())) == len(MATCH_TYPES)


def test_verdicts_by_kind_counts_and_bounds(tmp_path):
    plot = plots.verdicts_by(RESULTS, "kind", tmp_path / "kinds")
    saved = pd.read_csv(tmp_path / "kinds.csv")
    assert saved["kind"].tolist() == ["mixed", "ours"] and saved["n"].tolist() == [8, 4]
    assert saved["right"].tolist() == [4, 4] and saved["incorrect_resolution"].tolist() == [3, 0]
    assert (saved.loc[0, "low"], saved.loc[0, "high"]) == pytest.approx(wilson(4, 8))
    assert plot.title == "Verdicts by kind (n = 12, merges unknown)"
    assert (tmp_path / "kinds.png").read_bytes() == plot.png and size(plot) == (660, 385)
    assert "mixed" in repr(plot) and plot._repr_png_()[0] == plot.png


def test_many_values_are_gathered():
    plot = plots.verdicts_by(RESULTS, "language", top=3)
    assert plot.data["language"].tolist() == ["L0", "L1", "L10", "9 others"]
    assert plot.data["n"].sum() == 12


def test_rates_are_sorted_and_have_intervals():
    plot = plots.rates({"teacher": (3, 10), "ours": (5, 10), "none": (0, 0)})
    assert plot.data["name"].tolist() == ["ours", "teacher", "none"]
    assert plot.data.loc[1, ["low", "high"]].tolist() == pytest.approx(wilson(3, 10))
    assert plot.title == "Right answers (n = 0–10)"


@pytest.mark.parametrize("top", [10, 1])
def test_bars_know_their_merges(top):
    """One merge holds half of all replies; what is gathered as "others" knows its merges, too."""
    commits = ["big"] * 6 + [f"m{i}" for i in range(6)]
    plot = plots.verdicts_by(RESULTS.assign(merge_commit=commits), "kind", top=top)
    assert plot.title == "Verdicts by kind (n = 12 of 7 merges)"
    assert plot.data["merges"].tolist() == [7, 1] and plot.data["right"].tolist() == [4, 4]
    right = RESULTS["match_type"].isin(["exact_match", "normalized_match"]).tolist()
    for line, part in ((0, slice(4, 12)), (1, slice(0, 4))):
        found = estimate(right[part], commits[part])
        assert plot.data.loc[line, ["low", "high"]].tolist() == pytest.approx([found.low, found.high])


def test_samples_of_one_conflict_are_not_independent():
    twice = pd.concat([RESULTS.assign(id=range(12)), RESULTS.assign(id=range(12))], ignore_index=True)
    once, both = (plots.verdicts_by(each).data.iloc[0] for each in (twice.head(12), twice))
    assert both["n"] == 24 and both["high"] - both["low"] >= once["high"] - once["low"] - 1e-9


def test_rates_say_of_how_many_merges():
    right = [True, False, True, True]
    found = {"sft": estimate(right, "aabc"), "base": estimate([False] * 4, "aabc")}
    plot = plots.rates(found)
    assert plot.data["merges"].tolist() == [3, 3] and plot.title == "Right answers (n = 4)"
    assert plot.data.loc[0, ["low", "high"]].tolist() == pytest.approx(found["sft"][3:])


def test_lengths_by_verdict_gives_quartiles():
    plot = plots.length_by_verdict([0, 10, 20, 1000], ["exact_match"] * 3 + ["failed"])
    assert plot.data.to_dict("records") == [
        {"verdict": "exact_match", "n": 3, "q25": 5.0, "median": 10.0, "q75": 15.0},
        {"verdict": "failed", "n": 1, "q25": 1000.0, "median": 1000.0, "q75": 1000.0},
    ]


@pytest.mark.parametrize("limit, dropped", [(0, 0), (100, 2), (99, 3), (10_000, 0)])
def test_token_lengths_count_what_the_limit_drops(limit, dropped):
    plot = plots.token_lengths([1, 50, 100, 101, 500], limit)
    assert plot.data["dropped"].sum() == dropped and plot.data["kept"].sum() == 5 - dropped
    if limit:
        under = plot.data["to"] <= limit
        assert plot.data.loc[under, "dropped"].sum() == 0 and plot.data.loc[~under, "kept"].sum() == 0


def test_the_waterfall_ends_with_what_is_left():
    plot = plots.waterfall([("all", 10), ("bad", 3), ("none", 0)])
    assert plot.data["left"].tolist() == [10, 7, 7] and plot.data["dropped"].tolist() == [0, 3, 0]


def test_curves_leave_out_what_was_not_logged():
    history = pd.DataFrame({"step": range(30), "loss": range(30), "eval_loss": [None] * 29 + [1.0], "gone": None})
    plot = plots.curves(history, ["loss", "eval_loss", "gone", "never"])
    assert plot.data.columns.tolist() == ["step", "loss", "eval_loss"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.verdicts_by(RESULTS),
        lambda: plots.rates({}),
        lambda: plots.length_by_verdict([], []),
        lambda: plots.token_lengths([], 0),
        lambda: plots.waterfall([]),
        lambda: plots.curves(pd.DataFrame({"step": []}), ["loss"]),
    ],
    ids=["verdicts", "rates", "lengths", "tokens", "waterfall", "curves"],
)
def test_the_same_data_gives_the_same_bytes_and_nothing_is_no_error(draw):
    import matplotlib

    first = draw()
    with matplotlib.rc_context({"axes.facecolor": "black", "figure.figsize": (20, 20)}):  # a user's own style
        assert draw().png == first.png
    assert first.png.startswith(b"\x89PNG")


def test_kinds_by_language_counts_and_gathers_the_rest():
    conflicts = pd.DataFrame({"language": [f"L{n % 4}" for n in range(10)], "kind": ["ours"] * 4 + ["mixed"] * 6})
    plot = plots.kinds_by(conflicts, "language", top=2)
    assert plot.data["language"].tolist() == ["L0", "L1", "2 others"] and plot.data["n"].tolist() == [3, 3, 4]
    assert plot.data["ours"].sum() == 4 and plot.data["mixed"].sum() == 6 and "theirs" not in plot.data
    assert plot.title == "Kinds of resolution by language (n = 10)" and plot.png.startswith(b"\x89PNG")


def test_verdicts_of_no_reply_are_an_empty_figure():
    assert plots.verdicts_by(RESULTS.head(0), "kind").data.empty


def test_a_figure_reads_on_a_white_and_on_a_dark_page():
    """No background of its own, and text in a grey that has a contrast of 4 or more on both themes of JupyterLab."""
    from PIL import Image

    pixels = Image.open(io.BytesIO(plots.rates({"sft": (3, 10)}).png)).convert("RGBA")
    assert {pixels.getpixel((x, y))[3] for x in (0, pixels.width - 1) for y in (0, pixels.height - 1)} == {0}

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for page in ("#FFFFFF", "#111111"):
        low, high = sorted((light(page), light(plots.INK)))
        assert (high + 0.05) / (low + 0.05) >= 4
    assert min(map(light, (*plots.COLOURS.values(), *plots.LINES))) > 0.1  # none is as dark as a dark page


@pytest.mark.parametrize("columns, label", [(["loss", "eval_loss"], "loss (nats a token)"), (["entropy"], "entropy")])
def test_curves_say_what_stands_upright(columns, label, monkeypatch):
    axes = []
    draw = plots._save
    monkeypatch.setattr(plots, "_save", lambda figure, found, *rest: axes.append(found) or draw(figure, found, *rest))
    plots.curves(pd.DataFrame({"step": [1, 2], "loss": [2, 1], "eval_loss": [2, 1], "entropy": [1, 1]}), columns)
    assert axes[0].get_ylabel() == label


def test_a_reliability_curve_tells_what_a_confidence_means():
    plot = plots.reliability([(0.95, True)] * 9 + [(0.95, False), (0.2, False), (1.0, True)], merges=[*range(12)])
    [low, high] = plot.data.itertuples()
    assert (low.says, low.right, low.n, high.n) == (0.2, 0.0, 1, 11) and high.low < high.right < high.high
    assert high.right == 10 / 11 and plots.reliability([]).data.empty
