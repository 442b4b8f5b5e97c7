"""House style, counted over the notebooks: what `ruff` cannot see. Any count above its limit
fails.
"""

import ast
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from fastcore.script import call_parse

ROOT = Path(__file__).resolve().parent.parent
LONGEST_FUNCTION = 60  # formatted lines
SCREEN = 40  # formatted lines a function should fit into
# What a saved output must never show: a temporary path, an empty result, a warning
FORBIDDEN_OUTPUT = re.compile(r"/tmp/|\b0 events, 0 metrics|Warning:|\bTraceback\b")


class Cell(NamedTuple):
    notebook: str
    index: int
    source: str  # without directives
    directives: frozenset
    outputs: tuple  # texts

    @property
    def exported(self):
        return bool(self.directives & {"export", "exports", "exporti"})

    @property
    def place(self):
        return f"{self.notebook}, cell {self.index}"


def output_texts(cell):
    "The texts of a cell's saved outputs"
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        texts = [output.get("text", ""), *(v for k, v in data.items() if k.startswith("text/"))]
        yield from ("".join(t) for t in texts)


def code_cells(path):
    "The code cells of a notebook that are plain Python"
    name = path.relative_to(ROOT).as_posix()
    for index, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] != "code":
            continue
        lines = "".join(cell["source"]).split("\n")
        directives = frozenset(
            line[2:].split(":")[0].split()[0] for line in lines if re.match(r"#\|\s*\w", line)
        )
        source = "\n".join("" if re.match(r"#\||[%!]", line) else line for line in lines)
        yield Cell(name, index, source, directives, tuple(output_texts(cell)))


def statements_on_one_line(tree):
    "Line numbers on which a second statement begins"
    starts = Counter(node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt))
    return [line for line, n in starts.items() if n > 1]


def is_bare_tuple(node):
    return (
        isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "tuple"
    )


def is_named_lambda(node):
    return isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Lambda)


def is_star_import(node):
    return isinstance(node, ast.ImportFrom) and node.names[0].name == "*"


def length(node):
    "Formatted lines of a function, its signature counted once"
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return node.end_lineno - body[0].lineno + 2 if body else 1


def output_faults(cell):
    "Yields (kind, place) for what is saved with a cell"
    for text in cell.outputs:
        if found := FORBIDDEN_OUTPUT.search(text):
            yield "output not fit to be shown", f"{cell.place}: {found[0]}"


def node_faults(cell, node):
    "Yields (kind, place) for one piece of the syntax tree"
    if is_named_lambda(node):
        yield "lambda assigned to a name", f"{cell.place}, line {node.lineno}"
    if is_star_import(node) and "hide" not in cell.directives:
        yield "star import outside hidden test cells", f"{cell.place}, line {node.lineno}"
    if not cell.exported or not isinstance(node, ast.FunctionDef):
        return
    if is_bare_tuple(node):
        yield "bare -> tuple", f"{cell.place}, {node.name}"
    lines = length(node)
    if lines > LONGEST_FUNCTION:
        yield "function over 60 lines", f"{cell.place}, {node.name}: {lines}"
    elif lines > SCREEN:
        yield "function over 40 lines", f"{cell.place}, {node.name}: {lines}"


def faults_of(cell):
    "Yields (kind, place) for one cell"
    yield from output_faults(cell)
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:
        return
    for line in statements_on_one_line(tree):
        yield "several statements on a line", f"{cell.place}, line {line}"
    for node in ast.walk(tree):
        yield from node_faults(cell, node)
    for number, text in enumerate(cell.source.split("\n"), 1):
        if len(text) > 100:
            yield "line over 100 characters", f"{cell.place}, line {number}"


# kind of fault: how many are admitted. Functions between 40 and 60 lines are only counted.
LIMITS = {
    "line over 100 characters": 0,
    "several statements on a line": 0,
    "bare -> tuple": 0,
    "lambda assigned to a name": 0,
    "star import outside hidden test cells": 0,
    "output not fit to be shown": 0,
    "function over 60 lines": 5,
    "function over 40 lines": None,
}


def notebooks(folders):
    "All notebooks at or below the folders"
    for folder in folders:
        path = ROOT / folder
        found = [path] if path.is_file() else sorted(path.rglob("*.ipynb"))
        yield from (f for f in found if ".ipynb_checkpoints" not in f.parts)


@call_parse
def main(
    verbose: bool = False,  # Name every place, not only those of kinds above their limit
    folders: str = "nbs",  # Notebooks or folders to look at, separated by spaces
):
    "Count faults of style in the notebooks; exit code 1 when there are more than admitted"
    faults = {kind: [] for kind in LIMITS}
    shown = functions = 0
    for path in notebooks(folders.split()):
        for cell in code_cells(path):
            for kind, place in faults_of(cell):
                faults[kind].append(place)
            if cell.exported and re.search(r"^def ", cell.source, re.M):
                functions += 1
                shown += "exports" in cell.directives
    failed = False
    for kind, places in faults.items():
        limit = LIMITS[kind]
        over = limit is not None and len(places) > limit
        failed |= over
        print(f"{len(places):5} {kind}" + (f" (at most {limit})" if over else ""))
        if over or verbose:
            print("".join(f"        {place}\n" for place in places), end="")
    print(f"{shown:5} of {functions} exported cells with functions show their source on the page")
    if failed:
        sys.exit("style: more faults than admitted, see above")
