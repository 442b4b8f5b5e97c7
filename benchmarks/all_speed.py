"""Run all speed benchmarks one after the other and write their output into benchmarks/README.md; run
it on an idle machine.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from clips import machine
from fastcore.script import call_parse

HERE = Path(__file__).resolve().parent
RUNS = ("bench_main.py --frames 480 --rounds 1", "bench_live.py", "lifting.py")
BEGIN, END = "<!-- all_speed.py -->", "<!-- end of all_speed.py -->"


def output_of(line):
    "Output of a script; RuntimeError if it fails"
    r = subprocess.run(
        [sys.executable, *line.split()],
        cwd=HERE,
        capture_output=True,
        text=True,
        env=os.environ | dict(TQDM_DISABLE="1"),
    )
    if r.returncode:
        raise RuntimeError(f"{line} failed: {r.stderr.strip().splitlines()[-1]}")
    return re.sub(r"/tmp/[^\s',)]+", "video.mp4", r.stdout).strip()


@call_parse
def main():
    "Measure and write"
    m = machine()
    parts = [f"{m['date']}, {m['cpu']}, {m['cores']} cores, Python {m['python']}."]
    for line in RUNS:
        print(line, flush=True)
        parts.append(f"`{line}`\n\n```\n{output_of(line)}\n```")
    f = HERE / "README.md"
    text = f.read_text()
    new = "\n\n".join(parts)
    body = f"{BEGIN}\n\n{new}\n\n{END}"
    f.write_text(
        re.sub(f"{BEGIN}.*{END}", lambda m: body, text, flags=re.S)
        if BEGIN in text
        else f"{text.rstrip()}\n\n## Speed on one machine\n\n{body}\n"
    )
