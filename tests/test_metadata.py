"settings.ini, the installed package, the modules and the notebooks agree."

import ast
import re
from configparser import ConfigParser
from importlib.metadata import entry_points, metadata, requires
from pathlib import Path

import pytest

import runningpose
from runningpose.__main__ import MODULE_OF

ROOT = Path(__file__).resolve().parent.parent
ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(ROOT / "settings.ini", encoding="utf-8")
cfg = ini["DEFAULT"]
MODULES = [
    p
    for p in sorted((ROOT / "runningpose").rglob("*.py"))
    if p.name not in ("__init__.py", "_modidx.py")
]


def names(reqs):
    return {re.match(r"[\w.-]+", o)[0].lower().replace("_", "-") for o in reqs}


def test_version():
    assert cfg["version"] == runningpose.__version__ == metadata("runningpose")["Version"]


def test_names_and_addresses():
    meta = metadata("runningpose")
    assert (meta["Name"], meta["Summary"], meta["Author"]) == (
        cfg["lib_name"],
        cfg["description"],
        cfg["author"],
    )
    assert meta["Requires-Python"] == ">=" + cfg["min_python"]
    assert any(
        cfg["git_url"] in o for o in [meta["Home-page"] or "", *meta.get_all("Project-URL", [])]
    )


def test_requirements_and_extras():
    extras = {
        k.removesuffix("_requirements"): v for k, v in cfg.items() if k.endswith("_requirements")
    }
    core = [o for o in requires("runningpose") if "extra ==" not in o]
    assert names(core) == names(cfg["requirements"].split())
    assert set(metadata("runningpose").get_all("Provides-Extra")) == set(extras)
    for extra, reqs in extras.items():
        assert names(o for o in requires("runningpose") if f'"{extra}"' in o) == names(reqs.split())


def test_constraints_pin_what_we_require():
    pinned = names((ROOT / "constraints.txt").read_text().splitlines())
    assert names(cfg["requirements"].split() + cfg["dev_requirements"].split()) <= pinned


def test_lowest_constraints_are_our_lower_bounds():
    "constraints-lowest.txt pins what settings.ini admits at least"
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    for requirement in cfg["requirements"].split():
        name, lowest = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
        assert re.match(rf"{re.escape(lowest)}(\.|$)", pinned[name]), requirement


@pytest.mark.parametrize("script", cfg["console_scripts"].split())
def test_console_script(script):
    name, target = script.split("=")
    found = entry_points(group="console_scripts", name=name)
    assert [o.value for o in found] == [target]
    assert callable(next(iter(found)).load())
    assert target == "runningpose.__main__:script" and name in MODULE_OF


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.stem)
def test_module_has_its_notebook(module):
    source = re.search(r"File to edit: (\S+\.ipynb)", module.read_text(encoding="utf-8"))
    assert source and (module.parent / source[1]).exists(), (
        f"{module.name} was written by hand, or its notebook is gone"
    )


def public_functions(module):
    "Functions and methods that a user may call"
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (part for part in node.body if isinstance(part, ast.FunctionDef))


def is_typed(function):
    "Whether every argument and the result have a type"
    arguments = [*function.args.args, *function.args.kwonlyargs]
    named = [a for a in arguments if a.arg not in ("self", "cls")]
    has_result = function.returns is not None or function.name == "__init__"
    return has_result and all(a.annotation is not None for a in named)


def test_public_functions_are_typed():
    untyped = [
        f"{module.stem}.{function.name}"
        for module in MODULES
        for function in public_functions(module)
        if (not function.name.startswith("_") or function.name == "__init__")
        and not is_typed(function)
    ]
    assert not untyped


def test_table_of_tests():
    "tests/README.md lists every file here, and names tests and pages that exist"
    text = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(test_\w+\.py)`", text, re.MULTILINE))
    assert listed == {path.name for path in (ROOT / "tests").glob("test_*.py")}
    file = ""
    for named, test in re.findall(r"`(test_\w+\.py)?::(\w+)", text):
        file = named or file
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test
    assert all((ROOT / page).exists() for page in re.findall(r"`(nbs/[\w/]+\.ipynb)", text))
