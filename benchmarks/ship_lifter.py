"Put trained lifters into checkpoint/ in half precision: the shipped one, and the folds that the published figures belong to."
from pathlib import Path

from fastcore.script import call_parse

from runningpose.lifting.tcn import load_checkpoint, save_checkpoint

ROOT = Path(__file__).resolve().parent.parent

@call_parse
def main(
    runs:str='runs', # Folder with final.safetensors and fold_<person>.safetensors
):
    "Copy weights and descriptions; nothing is trained here"
    for f in sorted(Path(runs).glob('*.safetensors')):
        name = 'lifter' if f.stem=='final' else f'folds/without_{f.stem.removeprefix("fold_")}'
        print(save_checkpoint(ROOT/'checkpoint'/name, *load_checkpoint(f), half=True))
