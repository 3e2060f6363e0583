// The connection on which this node sends to one peer. It is dialled again, with growing jittered pauses, until it is stopped.
//
// `send` copies the message into the open frame of its lane. At the end of the event-loop turn frames go to the socket, control
// first, then data and bulk in turn, as long as less than WINDOW_SIZE bytes wait there: so a control message waits for one window
// at most, whatever the other lanes hold. What waits when the connection is lost is lost.
//
// A connection that answers no ping for MAX_MISSED_PINGS ticks is given up: TCP alone would hold on for many minutes after a
// partition. Ticks are counted, not time, so that a process that slept does not accuse its peers.
import type { WebSocket } from "ws"
import type { Clock, Timer } from "../clock.ts"
import type { Lane, NodeId } from "../network.ts"
import { LANE } from "../network.ts"
import type { LinkFaults } from "./link-faults.ts"
import { Frame, FRAME_OVERHEAD, FRAME_SIZE, MAX_MESSAGE_SIZE } from "./network-frame.ts"
import type { Handshake } from "./network-handshake.ts"
import { dial } from "./ws-dial.ts"

const WINDOW_SIZE = 512 * 1024
const MIN_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 2000
const PING_INTERVAL_MS = 1000
const MAX_MISSED_PINGS = 4
const MAX_SPARE_FRAMES = 16

export interface LinkOptions {
  readonly peer: NodeId
  readonly address: string
  readonly port: number
  readonly maxQueueBytes: number
  readonly clock: Clock
  readonly faults: LinkFaults
  /** This node's handshake at the time of dialling. */
  readonly own: () => Handshake
  readonly onLink: (peer: NodeId, up: boolean) => void
  readonly log: (line: string) => void
}

/** Messages and their bytes since the start of the process; what has ended well is in `sent`. */
export interface OutgoingFigures {
  readonly isUp: boolean
  readonly attempts: number
  readonly successes: number
  readonly sentCount: number
  readonly sentBytes: number
  /** In the queues of the link and of its socket. */
  readonly pendingBytes: number
  readonly pendingCount: number
  /** Refused because too much waited. */
  readonly overloadCount: number
  readonly overloadBytes: number
  /** Lost with their connection. */
  readonly errorCount: number
  readonly errorBytes: number
}

/** Frames of one lane that wait for the socket; the last one is being filled. */
interface LaneQueue {
  readonly frames: Frame[]
  bytes: number
}

