"""What a reader gets of the results: tables in Markdown, a plot, and both in docs/performance.md."""
import os
import re

import micro
import provenance
from measures import FIGURES

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DOCUMENT = os.path.join(ROOT, "docs", "performance.md")
DOCUMENT_PLOT = os.path.join(ROOT, "docs", "performance.svg")
BEGIN, END = "<!-- figures: written by tests/bench/run -->", "<!-- end of figures -->"

TABLES = (("tcp", "tcp4", "reverse", "forward", "cpu", "rss"),
          ("udp", "udp_clean", "ping", "ping_load_p50", "ping_load_p99"))
PLOTTED = ("tcp", "udp", "cpu", "ping", "ping_load_p99", "rss")
COLOURS = {"veth": "#b0b0b0", "vxlan": "#808080", "vpntun-plain": "#c0392b", "vpntun-wireguard": "#e67e22"}
OTHERS = "#4a78a8"


def _table(head, rows):
    """Markdown with columns as wide as their cells, so that it is read in a terminal as well."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [head, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])], *rows]
    return "\n".join("| " + " | ".join(cell.ljust(width) if not index else cell.rjust(width) for index, (cell, width)
                                       in enumerate(zip(line, widths))) + " |" for line in lines)


def _number(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def _spread(seen, digits):
    """The median, and behind it the least and the greatest where there are several."""
    if not seen:
        return "-"
    spread = f" ({_number(seen['min'], digits)}-{_number(seen['max'], digits)})" if seen["count"] > 1 else ""
    return _number(seen["median"], digits) + spread


def _systems(results):
    return {name: seen for name, seen in results["medians"].items() if name != micro.NAME}


def figures_table(results, figures):
    head = ["", *(f"{FIGURES[figure].title}, {FIGURES[figure].unit}" for figure in figures)]
    return _table(head, [[system, *(_spread(seen.get(figure), FIGURES[figure].digits) for figure in figures)]
                         for system, seen in _systems(results).items()])


def parts_table(results):
    seen = results["medians"][micro.NAME]
    return _table(["parts", "ns"], [[name, _spread(part, 1)] for name, part in seen.items()])


def goals_table(results):
    rows = []
    measured = [goal for goal in results["goals"] if goal["ratio"] is not None]
    for goal in measured:
        spread = "" if goal["min"] is None else f" ({goal['min']:.3g}-{goal['max']:.3g})"
        about = FIGURES.get(goal["figure"])
        title = f"{about.title}, {about.unit}" if about else goal["figure"]
        rows.append([goal["system"], title, goal["goal"], f"{goal['ratio']:.3g}{spread}", goal["verdict"]])
    left = len(results["goals"]) - len(measured)
    return (_table(["", "figure", "goal", "ratio of medians (of rounds)", ""], rows) +
            (f"\n\nGoals whose figures are not there: {left}." if left else ""))


def text(results):
    """All of it, in Markdown."""
    measured = {figure for seen in _systems(results).values() for figure in seen}
    parts = [provenance.sentence(results)]
    for figures in TABLES:
        shown = [figure for figure in figures if figure in measured]
        if shown:
            parts.append(figures_table(results, shown))
    if micro.NAME in results["medians"]:
        parts.append(parts_table(results))
    parts.append(goals_table(results))
    parts += [f"Not measured: {name}: {why}." for name, why in results["not_run"].items()]
    parts += [f"Failed: {failure}" for failure in results["failures"]]
    parts.append("\n".join(f"- {name}: {how}" for name, how in results["systems"].items()))
    parts.append("\n".join(f"- {name}: {version}" for name, version in results["programs"].items()))
    return "\n\n".join(parts) + "\n"


def plot(results, path):
    """Bars of medians with their least and greatest value; .svg or .png by the name."""
    import matplotlib  # only here: the tables need nothing of it
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "vpntun", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot
    middle = _systems(results)
    chart, grid = pyplot.subplots(2, 3, figsize=(13, 7), sharey=True)
    names = list(middle)
    for axes, figure in zip(grid.flat, PLOTTED):
        about = FIGURES[figure]
        for row, name in enumerate(names):
            seen = middle[name].get(figure)
            if seen:
                value = seen["median"]
                axes.barh(row, value, color=COLOURS.get(name, OTHERS),
                          xerr=[[value - seen["min"]], [seen["max"] - value]], ecolor="#303030", capsize=2)
                axes.annotate(_number(value, about.digits), (seen["max"], row), (4, 0), textcoords="offset points", va="center",
                              fontsize=8)
        axes.set_title(f"{about.title}, {about.unit} ({'more' if about.more_is_better else 'less'} is better)", fontsize=9)
        axes.set_yticks(range(len(names)), names)
        if figure == "ping_load_p99":  # far apart
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.margins(x=0.2)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    grid[0][0].invert_yaxis()
    box = results["machine"]
    chart.suptitle(f"{box['processor']}, {box['cores']} cores, Linux {box['kernel']}: medians of {results['settings']['rounds']} "
                   f"rounds, with least and greatest", fontsize=10)
    chart.tight_layout()
    chart.savefig(path, dpi=110, metadata={"Date": None} if path.endswith(".svg") else None)
    pyplot.close(chart)


def write_document(results):
    """Puts tables and plot of this run into the place of the last ones in docs/performance.md."""
    with open(DOCUMENT, encoding="utf-8") as file:
        old = file.read()
    made = f"{BEGIN}\n{text(results)}\n![The medians as bars](performance.svg)\n{END}"
    new, count = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: made, old, flags=re.DOTALL)
    if count != 1:
        raise RuntimeError(f"{DOCUMENT} has no place for figures")
    plot(results, DOCUMENT_PLOT)
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(new)
