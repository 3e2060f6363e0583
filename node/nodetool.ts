// `belvedere nodetool`: the verbs of Cassandra's nodetool that this server has, over a node's admin port. Exit codes are
// nodetool's: 1 for wrong usage, 2 for an error of the node.
import { Command } from "commander"
import { DEFAULTS } from "./config.ts"

interface Target {
  readonly host: string
  readonly port: string
}

type Parameters = readonly (readonly [string, string])[]

/** Short options of two letters, which only nodetool has. */
const LONG_NAMES: Readonly<Record<string, string>> = { "-kt": "--kt-list", "-sf": "--skip-flush" }

/** Runs the words behind `nodetool`; sets the exit code. */
export async function runNodetool(words: readonly string[]): Promise<void> {
  await nodetoolCommand().parseAsync(words.map((word) => LONG_NAMES[word] ?? word), { from: "user" })
}

function nodetoolCommand(): Command {
  const tool = new Command("nodetool")
    .description("operate one node")
    .option("-h, --host <host>", "admin address of the node", "127.0.0.1")
    .option("-p, --port <port>", "admin port of the node", String(DEFAULTS.adminPort))
    .helpOption("--help")
    .enablePositionalOptions()
  const ask = async (verb: string, parameters: Parameters): Promise<Record<string, unknown>> => askNode(tool.opts<Target>(), verb, parameters)
  addTableVerbs(tool, ask)
  addSnapshotVerbs(tool, ask)
  return tool
}

type Ask = (verb: string, parameters: Parameters) => Promise<Record<string, unknown>>

function addTableVerbs(tool: Command, ask: Ask): void {
  for (const [verb, description] of [["flush", "write memtables to SSTables"], ["compact", "merge each table's SSTables"]] as const) {
    tool
      .command(`${verb} [keyspace] [tables...]`)
      .description(description)
      .action((keyspace, tables) => run(async () => void (await ask(verb, tableParameters(keyspace, tables)))))
  }
  tool
    .command("compactionstats")
    .description("list the compactions that run")
    .action(() =>
      run(async () => {
        const { compactions } = (await ask("compactionstats", [])) as unknown as { compactions: ListedCompaction[] }
        const header = ["id", "compaction type", "keyspace", "table", "completed", "total", "unit", "progress"]
        const rows = compactions.map(({ id, reason, keyspace, table, doneBytes, totalBytes }) => [
          id, reason, keyspace ?? "", table ?? "", String(doneBytes), String(totalBytes), "bytes", `${((100 * doneBytes) / Math.max(totalBytes, 1)).toFixed(2)}%`,
        ])
        process.stdout.write(`pending tasks: ${compactions.length}\n${rows.length === 0 ? "" : `${columns([header, ...rows])}\n`}`)
      }),
    )
  tool
    .command("verify [keyspace] [tables...]")
    .description("read every byte of the tables' SSTables and check it")
    .action((keyspace, tables) =>
      run(async () => {
        const { files } = (await ask("verify", tableParameters(keyspace, tables))) as { files: { path: string; bytes: number; problem: string | null }[] }
        const damaged = files.filter(({ problem }) => problem !== null)
        for (const { problem } of damaged) process.stderr.write(`${problem}\n`)
        process.stdout.write(`Verified ${files.length} SSTables, ${files.reduce((sum, { bytes }) => sum + bytes, 0)} bytes; ${damaged.length} damaged\n`)
        if (damaged.length > 0) process.exitCode = 2
      }),
    )
}

function addSnapshotVerbs(tool: Command, ask: Ask): void {
  tool
    .command("snapshot [keyspaces...]")
    .description("take a snapshot of keyspaces or tables")
    .option("-t, --tag <tag>", "the snapshot's name; the time unless given")
    .option("--kt-list <tables>", "tables as keyspace.table, comma separated")
    .option("--skip-flush", "without what is only in memory", false)
    .action((keyspaces: string[], options: { tag?: string; ktList?: string; skipFlush: boolean }) => run(() => takeSnapshots(ask, keyspaces, options)))
  tool
    .command("listsnapshots")
    .description("list the snapshots of this node")
    .action(() => run(async () => process.stdout.write(snapshotTable((await ask("listsnapshots", [])) as unknown as { snapshots: ListedSnapshot[] }))))
  tool
    .command("clearsnapshot [keyspaces...]")
    .description("remove snapshots")
    .option("-t <tag>", "the snapshot's name")
    .option("--all", "every snapshot", false)
    .action((keyspaces: string[], options: { t?: string; all: boolean }) =>
      run(async () => {
        const tag: Parameters = options.t === undefined ? [] : [["tag", options.t]]
        await ask("clearsnapshot", [...tag, ...(options.all ? [["all", ""] as const] : []), ...keyspaces.map((name) => ["keyspace", name] as const)])
        const where = keyspaces.length === 0 ? "[all keyspaces]" : `[${keyspaces.join(", ")}]`
        process.stdout.write(`Requested clearing snapshot(s) for ${where} with ${options.t === undefined ? "[all snapshots]" : `snapshot name [${options.t}]`}\n`)
      }),
    )
  tool
    .command("import <keyspace> <table> <snapshot>")
    .description("write the rows of one of this node's snapshots into the table again, beside what is there: truncate first to get the snapshot alone")
    .action((keyspace: string, table: string, snapshot: string) =>
      run(async () => {
        const { rows } = await ask("import", [["keyspace", keyspace], ["table", table], ["snapshot", snapshot]])
        process.stdout.write(`Imported ${String(rows)} rows of snapshot ${snapshot} into ${keyspace}.${table}\n`)
      }),
    )
}

