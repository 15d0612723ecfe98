"""From rounds to figures: medians, intervals of medians, ratios of rounds; and tables for terminal and README."""

from math import comb
from statistics import median


def interval(values):
    """An interval for the median that assumes nothing about the distribution: (low, high, coverage). It runs between two
    order statistics, the narrowest pair that covers the median at 95 %; with fewer than six values, between the
    extremes, at the coverage that this has."""
    ordered, n = sorted(values), len(values)
    best = (ordered[0], ordered[-1], 1 - 2 * 0.5**n)
    below = 0.0
    for k in range(n // 2):
        below += comb(n, k) * 0.5**n
        if 1 - 2 * below >= 0.95:
            best = (ordered[k], ordered[n - 1 - k], 1 - 2 * below)
    return best


def add_differences(rounds):
    """Adds to every round what its contender added to `direct` of the same round: added_KEY."""
    direct = {one["round"]: one for one in rounds if one["contender"] == "direct"}
    for one in rounds:
        base = direct.get(one["round"])
        if base is None or one is base:
            continue
        for key in [key for key in one if key.endswith("_us") and key in base and not key.startswith(("added_", "cpu_"))]:
            one[f"added_{key}"] = one[key] - base[key]


def figures(rounds, key, contender):
    return {one["round"]: one[key] for one in rounds if one["contender"] == contender and key in one}


def paired_ratios(rounds, key, contender, measure="nginx"):
    """The contender's figure over nginx's in the same round, for every round that has both."""
    ours, theirs = figures(rounds, key, contender), figures(rounds, key, measure)
    return [ours[number] / theirs[number] for number in sorted(ours) if theirs.get(number, 0) > 0]


def summarise(suite, rounds):
    """{contender: {key: {median, low, high, ratio: {median, low, high, coverage}}}}"""
    add_differences(rounds)
    names = list(dict.fromkeys(one["contender"] for one in sorted(rounds, key=lambda one: one["place"])))
    return {name: {column.key: summarise_column(rounds, column, name) for column in suite.columns} for name in names}


def summarise_column(rounds, column, name):
    values = list(figures(rounds, column.key, name).values())
    if not values:
        return None
    low, high, _ = interval(values)
    cell = {"median": median(values), "low": low, "high": high}
    ratios = paired_ratios(rounds, column.key, name) if column.compare and name != "nginx" else []
    if ratios:
        low, high, coverage = interval(ratios)
        cell["ratio"] = {"median": median(ratios), "low": low, "high": high, "coverage": coverage}
    return cell


def rows_of(suite, summary):
    """The table of a suite: a list of rows of text, the heading first."""
    heading = [""]
    for column in suite.columns:
        heading += [column.title, "× nginx"] if column.compare else [column.title]
    return [heading] + [row_of(suite, name, cells) for name, cells in summary.items()]


def row_of(suite, name, cells):
    row = [name]
    for column in suite.columns:
        cell = cells[column.key]
        row.append("–" if cell is None else f"{cell['median']:,.{column.digits}f}")
        if column.compare:
            ratio = (cell or {}).get("ratio")
            row.append("–" if ratio is None else f"{ratio['median']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]")
    return row


def as_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def as_markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])


def heading_of(suite, rounds):
    count = max(one["round"] for one in rounds)
    return f"{suite.title}; {count} rounds of {rounds[0]['asked_seconds']:g} s"
