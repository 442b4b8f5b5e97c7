"""Put trained lifters into checkpoint/ in half precision: the shipped one, those of the folds that
the published figures belong to, and the joint definitions that were learnt beside the shipped one.
"""

import shutil
from pathlib import Path

import torch
from fastcore.script import call_parse

from runningpose.lifting.checkpoint import checkpoint_file, load_checkpoint, save_checkpoint
from runningpose.training.definitions import DefinitionOffsets
from runningpose.training.mixed_training import RENDERED
from runningpose.training.mocap_people import SOURCES

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"
EVERYBODY = "final"


def definitions(state):
    "Offsets of the laboratories' joints from the reference's, mm, as a table"
    offsets = DefinitionOffsets([*sorted({"", *SOURCES[1:]}), RENDERED])
    offsets.load_state_dict(
        torch.load(checkpoint_file(state, ".state"), weights_only=True)["parts"]["definitions"]
    )
    return offsets.millimetres()


@call_parse
def main(
    runs: str = "runs",  # Folder with final.safetensors and those of the folds
):
    "Copy weights, configurations, losses and joint definitions"
    for f in sorted(Path(runs).glob("*.safetensors")):
        name = "lifter" if f.stem == EVERYBODY else f"folds/without_{f.stem}"
        print(save_checkpoint(CHECKPOINT / name, *load_checkpoint(f), half=True))
        history = checkpoint_file(f, ".history.json")
        shutil.copy(history, CHECKPOINT / "history" / f"{f.stem}.json")
    state = Path(runs) / EVERYBODY
    definitions(state).round(1).to_csv(CHECKPOINT / "definitions.csv", index=False)
