// Golden files on a server that is already there: real Cassandra, or a node of Belvedere's.
import { setTimeout as sleep } from "node:timers/promises"
import type { Answer } from "../../cql/protocol/testing.ts"
import { type AnswerText, answerText } from "../cql/answer-text.ts"
import type { CqlClient } from "../cql/cql-client.ts"
import type { BackEnd } from "../cql/golden-run.ts"
import { type SocketClient, connect } from "./socket-client.ts"

const SYSTEM = new Set(["system", "system_auth", "system_distributed", "system_schema", "system_traces", "system_views", "system_virtual_schema", "system_metrics"])
const POLL_MS = 20
const MAX_POLLS = 500

export class ServerBackEnd implements BackEnd {
  readonly nodes = 1
  readonly replicationFactor = 1
  readonly faults = null
  readonly #connection: SocketClient

  private constructor(connection: SocketClient) {
    this.#connection = connection
  }

  /** Drops all keyspaces but the system's. */
  static async start(address: string): Promise<ServerBackEnd> {
    const backEnd = new ServerBackEnd(await connect(address))
    for (const keyspace of await backEnd.#texts("SELECT keyspace_name FROM system_schema.keyspaces")) {
      const name = keyspace.slice(1, -1)
      if (!SYSTEM.has(name)) await backEnd.#ask((client) => client.query(`DROP KEYSPACE "${name}"`, {}))
    }
    return backEnd
  }

  client(): Promise<CqlClient> {
    return Promise.resolve(this.#connection.client)
  }
  wait<T>(work: Promise<T>): Promise<T> {
    return work
  }
  sleep(ms: number): Promise<void> {
    return sleep(ms)
  }

  /** Views and indexes are built in the background. */
  async settle({ kind, lines }: AnswerText): Promise<void> {
    if (kind !== "schema") return
    if (lines.some((line) => line.startsWith("created table"))) {
      await this.#built("SELECT keyspace_name, view_name FROM system_schema.views", "SELECT keyspace_name, view_name FROM system.built_views")
    }
    if (lines.some((line) => line.startsWith("updated table"))) {
      await this.#built("SELECT keyspace_name, index_name FROM system_schema.indexes", 'SELECT table_name, index_name FROM system."IndexInfo"')
    }
  }

  async #built(all: string, done: string): Promise<void> {
    for (let poll = 0; poll < MAX_POLLS; poll++) {
      const wanted = await this.#texts(all)
      const built = new Set(await this.#texts(done))
      // Indexes of the system's own tables are no user's business.
      if (wanted.every((name) => built.has(name) || name.startsWith("'system'"))) return
      await sleep(POLL_MS)
    }
    throw new Error("a view or an index is not built in time")
  }

  end(): void {
    this.#connection.end()
  }

  async #texts(query: string): Promise<readonly string[]> {
    return answerText(await this.#ask((client) => client.query(query, {}))).lines.slice(1)
  }
  #ask(ask: (client: CqlClient) => Promise<Answer>): Promise<Answer> {
    return ask(this.#connection.client)
  }
}
