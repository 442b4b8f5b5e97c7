"""Speed of the lifter against VideoPose3D's network: ratios, measured interleaved in one process,
medians over the rounds.

The reference is the classic network (1024 channels, receptive field 243, 17 keypoints to 17
joints): one pass over the whole clip and its mirror image for inference, a strided window for
streaming, and strided single-frame windows (batch 128) for training. The weights are random, with
batch-norm statistics set from data, so the printed distances between variants only show rounding in
a network of that size.
"""

import copy
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastcore.script import call_parse

from runningpose.lifting.checkpoint import load_checkpoint
from runningpose.lifting.equivariant import EquivariantTCN, mirror_channels
from runningpose.lifting.load import FLIP, shipped_checkpoint
from runningpose.lifting.streaming import FastNet
from runningpose.lifting.tcn import TCN, StridedTCN, pad_time
from runningpose.skeleton import skeleton

ARC, C = (3, 3, 3, 3, 3), 1024
COCO, H36M = skeleton("coco_17"), skeleton("h36m_17")
PLAIN_FLIP = mirror_channels(COCO, 2), mirror_channels(H36M, 3)


def calibrated(net, n_in):
    "Statistics of batch normalisation as after training"
    torch.manual_seed(0)
    net.train()
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm1d):
                m.momentum = None
        for _ in range(3):
            net(torch.randn(4, n_in, 400))
    return net.eval()


def classic(x, net):
    "One pass over the clip and its mirror image, averaged"
    (i, s), (j, r) = PLAIN_FLIP
    y = net(pad_time(torch.stack([x, x[i] * s[:, None]]), net))
    return ((y[0] + y[1][j] * r[:, None]) / 2).T


def ratios(variants, rounds):
    """Median over the rounds of reference time / time, for functions in a dict whose first is the
    reference
    """
    times = {k: [] for k in variants}
    for f in variants.values():
        f()
    for r in range(rounds):
        for k in list(variants) if r % 2 == 0 else list(variants)[::-1]:
            gc.collect()
            t = time.perf_counter()
            variants[k]()
            times[k].append(time.perf_counter() - t)
    ref = np.array(next(iter(times.values())))
    return pd.DataFrame(
        {
            k: dict(ms=1000 * np.median(v), ratio=np.median(ref / np.array(v)))
            for k, v in times.items()
        }
    ).T


@torch.no_grad()
def inference(N, rounds):
    "Offline inference over N frames"
    plain = calibrated(TCN(34, 51, ARC, C), 34)
    pair = calibrated(EquivariantTCN(COCO, H36M, 0, ARC, C), 51)
    ours = load_checkpoint(shipped_checkpoint())[0]
    x, y, z = torch.randn(34, N), torch.randn(51, N), torch.randn(79, N)
    pair_flip = mirror_channels(COCO, 3), PLAIN_FLIP[1]
    fast = {
        f"same weights, {k}": FastNet(plain, PLAIN_FLIP, k == "bfloat16")
        for k in ("float32", "bfloat16")
    }
    others = {
        f"equivariant {C}, {k}": (FastNet(pair, pair_flip, k == "bfloat16"), y)
        for k in ("float32", "bfloat16")
    }
    others |= {
        f"shipped lifter, {k}": (FastNet(ours, FLIP, k == "bfloat16"), z)
        for k in ("float32", "bfloat16")
    }
    run = {"classic": lambda: classic(x, plain)} | {
        k: lambda n=n: n.run(x) for k, n in fast.items()
    }
    run |= {k: lambda n=n, v=v: n.run(v) for k, (n, v) in others.items()}
    out = ratios(run, rounds)
    want = classic(x, plain)
    for k, n in fast.items():
        d = (n.run(x) - want).unflatten(-1, (17, 3)).norm(dim=-1)
        out.loc[k, ["mean mm", "max mm"]] = [1000 * d.mean().item(), 1000 * d.max().item()]
    return out.rename_axis(f"{N} frames")


