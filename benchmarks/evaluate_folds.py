"Score the lifters that left one person out, and write checkpoint/evaluation.json, which the notebook on evaluation shows."
import json, platform
from datetime import date
from pathlib import Path

import pandas as pd
import torch
from fastcore.script import call_parse

from runningpose.lifting.dataset import leave_out, load_shared
from runningpose.lifting.evaluate import evaluate, mean_pose_baseline, summary
from runningpose.lifting.tcn import load_checkpoint

ROOT = Path(__file__).resolve().parent.parent

@call_parse
def main(
    data:str, # Folder with the shared recordings
    folds:str='runs', # Folder with fold_<person>.safetensors
    out:str=str(ROOT/'checkpoint'/'evaluation.json'), # File to write
):
    "Every fold, known and unknown stature, and the mean-pose baseline"
    torch.set_num_threads(2); motions, rows, detail = load_shared(data), [], []
    for f in sorted(Path(folds).glob('fold_*.safetensors')):
        who = load_checkpoint(f)[1].training['left_out']; train, test = leave_out(motions, who)
        df = evaluate(test, f); blind = evaluate(test, f, lacks=('blazepose',), know_height=False)
        base = summary(mean_pose_baseline(train, test)).MPJPE.iloc[0]; s = summary(df)
        for points in ('blazepose', 'halpe_26', 'coco_17'):
            r = s.loc[(who, points)]
            rows.append({'left out': who, 'keypoints': points, 'MPJPE': r.MPJPE, 'N-MPJPE': r.N_MPJPE, 'P-MPJPE': r.P_MPJPE,
                         'MPJPE, stature assumed': summary(blind).MPJPE.iloc[0] if points=='blazepose' else None, 'mean pose': base,
                         'steps': load_checkpoint(f)[1].training['steps']})
        joints = df[df.points=='blazepose'].drop(columns=['subject', 'clip', 'view', 'points', 'frames', 'MPJPE', 'N_MPJPE', 'P_MPJPE']).mean()
        detail.append({'left out': who, 'joints': joints.round(1).to_dict(),
                       'clips': df[df.points=='blazepose'].groupby('clip').MPJPE.mean().round(1).to_dict(),
                       'views': df[df.points=='blazepose'].groupby('view').MPJPE.mean().round(1).to_dict()})
        print(pd.DataFrame(rows).round(1).to_string())
    facts = dict(date=str(date.today()), unit='mm', noise='0.6 % of body height, white', views=8, cpu=platform.machine(), torch=torch.__version__)
    Path(out).write_text(json.dumps(facts | dict(folds=json.loads(pd.DataFrame(rows).round(1).to_json(orient='records')), detail=detail), indent=1)+'\n')
