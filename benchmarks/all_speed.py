"""Every measure of speed, one after the other, written into benchmarks/README.md: run it with
nothing else running.
"""

import os
import platform
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from fastcore.script import call_parse

HERE = Path(__file__).resolve().parent
RUNS = ("bench_main.py --frames 480 --rounds 1", "bench_live.py", "lifting.py")
BEGIN, END = "<!-- all_speed.py -->", "<!-- end of all_speed.py -->"


def cpu():
    "Name of the processor"
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (n.split(":")[1].strip() for n in lines if n.startswith("model name")), platform.processor()
    )


def one(line):
    "What a script prints; RuntimeError if it fails"
    r = subprocess.run(
        [sys.executable, *line.split()],
        cwd=HERE,
        capture_output=True,
        text=True,
        env=os.environ | dict(TQDM_DISABLE="1"),
    )
    if r.returncode:
        raise RuntimeError(f"{line} failed: {r.stderr.strip().splitlines()[-1]}")
    return re.sub(r"/tmp/[^\s',)]+", "film.mp4", r.stdout).strip()


@call_parse
def main():
    "Measure and write"
    parts = [
        f"{date.today()}, {cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}."
        " Written by `all_speed.py`."
    ]
    for line in RUNS:
        print(line, flush=True)
        parts.append(f"`{line}`\n\n```\n{one(line)}\n```")
    f = HERE / "README.md"
    text = f.read_text()
    new = "\n\n".join(parts)
    body = f"{BEGIN}\n\n{new}\n\n{END}"
    f.write_text(
        re.sub(f"{BEGIN}.*{END}", lambda m: body, text, flags=re.S)
        if BEGIN in text
        else f"{text.rstrip()}\n\n## Speed on one machine\n\n{body}\n"
    )
