// Runs one golden file against a back end.
//
//   cql [node=N] [cl=QUORUM] [page=N] [now=SECONDS] [timestamp=MICROS]   statements
//   prepare [node=N] [cl=..]          one statement, then a line `with VALUE, ...` for each time it is executed;
//                                     a value is 'text', int N, bigint N, 0xHEX, null or unset
//   sleep ms=N
//   partition 1 | 2,3     heal     kill 2     restart 2     flush         on simulated clusters only
//
// `differs=ID` says that Cassandra answers otherwise, and that COMPAT.md has a line with this ID that says why.
// `apart=ID` says the same of a case that the oracle leaves out, since it would do Cassandra harm or never give the same twice.
import { CONSISTENCY } from "../../cql/errors.ts"
import type { Answer, QueryParameters } from "../../cql/protocol/testing.ts"
import { Buffer } from "../../runtime/pure.ts"
import { type AnswerText, answerText } from "./answer-text.ts"
import type { CqlClient } from "./cql-client.ts"
import { type GoldenCase, type GoldenFile, numberOf, statementsOf } from "./golden-file.ts"

export interface BackEnd {
  readonly nodes: number
  readonly replicationFactor: number
  /** A session with this node, the same every time until it is killed. */
  client(node: number): Promise<CqlClient>
  /** Lets the answer come. */
  wait<T>(work: Promise<T>): Promise<T>
  /** Called after every answer: views follow, and whatever else is to happen after a write. */
  settle(answer: AnswerText): Promise<void>
  sleep(ms: number): Promise<void>
  /** Null where there are no such commands. */
  readonly faults: FaultCommands | null
}

export interface FaultCommands {
  partition(groups: readonly (readonly number[])[]): void
  heal(): void
  kill(node: number): void
  restart(node: number): Promise<void>
  flush(): Promise<void>
}

const KEYSPACE = "ks"
/** No golden has so many. */
const MAX_PAGES = 1000

/** One statement with what came back. */
export interface StatementRun {
  readonly statement: string
  readonly lines: readonly string[]
}

/** What each case's statements gave. */
export type GoldenRun = readonly (readonly StatementRun[])[]

/** What belongs under the case's ----. */
export function outputOf(runs: readonly StatementRun[]): string {
  return runs.flatMap(({ lines }) => lines).join("\n")
}

/** REQUIRES: the back end holds no keyspace but the system's. */
export async function runGoldenFile(file: GoldenFile, backEnd: BackEnd): Promise<GoldenRun> {
  const run = new Run(backEnd)
  await run.begin()
  const runs: (readonly StatementRun[])[] = []
  for (const one of file.cases) {
    try {
      runs.push(await run.one(one))
    } catch (error) {
      if (error instanceof Error) error.message += `\nat ${file.name}:${one.line}`
      throw error
    }
  }
  return runs
}

class Run {
  readonly #backEnd: BackEnd

  constructor(backEnd: BackEnd) {
    this.#backEnd = backEnd
  }

  async begin(): Promise<void> {
    const { nodes, replicationFactor } = this.#backEnd
    await this.#ask(1, (client) => client.query(`CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${replicationFactor}}`, {}))
    for (let node = 1; node <= nodes; node++) await this.#use(node)
  }

  async one(one: GoldenCase): Promise<readonly StatementRun[]> {
    switch (one.command) {
      case "":
      case "cluster":
        return []
      case "cql":
        return this.#cql(one)
      case "prepare":
        return this.#prepare(one)
      case "sleep":
        await this.#backEnd.sleep(numberOf(one, "ms", 0))
        return []
      default:
        await this.#fault(one)
        return []
    }
  }

