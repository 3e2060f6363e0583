// Golden files on simulated nodes with the real storage. Clients speak the native protocol to each node's own server, by
// function calls instead of sockets.
import { createProtocolServer } from "../../cql/protocol/server.ts"
import type { ByteConnection } from "../../runtime/byte-listener.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { run as compact } from "../../storage/jobs/compact.ts"
import { run as flush } from "../../storage/jobs/flush.ts"
import { SimulatedCluster } from "../simulated/cluster.ts"
import type { AnswerText } from "./answer-text.ts"
import { CqlClient } from "./cql-client.ts"
import type { BackEnd, FaultCommands } from "./golden-run.ts"

const SETTLE_STEP_MS = 20
const MAX_SETTLE_STEPS = 3000

export interface SimulatedBackEndOptions {
  readonly seed: number
  readonly nodes: number
  readonly replicationFactor: number
  /** Every memtable goes to an SSTable after every write, so that reads come from files. */
  readonly flushAfterWrites: boolean
}

export class SimulatedBackEnd implements BackEnd {
  readonly nodes: number
  readonly replicationFactor: number
  readonly faults: FaultCommands
  readonly #cluster: SimulatedCluster
  readonly #flushAfterWrites: boolean
  readonly #clients = new Map<number, CqlClient>()

  private constructor(cluster: SimulatedCluster, options: SimulatedBackEndOptions) {
    this.#cluster = cluster
    this.nodes = options.nodes
    this.replicationFactor = options.replicationFactor
    this.#flushAfterWrites = options.flushAfterWrites
    this.faults = {
      partition: (groups) => cluster.partition(...groups),
      heal: () => cluster.heal(),
      kill: (node) => {
        this.#clients.delete(node)
        cluster.kill(node)
      },
      restart: (node) => cluster.restart(node),
      flush: () => this.#flush(),
    }
  }

  static async start(options: SimulatedBackEndOptions): Promise<SimulatedBackEnd> {
    const { seed, nodes } = options
    const cluster = await SimulatedCluster.start({ seed, nodes, schema: { keyspaces: [], nextTableId: 1000 }, simulation: { bodies: { flush, compact } } })
    return new SimulatedBackEnd(cluster, options)
  }

  async client(node: number): Promise<CqlClient> {
    const known = this.#clients.get(node)
    if (known !== undefined) return known
    const { executor, process, store } = this.#cluster.node(node)
    const server = createProtocolServer({ handler: executor, atTurnEnd: (fn) => process.clock.atTurnEnd(fn), beforeWrite: () => store.writeOut() })
    const client: CqlClient = new CqlClient((bytes) => handlers.data(bytes))
    const handlers = server.accept(connectionTo(client))
    await this.wait(client.start())
    this.#clients.set(node, client)
    return client
  }

  wait<T>(work: Promise<T>): Promise<T> {
    return this.#cluster.wait(work)
  }
  sleep(ms: number): Promise<void> {
    return this.#cluster.sleep(ms)
  }

  /** Until no node owes another a view entry, and every view and index is built. */
  async settle({ kind }: AnswerText): Promise<void> {
    if (kind !== "void" && kind !== "schema") return
    for (let step = 0; !this.#isSettled() && step < MAX_SETTLE_STEPS; step++) await this.sleep(SETTLE_STEP_MS)
    if (kind === "void" && this.#flushAfterWrites) await this.#flush()
  }

  #isSettled(): boolean {
    const { running, log } = this.#cluster
    if (running.length < this.nodes) return true
    const { schema, viewBuilds } = log.last
    const views = schema.keyspaces.flatMap(({ tables }) => tables.flatMap(({ view, id, indexes = [] }) => [...(view === null ? [] : [id]), ...indexes.map((index) => index.id)]))
    const isBuilt = (view: number, node: number): boolean => viewBuilds.some((build) => build.view === view && build.node === node && build.status === "SUCCESS")
    return running.every(({ node, views: { pending }, metadata }) => pending === 0 && metadata.current().epoch === log.last.epoch && views.every((view) => isBuilt(view, node)))
  }

  async #flush(): Promise<void> {
    await this.wait(Promise.all(this.#cluster.running.map(({ store }) => store.flush())))
  }
}

/** The server's end of a connection. */
function connectionTo(client: CqlClient): ByteConnection {
  return {
    remote: "127.0.0.1:50000",
    write: (bytes: Uint8Array) => {
      client.received(bytes as Buffer)
      return true
    },
    pause: () => undefined,
    resume: () => undefined,
    end: () => client.closed(),
    destroy: () => client.closed(),
  }
}
