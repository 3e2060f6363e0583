// Admin HTTP: /ready (200 once clients are served), /health (a JSON object), POST /operations/VERB (operations.ts), and on
// nodes started for testing /fault:
//   POST /fault?cut=2&cut=3      drop everything to and from these nodes, silently
//   POST /fault?restore=2        or restore=all
//   POST /fault?delay=2:50       hold back what is sent to node 2 for 50 ms
//   POST /fault?disk=write:ENOSPC:commitlog   writes to paths with that in them fail; also sync and read; disk=restore ends it
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { DISK_FAULT_KINDS, type DiskFaultKind } from "../runtime/real/faulty-disk.ts"
import type { Log } from "./log.ts"
import { SnapshotError } from "../storage/snapshots/snapshots.ts"
import { type Answer, OPERATIONS, OperationError, type OperationParts } from "./operations.ts"

export interface FaultSwitch {
  cut(node: number): void
  restore(node: number): void
  restoreAll(): void
  delay(node: number, delayMs: number): void
}

export interface DiskFaultSwitch {
  refuse(kind: DiskFaultKind, code: string, path: string): void
  restore(): void
}

export interface AdminState {
  ready(): boolean
  health(): Record<string, unknown>
  /** Null on nodes that were not started for testing. */
  readonly faults: FaultSwitch | null
  readonly diskFaults: DiskFaultSwitch | null
  readonly operations: OperationParts
}

/** Resolves with the server once it listens. */
export function startAdminHttp(address: string, port: number, state: AdminState, log: Log): Promise<Server> {
  const server = createServer((request, response) => {
    try {
      answer(request, response, state, log)
    } catch (error) {
      send(response, 400, { error: (error as Error).message })
    }
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, address, () => {
      server.off("error", reject)
      resolve(server)
    })
  })
}

function answer(request: IncomingMessage, response: ServerResponse, state: AdminState, log: Log): void {
  const url = new URL(request.url ?? "/", "http://localhost")
  switch (url.pathname) {
    case "/ready":
      return send(response, state.ready() ? 200 : 503, { ready: state.ready() })
    case "/health":
      return send(response, 200, state.health())
    case "/fault":
      if (state.faults === null || state.diskFaults === null) return send(response, 403, { error: "faults are open only on nodes started with --testing" })
      if (request.method !== "POST") return send(response, 405, { error: "POST" })
      applyFaults(url.searchParams, state.faults, state.diskFaults)
      log.info(`Fault: ${url.searchParams.toString()}`)
      return send(response, 200, { ok: true })
    default:
      if (url.pathname.startsWith("/operations/")) return operate(url, request, response, state, log)
      return send(response, 404, { error: "known paths: /ready, /health, /operations/VERB, /fault" })
  }
}

function operate(url: URL, request: IncomingMessage, response: ServerResponse, state: AdminState, log: Log): void {
  const verb = url.pathname.slice("/operations/".length)
  const operation = OPERATIONS[verb]
  if (operation === undefined) return send(response, 404, { error: `known operations: ${Object.keys(OPERATIONS).join(", ")}` })
  if (request.method !== "POST") return send(response, 405, { error: "POST" })
  log.info(`Operation: ${verb} ${url.searchParams.toString()}`)
  new Promise<Answer>((resolve) => resolve(operation(state.operations, url.searchParams))).then(
    (result) => send(response, 200, result),
    (error: unknown) => {
      // What the user can do nothing about belongs in the log as well.
      const isExpected = error instanceof OperationError || error instanceof SnapshotError
      if (!isExpected) log.error(`Operation ${verb} failed: ${String(error)}`)
      send(response, isExpected ? 400 : 500, { error: error instanceof Error ? error.message : String(error) })
    },
  )
}

function applyFaults(parameters: URLSearchParams, faults: FaultSwitch, diskFaults: DiskFaultSwitch): void {
  for (const [verb, value] of parameters) {
    if (verb === "disk") {
      applyDiskFault(value, diskFaults)
      continue
    }
    if (verb === "restore" && value === "all") {
      faults.restoreAll()
      continue
    }
    const match = /^(\d+)(?::(\d+))?$/.exec(value)
    if (match === null) throw new Error(`not a node number: ${value}`)
    const node = Number(match[1])
    if (verb === "cut") faults.cut(node)
    else if (verb === "restore") faults.restore(node)
    else if (verb === "delay") faults.delay(node, Number(match[2] ?? 0))
    else throw new Error(`unknown fault: ${verb}`)
  }
}

function applyDiskFault(value: string, faults: DiskFaultSwitch): void {
  const [verb, code, path] = value.split(":")
  const kind = DISK_FAULT_KINDS.find((each) => each === verb)
  if (verb === "restore") faults.restore()
  else if (kind !== undefined && code !== undefined && path !== undefined) faults.refuse(kind, code, path)
  else throw new Error(`not a disk fault: ${value}`)
}

function send(response: ServerResponse, status: number, body: Record<string, unknown>): void {
  const bytes = Buffer.from(JSON.stringify(body) + "\n")
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length })
  response.end(bytes)
}
