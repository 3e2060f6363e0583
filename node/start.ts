// `npm start`: a local cluster in the foreground; with the data set unless --empty. Ends all nodes cleanly on Ctrl-C or SIGTERM.
import { mkdirSync } from "node:fs"
import { resolve } from "node:path"
import { LocalCluster } from "./local-cluster.ts"

export interface StartOptions {
  readonly nodes: number
  readonly data: string
  readonly empty: boolean
  readonly json: boolean
  readonly testing: boolean
  readonly nativePort: number
  readonly listenPort: number
  readonly adminPort: number
  readonly firstAddress: string
  readonly verbose: boolean
  /** Further words for every node's command line. */
  readonly nodeArguments: readonly string[]
}

/** Resolves with the process's exit code once everything is stopped. */
export async function start(options: StartOptions): Promise<number> {
  const startedMs = performance.now()
  const say = (line: string): void => {
    if (!options.json) process.stdout.write(line + "\n")
  }
  const directory = resolve(options.data)
  mkdirSync(directory, { recursive: true })
  const cluster = await LocalCluster.create({
    ...options,
    directory,
    output: options.verbose ? (node, line) => process.stderr.write(`node${node} ${line}\n`) : null,
  })
  const stopped = stopSignal()
  say(`Starting ${options.nodes} node${options.nodes === 1 ? "" : "s"}; data in ${directory}`)
  try {
    await Promise.race([cluster.start(), stopped.then(() => Promise.reject(new Error("stopped while starting")))])
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    if (!options.empty) await (await import("./main-job.ts")).runMainJob(cluster, say)
    if (options.json) process.stdout.write(JSON.stringify(describe(cluster)) + "\n")
    else say(`Cluster is ready: ${contactPoints(cluster).join(", ")} (started in ${seconds} s). Ctrl-C stops it.`)
    const ended = await Promise.race([stopped.then(() => 0), cluster.anyExit()])
    if (ended !== 0) process.stderr.write(`node ${ended} ended by itself; stopping the others\n`)
    else say("Draining and stopping all nodes")
    await cluster.stop()
    return ended === 0 ? 0 : 1
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    await cluster.stop()
    return 1
  }
}

/** Resolves at the first SIGINT or SIGTERM. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve())
    process.once("SIGTERM", () => resolve())
  })
}

export function contactPoints(cluster: LocalCluster): string[] {
  return cluster.nodes.map((node) => `${node.address}:${node.nativePort}`)
}

function describe(cluster: LocalCluster): Record<string, unknown> {
  return {
    contactPoints: contactPoints(cluster),
    nodes: cluster.nodes.map((node) => ({
      node: node.node,
      address: node.address,
      nativePort: node.nativePort,
      admin: `http://${node.address}:${node.adminPort}`,
      dataDirectory: node.dataDirectory,
      pid: node.process?.pid ?? null,
    })),
  }
}
