"""Shards of `prepare` in Python (numpy and Pillow), and unpacked into what HiCMAE's official fine-tuning reads:

    python docs/read_shards.py data/crema-d unpacked/crema-d --classes angry,disgust,fear,happy,neutral,sad --fold 1
"""
import argparse, io, json, os, re, tarfile, wave
from glob import glob
import numpy as np
from PIL import Image


class Shards:
    """Samples of prepared folders. Fit as a torch Dataset's store: it holds no open file, any worker may read it."""

    def __init__(self, *folders):
        self.samples, self.places = [], []  # what KEY.json says; the shard, and {extension: (offset, size)}
        for folder in folders:
            accounts = [json.load(open(path)) for path in glob(os.path.join(folder, "dataset*.json"))]
            if glob(os.path.join(folder, "journal*.jsonl")) or accounts and len(accounts) < accounts[0]["part"]["count"]:
                raise RuntimeError(f"{folder} is not wholly prepared: run the same prepare commands again")
            for path in sorted(glob(os.path.join(folder, "*.tar"))):
                self._index(path)

    def _index(self, path):
        groups = {}
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, _, extension = member.name.partition(".")
                groups.setdefault(key, {})[extension] = (member.offset_data, member.size)
        for places in groups.values():
            self.places.append((path, places))
            self.samples.append(json.loads(self.bytes(-1, "json")))

    def __len__(self):
        return len(self.samples)

    def bytes(self, i, extension):
        path, places = self.places[i]
        offset, size = places[extension]
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def names(self, i):
        """Extensions of sample i's frames, in the order of time: 0000.jpg, 0001.jpg, ..."""
        frames = [name for name in self.places[i][1] if re.fullmatch(r"\d+\.(jpg|png)", name)]
        return sorted(frames, key=lambda name: int(name.split(".")[0]))

    def frames(self, i, which):
        """Face crops of sample i by their numbers; uint8 [len(which), side, side, 3], RGB."""
        names = self.names(i)
        files = [io.BytesIO(self.bytes(i, names[k])) for k in which]
        return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])

    def sound(self, i, start=0.0, end=None):
        """Sound of sample i from start to end in seconds; float32, 16 kHz, mono, -1..1."""
        with wave.open(io.BytesIO(self.bytes(i, "wav"))) as file:
            file.setpos(min(int(start * 16000), file.getnframes()))
            count = file.getnframes() if end is None else int((end - start) * 16000)
            return np.frombuffer(file.readframes(count), "<i2").astype(np.float32) / 32768


def unpack(shards, out, classes, dimensions, fold):
    """Folders of frames, wav files, and train.csv, val.csv, test.csv with lines `VIDEO AUDIO LABEL`."""
    lists, left = {"train": [], "val": [], "test": []}, 0
    out = os.path.abspath(out)
    assert " " not in out, "the official lists are separated by blanks: choose a path without one"
    for i, meta in enumerate(shards.samples):
        values = [(meta["dimensions"] or {}).get(name) for name in dimensions]
        labeled = meta["label"] in classes if classes else None not in values
        if not (meta["frameCount"] and meta["sampleCount"] > 1024 and labeled):
            left += 1
            continue
        names = {f"frames/{meta['key']}/{name}": name for name in shards.names(i)}
        for path, name in {**names, f"audio/{meta['key']}.wav": "wav"}.items():
            os.makedirs(os.path.dirname(os.path.join(out, path)), exist_ok=True)
            with open(os.path.join(out, path), "wb") as file:
                file.write(shards.bytes(i, name))
        split = {"valid": "val", None: "train"}.get(meta["split"], meta["split"])
        if fold is not None:
            split = "test" if meta["fold"] == fold else "train"
        label = classes.index(meta["label"]) if classes else " ".join(map(str, values))
        lists[split].append(f"{out}/frames/{meta['key']} {out}/audio/{meta['key']}.wav {label}\n")
    lists["val"] = lists["val"] or lists["test"]
    lists["test"] = lists["test"] or lists["val"]
    for name, lines in lists.items():
        with open(f"{out}/{name}.csv", "w") as file:
            file.writelines(lines)
    print(f"{out}: {', '.join(f'{len(lines)} {name}' for name, lines in lists.items())}; {left} left out")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="folders that prepare wrote, then the folder to write")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--classes", default="", help="in the order of the head's outputs, joined by commas")
    task.add_argument("--dimensions", default="", help="likewise, for regression")
    parser.add_argument("--fold", type=int, help="held out as test.csv (default: the corpus' own split)")
    options = parser.parse_args()
    *folders, target = options.data
    os.makedirs(target, exist_ok=True)
    classes, dimensions = ([name for name in text.split(",") if name] for text in (options.classes, options.dimensions))
    unpack(Shards(*folders), target, classes, dimensions, options.fold)
