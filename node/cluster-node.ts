// One cluster node, wired together from the folders below. Start:
//
// 1. The data directory is locked, the node's identity read, the internode port opened.
// 2. The metadata state is read, or the cluster begun, or joined: from here the tables are known.
// 3. The store is opened: the log is replayed; obligations of views found in it go to the view manager.
// 4. Coordinator, views and protocol are built on it, links to the peers opened, heartbeats sent.
// 5. The client port is opened last.
//
// Stop: clients are answered and sent away, the links closed, the log synced. Nothing is lost without it either.
import type { Server } from "node:http"
import { compileStatement } from "../cql/compile.ts"
import type { FunctionContext } from "../cql/functions/context.ts"
import { type ProtocolServer, createProtocolServer } from "../cql/protocol/server.ts"
import { ScriptSandbox } from "../cql/scripts/sandbox.ts"
import { DEFAULT_SCRIPT_LIMITS } from "../cql/scripts/script-host.ts"
import { type Snapshot } from "../coordinator/cluster/cluster-metadata.ts"
import { DEFAULT_TIMEOUTS } from "../coordinator/coordinator-deps.ts"
import { Hints } from "../coordinator/hints/hints.ts"
import { MessageRouter, VERB } from "../coordinator/messages.ts"
import { NodeCoordinator } from "../coordinator/node-coordinator.ts"
import { StatementExecutor } from "../coordinator/execute.ts"
import { storedTables } from "../coordinator/cluster/schema-follower.ts"
import type { MetadataState } from "../coordinator/cluster/snapshot.ts"
import { TimedStore } from "../coordinator/timed-store.ts"
import { ViewManager } from "../coordinator/views/view-manager.ts"
import type { TableId } from "../data/schema.ts"
import { loadQuickJs } from "../runtime/real/quickjs-module.ts"
import type { Disk } from "../runtime/disk.ts"
import { FaultyDisk } from "../runtime/real/faulty-disk.ts"
import { RealByteListener } from "../runtime/real/real-byte-listener.ts"
import { RealClock } from "../runtime/real/real-clock.ts"
import { RealDisk } from "../runtime/real/real-disk.ts"
import { RealJobs, moduleUrl } from "../runtime/real/real-jobs.ts"
import { RealRandom } from "../runtime/real/real-random.ts"
import { WsNetwork } from "../runtime/real/ws-network.ts"
import type { CompactionRecord } from "../data/local-store.ts"
import { openStore } from "../storage/open-store.ts"
import type { Store } from "../storage/store.ts"
import { startAdminHttp } from "./admin-http.ts"
import { takeAutoSnapshots } from "./auto-snapshot.ts"
import type { NodeConfig } from "./config.ts"
import { schemaEvents, topologyEvents } from "./events.ts"
import { EXIT_CODE, FailurePolicy } from "./failure-policy.ts"
import { Heartbeats } from "./heartbeats.ts"
import { type Identity, openIdentity } from "./identity.ts"
import type { Log } from "./log.ts"
import { type Membership, answerJoins, beginCluster, describeSelf, isFirstSeed, joinCluster } from "./membership.ts"
import { MetadataService } from "./metadata-service.ts"
import { makeDurableDirectory, readStateFile, writeStateFile } from "./state-file.ts"
import { storageSettingRows, storeOptionsOf } from "./storage-settings.ts"
import { historyMutation } from "./system-tables/compaction-history.ts"
import { createVirtualTables } from "./system-tables/create-virtual-tables.ts"
import { systemKeyspaces } from "./system-tables/system-keyspaces.ts"
import { Ticker } from "./ticker.ts"

const MAX_PEER_QUEUE_BYTES = 64 * 1024 * 1024
const STATE_FILE = "metadata"
const PEERS_WAIT_MS = 2000
/** How often averages of figures move on. */
const TICK_MS = 5000

export class ClusterNode {
  readonly #parts: Parts
  #stopping: Promise<void> | null = null

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Resolves once clients are served. Throws when the data directory, an address or the cluster does not fit. */
  static async start(config: NodeConfig, log: Log): Promise<ClusterNode> {
    const base = await openBase(config, log)
    const membership = await findMembership(config, base, log)
    const parts = await build(config, base, membership, log)
    await startParts(config, parts, log)
    return new ClusterNode(parts)
  }

