"""Three questions about training, answered with small networks on a runner who is left out.

Is the equivariant network as good as the plain one with flip augmentation, and what does a
single-frame network lose? Several seeds, with the same steps and windows for all. Are dense chunks
as good as strided single-frame windows? Both get the same CPU time.
"""

import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from fastcore.script import call_parse

from runningpose.lifting.checkpoint import LifterConfig, save_checkpoint
from runningpose.lifting.tcn import StridedTCN
from runningpose.training.evaluate import evaluate, summary
from runningpose.training.motions import leave_out
from runningpose.training.sources import load_shared, synthetic_crowd
from runningpose.training.trainer import Trainer

LEFT_OUT = "hamner2013_s04"
KINDS = {
    "equivariant": dict(kind="equivariant"),
    "tcn": dict(kind="tcn"),
    "single frame": dict(kind="tcn", widths=(1, 1, 1, 1)),
}


def score(tr, test):
    "MPJPE and P-MPJPE of the averaged weights, mm, through `lift`"
    with tempfile.TemporaryDirectory() as d:
        f = save_checkpoint(Path(d) / "x", tr.ema, tr.cfg)
        s = summary(evaluate(test, f, ("blazepose",), views=4, progress=False)).iloc[0]
    return dict(MPJPE=s.MPJPE, P_MPJPE=s.P_MPJPE)


def strided(tr):
    "Make a trainer predict one frame of each window, with the strided network"
    net = StridedTCN(
        tr.net.expand.in_channels,
        tr.net.shrink.out_channels,
        tr.cfg.widths,
        tr.cfg.channels,
        tr.cfg.dropout,
    )
    net.load_state_dict(tr.net.state_dict())
    tr.net = tr.run = net
    tr.opt = torch.optim.AdamW(net.parameters(), lr=tr.lr, weight_decay=1e-4)
    return tr


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    channels: int = 128,  # Width of the networks
    steps: int = 700,  # Steps of the first comparison
    seeds: int = 3,  # Seeds of the first comparison; 0 leaves it out
    seconds: float = 200,  # CPU time of each run of the second comparison, s
):
    "Print both tables"
    torch.set_num_threads(2)
    train, test = leave_out(load_shared(data) + synthetic_crowd(100), LEFT_OUT)
    rows = []
    for seed in range(seeds):
        for kind, how in KINDS.items():
            tr = Trainer(
                train, LifterConfig(**how, channels=channels), steps, batch=16, frames=64, seed=seed
            )
            t = time.process_time()
            for _ in range(steps):
                tr.one_step()
            rows.append(
                dict(seed=seed, network=kind, cpu_s=time.process_time() - t) | score(tr, test)
            )
            print(rows[-1], flush=True)
    if seeds:
        df = pd.DataFrame(rows)
        print(
            df.pivot(index="seed", columns="network", values=["MPJPE", "P_MPJPE", "cpu_s"])
            .round(1)
            .to_string(),
            "\n",
        )
        print(
            df.groupby("network")[["MPJPE", "P_MPJPE", "cpu_s"]]
            .agg(["mean", "std"])
            .round(1)
            .to_string(),
            "\n",
            flush=True,
        )
    rows = []
    for batch, frames in ((32, 64), (64, 16), (96, 8), (128, 1)):
        name = f"{'dense' if frames > 1 else 'strided'}, {batch} windows of {frames}"
        tr = Trainer(
            train,
            LifterConfig("tcn", (3, 3, 3, 3), 2 * channels),
            10**6,
            batch=batch,
            frames=frames,
        )
        if frames == 1:
            strided(tr)
        t, n = time.process_time(), 0
        while (spent := time.process_time() - t) < seconds:
            tr.steps = max(1, round(tr.step / max(spent, 1) * seconds))
            tr.one_step()
            n += batch * frames
        rows.append(
            dict(training=name, cpu_s=spent, steps=tr.step, frames_per_s=n / spent)
            | score(tr, test)
        )
        print(rows[-1], flush=True)
    print(pd.DataFrame(rows).round(1).to_string(index=False))
