// A connection that another node dialled: on which a peer sends to this node, or a node without a number asks its one question.
//
// 1. The first message is the handshake; it is checked, then answered with this node's own, or refused with the reason.
// 2. From a peer: frames, whose messages go to the handlers as they come. After MAX_TURN_BYTES in one event-loop turn the socket is
//    not read until the turn has ended, so that one peer cannot keep the others waiting.
// 3. From node 0: one frame with one message, the question; the answer goes back the same way.
//
// A connection that stays silent (peers ping every second) is destroyed.
import type { WebSocket } from "ws"
import type { Clock, Timer } from "../clock.ts"
import type { Lane, NodeId } from "../network.ts"
import { LANE } from "../network.ts"
import type { LinkFaults } from "./link-faults.ts"
import { FrameError, frameOf, readFrame } from "./network-frame.ts"
import { encodeHandshake, readHandshake, REFUSED } from "./network-handshake.ts"
import type { Handshake } from "./network-handshake.ts"

const MAX_TURN_BYTES = 1024 * 1024
/** Delayed frames (a fault for tests) are kept up to this many bytes, then the socket is not read. */
const MAX_DELAYED_BYTES = 16 * 1024 * 1024
const SILENCE_CHECK_MS = 5000

/** What has come from one node, on all its connections since the start of the process. */
export interface IncomingFigures {
  receivedCount: number
  receivedBytes: number
  /** Frames that were damaged; each ended its connection. */
  damagedFrames: number
  /** How often the socket was not read for a while. */
  throttledCount: number
}

export interface IncomingOptions {
  /** Those of this node, to be added to. */
  readonly figures: (peer: NodeId) => IncomingFigures
  readonly clock: Clock
  readonly faults: LinkFaults
  readonly own: () => Handshake
  /** Null, or why this handshake is refused. */
  readonly admit: (peer: Handshake, link: IncomingLink) => string | null
  readonly message: (from: NodeId, lane: Lane, bytes: Buffer) => void
  readonly question: (bytes: Buffer, reply: (bytes: Uint8Array) => void) => void
  readonly closed: (link: IncomingLink) => void
  readonly log: (line: string) => void
}

export class IncomingLink {
  readonly #socket: WebSocket
  readonly #remote: string
  readonly #options: IncomingOptions
  #peer: Handshake | null = null
  #hasSpoken = false
  #turnBytes = 0
  #delayedBytes = 0
  #silenceTimer: Timer
  #figures: IncomingFigures | null = null
  readonly #receive = (lane: Lane, message: Buffer): void => {
    const figures = this.#figures as IncomingFigures
    figures.receivedCount++
    figures.receivedBytes += message.length
    this.#options.message((this.#peer as Handshake).self, lane, message)
  }
  readonly #endTurn = (): void => {
    this.#turnBytes = 0
    this.#resume()
  }

  constructor(socket: WebSocket, remote: string, options: IncomingOptions) {
    this.#socket = socket
    this.#remote = remote
    this.#options = options
    this.#silenceTimer = options.clock.after(SILENCE_CHECK_MS, () => this.#checkSilence())
    socket.on("message", (data) => {
      this.#hasSpoken = true
      this.#take(data as Buffer)
    })
    socket.on("ping", () => {
      this.#hasSpoken = true
    })
    // `close` follows.
    socket.on("error", () => {})
    socket.on("close", () => {
      options.clock.cancel(this.#silenceTimer)
      options.closed(this)
    })
  }

  /** Null before the handshake. */
  get peer(): Handshake | null {
    return this.#peer
  }

  destroy(): void {
    this.#socket.terminate()
  }

  #take(bytes: Buffer): void {
    const peer = this.#peer
    if (peer === null) return this.#shakeHands(bytes)
    const { faults, clock } = this.#options
    if (faults.isCut(peer.self)) return
    if (this.#turnBytes === 0) clock.atTurnEnd(this.#endTurn)
    this.#turnBytes += bytes.length
    const delayMs = faults.delayMs(peer.self)
    if (delayMs === 0) this.#deliver(peer, bytes)
    else this.#deliverLater(peer, bytes, delayMs)
    if (this.#turnBytes >= MAX_TURN_BYTES || this.#delayedBytes >= MAX_DELAYED_BYTES) {
      if (this.#figures !== null) this.#figures.throttledCount++
      this.#socket.pause()
    }
  }

  #shakeHands(bytes: Buffer): void {
    const own = this.#options.own()
    const peer = readHandshake(bytes, own)
    // A cut means silence for the peer's new connections too: it gives up by itself.
    if (typeof peer !== "string" && this.#options.faults.isCut(peer.self)) return
    const refusal = typeof peer === "string" ? peer : this.#options.admit(peer, this)
    if (typeof peer === "string" || refusal !== null) {
      this.#options.log(`connection from ${this.#remote} refused: ${refusal}`)
      this.#socket.close(REFUSED, (refusal ?? "").slice(0, 100))
      return
    }
    this.#peer = peer
    if (peer.self !== 0) this.#figures = this.#options.figures(peer.self)
    this.#socket.send(encodeHandshake(own))
  }

  #deliver(peer: Handshake, bytes: Buffer): void {
    try {
      if (peer.self === 0) this.#ask(bytes)
      else readFrame(bytes, this.#receive)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      if (this.#figures !== null) this.#figures.damagedFrames++
      this.#options.log(`connection from ${this.#remote} (node ${peer.self}) closed: ${error.message}`)
      this.#socket.terminate()
    }
  }

  #deliverLater(peer: Handshake, bytes: Buffer, delayMs: number): void {
    this.#delayedBytes += bytes.length
    this.#options.clock.after(delayMs, () => {
      this.#delayedBytes -= bytes.length
      if (!this.#options.faults.isCut(peer.self)) this.#deliver(peer, bytes)
      this.#resume()
    })
  }

  #ask(bytes: Buffer): void {
    const socket = this.#socket
    readFrame(bytes, (_lane, message) => {
      this.#options.question(message, (answer) => {
        if (socket.readyState === socket.OPEN) socket.send(frameOf(LANE.control, answer))
      })
    })
  }

  #resume(): void {
    if (this.#socket.isPaused && this.#turnBytes < MAX_TURN_BYTES && this.#delayedBytes < MAX_DELAYED_BYTES) this.#socket.resume()
  }

  #checkSilence(): void {
    if (!this.#hasSpoken) {
      this.#socket.terminate()
      return
    }
    this.#hasSpoken = false
    this.#silenceTimer = this.#options.clock.after(SILENCE_CHECK_MS, () => this.#checkSilence())
  }
}
