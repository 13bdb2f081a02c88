#!/usr/bin/python3 -B
"""The table of NOTES.md, from what `make bench JSON=…` wrote: `table.py REPORT.json…`. Where
reports share a case, the last one counts."""

import json
import sys
from pathlib import Path


def number(value):
    if abs(value) >= 10_000:
        return f"{value / 1e3:,.0f} k".replace(",", " ")
    if abs(value) >= 1_000:
        return f"{value / 1e3:.1f} k"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def goal(entry):
    if entry.get("at_least") is not None:
        text = f"≥ {number(entry['at_least'])}"
    elif entry.get("at_most") is not None:
        text = f"≤ {number(entry['at_most'])}"
    else:
        return ""
    return text if entry["is_met"] else f"{text}, **missed**"


def main():
    cases = {}
    for path in sys.argv[1:]:
        entries = json.loads(Path(path).read_text())["measurements"]
        for case in dict.fromkeys(entry["case"] for entry in entries):
            cases[case] = [entry for entry in entries if entry["case"] == case]
    print("| case | what | median | least … most | asked for |\n|---|---|---|---|---|")
    for case, entries in cases.items():
        for row, entry in enumerate(entries):
            values = sorted(entry["values"])
            spread = f"{number(values[0])} … {number(values[-1])}" if len(values) > 1 else ""
            first = "" if row else f"`{case}`"
            median = f"{number(entry['median'])} {entry['unit']}"
            print(f"| {first} | {entry['name'].strip()} | {median} | {spread} | {goal(entry)} |")


main()
