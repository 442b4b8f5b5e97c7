"""Run notebooks and save their outputs, the same bytes each time; cells that `nbdev_test` leaves
out keep the outputs they have.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from execnb.nbio import read_nb, write_nb
from execnb.shell import CaptureShell
from fastcore.script import Param, call_parse
from nbdev.clean import clean_nb
from nbdev.config import get_config
from nbdev.doclinks import nbglob
from nbdev.process import NBProcessor, extract_directives
from nbdev.processors import FrontmatterProc

RANDOM_ID = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # plotly, xarray
    r'|\bT_[0-9a-f]{5}(?=[_ "])'
)  # pandas styles
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
SETUP = (  # drawn at twice this: sharp, and small as a file
    "import matplotlib; matplotlib.rcParams['figure.dpi'] = 72"
)
FIXED = {"PYTHONHASHSEED": "0", "MPLBACKEND": "agg", "TQDM_DISABLE": "1"}


def skipper(fn, left_out):
    """A function telling whether a cell of notebook `fn` is left alone; None when the whole
    notebook is
    """
    front = getattr(NBProcessor(fn, procs=FrontmatterProc, process=True).nb, "frontmatter_", {})
    if str(front.get("skip_exec", "")).lower() == "true":
        return None
    dirs = {
        c.idx_: extract_directives(c, remove=False) or {}
        for c in read_nb(fn).cells
        if c.cell_type == "code"
    }

    def skip(c):
        d = dirs.get(c.idx_, {})
        return (
            c.cell_type != "code"
            or "nbdev_export(" in c.source
            or bool(left_out & d.keys())
            or d.get("eval:", [""])[0].lower() == "false"
        )

    return skip


def fixed_text(x, seen):
    "Text of an output without memory addresses, and with random ids replaced by counted ones"
    if isinstance(x, list):
        return [fixed_text(o, seen) for o in x]

    def count(m):
        return seen.setdefault(
            m[0],
            (
                f"T_{len(seen):05x}"
                if m[0][0] == "T"
                else f"{len(seen):08x}-0000-4000-8000-000000000000"
            ),
        )

    return RANDOM_ID.sub(count, ADDRESS.sub("", x))


def settle(nb):
    "Make the outputs of `nb` the same in every run"
    seen = {}
    for c in nb.cells:
        if c.cell_type != "code":
            continue
        for o in c.outputs:
            if "text" in o:
                o["text"] = fixed_text(o["text"], seen)
            for k, v in o.get("data", {}).items():
                if k.startswith("text/"):
                    o["data"][k] = fixed_text(v, seen)


def run_nb(fn, left_out):
    "Run one notebook in this process and save it"
    if not (skip := skipper(fn, left_out)):
        return
    nb = read_nb(fn)

    def leave(c):  # a cell that now shows nothing must not keep what it showed before
        if not (left := skip(c)):
            c.outputs = []
        return left

    os.chdir(fn.parent)
    shell = CaptureShell(fn)
    shell.run(SETUP)
    try:
        shell.run_all(nb, exc_stop=True, preproc=leave)
    except Exception:
        sys.exit(shell.prettytb(fname=fn))
    settle(nb)
    clean_nb(nb)
    write_nb(nb, fn)


def notebooks(paths):
    "The notebooks that `paths` name: files, folders, or all of nbs/"
    for p in map(Path, paths or [get_config().nbs_path]):
        if not p.exists():
            sys.exit(f"{p}: no such notebook or folder")
        yield from sorted(nbglob(p, as_path=True)) if p.is_dir() else [p]


@call_parse
def main(
    paths: Param("Notebooks, or folders of them; all of nbs/ by default", str, nargs="*"),
    flags: str = "",  # Flags whose cells run too, e.g. "slow data"
    here: bool = False,  # Run in this process; else each notebook gets a fresh one
):
    "Run notebooks and save their outputs"
    cfg = get_config()
    root = cfg.config_path
    if here:
        sys.path.insert(0, str(root))
        for f in paths:
            run_nb(Path(f).absolute(), set(cfg.tst_flags.split()) - set(flags.split()))
        return
    for f in [o.absolute() for o in notebooks(paths)]:
        start, env = time.time(), {"OMP_NUM_THREADS": "1"} | os.environ | FIXED
        if subprocess.run(
            [sys.executable, __file__, str(f), "--flags", flags, "--here"], env=env
        ).returncode:
            sys.exit(f"{f.name} failed")
        print(f"ran {f.relative_to(root)} ({time.time() - start:.0f} s)", flush=True)
