// The network between real nodes: WebSocket connections of the `ws` package.
//
// Every node dials every peer and sends on the connections it dialled (outgoing-link.ts); on those it accepted (incoming-link.ts) it
// only receives. So two nodes share two connections, one for each direction. The other way, one connection dialled by the lower
// number, would save a socket but need a rule for which of two connections counts after a restart or a half-open failure, and a node
// could not speak before the other one has learned its address. Here whoever knows an address may send to it, and whoever sends
// notices a dead connection.
//
// Frames: network-frame.ts. Handshake: network-handshake.ts. Faults for tests: link-faults.ts.
// What it does not do: encrypt, or prove that a peer is who it says; internode addresses belong on a private network.
import { createServer } from "node:http"
import type { Server } from "node:http"
import { WebSocketServer } from "ws"
import type { WebSocket } from "ws"
import type { Clock } from "../clock.ts"
import type { JoinNetwork, Lane, Network, NetworkHandlers, NodeId } from "../network.ts"
import { LANE } from "../network.ts"
import { assert } from "../pure.ts"
import { type IncomingFigures, IncomingLink } from "./incoming-link.ts"
import { LinkFaults } from "./link-faults.ts"
import { FrameError, frameOf, MAX_FRAME_SIZE, readFrame } from "./network-frame.ts"
import type { Handshake } from "./network-handshake.ts"
import { type OutgoingFigures, OutgoingLink } from "./outgoing-link.ts"
import { dial } from "./ws-dial.ts"

/** Connections of nodes without a number that are served at once. */
const MAX_ANONYMOUS = 64

export interface WsNetworkOptions {
  /** 0 for a node that has not joined; see `joined`. */
  readonly self: NodeId
  readonly hostId: string
  readonly clusterName: string
  /** Grows with every start of the node: a connection of an older process with the same number is refused. */
  readonly incarnation: number
  readonly listenAddress: string
  /** 0: any free one; `listen` tells. */
  readonly listenPort: number
  /** Bound of the messages that wait for one peer in one lane. Larger messages are never sent. */
  readonly maxQueueBytes: number
  readonly clock: Clock
  readonly log?: (line: string) => void
  /** Allows `cut`, `restore`, `restoreAll` and `delay`. */
  readonly isTesting: boolean
}

export interface PeerAddress {
  readonly node: NodeId
  readonly address: string
  readonly port: number
}

export interface LinkFigures {
  readonly node: NodeId
  readonly outgoing: OutgoingFigures
  readonly incoming: Readonly<IncomingFigures>
}

type AnonymousHandler = (bytes: Buffer, reply: (bytes: Uint8Array) => void) => void

export class WsNetwork implements Network, JoinNetwork {
  readonly #options: WsNetworkOptions
  readonly #faults = new LinkFaults()
  readonly #links = new Map<NodeId, OutgoingLink>()
  readonly #incoming = new Set<IncomingLink>()
  readonly #incarnations = new Map<NodeId, number>()
  readonly #incomingFigures = new Map<NodeId, IncomingFigures>()
  readonly #log: (line: string) => void
  readonly #own = (): Handshake => this.#handshake(this.#self)
  #self: NodeId
  #handlers: NetworkHandlers | null = null
  #anonymous: AnonymousHandler | null = null
  #server: Server | null = null
  #isStopped = false

  constructor(options: WsNetworkOptions) {
    this.#options = options
    this.#self = options.self
    this.#log = options.log ?? (() => {})
  }

  get self(): NodeId {
    return this.#self
  }

  /** Accepts connections from now on. Rejects with an Error whose `code` is EADDRINUSE etc. */
  listen(): Promise<{ port: number }> {
    const { listenAddress, listenPort } = this.#options
    const server = createServer((_request, response) => {
      response.writeHead(426).end("Belvedere's internode port speaks WebSocket\n")
    })
    this.#server = server
    const sockets = new WebSocketServer({ server, perMessageDeflate: false, skipUTF8Validation: true, maxPayload: MAX_FRAME_SIZE })
    sockets.on("connection", (socket, request) => {
      this.#accept(socket, `${request.socket.remoteAddress}:${request.socket.remotePort}`)
    })
    return new Promise((resolve, reject) => {
      sockets.on("error", (error) => {
        this.#log(`internode listener: ${error.message}`)
        reject(error)
      })
      server.listen(listenPort, listenAddress, () => {
        const bound = server.address()
        resolve({ port: typeof bound === "object" && bound !== null ? bound.port : listenPort })
      })
    })
  }

