"""Speed of 2D keypoints against MediaPipe's own, on the same 1080p file.

    python benchmarks/bench_2d.py /path/to/venv/bin/python [--rounds 5] [--threads 2]

The venv holds mediapipe==0.10.21 with pose_landmark_heavy.tflite in its modules/pose_landmark (see compare_mediapipe.py). Frames
76 to 195 of the sample clip are written as 1920x1080 H.264. Every round times, one after the other: RunningPose heavy, MediaPipe
Pose(model_complexity=2) on frames from OpenCV, RunningPose full. Decoding counts, loading the networks does not. What counts is the
median of the ratios within a round: other programs on the machine slow both sides of a ratio. The goal is heavy >= 1.2 x MediaPipe.
"""
import argparse, os, platform, subprocess, sys, tempfile, time
from pathlib import Path
import cv2
import numpy as np

MEDIAPIPE_SIDE = '''
import sys, time, cv2, numpy as np, mediapipe as mp
pose = mp.solutions.pose.Pose(model_complexity=2); pose.process(np.zeros((1080, 1920, 3), np.uint8))
cap, n, seen, t, c = cv2.VideoCapture(sys.argv[1]), 0, 0, time.perf_counter(), time.process_time()
while True:
    ok, im = cap.read()
    if not ok: break
    n += 1; seen += pose.process(cv2.cvtColor(im, cv2.COLOR_BGR2RGB)).pose_landmarks is not None
print(n/(time.perf_counter()-t), seen, (time.process_time()-c)/n*1e3)
'''

def hd_clip(path):
    "Frames 76 to 195 of the sample clip, 1920x1080"
    from runningpose.video import VideoWriter, probe, read_frames
    from runningpose.weights import fetch
    clip = fetch('sample'); t = probe(clip).times
    with VideoWriter(path, 1920, 1080, 30, crf=20, preset='medium') as out:
        for f in read_frames(clip, t[76]-1e-3, t[196]-1e-3): out.write(cv2.resize(f.rgb(), (1920,1080), interpolation=cv2.INTER_CUBIC))

def ours(clip, model, threads):
    "Frames a second, frames with a person, CPU ms a frame"
    from runningpose.pose2d.blazepose import BlazePose, step
    from runningpose.video import probe, read_frames
    info,net = probe(clip), BlazePose(model, threads); t,c = time.perf_counter(),time.process_time()
    n = sum(1 for f in read_frames(clip, info=info) if [step(net, f)])
    return n/(time.perf_counter()-t), net.seen, (time.process_time()-c)/n*1e3

def parts(clip):
    "CPU ms a frame of reading alone, and of reading with the cut-out"
    from runningpose.pose2d.blazepose import Roi, roi_matrix
    from runningpose.video import probe, read_frames
    info = probe(clip); m = roi_matrix(Roi(900, 700, 560, .1)); out = []
    for work in (lambda f: None, lambda f: f.warp(m, 256, 256), lambda f: f.rgb()):
        c = time.process_time(); n = sum(1 for f in read_frames(clip, info=info) if [work(f)])
        out.append((time.process_time()-c)/n*1e3)
    return out

def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('python', help='python of the venv with mediapipe'); a.add_argument('--rounds', type=int, default=5)
    a.add_argument('--threads', type=int, default=2); a = a.parse_args(); rows = []
    with tempfile.TemporaryDirectory() as tmp:
        clip,code = Path(tmp)/'hd.mp4', Path(tmp)/'side.py'; hd_clip(clip); code.write_text(MEDIAPIPE_SIDE)
        for i in range(a.rounds):
            h = ours(clip, 'heavy', a.threads)
            mp = subprocess.run([a.python, code, clip], check=True, capture_output=True, text=True).stdout.split()
            f = ours(clip, 'full', a.threads); rows.append((h[0], float(mp[0]), f[0], h[2], float(mp[2]), f[2]))
            print(f'round {i+1}: heavy {h[0]:.1f} frames/s (person in {h[1]}), mediapipe {float(mp[0]):.1f} (in {mp[1]}), full {f[0]:.1f} '
                  f'(in {f[1]}); CPU ms a frame {h[2]:.0f}, {float(mp[2]):.0f}, {f[2]:.0f}; load {os.getloadavg()[0]:.1f}', flush=True)
        read,warp,rgb = parts(clip)
    r = np.array(rows); ratio = np.median(r[:,0]/r[:,1])
    print(f'{platform.machine()}, {os.cpu_count()} cores, {a.threads} threads, 1920x1080 H.264, decoding included')
    med = np.median(r, axis=0)
    print(f'frames/s (medians): heavy {med[0]:.1f}, mediapipe {med[1]:.1f}, full {med[2]:.1f}')
    print(f'CPU ms a frame (medians): heavy {med[3]:.1f}, mediapipe {med[4]:.1f}, full {med[5]:.1f}')
    print(f'CPU ms a frame: decoding {read:.1f}, cut-out from the planes {warp-read:.1f} (converting all of the frame: {rgb-read:.1f})')
    print(f'heavy / mediapipe: {ratio:.2f} (goal 1.2); full / heavy: {np.median(r[:,2]/r[:,0]):.2f}')
    sys.exit(int(ratio<1.2))

if __name__=='__main__': main()
