import { LIMITS } from '../limits.ts'
import { LinkError } from './errors.ts'

/** Bytes of a frame's length, big-endian. */
export const FRAME_HEAD_BYTES = 4

/** A frame without a body: the sender has the request and is alive. */
export const EMPTY_FRAME: Buffer = Buffer.alloc(FRAME_HEAD_BYTES)

/** Writes the length into the head that was left free in front of a frame's body. */
export function sealFrame(frame: Buffer): Buffer {
  frame.writeUInt32BE(frame.length - FRAME_HEAD_BYTES)
  return frame
}

/** Cuts a stream of bytes into the bodies of its frames, wherever the chunks end. */
export class FrameReader {
  #chunks: Buffer[] = []
  #sizeBytes = 0

  /** Bodies that are complete with this chunk. Throws LinkError for a frame larger than any peer would send. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk)
    this.#sizeBytes += chunk.length
    const bodies: Buffer[] = []
    for (;;) {
      if (this.#sizeBytes < FRAME_HEAD_BYTES) return bodies
      const head = this.#contiguous(FRAME_HEAD_BYTES)
      const bodyBytes = head.readUInt32BE()
      if (bodyBytes > LIMITS.MAX_PEER_BODY_BYTES) throw new LinkError('broken', 'a frame is too large')
      if (this.#sizeBytes < FRAME_HEAD_BYTES + bodyBytes) return bodies
      const frame = this.#contiguous(FRAME_HEAD_BYTES + bodyBytes)
      bodies.push(frame.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + bodyBytes))
      this.#sizeBytes -= FRAME_HEAD_BYTES + bodyBytes
      this.#chunks[0] = frame.subarray(FRAME_HEAD_BYTES + bodyBytes)
    }
  }

  /** The first chunk, joined with the following ones if it is shorter than `bytes`. */
  #contiguous(bytes: number): Buffer {
    if (this.#chunks[0]!.length < bytes) this.#chunks = [Buffer.concat(this.#chunks, this.#sizeBytes)]
    return this.#chunks[0]!
  }
}