  /** The number this node was given when it joined. REQUIRES: `self` is 0 so far; called before `start`. */
  joined(self: NodeId): void {
    assert(this.#self === 0 && self > 0 && this.#handlers === null, "a node is given its number once, before it starts")
    this.#self = self
  }

  start(handlers: NetworkHandlers): void {
    assert(this.#handlers === null, "start is called once")
    this.#handlers = handlers
    for (const link of this.#links.values()) link.connect()
  }

  /** The other nodes, all of them; this node itself is skipped. Connects to new ones and drops those that are gone. */
  setPeers(peers: readonly PeerAddress[]): void {
    if (this.#isStopped) return
    const wanted = new Map(peers.filter((peer) => peer.node !== this.#self).map((peer) => [peer.node, peer]))
    for (const [node, link] of this.#links) {
      const peer = wanted.get(node)
      if (peer?.address === link.address && peer.port === link.port) wanted.delete(node)
      else {
        this.#links.delete(node)
        link.stop()
      }
    }
    for (const peer of wanted.values()) this.#connect(peer)
  }

  send(to: NodeId, lane: Lane, bytes: Uint8Array): boolean {
    assert(to !== this.#self, "no message to oneself")
    const link = this.#links.get(to)
    return link !== undefined && link.send(lane, bytes)
  }

  /** For people: what has passed between this node and each peer. */
  linkFigures(): LinkFigures[] {
    return [...this.#links].map(([node, link]) => ({ node, outgoing: link.figures, incoming: this.#figuresOf(node) }))
  }

  requestByAddress(address: string, port: number, bytes: Uint8Array, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => reject(new Error(`request to ${address}:${port}: ${reason}`))
      if (this.#isCutAddress(address, port)) {
        this.#options.clock.after(timeoutMs, () => fail("no answer in time"))
        return
      }
      const socket = dial(address, port, this.#handshake(0), {
        open: () => socket.send(frameOf(LANE.control, bytes)),
        message: (frame) => {
          try {
            readFrame(frame, (_lane, answer) => resolve(Buffer.from(answer)))
          } catch (error) {
            if (!(error instanceof FrameError)) throw error
            fail(error.message)
          }
          socket.terminate()
        },
        pong: () => {},
        close: (reason) => {
          this.#options.clock.cancel(timeout)
          fail(reason ?? "connection closed")
        },
      })
      const timeout = this.#options.clock.after(timeoutMs, () => {
        fail("no answer in time")
        socket.terminate()
      })
    })
  }

  onAnonymous(fn: AnonymousHandler): void {
    this.#anonymous = fn
  }

  /** Drops everything from and to the peer, silently, until it is restored. Tests only, like all of the following. */
  cut(peer: NodeId): void {
    this.#testing().cut(peer)
  }
  restore(peer: NodeId): void {
    this.#testing().restore(peer)
    this.#links.get(peer)?.connect()
  }
  restoreAll(): void {
    this.#testing().restoreAll()
    for (const link of this.#links.values()) link.connect()
  }
  /** Holds back everything from and to the peer by `ms` (0: no longer). */
  delay(peer: NodeId, ms: number): void {
    this.#testing().delay(peer, ms)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const link of this.#links.values()) link.stop()
    this.#links.clear()
    const server = this.#server
    this.#server = null
    if (server === null) return
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    for (const link of this.#incoming) link.destroy()
    // Those that have not asked for a WebSocket.
    server.closeAllConnections()
    await closed
  }

  #testing(): LinkFaults {
    assert(this.#options.isTesting, "faults only on nodes started for testing")
    return this.#faults
  }

  #handshake(self: NodeId): Handshake {
    const { clusterName, hostId, incarnation } = this.#options
    return { clusterName, self, hostId, incarnation }
  }

  #connect(peer: PeerAddress): void {
    const link = new OutgoingLink({
      peer: peer.node, address: peer.address, port: peer.port, maxQueueBytes: this.#options.maxQueueBytes, clock: this.#options.clock,
      faults: this.#faults, own: this.#own, log: this.#log,
      onLink: (node, up) => this.#handlers?.link(node, up),
    })
    this.#links.set(peer.node, link)
    if (this.#handlers !== null) link.connect()
  }

  #figuresOf(node: NodeId): IncomingFigures {
    let figures = this.#incomingFigures.get(node)
    if (figures === undefined) {
      figures = { receivedCount: 0, receivedBytes: 0, damagedFrames: 0, throttledCount: 0 }
      this.#incomingFigures.set(node, figures)
    }
    return figures
  }

  #isCutAddress(address: string, port: number): boolean {
    for (const [node, link] of this.#links) if (link.address === address && link.port === port) return this.#faults.isCut(node)
    return false
  }

  #accept(socket: WebSocket, remote: string): void {
    const link = new IncomingLink(socket, remote, {
      clock: this.#options.clock, faults: this.#faults, own: this.#own, log: this.#log,
      admit: (peer, candidate) => this.#admit(peer, candidate),
      message: (from, lane, bytes) => this.#handlers?.message(from, lane, bytes),
      question: (bytes, reply) => this.#anonymous?.(bytes, reply),
      closed: (closed) => this.#incoming.delete(closed), figures: (node) => this.#figuresOf(node),
    })
    this.#incoming.add(link)
    if (this.#isStopped) link.destroy()
  }

  #admit(peer: Handshake, candidate: IncomingLink): string | null {
    if (peer.self === 0) return this.#admitAnonymous()
    if (peer.self === this.#self) return `this is node ${peer.self}`
    const known = this.#incarnations.get(peer.self) ?? 0
    if (peer.incarnation < known) return `node ${peer.self} has been started anew since`
    this.#incarnations.set(peer.self, peer.incarnation)
    // A peer that connects again has given up its earlier connection, even if this side has not noticed yet.
    for (const link of this.#incoming) if (link !== candidate && link.peer?.self === peer.self) link.destroy()
    return null
  }

  #admitAnonymous(): string | null {
    if (this.#anonymous === null) return "this node takes no questions yet"
    let count = 0
    for (const link of this.#incoming) if (link.peer?.self === 0) count++
    return count >= MAX_ANONYMOUS ? "too many nodes ask at once" : null
  }
}
