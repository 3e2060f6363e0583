// Hints: mutations that a replica did not get, kept on disk until it can take them.
//
// 1. `add` copies the mutation into the peer's buffer, which goes to the peer's file at the end of the event-loop turn.
//    A peer that has been away for longer than the window, or for which too much is kept already, gets no more: only
//    repair can bring it up to date then.
// 2. While a peer is up its files are delivered, oldest first, some hints at a time; a file is deleted when all of it is
//    acknowledged. After a failure, or a restart, delivery goes on with the file that was not finished: a hint delivered
//    twice changes nothing.
// 3. A hint is an ordinary write at the peer, which derives its view obligations. Updates of tables that were truncated or
//    dropped since, or whose tombstones may have been purged by now (gc_grace_seconds), are left out.
//
// INVARIANT: no hint is for a view's table.
import { CorruptionError } from "../../data/bytes.ts"
import type { Epoch } from "../../data/schema.ts"
import type { Clock, Timer } from "../../runtime/clock.ts"
import { type Disk, DiskError } from "../../runtime/disk.ts"
import type { NodeId } from "../../runtime/network.ts"
import { Buffer, type Maybe } from "../../runtime/pure.ts"
import type { ClusterMetadata, Liveness } from "../cluster/cluster-metadata.ts"
import type { Completion } from "../coordinator.ts"
import type { HintSink } from "../coordinator-deps.ts"
import { HINT_HEADER_SIZE, type HintRecord, decodeHint, decodeHintHeader } from "./hint-file.ts"
import { firstTable, keepUpdates } from "../writes/mutation-tables.ts"
import { type HintFile, PeerHints, parseHintFileName } from "./peer-hints.ts"

export interface HintsOptions {
  readonly disk: Disk
  /** Made when missing. */
  readonly directory: string
  readonly clock: Clock
  readonly metadata: ClusterMetadata
  readonly liveness: Liveness
  readonly log: (line: string) => void
  readonly maxBytesPerPeer?: number
  readonly maxWindowMs?: number
  readonly intervalMs?: number
  /** `store` waits for the disk: with commitlog_sync batch and group. */
  readonly syncsBeforeAck?: boolean
}

export interface PendingHints {
  readonly node: NodeId
  readonly files: number
  /** Microseconds since 1970. */
  readonly oldestMicros: number
  readonly newestMicros: number
}

/** Gives one hint to its peer; completes when the peer has it. */
export type DeliverHint = (keyspace: string, mutation: Buffer, to: NodeId, completion: Completion) => void

const MAX_BYTES_PER_PEER = 1024 * 1024 * 1024
const MAX_WINDOW_MS = 3 * 60 * 60 * 1000
const INTERVAL_MS = 1000
const AT_A_TIME = 64

export class Hints implements HintSink {
  readonly #options: HintsOptions
  readonly #peers = new Map<NodeId, PeerHints>()
  readonly #dirty = new Set<PeerHints>()
  #deliver: DeliverHint | null = null
  #timer: Timer | null = null
  #stopped = false
  #hasDurableName = false
  /** Of this turn. */
  #storing: Promise<boolean> | null = null

  /** Finds what an earlier process left. */
  constructor(options: HintsOptions) {
    this.#options = options
    const { disk, directory, log } = options
    disk.makeDirectory(directory)
    for (const name of disk.list(directory)) {
      const parsed = parseHintFileName(name)
      if (parsed === null) continue
      const path = `${directory}/${name}`
      try {
        this.#adopt(path, parsed.node, parsed.sequence)
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error
        log(`hint file ${path} is damaged and left aside: ${error.message}`)
        disk.rename(path, `${path}.damaged`)
      }
    }
  }

