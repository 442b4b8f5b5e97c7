"""Train the shipped lifter and the lifters that leave one runner out, in stages; an interrupted run
resumes.

Stage 1 learns the geometry of moving bodies from CMU's recordings and the synthetic crowd, which no
test uses. Stage 2 starts from there, once for each runner who is left out and once with everybody.
Stage 3 continues stage 2.
"""

from pathlib import Path

from fastcore.script import call_parse

from runningpose.lifting.checkpoint import LifterConfig, checkpoint_file, load_checkpoint
from runningpose.training.sources import load_shared, synthetic_crowd
from runningpose.training.train import train

SHIPPED = Path(__file__).resolve().parent.parent / "checkpoint"
RUNNERS = ("hamner2013_s04", "welk007", "hamner2010_s02")


def is_done(path):
    "Whether a run reached its last step"
    file = checkpoint_file(path)
    return file.exists() and load_checkpoint(file).config.training.get("finished", False)


def one(path, motions, steps, facts, size, **kw):
    "One run, resumed if there is a state"
    if is_done(path):
        return print(f"{path} is complete", flush=True)
    cfg = LifterConfig(
        channels=size, training=facts | dict(crowd=sum(m.subject == "synthetic" for m in motions))
    )
    _, hist = train(
        motions, steps, path, cfg, resume=checkpoint_file(path, ".state").exists(), every=200, **kw
    )
    print(path, hist.tail(1).to_dict("records")[0], flush=True)


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    out: str = "runs",  # Folder for the runs
    channels: int = 512,  # Width of the network
    first: int = 4000,  # Steps of stage 1
    second: int = 2000,  # Steps of stage 2
    third: int = 0,  # Steps of stage 3
    batch: int = 48,  # Windows per step
    frames: int = 64,  # Predicted frames per window
    crowd: int = 200,  # Synthetic people
    rate: float = 5e-4,  # Peak learning rate of stage 3
    device: str = "cpu",  # cpu or cuda
    only: str = None,  # Of stages 2 and 3: the runner who is left out, or final; all when not given
    shipped: bool = False,  # Stage 3 alone, from the lifters in `checkpoint/`
):
    "Stage 1, then stages 2 and 3"
    people, kw = (
        load_shared(data) + synthetic_crowd(crowd),
        dict(batch=batch, frames=frames, device=device),
    )
    out = Path(out)
    start = out / "stage1"
    source = "shared mocap (biomech_run.npz, cmu_subset.npz) and the synthetic crowd"
    if not shipped:
        one(
            start,
            [m for m in people if m.subject in ("cmu", "synthetic")],
            first,
            dict(left_out="all runners", data=source),
            channels,
            **kw,
        )
    for person in (only,) if only else (RUNNERS[0], "final", *RUNNERS[1:]):
        name = out / ("final" if person == "final" else f"fold_{person}")
        motions, facts = (
            [m for m in people if m.subject != person],
            dict(left_out="none" if person == "final" else person, data=source, stage1_steps=first),
        )
        if shipped:
            begin_with = (
                SHIPPED / "lifter" if person == "final" else SHIPPED / "folds" / f"without_{person}"
            )
        else:
            begin_with = name
            one(name, motions, second, facts, channels, start=start, lr=7e-4, seed=1, **kw)
        if not third:
            continue
        t = load_checkpoint(begin_with)[1].training
        stages = (
            t.get("before", []) + [{k: t[k] for k in ("steps", "batch", "frames")}]
            if shipped
            else []
        )
        one(
            out / "stage3" / name.name,
            motions,
            third,
            facts | dict(stage2_steps=second, before=stages),
            channels,
            start=begin_with,
            lr=rate,
            seed=2 + len(stages),
            **kw,
        )