export class OutgoingLink {
  readonly address: string
  readonly port: number
  readonly #options: LinkOptions
  readonly #lanes: readonly LaneQueue[] = [0, 1, 2].map(() => ({ frames: [], bytes: 0 }))
  readonly #spare: Frame[] = []
  #socket: WebSocket | null = null
  #isUp = false
  #isStopped = false
  #isFlushDue = false
  #backoffMs = MIN_BACKOFF_MS
  #timer: Timer | null = null
  #missedPings = 0
  #delayedBytes = 0
  #lastProblem: string | null = null
  readonly #counts = { attempts: 0, successes: 0, sentCount: 0, sentBytes: 0, overloadCount: 0, overloadBytes: 0, errorCount: 0, errorBytes: 0 }
  readonly #flushAtTurnEnd = (): void => {
    this.#isFlushDue = false
    this.#flush()
  }

  constructor(options: LinkOptions) {
    this.#options = options
    this.address = options.address
    this.port = options.port
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get figures(): OutgoingFigures {
    const waiting = this.#lanes.flatMap(({ frames }) => frames)
    return {
      ...this.#counts, isUp: this.#isUp, pendingCount: waiting.reduce((sum, { count }) => sum + count, 0),
      pendingBytes: waiting.reduce((sum, { messageBytes }) => sum + messageBytes, 0) + (this.#socket?.bufferedAmount ?? 0),
    }
  }

  send(lane: Lane, message: Uint8Array): boolean {
    if (!this.#isUp) return false
    const queue = this.#lanes[lane] as LaneQueue
    const size = message.length
    // Control messages are not refused because data waits in the socket.
    const ahead = lane === LANE.control ? 0 : (this.#socket as WebSocket).bufferedAmount + this.#delayedBytes
    if (queue.bytes + ahead + size > this.#options.maxQueueBytes || size > MAX_MESSAGE_SIZE) {
      this.#counts.overloadCount++
      this.#counts.overloadBytes += size
      return false
    }
    let frame = queue.frames.at(-1)
    if (frame === undefined || !frame.hasRoom(size)) {
      frame = this.#newFrame(size)
      queue.frames.push(frame)
    }
    frame.add(message)
    queue.bytes += size
    if (!this.#isFlushDue) {
      this.#isFlushDue = true
      this.#options.clock.atTurnEnd(this.#flushAtTurnEnd)
    }
    return true
  }

  /** Dials now; also when a pause is running. */
  connect(): void {
    if (this.#isStopped || this.#socket !== null) return
    this.#clearTimer()
    const { peer, address, port, faults } = this.#options
    if (faults.isCut(peer)) return this.#connectLater()
    this.#counts.attempts++
    const socket = dial(address, port, this.#options.own(), {
      open: (other) => this.#opened(other),
      message: () => socket.terminate(),
      pong: () => {
        this.#missedPings = 0
      },
      close: (reason) => this.#closed(reason),
    })
    this.#socket = socket
  }

  stop(): void {
    this.#isStopped = true
    this.#clearTimer()
    const socket = this.#socket
    if (socket !== null) {
      socket.terminate()
      this.#closed(null)
    }
  }

  #opened(other: Handshake): void {
    const { peer, own, onLink } = this.#options
    if (other.self !== peer) {
      this.#report(`the node there has number ${other.self}`)
      this.#socket?.terminate()
      return
    }
    if (other.hostId === own().hostId) {
      this.#report("the node there has this node's host id")
      this.#socket?.terminate()
      return
    }
    this.#lastProblem = null
    this.#backoffMs = MIN_BACKOFF_MS
    this.#missedPings = 0
    this.#isUp = true
    this.#counts.successes++
    this.#pingLater()
    onLink(peer, true)
  }

  #closed(reason: string | null): void {
    if (this.#socket === null) return
    this.#socket = null
    this.#clearTimer()
    if (reason !== null) this.#report(reason)
    const wasUp = this.#isUp
    this.#isUp = false
    for (const queue of this.#lanes) {
      for (const { count, messageBytes } of queue.frames) {
        this.#counts.errorCount += count
        this.#counts.errorBytes += messageBytes
      }
      queue.frames.length = 0
      queue.bytes = 0
    }
    if (!this.#isStopped) this.#connectLater()
    if (wasUp) this.#options.onLink(this.#options.peer, false)
  }

  #connectLater(): void {
    const pauseMs = this.#backoffMs * (0.5 + Math.random() / 2)
    this.#backoffMs = Math.min(this.#backoffMs * 2, MAX_BACKOFF_MS)
    this.#timer = this.#options.clock.after(pauseMs, () => this.connect())
  }

  #pingLater(): void {
    this.#timer = this.#options.clock.after(PING_INTERVAL_MS, () => {
      if (this.#missedPings >= MAX_MISSED_PINGS) {
        this.#report(`no answer to ${this.#missedPings} pings`)
        this.#socket?.terminate()
        return
      }
      this.#missedPings++
      this.#socket?.ping()
      this.#pingLater()
    })
  }

  #flush(): void {
    const socket = this.#socket
    if (socket === null || !this.#isUp) return
    const [control, data, bulk] = this.#lanes as [LaneQueue, LaneQueue, LaneQueue]
    while (control.frames.length > 0) this.#sendFrame(socket, LANE.control, control)
    while ((data.frames.length > 0 || bulk.frames.length > 0) && socket.bufferedAmount < WINDOW_SIZE) {
      if (data.frames.length > 0) this.#sendFrame(socket, LANE.data, data)
      if (bulk.frames.length > 0) this.#sendFrame(socket, LANE.bulk, bulk)
    }
  }

  #sendFrame(socket: WebSocket, lane: Lane, queue: LaneQueue): void {
    const frame = queue.frames.shift() as Frame
    const bytes = frame.seal(lane)
    queue.bytes -= frame.messageBytes
    const sent = (): void => {
      this.#recycle(frame)
      if (!this.#isFlushDue && socket === this.#socket) this.#flush()
    }
    const { faults, peer, clock } = this.#options
    const put = (): void => {
      if (socket !== this.#socket || faults.isCut(peer)) this.#recycle(frame)
      else {
        this.#counts.sentCount += frame.count
        this.#counts.sentBytes += frame.messageBytes
        socket.send(bytes, sent)
      }
    }
    const delayMs = faults.delayMs(peer)
    if (delayMs === 0) return put()
    this.#delayedBytes += bytes.length
    clock.after(delayMs, () => {
      this.#delayedBytes -= bytes.length
      put()
    })
  }

  #newFrame(messageSize: number): Frame {
    const spare = this.#spare.at(-1)
    if (spare !== undefined && spare.hasRoom(messageSize)) {
      this.#spare.pop()
      return spare
    }
    return new Frame(Math.max(messageSize + FRAME_OVERHEAD, FRAME_SIZE))
  }

  #recycle(frame: Frame): void {
    if (!frame.isStandardSize || this.#spare.length >= MAX_SPARE_FRAMES) return
    frame.reset()
    this.#spare.push(frame)
  }

  /** A problem is logged when it is news, not at every attempt. */
  #report(problem: string): void {
    if (problem === this.#lastProblem || this.#isStopped) return
    this.#lastProblem = problem
    this.#options.log(`link to node ${this.#options.peer} at ${this.address}:${this.port}: ${problem}`)
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer)
    this.#timer = null
  }
}