  add(node: NodeId, mutation: Buffer, epoch: Epoch): boolean {
    const { clock, maxBytesPerPeer = MAX_BYTES_PER_PEER, maxWindowMs = MAX_WINDOW_MS } = this.#options
    if (this.#stopped) return false
    const peer = this.#peer(node)
    const nowMicros = clock.nowMicros()
    if (peer.bytes + mutation.length > maxBytesPerPeer || nowMicros - peer.oldestMicros > maxWindowMs * 1000) return false
    peer.append(mutation, epoch, nowMicros)
    if (this.#dirty.size === 0) clock.atTurnEnd(() => this.writeOut())
    this.#dirty.add(peer)
    return true
  }

  /** False: something that was added is lost. */
  writeOut(): boolean {
    let areKept = true
    for (const peer of this.#dirty) {
      try {
        peer.writeOut(this.#options.clock.nowMicros())
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        this.#options.log(`hints for node ${peer.node} are lost: ${error.message}`)
        areKept = false
      }
    }
    this.#dirty.clear()
    return areKept
  }

  store(): Maybe<boolean> {
    if (!this.writeOut()) return false
    if (this.#options.syncsBeforeAck !== true) return true
    // All that is added in this turn shares a sync.
    this.#storing ??= new Promise((resolve) => {
      this.#options.clock.atTurnEnd(() => {
        this.#storing = null
        resolve(this.#sync())
      })
    })
    return this.#storing
  }

  async #sync(): Promise<boolean> {
    try {
      if (!this.#hasDurableName) await this.#syncName()
      await Promise.all([...this.#peers.values()].map((peer) => peer.synced()))
      return true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#options.log(`hints may be lost: ${error.message}`)
      return false
    }
  }

  /** Of the directory itself, which may be new. */
  async #syncName(): Promise<void> {
    const { disk, directory } = this.#options
    const slash = directory.lastIndexOf("/")
    await new Promise<void>((resolve, reject) => {
      disk.syncDirectory(slash < 0 ? "." : directory.slice(0, Math.max(slash, 1)), (error) => (error === null ? resolve() : reject(error)))
    })
    this.#hasDurableName = true
  }

  /** Delivers from now on. */
  start(deliver: DeliverHint): void {
    this.#deliver = deliver
    this.#tick()
  }

  /** A peer has come up: no need to wait for the next look. */
  nodeUp(node: NodeId): void {
    const peer = this.#peers.get(node)
    if (peer !== undefined) this.#begin(peer)
  }

  /** Bytes kept for a peer. */
  pendingBytes(node: NodeId): number {
    const peer = this.#peers.get(node)
    return peer === undefined || peer.isEmpty ? 0 : peer.bytes
  }

  /** What is kept for each peer, in files, whose ages are those of their first hints. */
  pendingFiles(): PendingHints[] {
    return [...this.#peers.values()]
      .filter((peer) => peer.fileCount > 0)
      .map(({ node, fileCount, oldestMicros, newestMicros }) => ({ node, files: fileCount, oldestMicros, newestMicros }))
  }

  stop(): void {
    this.writeOut()
    this.#stopped = true
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer)
    for (const peer of this.#peers.values()) peer.close()
  }

  #adopt(path: string, node: NodeId, sequence: number): void {
    const { disk } = this.#options
    const file = disk.readFile(path)
    const head = Buffer.alloc(HINT_HEADER_SIZE)
    const header = decodeHintHeader(head.subarray(0, file.readNow(head, 0)))
    const size = file.size
    file.close()
    if (header === null) disk.remove(path)
    else this.#peer(node).adopt({ path, createdAtMicros: header.createdAtMicros, size, deliveredTo: HINT_HEADER_SIZE }, sequence)
  }

  #peer(node: NodeId): PeerHints {
    let peer = this.#peers.get(node)
    if (peer === undefined) {
      peer = new PeerHints(this.#options.disk, this.#options.directory, node)
      this.#peers.set(node, peer)
    }
    return peer
  }

  #tick(): void {
    const { clock, metadata, intervalMs = INTERVAL_MS } = this.#options
    if (this.#stopped) return
    const { nodes } = metadata.current()
    for (const peer of this.#peers.values()) {
      if (nodes.has(peer.node)) this.#begin(peer)
      else this.#forget(peer)
    }
    this.#timer = clock.after(intervalMs, () => this.#tick())
  }

  /** The node has left the cluster. */
  #forget(peer: PeerHints): void {
    if (peer.isDelivering || nodesUnknown(this.#options.metadata)) return
    this.writeOut()
    peer.seal()
    for (let file = peer.sealed[0]; file !== undefined; file = peer.sealed[0]) peer.remove(file)
    this.#peers.delete(peer.node)
  }

  #begin(peer: PeerHints): void {
    if (this.#stopped || this.#deliver === null || peer.isDelivering || peer.isEmpty || !this.#options.liveness.isAlive(peer.node)) return
    peer.isDelivering = true
    void this.#deliverAll(peer).finally(() => {
      peer.isDelivering = false
    })
  }

  async #deliverAll(peer: PeerHints): Promise<void> {
    this.writeOut()
    peer.seal()
    for (let file = peer.sealed[0]; file !== undefined && !this.#stopped; file = peer.sealed[0]) {
      if (!(await this.#deliverFile(peer, file))) return
    }
  }

  /** False: the peer did not take all of it; later again. */
  async #deliverFile(peer: PeerHints, file: HintFile): Promise<boolean> {
    const { disk, log } = this.#options
    const content = readAll(disk, file.path)
    try {
      while (file.deliveredTo < content.length) {
        const end = await this.#deliverSome(peer, content, file.deliveredTo)
        if (end < 0 || this.#stopped) return false
        if (end === file.deliveredTo) break
        file.deliveredTo = end
      }
      peer.remove(file)
    } catch (error) {
      if (!(error instanceof CorruptionError)) throw error
      log(`hint file ${file.path} is damaged; the rest of it is left aside: ${error.message}`)
      disk.rename(file.path, `${file.path}.damaged`)
      peer.sealed.shift()
      peer.bytes -= file.size
    }
    return true
  }

  /** Returns the offset up to which the peer has everything, -1 when a hint was not taken. */
  async #deliverSome(peer: PeerHints, content: Buffer, from: number): Promise<number> {
    const deliver = this.#deliver as DeliverHint
    const waiting: Promise<boolean>[] = []
    let at = from
    while (waiting.length < AT_A_TIME) {
      const hint = decodeHint(content, at)
      if (hint === null) break
      at = hint.end
      const mutation = this.#stillMeant(hint)
      if (mutation === null) continue
      const keyspace = this.#options.metadata.current().schema.tableById(firstTable(mutation))?.keyspace
      if (keyspace === undefined) continue
      waiting.push(new Promise((resolve) => deliver(keyspace, mutation, peer.node, { done: (error) => resolve(error === null) })))
    }
    const taken = await Promise.all(waiting)
    return taken.every(Boolean) ? at : -1
  }

  #stillMeant(hint: HintRecord): Buffer | null {
    const snapshot = this.#options.metadata.current()
    const ageSeconds = this.#options.clock.nowMicros() / 1_000_000 - hint.writtenAtSeconds
    return keepUpdates(hint.mutation, (id) => {
      const table = snapshot.schema.tableById(id)
      return table !== null && snapshot.truncationEpoch(id) <= hint.epoch && ageSeconds < table.options.gcGraceSeconds
    })
  }
}

/** Before the first snapshot names any node nothing is known to have left. */
function nodesUnknown(metadata: ClusterMetadata): boolean {
  return metadata.current().nodes.size === 0
}

function readAll(disk: Disk, path: string): Buffer {
  const file = disk.readFile(path)
  const content = Buffer.allocUnsafe(file.size)
  let at = 0
  while (at < content.length) {
    const count = file.readNow(content.subarray(at), at)
    if (count === 0) break
    at += count
  }
  file.close()
  return content.subarray(0, at)
}