  async #cql(one: GoldenCase): Promise<StatementRun[]> {
    const runs: StatementRun[] = []
    for (const statement of statementsOf(one.input)) {
      runs.push({ statement, lines: await this.#pages(one, (client, parameters) => client.query(statement, parameters), this.#parameters(one)) })
    }
    return runs
  }

  async #prepare(one: GoldenCase): Promise<StatementRun[]> {
    const statement = one.input.split("\n").filter((line) => !line.startsWith("with ")).join("\n")
    const node = this.#nodeOf(one)
    const { lines, prepared } = await this.#ask(node, (client) => client.prepare(statement))
    const runs: StatementRun[] = [{ statement, lines }]
    for (const line of one.input.split("\n")) {
      if (prepared === null || !line.startsWith("with ")) continue
      const values = boundValues(line.slice(5))
      const execute = (client: CqlClient, parameters: QueryParameters): Promise<Answer> => client.execute(prepared.id, prepared.resultMetadataId, parameters)
      runs.push({ statement: `${statement}\n${line}`, lines: await this.#pages(one, execute, { ...this.#parameters(one), values }) })
    }
    return runs
  }

  /** Every page, the later ones after a line that says so. */
  async #pages(one: GoldenCase, start: (client: CqlClient, parameters: QueryParameters) => Promise<Answer>, parameters: QueryParameters): Promise<string[]> {
    const node = this.#nodeOf(one)
    const lines: string[] = []
    let answer = await this.#ask(node, (client) => start(client, parameters))
    lines.push(...answer.lines)
    for (let page = 2; answer.pagingState !== null && page < MAX_PAGES; page++) {
      const pagingState = answer.pagingState
      answer = await this.#ask(node, (client) => start(client, { ...parameters, pagingState }))
      lines.push(`-- page ${page}`, ...(answer.kind === "rows" ? answer.lines.slice(1) : answer.lines))
    }
    return lines
  }

  #parameters(one: GoldenCase): QueryParameters {
    const level = one.arguments.get("cl") ?? "QUORUM"
    const consistency = CONSISTENCY[level.toLowerCase().replace(/_(.)/, (_, letter: string) => letter.toUpperCase()) as keyof typeof CONSISTENCY]
    if (consistency === undefined) throw new Error(`consistency level ${level}`)
    const timestamp = numberOf(one, "timestamp", -1)
    return {
      consistency,
      ...(one.arguments.has("page") ? { pageSize: numberOf(one, "page", 0) } : {}),
      ...(one.arguments.has("now") ? { nowSeconds: numberOf(one, "now", 0) } : {}),
      ...(timestamp >= 0 ? { timestamp: [Math.floor(timestamp / 2 ** 32), timestamp >>> 0] as const } : {}),
    }
  }

  async #ask(node: number, ask: (client: CqlClient) => Promise<Answer>): Promise<AnswerText> {
    const client = await this.#backEnd.client(node)
    const answer = answerText(await this.#backEnd.wait(ask(client)))
    await this.#backEnd.settle(answer)
    return answer
  }

  async #use(node: number): Promise<void> {
    const { kind, lines } = await this.#ask(node, (client) => client.query(`USE ${KEYSPACE}`, {}))
    if (kind !== "keyspace") throw new Error(lines.join("\n"))
  }

  #nodeOf(one: GoldenCase): number {
    return Math.min(numberOf(one, "node", 1), this.#backEnd.nodes)
  }

  async #fault(one: GoldenCase): Promise<void> {
    const { faults } = this.#backEnd
    if (faults === null) throw new Error(`no ${one.command} here`)
    const words = one.head.slice(one.command.length).trim()
    switch (one.command) {
      case "partition":
        faults.partition(words.split("|").map((group) => group.split(",").map(Number)))
        return
      case "heal":
        faults.heal()
        return
      case "kill":
        faults.kill(Number(words))
        return
      case "restart":
        await faults.restart(Number(words))
        await this.#use(Number(words))
        return
      case "flush":
        await faults.flush()
        return
      default:
        throw new Error(`an unknown command: ${one.command}`)
    }
  }
}

function boundValues(text: string): (Buffer | null | undefined)[] {
  return [...text.matchAll(/'((?:[^']|'')*)'|int (-?\d+)|bigint (-?\d+)|0x([0-9a-fA-F]*)|(null)|(unset)/g)].map(([, quoted, int, bigint, hex, isNull]) => {
    if (quoted !== undefined) return Buffer.from(quoted.replaceAll("''", "'"))
    if (hex !== undefined) return Buffer.from(hex, "hex")
    if (isNull !== undefined) return null
    const bytes = Buffer.alloc(int === undefined ? 8 : 4)
    if (int !== undefined) bytes.writeInt32BE(Number(int))
    else if (bigint !== undefined) bytes.writeBigInt64BE(BigInt(bigint))
    else return undefined
    return bytes
  })
}
