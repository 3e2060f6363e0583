// One random history of a cluster with views: clients write through any node at any level while links fall away, lose, repeat
// and reorder messages, processes are killed, machines lose their power, memtables are flushed, and a view is made on a
// table that holds data. Then all is healed, and the laws are checked:
//
//   - once every row of the base was read at ALL (read repair) its replicas are equal, byte for byte;
//   - nobody owes anybody an entry;
//   - every view read at ALL through every node equals the query recomputed from the base (L2), now and at every later time.
import { expect } from "vitest"
import { CONSISTENCY, RequestError } from "../../cql/errors.ts"
import { wholeTable, SimulatedCluster } from "./cluster.ts"
import { BASE_DESCRIPTOR, type ViewDefinition, makeView } from "../../data/testdata/view-tables.ts"
import type { SchemaDescriptor, TableDescriptor, TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import { ResponseWriter } from "../../coordinator/reads/read-response.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import { CALM } from "../../runtime/simulated/simulated-network.ts"
import { run as compact } from "../../storage/jobs/compact.ts"
import { run as flush } from "../../storage/jobs/flush.ts"
import type { StoreOptions } from "../../storage/store-options.ts"
import { type BaseRow, readBase, readView, recompute } from "./view-oracle.ts"

/** Shapes that CQL allows, and those that only the engine does so far. */
export const SHAPES: readonly ViewDefinition[] = [
  { keys: ["a"], select: ["b", "c", "m"] },
  { keys: [], select: ["b"] },
  { keys: [], select: ["m"] },
  { keys: ["a"], select: [] },
  { keys: ["a", "b"], select: ["c"] },
  { keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] },
  { keys: [], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] },
]

export interface HistoryOptions {
  readonly nodes: number
  /** With one replica nothing hides a mistake: with three, what one forgets to tell the others tell. */
  readonly replicationFactor: number
  readonly shapes: readonly ViewDefinition[]
  /** Of them, made while clients write. */
  readonly lateShapes: number
  readonly runMs: number
  readonly clients: number
}

const PARTITIONS = ["p1", "p2"]
const CLUSTERINGS = ["q1", "q2", "q3"]
const VALUES = { a: ["x", "y", "z", ""], b: ["1", "2"], c: ["3", "4"], f: ["on", "off"], u: ["5"] } as const
const LATER_SECONDS = [0, 1, 3, 10, 20, 35, 60, 1000]
const PATIENCE_MS = 12_000
const BODIES = { flush, compact }
const STORE_OPTIONS = { commitlogSegmentBytes: 4096, commitlogSyncPeriodMs: 500, memtableSpaceBytes: 8 << 20 }

/** Every third seed acknowledges after the sync. */
function storeOptionsOf(seed: number): Partial<StoreOptions> {
  return { ...STORE_OPTIONS, commitlogSync: seed % 3 === 0 ? "batch" : "periodic" }
}

interface Place {
  /** "p = 'p1'" */
  readonly partition: string
  readonly clustering: string
}

interface NamedView {
  readonly name: string
  readonly definition: ViewDefinition
  readonly descriptor: TableDescriptor
}

export function schemaOf(views: readonly NamedView[], replicationFactor = 3): SchemaDescriptor {
  const replication = { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: String(replicationFactor) }
  return { keyspaces: [{ name: "k", durableWrites: true, types: [], replication, tables: [BASE_DESCRIPTOR, ...views.map(({ descriptor }) => descriptor)] }], nextTableId: 1100 }
}

export function namedViews(definitions: readonly ViewDefinition[]): NamedView[] {
  return definitions.map((definition, index) => ({ name: `v${index}`, definition, descriptor: makeView(definition, 1001 + index, `v${index}`).descriptor }))
}

export class ViewHistory {
  readonly cluster: SimulatedCluster
  readonly statements: string[] = []
  acknowledged = 0
  readonly #random: Random
  readonly #options: HistoryOptions
  readonly #views: NamedView[]
  readonly #nodes: readonly number[]
  #endMs = 0
  #timestamp = 1000

