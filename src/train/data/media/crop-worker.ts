// A worker thread that cuts aligned faces out of frames and packs them.
import sharp from 'sharp';
import { alignFace } from '../../../clip/face-alignment.ts';
import { serve } from '../../base/threads.ts';
import type { CropReply, CropRequest } from './crop.ts';

serve<CropRequest, CropReply>(({ frames, cropPx, format }) =>
  Promise.all(
    frames.map(async ({ data, width, height, channels, points }) => {
      const crop = alignFace({ data, width, height, channels }, points, cropPx);
      // A gray picture stays one: its crop's channels are equal.
      const pixels = channels === 3 ? crop : crop.filter((_, i) => i % 3 === 0);
      const image = sharp(pixels, { raw: { width: cropPx, height: cropPx, channels } });
      const packed = await (
        format === 'jpg' ? image.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }) : image.png()
      ).toBuffer();
      return new Uint8Array(packed);
    }),
  ),
);
