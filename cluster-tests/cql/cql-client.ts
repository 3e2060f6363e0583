// A client of the native protocol, version 5, over anything that carries bytes: the same client asks simulated nodes and
// a real Cassandra, so that what differs is the server. One request at a time.
import { OPCODE } from "../../cql/protocol/opcode.ts"
import { SegmentDecoder } from "../../cql/protocol/segment.ts"
import {
  type Answer, type QueryParameters, errorOf, executeFrame, parseFrames, prepareFrame, queryFrame, segmentBytes, startupFrame,
} from "../../cql/protocol/testing.ts"
import { Buffer } from "../../runtime/pure.ts"

const FRAME = { version: 5, stream: 1 }
const MAX_SEGMENT = 128 * 1024 - 1

export class CqlClient {
  readonly #send: (bytes: Buffer) => void
  readonly #decoder = new SegmentDecoder(5, false)
  #isSegmented = false
  #received = Buffer.alloc(0)
  #payload = Buffer.alloc(0)
  #waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null
  #failure: Error | null = null

  /** `send` takes what the client says; `received` is to be called with what it hears. */
  constructor(send: (bytes: Buffer) => void) {
    this.#send = send
  }

  async start(): Promise<void> {
    const answer = await this.#ask(startupFrame(undefined, FRAME))
    if (answer.opcode !== OPCODE.ready) throw new Error(answer.opcode === OPCODE.error ? errorOf(answer).message : `opcode ${answer.opcode}`)
    this.#isSegmented = true
  }

  query(text: string, parameters: QueryParameters): Promise<Answer> {
    return this.#ask(queryFrame(text, parameters, FRAME))
  }
  prepare(text: string): Promise<Answer> {
    return this.#ask(prepareFrame(text, null, FRAME))
  }
  execute(id: Uint8Array, resultMetadataId: Uint8Array, parameters: QueryParameters): Promise<Answer> {
    return this.#ask(executeFrame(id, resultMetadataId, parameters, FRAME))
  }

  received(bytes: Uint8Array): void {
    this.#received = Buffer.concat([this.#received, bytes])
    if (this.#isSegmented) this.#openSegments()
    else {
      this.#payload = Buffer.concat([this.#payload, this.#received])
      this.#received = Buffer.alloc(0)
    }
    const size = this.#payload.length < 9 ? Infinity : 9 + this.#payload.readInt32BE(5)
    if (this.#payload.length < size) return
    const [answer] = parseFrames(this.#payload.subarray(0, size))
    this.#payload = this.#payload.subarray(size)
    const waiting = this.#waiting
    this.#waiting = null
    if (answer !== undefined) waiting?.resolve(answer)
  }

  /** The connection is gone. */
  closed(): void {
    this.#failure = new Error("the server has closed the connection")
    this.#waiting?.reject(this.#failure)
  }

  #openSegments(): void {
    for (;;) {
      const size = this.#decoder.size(this.#received, 0, this.#received.length)
      if (size === 0 || size > this.#received.length) return
      this.#decoder.open(this.#received, 0, size)
      this.#payload = Buffer.concat([this.#payload, this.#decoder.payload.subarray(this.#decoder.from, this.#decoder.to)])
      this.#received = this.#received.subarray(size)
    }
  }

  #ask(frame: Buffer): Promise<Answer> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.#waiting !== null) throw new Error("one request at a time")
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      this.#send(this.#isSegmented ? segmentsOf(frame) : frame)
    })
  }
}

function segmentsOf(frame: Buffer): Buffer {
  if (frame.length <= MAX_SEGMENT) return segmentBytes(frame)
  const parts: Buffer[] = []
  for (let at = 0; at < frame.length; at += MAX_SEGMENT) parts.push(segmentBytes(frame.subarray(at, at + MAX_SEGMENT), { selfContained: false }))
  return Buffer.concat(parts)
}
