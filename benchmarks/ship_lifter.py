"""Put trained lifters into checkpoint/ in half precision: the shipped one, and the folds that the
published figures belong to.
"""

import shutil
from pathlib import Path

from fastcore.script import call_parse

from runningpose.lifting.checkpoint import checkpoint_file, load_checkpoint, save_checkpoint

ROOT = Path(__file__).resolve().parent.parent


@call_parse
def main(
    runs: str = "runs",  # Folder with final.safetensors and fold_<person>.safetensors
    stage: str = "stage3",  # Prefix of their losses in checkpoint/history
):
    "Copy weights, configurations and losses"
    for f in sorted(Path(runs).glob("*.safetensors")):
        name = "lifter" if f.stem == "final" else f"folds/without_{f.stem.removeprefix('fold_')}"
        print(save_checkpoint(ROOT / "checkpoint" / name, *load_checkpoint(f), half=True))
        if (h := checkpoint_file(f, ".history.json")).exists():
            shutil.copy(h, ROOT / "checkpoint" / "history" / f"{stage}_{f.stem}.json")