  private constructor(cluster: SimulatedCluster, options: HistoryOptions, views: NamedView[]) {
    this.cluster = cluster
    this.#options = options
    this.#views = views
    this.#random = cluster.simulation.random.child("history")
    this.#nodes = Array.from({ length: options.nodes }, (_, index) => index + 1)
  }

  static async start(seed: number, options: HistoryOptions): Promise<ViewHistory> {
    const views = namedViews(options.shapes)
    const schema = schemaOf(views.slice(0, views.length - options.lateShapes), options.replicationFactor)
    const cluster = await SimulatedCluster.start({ seed, nodes: options.nodes, schema, simulation: { bodies: BODIES, maxSkewMs: 50 }, storeOptions: storeOptionsOf(seed), ...(seed % 2 === 0 ? { maxOwed: 4 } : {}) })
    return new ViewHistory(cluster, options, views)
  }

  async run(): Promise<void> {
    const { clock } = this.cluster.simulation
    this.#endMs = clock.monotonicMs() + this.#options.runMs
    const clients = Array.from({ length: this.#options.clients }, (_, client) => this.#client(this.#random.child(`client ${client}`)))
    await this.cluster.wait(Promise.all([...clients, this.#nemesis(this.#random.child("nemesis")), this.#addViews(this.#random.child("views"))]))
  }

  /** Heals everything and waits until all is delivered, then checks. */
  async check(): Promise<void> {
    await this.#settle()
    const { cluster } = this
    const base = cluster.table("k", "base")
    const repaired = await readBase(cluster, this.#running()[0] as number, base, this.#nowSeconds(), CONSISTENCY.all)
    await this.#drained()
    this.#expectEqualReplicas(base)
    for (const node of this.#nodes) await this.#expectViews(node, base, repaired)
  }

  async #expectViews(node: number, base: TableSchema, repaired: readonly BaseRow[]): Promise<void> {
    const { cluster } = this
    const now = this.#nowSeconds()
    expect((await readBase(cluster, node, base, now, CONSISTENCY.all)).map(({ key }) => key)).toEqual(repaired.map(({ key }) => key))
    for (const { name, definition } of this.#views) {
      const view = cluster.table("k", name)
      for (const later of LATER_SECONDS) {
        const shown = await readView(cluster, node, view, definition, now + later, CONSISTENCY.all)
        expect(shown, `${name} ${JSON.stringify(definition)} through node ${node} in ${later} s`).toEqual(recompute(definition, repaired, now + later))
      }
    }
  }

  /** The base's replicas of each partition hold the same bytes. */
  #expectEqualReplicas(base: TableSchema): void {
    for (const partition of PARTITIONS) {
      const key = Buffer.from(partition)
      const token = tokenOf(key)
      const { read } = this.cluster.node(1).metadata.current().placement("k", token.high, token.low)
      const contents = read.map((node) => {
        const writer = new ResponseWriter()
        expect(this.cluster.node(node).store.read({ ...wholeTable(base), target: { kind: "partition", token, key } }, writer)).toBeUndefined()
        return writer.out.take().toString("hex")
      })
      for (const other of contents) expect(other, `the replicas of ${partition}`).toBe(contents[0])
    }
  }

  async #settle(): Promise<void> {
    const { cluster } = this
    cluster.heal()
    cluster.simulation.hub.conditions = CALM
    for (const node of this.#nodes) if (!cluster.isRunning(node)) await cluster.restart(node)
    await cluster.sleep(1000)
    await this.#drained()
  }

  /** No view entry, view build or hint is open. */
  async #drained(): Promise<void> {
    for (let passedMs = 0; ; passedMs += 500) {
      const open = this.#open()
      if (open.length === 0) return
      expect(passedMs, `all is delivered in the end, but ${open.join(", ")}`).toBeLessThan(120_000)
      await this.cluster.sleep(500)
    }
  }

  /** What is not delivered or built yet. */
  #open(): string[] {
    const { running, log } = this.cluster
    const open: string[] = []
    for (const { node, views, hints } of running) {
      if (views.pending > 0) open.push(`node ${node} owes ${views.pending} entries`)
      for (const peer of this.#nodes) if (hints.pendingBytes(peer) > 0) open.push(`node ${node} has hints for ${peer}`)
      for (const { descriptor } of this.#views) {
        const isBuilt = log.last.viewBuilds.some((build) => build.view === descriptor.id && build.node === node && build.status === "SUCCESS")
        if (!isBuilt) open.push(`node ${node} has not built ${descriptor.name}`)
      }
    }
    return open
  }

  #running(): number[] {
    return this.#nodes.filter((node) => this.cluster.isRunning(node))
  }
  #nowSeconds(): number {
    return Math.floor(this.cluster.simulation.clock.nowMicros() / 1e6)
  }
  get #isOver(): boolean {
    return this.cluster.simulation.clock.monotonicMs() >= this.#endMs
  }

  async #client(random: Random): Promise<void> {
    const { clock } = this.cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 200)
      // Several writes of one row at once meet each other's messages under way.
      const place = this.#place(random)
      const count = random.below(3) === 0 ? 2 + random.below(4) : 1
      const writes = Array.from({ length: count }, () => this.#write(random, place))
      await Promise.race([Promise.all(writes), clock.sleep(PATIENCE_MS)])
    }
  }

  async #write(random: Random, place: Place): Promise<void> {
    const { clock } = this.cluster.simulation
    const running = this.#running()
    const node = running[random.below(Math.max(1, running.length))]
    const statement = this.#statement(random, place)
    const pauseMs = random.below(2) * random.float() * 20
    const consistency = random.below(2) === 0 ? CONSISTENCY.one : CONSISTENCY.quorum
    await clock.sleep(pauseMs)
    if (node === undefined || !this.cluster.isRunning(node)) return
    this.statements.push(`${clock.monotonicMs().toFixed(1)} n${node} ${statement}`)
    try {
      await this.cluster.client(node).query(statement, { consistency })
      this.acknowledged++
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
    }
  }

  /** Makes the late views, and now and then drops one and makes it anew under the same name. */
  async #addViews(random: Random): Promise<void> {
    const { lateShapes, runMs } = this.#options
    const { clock } = this.cluster.simulation
    const last = this.#views.length
    for (let count = last - lateShapes + 1; count <= last; count++) {
      await clock.sleep((random.float() * runMs) / lateShapes)
      this.#setViews(this.#views.slice(0, count), `view v${count - 1}`)
    }
    if (random.below(4) > 0) return
    await clock.sleep(random.float() * 3000)
    const index = random.below(last)
    const { name, definition } = this.#views[index] as NamedView
    this.#setViews(this.#views.filter((_, other) => other !== index), `drop ${name}`)
    await clock.sleep(random.float() * 1000)
    this.#views[index] = { name, definition, descriptor: makeView(definition, 1051 + index, name).descriptor }
    this.#setViews(this.#views, `again ${name}`)
  }

  #setViews(views: readonly NamedView[], what: string): void {
    const { log, simulation } = this.cluster
    this.statements.push(`${Math.round(simulation.clock.monotonicMs())} ${what}`)
    log.append({ kind: "schema", expected: log.last.schemaEpoch, schema: schemaOf(views, this.#options.replicationFactor) })
  }

  async #nemesis(random: Random): Promise<void> {
    const { cluster } = this
    const { clock, hub } = cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 1500)
      const node = this.#nodes[random.below(this.#nodes.length)] as number
      const kind = random.below(random.below(4) === 0 ? 10 : 9)
      this.statements.push(`${Math.round(clock.monotonicMs())} fault ${kind} n${node}`)
      if (kind === 0) cluster.partition([node], this.#nodes.filter((other) => other !== node))
      else if (kind <= 2) cluster.heal()
      else if (kind === 3) hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5 + random.below(2) * 300, dropRate: random.below(3) * 0.1, duplicateRate: random.below(3) * 0.15 }
      else if (kind === 4) hub.conditions = CALM
      else if (kind === 5) this.#flush(node)
      else if (kind === 9) this.#truncate(node)
      else if (cluster.isRunning(node)) {
        if (kind === 6) cluster.kill(node)
        else cluster.powerLoss(node)
        await clock.sleep(random.float() * 1500)
        await cluster.startNode(node)
      }
    }
  }

  #flush(node: number): void {
    if (!this.cluster.isRunning(node)) return
    // The process may die meanwhile.
    void this.cluster.node(node).store.flush().catch(() => undefined)
  }

  #truncate(node: number): void {
    if (!this.cluster.isRunning(node)) return
    // Nobody waits for it: some node may be away.
    void this.cluster.client(node).query("TRUNCATE k.base").catch(() => undefined)
  }

  #pick<T>(random: Random, from: readonly T[]): T {
    return from[random.below(from.length)] as T
  }

  /** Mostly rising, often equal, sometimes far back. */
  #stamp(random: Random): number {
    this.#timestamp += random.below(3)
    return this.#timestamp - (random.below(4) === 0 ? random.below(12) : 0)
  }

  #assignments(random: Random): Map<string, string> {
    const set = new Map<string, string>()
    for (const column of ["a", "b", "c", "f", "u"] as const) {
      if (random.below(column === "a" ? 2 : 3) > 0) continue
      set.set(column, random.below(6) === 0 ? "null" : `'${this.#pick(random, VALUES[column])}'`)
    }
    return set
  }

  #place(random: Random): Place {
    return { partition: `p = '${this.#pick(random, PARTITIONS)}'`, clustering: this.#pick(random, CLUSTERINGS) }
  }

  #statement(random: Random, place: Place): string {
    const kind = random.below(16)
    if (kind < 15) return this.#single(random, kind, place)
    return `BEGIN UNLOGGED BATCH ${[0, 1, 2].map(() => this.#single(random, random.below(15), this.#place(random))).join("; ")}; APPLY BATCH`
  }

  #single(random: Random, kind: number, { partition, clustering }: Place): string {
    const stamp = this.#stamp(random)
    const ttl = random.below(4) === 0 ? ` AND TTL ${1 + random.below(40)}` : ""
    const where = `${partition} AND q = '${clustering}'`
    const set = this.#assignments(random)
    if (kind >= 9) set.set("a", `'${this.#pick(random, VALUES.a)}'`)
    const element = this.#pick(random, ["k1", "k2"])
    switch (kind) {
      case 0:
        return `DELETE FROM k.base USING TIMESTAMP ${stamp} WHERE ${where}`
      case 1:
        return `DELETE FROM k.base USING TIMESTAMP ${stamp} WHERE ${partition} AND q ${this.#pick(random, [">", ">=", "<", "<="])} '${clustering}'`
      case 2:
        return random.below(3) === 0 ? `DELETE FROM k.base USING TIMESTAMP ${stamp} WHERE ${partition}` : `DELETE a FROM k.base USING TIMESTAMP ${stamp} WHERE ${where}`
      case 3:
        return `DELETE ${this.#pick(random, ["a", "b", "c", "f", "u", "m", `m['${element}']`])} FROM k.base USING TIMESTAMP ${stamp} WHERE ${where}`
      case 4:
        return `UPDATE k.base USING TIMESTAMP ${stamp}${ttl} SET m = m + {'${element}': '${stamp}'} WHERE ${where}`
      case 5:
        return `UPDATE k.base USING TIMESTAMP ${stamp}${ttl} SET m = {'${element}': '${stamp}'}, a = '${this.#pick(random, VALUES.a)}' WHERE ${where}`
      case 6:
      case 7:
      case 8:
        if (set.size === 0) set.set("b", "'1'")
        return `UPDATE k.base USING TIMESTAMP ${stamp}${ttl} SET ${[...set].map(([name, value]) => `${name} = ${value}`).join(", ")} WHERE ${where}`
      default: {
        const names = ["p", "q", ...set.keys()]
        const values = [partition.slice(4), `'${clustering}'`, ...set.values()]
        return `INSERT INTO k.base (${names.join(", ")}) VALUES (${values.join(", ")}) USING TIMESTAMP ${stamp}${ttl}`
      }
    }
  }
}