async function takeSnapshots(ask: Ask, keyspaces: readonly string[], options: { tag?: string; ktList?: string; skipFlush: boolean }): Promise<void> {
  const tag = options.tag ?? String(Date.now())
  const common: Parameters = [["tag", tag], ...(options.skipFlush ? [["skip-flush", ""] as const] : [])]
  const chosen = options.ktList === undefined ? [...keyspaces] : options.ktList.split(",")
  process.stdout.write(`Requested creating snapshot(s) for [${chosen.length === 0 ? "all keyspaces" : chosen.join(", ")}] with snapshot name [${tag}] and options {skipFlush=${String(options.skipFlush)}}\n`)
  if (options.ktList !== undefined) {
    for (const name of chosen) {
      const [keyspace, table, ...rest] = name.split(".")
      if (keyspace === undefined || table === undefined || rest.length > 0) throw new UsageError("Keyspace and table must be specified as keyspace.table")
      await ask("snapshot", [...common, ["keyspace", keyspace], ["table", table]])
    }
  } else if (keyspaces.length === 0) await ask("snapshot", common)
  else for (const keyspace of keyspaces) await ask("snapshot", [...common, ["keyspace", keyspace]])
  process.stdout.write(`Snapshot directory: ${tag}\n`)
}

interface ListedCompaction {
  readonly id: string
  readonly reason: string
  readonly keyspace: string | null
  readonly table: string | null
  readonly doneBytes: number
  readonly totalBytes: number
}

interface ListedSnapshot {
  readonly name: string
  readonly keyspace: string
  readonly table: string
  readonly trueSize: number
  readonly sizeOnDisk: number
  readonly createdAt: string
}

function snapshotTable({ snapshots }: { snapshots: readonly ListedSnapshot[] }): string {
  if (snapshots.length === 0) return "Snapshot Details: \nThere are no snapshots\n"
  const header = ["Snapshot name", "Keyspace name", "Column family name", "True size", "Size on disk", "Creation time"]
  const rows = snapshots.map(({ name, keyspace, table, trueSize, sizeOnDisk, createdAt }) => [name, keyspace, table, sizeText(trueSize), sizeText(sizeOnDisk), createdAt])
  const total = snapshots.reduce((sum, { trueSize }) => sum + trueSize, 0)
  return `Snapshot Details: \n${columns([header, ...rows])}\n\nTotal TrueDiskSpaceUsed: ${sizeText(total)}\n\n`
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] as number)).join(" ").trimEnd()).join("\n")
}

function sizeText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
  const unit = bytes < 1024 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return unit === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** unit).toFixed(2)} ${units[unit] as string}`
}

function tableParameters(keyspace: string | undefined, tables: readonly string[]): Parameters {
  return [...(keyspace === undefined ? [] : [["keyspace", keyspace] as const]), ...tables.map((table) => ["table", table] as const)]
}

class UsageError extends Error {}

/** Throws with the node's words when it refuses. */
async function askNode({ host, port }: Target, verb: string, parameters: Parameters): Promise<Record<string, unknown>> {
  const query = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]))
  const response = await fetch(`http://${host}:${port}/operations/${verb}?${query.toString()}`, { method: "POST" }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new Error(`Failed to connect to '${host}:${port}' - ${cause}`)
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (!response.ok) throw new Error(String(answer["error"]))
  return answer
}

async function run(action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    process.stderr.write(`${error instanceof UsageError ? "nodetool" : "error"}: ${(error as Error).message}\n`)
    process.exitCode = error instanceof UsageError ? 1 : 2
  }
}
