// The envelope of messages between nodes and their dispatch. Big-endian.
//
//   offset  field
//   0       u8   verb         see VERB
//   1       u8   flags        verb's own
//   2       u32  requestId    the sender's number for the exchange; an answer carries the request's; 0: no answer expected
//   6       u32  epoch        metadata epoch of the sender
//   10      payload           the rest; the transport frames carry length and CRC
//
// Versions: the transport's handshake fixes the version of all of this. 1: this one.
// What is bad about it: the request id is 32 bits and wraps after 4 billion requests of one node; the tables of
// requests in flight are far smaller.
import type { Lane, Network, NodeId } from "../runtime/network.ts"
import { LANE } from "../runtime/network.ts"
import { assert } from "../runtime/pure.ts"
import { ByteWriter } from "../data/bytes.ts"

export const ENVELOPE_SIZE = 10

/**
 * Verbs 1-31 data, 32-63 views, 64-95 control (msgpack payload). Numbers are never reused.
 * The payload of writeAck: u32 × more requests that are acknowledged.
 */
export const VERB = {
  write: 1, writeAck: 2, writeFailed: 3, read: 4, readData: 5, readDigest: 6, readFailed: 7, hint: 8, readRepair: 9,
  paxosPrepare: 10, paxosPromise: 11, paxosPropose: 12, paxosAccept: 13, paxosFailed: 14,
  counterWrite: 15, counterAck: 16, counterFailed: 17,
  view: 32, viewAck: 33, buildDigest: 34, buildDigestAnswer: 35,
  heartbeat: 64, metadata: 65,
} as const

export interface Message {
  readonly from: NodeId
  readonly verb: number
  readonly flags: number
  readonly requestId: number
  readonly epoch: number
  /** Payload is `bytes[at, bytes.length)`, valid during the call only. */
  readonly bytes: Buffer
  readonly at: number
}

export type MessageHandler = (message: Message) => void

/** Dispatches what the network brings, and sends. One per node. */
export class MessageRouter {
  readonly #network: Network
  readonly #handlers: (MessageHandler | null)[] = new Array<MessageHandler | null>(256).fill(null)
  readonly #out = new ByteWriter(4096)
  readonly #epoch: () => number
  readonly #linkListeners: ((peer: NodeId, up: boolean) => void)[] = []

  constructor(network: Network, epoch: () => number) {
    this.#network = network
    this.#epoch = epoch
  }

  get self(): NodeId {
    return this.#network.self
  }

  start(): void {
    this.#network.start({
      message: (from, _lane, bytes) => this.#receive(from, bytes),
      link: (peer, up) => {
        for (const listener of this.#linkListeners) listener(peer, up)
      },
    })
  }

  handle(verb: number, handler: MessageHandler): void {
    assert(this.#handlers[verb] === null, `one handler for verb ${verb}`)
    this.#handlers[verb] = handler
  }

  onLink(listener: (peer: NodeId, up: boolean) => void): void {
    this.#linkListeners.push(listener)
  }

  /** Starts a message; append the payload to the writer returned, then `send` it to one or several nodes. */
  begin(verb: number, flags: number, requestId: number): ByteWriter {
    const out = this.#out
    out.reset()
    out.uint8(verb)
    out.uint8(flags)
    out.uint32(requestId)
    out.uint32(this.#epoch())
    return out
  }

  /** Sends what `begin` started. False: dropped, the peer is over its bound or has no link. */
  send(to: NodeId, lane: Lane = LANE.data): boolean {
    return this.#network.send(to, lane, this.#out.view())
  }

  #receive(from: NodeId, bytes: Buffer): void {
    const verb = bytes[0]
    const handler = verb === undefined ? null : (this.#handlers[verb] ?? null)
    // A verb of a newer release: dropped, as the network may drop anything.
    if (handler === null || bytes.length < ENVELOPE_SIZE) return
    handler({ from, verb: verb as number, flags: bytes[1] as number, requestId: bytes.readUInt32BE(2), epoch: bytes.readUInt32BE(6), bytes, at: ENVELOPE_SIZE })
  }
}
