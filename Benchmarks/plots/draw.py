"""Draws the plots of the README from what `make bench JSON=…` wrote: `draw.py REPORT.json…`.

Where several reports have a plot, the last one counts. Each is drawn for light and for dark pages, `NAME-light.svg` and
`NAME-dark.svg` beside this file; `--png DIRECTORY` draws pictures to look at instead.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

THEMES = {
    "light": {
        "ink": "#1f2328",
        "faint": "#59636e",
        "grid": "#d1d9e0",
        "page": "#ffffff",
        "lines": ["#0969da", "#8250df", "#1a7f37", "#bc4c00", "#59636e"],
    },
    "dark": {
        "ink": "#f0f6fc",
        "faint": "#9198a1",
        "grid": "#3d444d",
        "page": "#0d1117",
        "lines": ["#4493f8", "#ab7df8", "#3fb950", "#f0883e", "#9198a1"],
    },
}
# Ours first, in the first colour; what it is measured against after that.
NAMES = {"martlet": "Martlet", "pgqueuer": "PgQueuer", "procrastinate": "Procrastinate", "saq": "SAQ", "huey": "Huey"}


def short(value, _=None):
    if value >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


class Page:
    """Axes in one theme, with the little that all plots share."""

    def __init__(self, theme, columns=1):
        self.theme = THEMES[theme]
        plt.rcParams.update({"font.size": 11, "font.family": "sans-serif", "svg.hashsalt": "martlet"})
        width = 5.2 * columns if columns > 1 else 8
        self.figure, axes = plt.subplots(1, columns, figsize=(width, 4.6), layout="constrained")
        self.figure.patch.set_alpha(0)
        self.axes = axes if columns > 1 else [axes]

    def dress(self, axes, title, x, y, where="best"):
        ink, faint = self.theme["ink"], self.theme["faint"]
        axes.set_title(title, color=ink, fontsize=12, loc="left")
        axes.set_xlabel(x, color=faint)
        axes.set_ylabel(y, color=faint)
        axes.patch.set_alpha(0)
        axes.tick_params(colors=faint, which="both")
        axes.grid(True, color=self.theme["grid"], linewidth=0.6)
        for side, spine in axes.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set_color(faint)
        place = {"loc": "upper left", "bbox_to_anchor": (0, -0.15)} if where == "below" else {"loc": where}
        axes.legend(labelcolor=ink, frameon=False, fontsize=10, **place)

    def line(self, axes, curve, colour, **style):
        name = NAMES.get(curve["name"], curve["name"])
        axes.plot(curve["x"], curve["y"], color=self.theme["lines"][colour], label=name, **style)


def chunks(page, plots):
    left, right = page.axes
    # A worker in the first colour, as in the other plots, and what runs nothing in the same ones on both sides.
    for number, curve in enumerate(plots["chunks"]):
        colour, style = ((1, 2, 4)[number], "-") if is_floor(curve) else (3, ":" if "by ctid" in curve["name"] else "--")
        label = short_name(curve)
        page.line(left, {**curve, "name": label}, colour, linestyle=style, marker="o", markersize=3.5)
    page.dress(left, "Claimed and settled by SQL alone", "jobs a claim", "jobs per second", where="below")
    for curve, style in zip(plots["concurrency"], ("-", ":")):
        label = f"Martlet's worker, {curve['name']}"
        page.line(right, {**curve, "name": label}, 0, linestyle=style, marker="o", markersize=3.5)
    # What SQL alone does, which runs nothing, at the size at which it does best.
    ours = [curve for curve in plots["chunks"] if is_floor(curve) and curve["name"].endswith("1 client")]
    theirs = [curve for curve in plots["chunks"] if not is_floor(curve)]
    for curves, colour in ((ours, 1), (theirs, 3)):
        best = max(curves, key=lambda curve: max(curve["y"]))
        rate = max(best["y"])
        size = best["x"][best["y"].index(rate)]
        ends = {"x": plots["concurrency"][0]["x"], "y": [rate] * len(plots["concurrency"][0]["x"])}
        page.line(right, {**ends, "name": f"{short_name(best)}, {size:,g} a claim".replace(",000", " 000")}, colour, linestyle="--", linewidth=1.2)
    page.dress(right, "One worker process, jobs and all", "jobs run at a time", "jobs per second", where="below")
    for axes in page.axes:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.yaxis.set_major_formatter(FuncFormatter(short))
    low = min(axes.get_ylim()[0] for axes in page.axes)
    high = max(axes.get_ylim()[1] for axes in page.axes)
    for axes in page.axes:
        axes.set_ylim(low, high)


def is_floor(curve):
    return curve["name"].startswith("raw")


def short_name(curve):
    return curve["name"].replace("raw claim and settle", "Martlet's functions").replace(", no primary key", "")


def snapshot(page, plots):
    """Ours and a lock-and-update table, each with nobody in the way and with a snapshot held; all as long as the shortest."""
    axes = page.axes[0]
    curves = [(curve, plot == "snapshot") for plot in ("steady", "snapshot") for curve in plots[plot]]
    seconds = int(min(curve["x"][-1] for curve, _ in curves))
    # A minute's run second by second; longer ones in means, of which a hundred at most are told apart.
    step = max(1, -(-seconds // 100))
    # Ours first.
    for curve, is_held in sorted(curves, key=lambda each: not each[0]["name"].startswith("enqueued")):
        is_ours = curve["name"].startswith("enqueued")
        name = "Martlet: producer and worker" if is_ours else short_name(curve).removesuffix(", snapshot held")
        ends = range(step, seconds + 1, step)
        means = [sum(curve["y"][end - step : end]) / step for end in ends]
        line = {"x": list(ends), "y": means, "name": name + (", snapshot held" if is_held else "")}
        page.line(axes, line, 0 if is_ours else 3, linestyle="-" if is_held else ":")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(short))
    rate = "jobs per second" + (f", means of {step} s" if step > 1 else "")
    title = "Another session holds a snapshot open from the start, or nobody does"
    page.dress(axes, title, "seconds", rate, where="below")


def pick_up(page, plots):
    for axes, (plot, title) in zip(page.axes, (("pickup.postgres", "PostgreSQL"), ("pickup.sqlite", "SQLite"))):
        for colour, curve in enumerate(plots[plot]):
            colour = {"huey": 3, "pgqueuer": 3, "procrastinate": 2, "saq": 4}.get(curve["name"], colour)
            every = max(1, len(curve["x"]) // 200)
            thinned = {**curve, "x": curve["x"][::every], "y": [share * 100 for share in curve["y"][::every]]}
            page.line(axes, thinned, colour, linewidth=2 if colour == 0 else 1.5)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(short))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: short(value) if f"{value:e}"[0] in "235" else ""))
        page.dress(axes, f"{title}: enqueue to first line of the handler", "milliseconds", "% of jobs", where="lower right")


PLOTS = {
    "throughput": (chunks, 2, ["chunks", "concurrency"]),
    "snapshot": (snapshot, 1, ["steady", "snapshot"]),
    "pick-up": (pick_up, 2, ["pickup.postgres", "pickup.sqlite"]),
}


def merged(reports):
    """Curves by plot: a later report replaces those of an earlier one that have the same name."""
    plots = {}
    for report in reports:
        for curve in json.loads(Path(report).read_text())["curves"]:
            plots.setdefault(curve["plot"], {})[curve["name"]] = curve
    return {plot: list(curves.values()) for plot, curves in plots.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="+")
    parser.add_argument("--png", type=Path)
    options = parser.parse_args()
    plots = merged(options.reports)
    for name, (draw, columns, needed) in PLOTS.items():
        missing = [plot for plot in needed if plot not in plots]
        if missing:
            print(f"{name}: no {', '.join(missing)} in the reports; left as it is")
            continue
        for theme in THEMES:
            page = Page(theme, columns)
            draw(page, plots)
            if options.png:
                page.figure.patch.set_alpha(1)
                page.figure.savefig(options.png / f"{name}-{theme}.png", dpi=110, facecolor=page.theme["page"])
            else:
                page.figure.savefig(Path(__file__).parent / f"{name}-{theme}.svg", transparent=True, metadata={"Date": None})
            plt.close(page.figure)


main()
