"""HiCMAE's official pre-training on shards of `prepare`: its script, model, augmentation, masks and filter bank; only the
reading of files is ours. Run where the official code is importable, with its own arguments:

    PYTHONPATH=~/HiCMAE torchrun --nproc_per_node 4 docs/pretrain_on_shards.py --data_path data/films ...
"""
import os, sys, types
from pathlib import Path
from read_shards import Shards

if "decord" not in sys.modules:  # the official reader of mp4 files, which nothing here needs
    try:
        import decord  # noqa: F401
    except ImportError:
        sys.modules["decord"] = types.SimpleNamespace(VideoReader=None, cpu=None)

import torch
import datasets_av
import run_mae_pretraining_av as official


class Film:
    """What the official data set asks of decord.VideoReader."""

    def __init__(self, shards, i):
        self.shards, self.i = shards, i

    def get_batch(self, which):
        frames = self.shards.frames(self.i, which)
        return types.SimpleNamespace(asnumpy=lambda: frames)


class ShardMAE(datasets_av.VideoMAE):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.crop_idxs = None  # the part of VoxCeleb2's own frames that is used; ours are crops already

    def _make_dataset(self, directory, setting):
        self.shards = Shards(*setting.split(os.pathsep))
        samples = self.shards.samples
        kept = [i for i, meta in enumerate(samples) if meta["frameCount"] > 1 and meta["sampleCount"] > 1024]
        # As many for each process: else the official sampler repeats some, and an epoch may outlast its schedule.
        rest = len(kept) % official.utils.get_world_size()
        print(f"{setting}: {len(kept)} of {len(samples)} samples have a moving face and a voice; {rest} of them unused")
        del kept[len(kept) - rest :]
        return kept

    def __getitem__(self, index):
        i = self.clips[index]
        meta = self.shards.samples[i]
        count, rate = meta["frameCount"], meta["frameRateHz"]
        offsets, skips = self._sample_train_indices(count)
        images, (first, last) = self._video_TSN_decord_batch_loader("", Film(self.shards, i), count, offsets, skips)
        frames, mask = self.transform((images, None))
        frames = frames.view((self.num_segments * self.new_length, 3) + frames.shape[-2:]).transpose(0, 1)
        sound = self.shards.sound(i, first / rate, (last + 1) / rate)
        if len(sound) <= 1024:
            return self[(index + 1) % len(self)]
        fbank, _ = self._wav2fbank(torch.from_numpy(sound.copy())[None], sr=self.audio_sample_rate)
        fbank = (fbank - self.norm_mean) / (self.norm_std * 2)
        return frames, mask, fbank.unsqueeze(0), self.mask_generator_audio()


datasets_av.VideoMAE = ShardMAE

if __name__ == "__main__":
    options = official.get_args()
    if options.output_dir:
        Path(options.output_dir).mkdir(parents=True, exist_ok=True)
    official.main(options)
