"Test films at 1080p, made from the sample clip: the woman walks forward and backward in time, so that she never jumps."
from itertools import islice
from pathlib import Path

from runningpose.video import VideoWriter, read_frames
from runningpose.weights import fetch

SIZE, BOX = (1920, 1080), (1268, 434, 645, 645) # Where she is in the first frame, px at 1080p

def walking_film(
    path, # File to write
    frames: int, # Length, frames at 30 per second
) -> Path: # The file
    "A 1080p H.264 film of any length; an existing one is kept"
    path = Path(path)
    if path.exists(): return path
    seg = [f.rgb(*SIZE) for f in islice(read_frames(fetch('sample')), 76, 196)]; turn = [*range(len(seg)), *range(len(seg)-2, 0, -1)]
    with VideoWriter(path, *SIZE, 30, crf=20, preset='veryfast') as w:
        for i in range(frames): w.write(seg[turn[i%len(turn)]])
    return path