@torch.no_grad()
def streaming(rounds, many=20):
    "One more frame of a stream, as one of many in a row; one thread"
    dense = calibrated(TCN(34, 51, ARC, C, causal=True), 34)
    strided = StridedTCN(34, 51, ARC, C, causal=True).eval()
    strided.load_state_dict(dense.state_dict())
    pair = calibrated(EquivariantTCN(COCO, H36M, 0, ARC, C, causal=True), 51)
    windows = torch.randn(2, 34, 243)
    run = {"strided window": lambda: [strided(windows) for _ in range(many)]}
    for name, net, flip, n in (
        ("same weights", dense, PLAIN_FLIP, 34),
        (f"equivariant {C}", pair, (mirror_channels(COCO, 3), PLAIN_FLIP[1]), 51),
        ("shipped lifter", load_checkpoint(shipped_checkpoint())[0], FLIP, 79),
    ):
        for k in ("float32", "bfloat16"):
            fast = FastNet(net, flip, k == "bfloat16", rows=1)
            state = fast.start()
            fast.push(torch.randn(400, n), state)
            frame = torch.randn(1, n)
            run[f"{name}, {k}"] = lambda fast=fast, state=state, frame=frame: [
                fast.push(frame, state) for _ in range(many)
            ]
    out = ratios(run, rounds)
    out["ms"] /= many
    return out.rename_axis("one frame, one thread")


def training(rounds):
    "Predicted frames a second of a training step"

    def step(net, x, bf16):
        opt = torch.optim.Adam(net.parameters(), amsgrad=True)

        def one():
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                y = net(x)
            opt.zero_grad()
            y.float().pow(2).mean().backward()
            opt.step()

        return one, y_frames(net, x)

    def y_frames(net, x):
        return x.shape[0] * (
            1 if isinstance(net, StridedTCN) else x.shape[-1] - net.receptive_field + 1
        )

    dense = TCN(34, 51, ARC, C)
    strided = StridedTCN(34, 51, ARC, C)
    long, short = torch.randn(8, 34, 243 + 242), torch.randn(128, 34, 243)
    todo = {
        "strided, batch 128": step(strided, short, False),
        "dense 8 x 243, float32": step(dense, long, False),
        "dense 8 x 243, bfloat16": step(copy.deepcopy(dense), long, True),
    }
    out = ratios({k: f for k, (f, _) in todo.items()}, rounds)
    frames = np.array([n for _, n in todo.values()])
    out["frames/s"] = frames / out.ms * 1000
    out["ratio"] *= frames / frames[0]
    return out.rename_axis("training step")


MEMORY = """
import sys, torch
sys.path.insert(0, 'benchmarks')
from lifting import *
peak = lambda: int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])/1024
kind, N = sys.argv[1], int(sys.argv[2]); torch.set_grad_enabled(False)
net = calibrated(TCN(34, 51, ARC, C), 34) if kind=='classic' else load_checkpoint(shipped_checkpoint())[0]
fast = None if kind=='classic' else FastNet(net, FLIP); run = (lambda x: classic(x, net)) if kind=='classic' else fast.run
run(torch.randn(34 if kind=='classic' else 79, 600)); x = torch.randn(34 if kind=='classic' else 79, N)
open('/proc/self/clear_refs', 'w').write('5'); before = peak(); run(x); print(peak()-before)
"""


def memory():
    "Growth of memory while a clip is lifted, without the clip itself"

    def grow(kind, N):
        return float(
            subprocess.run(
                [sys.executable, "-c", MEMORY, kind, str(N)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )

    todo = ("classic", 20_000), ("shipped", 20_000), ("shipped", 200_000)
    return pd.DataFrame(
        [dict(network=k, frames=n, MB=round(grow(k, n))) for k, n in todo]
    ).set_index("network")


@call_parse
def main(
    rounds: int = 5,  # Rounds of each comparison
    frames: str = "5000,20000",  # Lengths of the clips
):
    "Print all tables"
    cpu = next(
        (
            l.split(":")[1].strip()
            for l in Path("/proc/cpuinfo").read_text().splitlines()
            if l.startswith("model name")
        ),
        "",
    )
    print(
        f"{cpu}; torch {torch.__version__}; {torch.get_num_threads()} threads; load"
        f" {os.getloadavg()[0]:.1f}\n"
    )
    for n in frames.split(","):
        print(inference(int(n), rounds).round(3).to_string(), "\n", flush=True)
    print(training(max(3, rounds // 2)).round(2).to_string(), "\n", flush=True)
    print(memory().to_string(), "\n", flush=True)
    torch.set_num_threads(1)
    print(streaming(rounds).round(3).to_string())
