"""How much of the package its pages run; fails below the floor.

`nbdev_test` runs a page's functions where the page defines them, so that nothing of the module is
counted. Here a page's exported cells give way to its module, and its examples call that.
"""

import os
import subprocess
import sys
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from execnb.nbio import read_nb
from execnb.shell import CaptureShell
from fastcore.script import Param, call_parse
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from nbdev.process import extract_directives
from run_nbs import skipper

ROOT = Path(__file__).resolve().parent.parent
ENV = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "TQDM_DISABLE": "1"}
FLOOR = 92  # per cent of statements; 92.9 on 2026-11-29, with 149 of 153 pages run to their end
LEFT_OUT = {"slow", "detectron2", "rtmpose", "gpu", "data"}
EXPORTING = {"export", "exports", "exporti"}


def run(*command, env=ENV):
    "Run a command in the root of the repository; its exit code"
    return subprocess.run([str(word) for word in command], cwd=ROOT, env=env).returncode


def module_name(nb):
    "The module that a notebook exports to; None for a page without one"
    for cell in nb.cells:
        if cell.cell_type == "code":
            target = (extract_directives(cell, remove=False) or {}).get("default_exp")
            if target:
                return f"runningpose.{target[0]}"
    return None


def run_page(path):
    "Run a page's examples on its module; True if it came to its end"
    nb = read_nb(path)
    skip = skipper(path, LEFT_OUT)
    name = module_name(nb)
    if skip is None or name is None:
        return True
    os.chdir(path.parent)
    shell = CaptureShell(path)
    shell.user_ns.update(vars(import_module(name)))
    for cell in nb.cells:
        directives = {}
        if cell.cell_type == "code":
            directives = extract_directives(cell, remove=False) or {}
        if cell.cell_type != "code" or skip(cell) or EXPORTING & directives.keys():
            continue
        shell.run(cell.source)
        if shell.exc:
            print(f"{path.relative_to(ROOT)} ends early: {shell.exc!r}", flush=True)
            return False
    return True


def run_pages():
    "Run each page in a process of its own, so that none finds what another left behind"
    import_module("runningpose.all").__dir__()
    fork = get_context("fork")
    pages = sorted(nbglob(get_config().nbs_path, as_path=True))
    ended = 0
    for path in pages:
        process = fork.Process(
            target=lambda page: sys.exit(not run_page(page)), args=[path.resolve()]
        )
        process.start()
        process.join()
        ended += process.exitcode == 0
    print(f"{ended} of {len(pages)} pages ran to their end", flush=True)


@call_parse
def main(
    part: Param(
        "What to run: 'all', or 'pages' in this process", str, choices=["all", "pages"]
    ) = "all",
):
    "Pages, then the table"
    if part == "pages":
        run_pages()
        return
    coverage = [sys.executable, "-m", "coverage"]
    measure = [*coverage, "run"]
    run(*coverage, "erase")
    failed = run(*measure, "tools/measure_coverage.py", "--part", "pages")
    run(*coverage, "combine", "-q")
    report = [*coverage, "report", f"--fail-under={FLOOR}", "--skip-covered", "--sort=cover"]
    sys.exit(run(*report) or failed)