  /** Drains: answers what is in flight, then closes. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopping ??= stopParts(this.#parts)
    return this.#stopping
  }
}

/** What is there before the node knows the cluster. */
interface Base {
  readonly clock: RealClock
  readonly random: RealRandom
  readonly disk: Disk
  /** Null on nodes that were not started for testing. */
  readonly diskFaults: FaultyDisk | null
  readonly lock: { release(): void }
  readonly identity: Identity
  readonly network: WsNetwork
  readonly savedMembership: Membership | null
  readonly startedMicros: number
}

interface Parts extends Base {
  readonly config: NodeConfig
  readonly log: Log
  readonly self: number
  readonly router: MessageRouter
  readonly metadata: MetadataService
  readonly heartbeats: Heartbeats
  readonly failures: FailurePolicy
  readonly store: Store
  readonly jobs: RealJobs
  readonly views: ViewManager
  readonly hints: Hints
  readonly coordinator: NodeCoordinator
  readonly protocol: ProtocolServer
  readonly ticker: Ticker
  readonly listener: RealByteListener
  admin: Server | null
  isReady: boolean
}

async function openBase(config: NodeConfig, log: Log): Promise<Base> {
  const clock = new RealClock()
  const random = new RealRandom()
  const diskFaults = config.testing ? new FaultyDisk(new RealDisk()) : null
  const disk = diskFaults ?? new RealDisk()
  const startedMicros = clock.nowMicros()
  await makeDurableDirectory(disk, config.dataDirectory)
  const lock = disk.lock(`${config.dataDirectory}/node.lock`)
  const identity = await openIdentity(disk, config.dataDirectory, config.clusterName, random)
  const savedMembership = readStateFile(disk, `${config.dataDirectory}/${STATE_FILE}`) as Membership | null
  const network = new WsNetwork({
    self: savedMembership?.self ?? 0, hostId: identity.hostId, clusterName: config.clusterName, incarnation: identity.incarnation,
    listenAddress: config.address, listenPort: config.listenPort, maxQueueBytes: MAX_PEER_QUEUE_BYTES, clock, log: (line) => log.info(line), isTesting: config.testing,
  })
  await network.listen()
  return { clock, random, disk, diskFaults, lock, identity, network, savedMembership, startedMicros }
}

async function findMembership(config: NodeConfig, base: Base, log: Log): Promise<Membership> {
  const { disk, identity, network, random, savedMembership } = base
  const membership = savedMembership ?? (isFirstSeed(config) ? beginCluster(config, identity.hostId, random) : await joinCluster(config, identity.hostId, network, log))
  if (savedMembership === null) {
    await writeStateFile(disk, config.dataDirectory, STATE_FILE, membership)
    network.joined(membership.self)
  }
  return membership
}

/** Tables that `next` truncates and `before` did not; tables that are new in `next` have nothing to lose. */
function truncatedTables(before: MetadataState, next: MetadataState): TableId[] {
  const known = new Map(before.schema.keyspaces.flatMap(({ tables }) => tables.map((table) => [table.id, table.truncationEpoch])))
  const truncated: TableId[] = []
  for (const table of next.schema.keyspaces.flatMap(({ tables }) => tables)) {
    const epoch = known.get(table.id)
    if (epoch !== undefined && epoch < table.truncationEpoch) truncated.push(table.id)
  }
  for (const [id, epoch] of Object.entries(next.systemTruncations)) {
    if ((before.systemTruncations[id] ?? 0) < epoch) truncated.push(Number(id))
  }
  return truncated
}

async function build(config: NodeConfig, base: Base, membership: Membership, log: Log): Promise<Parts> {
  const { clock, random, disk, identity, network } = base
  const { self, leader } = membership
  const router: MessageRouter = new MessageRouter(network, () => metadata.current().epoch)
  const persist = async (state: MetadataState): Promise<void> => {
    if (config.autoSnapshot) await takeAutoSnapshots(store.operations, metadata.state(), state, clock.nowMicros(), log)
    // Data goes before the entry that voids it counts as applied: a crash between the two truncates again, with nothing new in the table.
    // All at once: a write between the truncations of a table and of its view would be in one of them.
    await Promise.all(truncatedTables(metadata.state(), state).map((table) => store.truncate(table)))
    await writeStateFile(disk, config.dataDirectory, STATE_FILE, { self, leader, state } satisfies Membership)
  }
  const metadata: MetadataService = new MetadataService({
    state: membership.state, leader, router, clock, system: systemKeyspaces(), persist, isAlive: (node) => heartbeats.isAlive(node),
  })
  const peers = (): number[] => [...metadata.current().nodes.keys()].filter((node) => node !== self)
  const heartbeats: Heartbeats = new Heartbeats(router, clock, peers, {
    up: (node) => liveness(node, "UP"),
    down: (node) => liveness(node, "DOWN"),
    epochSeen: (node, epoch) => metadata.epochSeen(node, epoch),
  })
  let parts: Parts | null = null
  const failures = new FailurePolicy({
    commit: config.storage.commitFailurePolicy, disk: config.storage.diskFailurePolicy, log,
    stopTransports: () => (parts?.isReady === true ? stopTransports(parts) : process.exit(EXIT_CODE)), exit: (code) => process.exit(code),
  })
  function liveness(node: number, change: "UP" | "DOWN"): void {
    if (parts !== null) peerChanged(parts, node, change)
  }
  const views: ViewManager = new ViewManager({
    self, incarnation: identity.incarnation, router, metadata, liveness: heartbeats, clock, store: () => local, log: (line) => log.info(line),
  })
  const jobs = new RealJobs({ modules: { flush: moduleUrl("../storage/jobs/flush.ts", import.meta.url), compact: moduleUrl("../storage/jobs/compact.ts", import.meta.url), verify: moduleUrl("../storage/jobs/verify.ts", import.meta.url) }, workerCount: 1, background: { kinds: ["compact", "verify"], workerCount: config.storage.concurrentCompactors } })
  const store: Store = await openStore({
    disk, clock, jobs, directory: `${config.dataDirectory}/data`, hostId: identity.hostId, clusterName: config.clusterName,
    options: { tables: storedTables(metadata.current()), nextTableId: metadata.state().schema.nextTableId, memtableSpaceBytes: config.memtableSpaceBytes, ...storeOptionsOf(config.storage) },
    events: {
      obligation: (bytes, position) => views.obligation(bytes, position),
      owed: (table) => views.owed(table),
      compacted: (record) => recordCompaction(store, record, clock.nowMicros()),
      failed: failures.backgroundFailed, logFailed: failures.logFailed, diskFailed: failures.diskFailed,
    },
  })
  const local: TimedStore = new TimedStore(store, clock)
  const hints = new Hints({ disk, clock, directory: `${config.dataDirectory}/hints`, metadata, liveness: heartbeats, log: (line) => log.info(line), syncsBeforeAck: config.storage.commitlogSync !== "periodic" })
  const virtualTables = createVirtualTables({
    snapshot: () => metadata.current(), self, liveness: heartbeats, generation: Math.floor(base.startedMicros / 1e6),
    clients: () => protocol.clients(), settings: () => settings(config), stats: (table) => store.stats(table), compactions: () => store.compactions(),
    activity: { storage: store.operations, jobs, hints, network, views, statements: () => executor.figures, requests: () => executor.latencies, batchSizes: () => executor.batchSizes, local },
  })
  const coordinator = new NodeCoordinator({
    self, store: local, router, metadata, liveness: heartbeats, clock, random: random.child("coordinator"), hints, derive: views.derive, virtualTables, timeouts: DEFAULT_TIMEOUTS,
  })
  const functions = functionContext(config, clock, random)
  const executor = new StatementExecutor({
    self, coordinator, metadata, clock, random, compile: (text, schema, keyspace) => compileStatement(text, schema, keyspace, functions),
  })
  const protocol: ProtocolServer = createProtocolServer({
    handler: executor, atTurnEnd: (fn) => clock.atTurnEnd(fn), beforeWrite: () => store.writeOut(), hasUnwritten: () => store.hasUnwritten?.() === true,
  })
  const ticker = new Ticker(clock, TICK_MS, (seconds) => {
    const { schema } = metadata.current()
    const isKnown = (table: TableId): boolean => schema.tableById(table) !== null
    executor.tick(seconds, isKnown)
    local.tick(seconds, isKnown)
  })
  parts = {
    ...base, ticker, config, log, self, router, metadata, heartbeats, failures, store, jobs, views, hints, coordinator, protocol, listener: new RealByteListener(), admin: null, isReady: false,
  }
  return parts
}

function recordCompaction(store: Store, record: CompactionRecord, nowMicros: number): void {
  const table = systemKeyspaces().find(({ name }) => name === "system")?.tables.get("compaction_history")
  const mutation = table === undefined ? null : historyMutation(table, record, nowMicros)
  if (mutation === null) return
  // A log that has failed, a full disk: the compaction was worth more than the note of it.
  void Promise.resolve().then(() => store.apply(mutation, "client", null)).catch(() => undefined)
}

function peerChanged(parts: Parts, node: number, change: "UP" | "DOWN"): void {
  const peer = parts.metadata.current().nodes.get(node)
  if (peer === undefined) return
  parts.log.info(`${peer.listenAddress}:${peer.listenPort} is now ${change}`)
  parts.protocol.broadcast({ kind: "status", change, address: peer.nativeAddress, port: peer.nativePort })
  if (change === "UP") {
    parts.hints.nodeUp(node)
    parts.views.nodeUp(node)
  }
}

/** What statements ask of the outside world. QuickJS is loaded when the first function of a user's is called. */
function functionContext({ userDefinedFunctions = DEFAULT_SCRIPT_LIMITS }: NodeConfig, clock: RealClock, random: RealRandom): FunctionContext {
  const nowMicros = (): number => clock.nowMicros()
  const context = { nowMicros, randomBytes: (count: number) => random.bytes(count) }
  return userDefinedFunctions === null ? context : { ...context, scripts: new ScriptSandbox({ load: loadQuickJs, nowMicros, limits: userDefinedFunctions }) }
}

/** The configuration as system_views.settings shows it, by cassandra.yaml's names. */
function settings(config: NodeConfig): [string, string][] {
  const { userDefinedFunctions: functions = DEFAULT_SCRIPT_LIMITS } = config
  return [
    ["cluster_name", config.clusterName], ["listen_address", config.address], ["storage_port", String(config.listenPort)],
    ["rpc_address", config.nativeAddress ?? config.address], ["native_transport_port", String(config.nativePort)], ["num_tokens", String(config.tokensPerNode)],
    ...storageSettingRows(config.storage),
    ["memtable_heap_space", `${config.memtableSpaceBytes / 1048576}MiB`], ["auto_snapshot", String(config.autoSnapshot)], ["materialized_views_enabled", "true"],
    ["user_defined_functions_enabled", String(functions !== null)], ["user_defined_functions_fail_timeout", `${(functions ?? DEFAULT_SCRIPT_LIMITS).failTimeoutMs}ms`],
  ]
}

function applySnapshot(parts: Parts, snapshot: Snapshot, before: Snapshot): void {
  if (snapshot.schema !== before.schema) parts.store.setTables(storedTables(snapshot))
  truncateAgain(parts, snapshot, before)
  setPeers(parts, snapshot)
  for (const event of schemaEvents(before, snapshot)) parts.protocol.broadcast(event)
  for (const event of topologyEvents(before, snapshot)) parts.protocol.broadcast(event)
  // Whoever waits for everybody to have applied this epoch learns it now, not at the next beat.
  parts.heartbeats.beat()
}

/** What was written while the entry was being persisted is void too: a view that heard of it may have been truncated since. */
function truncateAgain({ store, log }: Parts, snapshot: Snapshot, before: Snapshot): void {
  for (const { id } of storedTables(snapshot)) {
    if (before.schema.tableById(id) === null || snapshot.truncationEpoch(id) <= before.truncationEpoch(id)) continue
    store.truncate(id).catch((error: unknown) => log.info(`Not truncated again: ${String(error)}`))
  }
}

function setPeers(parts: Parts, snapshot: Snapshot): void {
  parts.network.setPeers([...snapshot.nodes.values()].map(({ node, listenAddress, listenPort }) => ({ node, address: listenAddress, port: listenPort })))
}

async function startParts(config: NodeConfig, parts: Parts, log: Log): Promise<void> {
  const { metadata, network, router, heartbeats, views, hints, coordinator, protocol, listener, self, identity, random } = parts
  const leader = metadata.leader
  metadata.subscribe((snapshot, before) => applySnapshot(parts, snapshot, before))
  setPeers(parts, metadata.current())
  router.start()
  // The leader's new addresses come first: nobody who asks may find it under those it had.
  if (metadata.isLeader) await announceAddresses(config, parts, identity, log)
  answerJoins(network, metadata, self, leader, (node) => heartbeats.isAlive(node), random, log)
  heartbeats.start()
  views.start()
  hints.start((keyspace, mutation, to, completion) => coordinator.deliver(VERB.hint, keyspace, mutation, to, completion))
  parts.admin = await startAdminHttp(config.adminAddress, config.adminPort, {
    ready: () => parts.isReady,
    health: () => health(parts),
    faults: config.testing ? network : null,
    diskFaults: parts.diskFaults,
    operations: {
      schema: () => metadata.current().schema, storage: parts.store.operations, nowMicros: () => parts.clock.nowMicros(),
      apply: (mutation) => parts.store.apply(mutation, "stream", views.derive),
    },
  }, log)
  if (!metadata.isLeader) await announceAddresses(config, parts, identity, log)
  await untilPeersSeen(parts)
  const nativeAddress = config.nativeAddress ?? config.address
  await listener.listen(nativeAddress, config.nativePort, protocol.accept)
  parts.isReady = true
  log.info(`Starting listening for CQL clients on /${nativeAddress}:${config.nativePort} (unencrypted)...`)
  log.info("Startup complete")
}

/**
 * A node that comes back under other addresses tells the leader, without which others cannot reach it, and learns from
 * the answer what has changed about them.
 */
async function announceAddresses(config: NodeConfig, parts: Parts, identity: Identity, log: Log): Promise<void> {
  const known = parts.metadata.current().nodes.get(parts.self)
  const now = describeSelf(config, identity.hostId)
  const same = known !== undefined && known.listenAddress === now.listenAddress && known.listenPort === now.listenPort
    && known.nativeAddress === now.nativeAddress && known.nativePort === now.nativePort
  if (same) return
  if (parts.metadata.isLeader) {
    if (known !== undefined) await parts.metadata.propose({ kind: "node", node: { ...now, node: parts.self, tokens: known.tokens } })
    return
  }
  const { state } = await joinCluster(config, identity.hostId, parts.network, log)
  await parts.metadata.install(state)
}

/** A node that was down is up at once for those that stayed up, but it must hear from them before it coordinates for clients. */
async function untilPeersSeen(parts: Parts): Promise<void> {
  const { metadata, heartbeats, clock, self } = parts
  const deadlineMs = clock.monotonicMs() + PEERS_WAIT_MS
  const isComplete = (): boolean => [...metadata.current().nodes.keys()].every((node) => node === self || heartbeats.isAlive(node))
  while (!isComplete() && clock.monotonicMs() < deadlineMs) await clock.sleep(10)
}

function health(parts: Parts): Record<string, unknown> {
  const snapshot = parts.metadata.current()
  const nodes = [...snapshot.nodes.keys()]
  return {
    ready: parts.isReady,
    stoppedBy: parts.failures.stoppedBy,
    node: parts.self,
    hostId: parts.identity.hostId,
    clusterName: snapshot.clusterName,
    epoch: snapshot.epoch,
    up: nodes.filter((node) => parts.heartbeats.isAlive(node)),
    down: nodes.filter((node) => !parts.heartbeats.isAlive(node)),
    pendingViewUpdates: parts.views.pending,
    pendingHintBytes: nodes.reduce((sum, node) => sum + parts.hints.pendingBytes(node), 0),
    clients: parts.protocol.connectionCount,
  }
}

/** The disk has failed: nobody is served any more, other nodes take this one for down; /health tells why. */
function stopTransports(parts: Parts): void {
  const { protocol, listener, heartbeats, log } = parts
  parts.isReady = false
  protocol.destroy()
  listener.stop().catch((error: unknown) => log.error(`The client port stays open: ${String(error)}`))
  heartbeats.stop()
}

async function stopParts(parts: Parts): Promise<void> {
  parts.log.info("Stop listening for CQL clients")
  parts.isReady = false
  await parts.protocol.drain()
  await parts.listener.stop()
  parts.ticker.stop()
  parts.views.stop()
  parts.hints.stop()
  parts.heartbeats.stop()
  parts.coordinator.stop()
  await parts.network.stop()
  await parts.store.close()
  await parts.jobs.stop()
  parts.admin?.close()
  parts.lock.release()
  parts.log.info("DRAINED")
}
