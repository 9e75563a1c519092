// tfjs' CPU backend with float32 tensors in a WebAssembly memory of ours: our kernels work on them where they lie, and
// the many small ops of tfjs' own run in JavaScript. tfjs-backend-wasm is not used: its memory is shared with other
// threads only together with its own thread pool, whose scripts come from blobs that a strict page forbids.
import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import type { DataId, DataType, TensorInfo, backend_util } from '@tensorflow/tfjs-core';
import { Problem } from '../../base/errors.ts';
import type { Heap } from './heap.ts';
import type { Kernels } from './module.ts';

/** A float32 tensor's data, read and written through a view of the present memory. */
interface HeapData {
  readonly values: Float32Array;
  readonly dtype: 'float32';
  refCount: number;
  readonly pointer: number;
}

/** The backend `wasm`. */
export class WasmBackend extends MathBackendCPU {
  readonly heap: Heap;
  readonly kernels: Kernels;

  constructor(heap: Heap, kernels: Kernels) {
    super();
    this.heap = heap;
    this.kernels = kernels;
    // tfjs would advise to install another backend in Node.
    (this as unknown as { firstUse: boolean }).firstUse = false;
  }

  /** A new float32 tensor, not filled yet. */
  allocate(shape: readonly number[]): { info: TensorInfo; pointer: number } {
    const dataId = {};
    const pointer = this.#place(dataId, sizeOf(shape), 1);
    return { info: { dataId, shape: [...shape], dtype: 'float32' }, pointer };
  }

  /** Pointer of a float32 tensor's numbers. */
  pointerOf({ dataId, dtype }: TensorInfo): number {
    const data = this.data.get(dataId) as unknown as Partial<HeapData>;
    if (data.pointer === undefined)
      throw new Problem('internal', `internal: a ${dtype} tensor is not in the heap`);
    return data.pointer;
  }

  /** A float32 tensor's numbers where they lie; valid until it is disposed of. */
  view(tensor: TensorInfo): Float32Array {
    return this.heap.floats(this.pointerOf(tensor), sizeOf(tensor.shape));
  }

  override write(values: backend_util.BackendValues, shape: number[], dtype: DataType): DataId {
    if (dtype !== 'float32') return super.write(values, shape, dtype);
    const dataId = {};
    const pointer = this.#place(dataId, sizeOf(shape), 1);
    this.heap.floats(pointer, sizeOf(shape)).set(values as Float32Array);
    return dataId;
  }

  override move(
    dataId: DataId,
    values: backend_util.BackendValues,
    shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    if (dtype !== 'float32') {
      super.move(dataId, values, shape, dtype, refCount);
      return;
    }
    const pointer = this.#place(dataId, sizeOf(shape), refCount);
    this.heap.floats(pointer, sizeOf(shape)).set(values as Float32Array);
  }

  override readSync(dataId: DataId): backend_util.BackendValues {
    const data = this.data.get(dataId) as unknown as Partial<HeapData>;
    return data.pointer === undefined ? super.readSync(dataId) : (data.values as Float32Array).slice();
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const data = this.data.has(dataId) ? (this.data.get(dataId) as unknown as Partial<HeapData>) : undefined;
    const gone = super.disposeData(dataId, force);
    if (data?.pointer !== undefined && !this.data.has(dataId)) this.heap.release(data.pointer);
    return gone;
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: false, reasons: [] };
  }

  override dispose(): void {
    this.kernels.close();
  }

  #place(dataId: object, size: number, refCount: number): number {
    const { heap } = this;
    const pointer = heap.allocate(4 * size);
    const data: HeapData = {
      get values() {
        return heap.floats(pointer, size);
      },
      dtype: 'float32',
      refCount,
      pointer,
    };
    this.data.set(dataId, data);
    return pointer;
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
