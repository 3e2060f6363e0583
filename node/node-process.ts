// One node as an operating-system process: starts it, tells a parent that waits, and drains it on SIGTERM or SIGINT.
import { lookup } from "node:dns/promises"
import type { NodeConfig } from "./config.ts"
import { ClusterNode } from "./cluster-node.ts"
import { createLog } from "./log.ts"

/** Resolves once the node serves clients; the process then lives until a signal. Exits with code 1 when it cannot start. */
export async function runNodeProcess(given: NodeConfig): Promise<void> {
  const log = createLog(given.logLevel, (line) => process.stdout.write(line))
  // An error nobody expected is a bug: the process ends, and what was acknowledged is in the log.
  process.on("uncaughtException", (error) => {
    log.error(`Exception in thread main: ${error.stack ?? String(error)}`)
    process.exit(1)
  })
  process.on("unhandledRejection", (reason) => {
    log.error(`Unhandled rejection: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`)
    process.exit(1)
  })
  // The parent that started this node may be gone before it: writing to its pipe must not end the node.
  process.stdout.on("error", () => undefined)
  try {
    const node = await ClusterNode.start({ ...given, seeds: await Promise.all(given.seeds.map((seed) => resolveSeed(seed, given))) }, log)
    stopOnSignals(node)
    process.send?.({ ready: true })
  } catch (error) {
    log.error(`Exception encountered during startup: ${(error as Error).message}`)
    log.debug((error as Error).stack ?? "")
    process.exit(1)
  }
}

function stopOnSignals(node: ClusterNode): void {
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    node.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`)
        process.exit(1)
      },
    )
  }
  process.on("SIGTERM", stop)
  process.on("SIGINT", stop)
  // Only a node of a local cluster has this channel: it ends with its parent, however that ended.
  process.on("disconnect", stop)
}

/**
 * Seeds may be host names. One that means this node becomes its address, which tells the first seed that it is that.
 * Every other stays a name, looked up at each question: it may not be known yet, or still lead to an old address.
 */
async function resolveSeed(seed: string, config: NodeConfig): Promise<string> {
  const match = /^(.*?)(:\d+)?$/.exec(seed)
  try {
    const { address } = await lookup(match?.[1] ?? seed, { family: 4 })
    return address === config.address || address === config.broadcastAddress ? address + (match?.[2] ?? "") : seed
  } catch {
    return seed
  }
}
