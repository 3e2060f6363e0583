// One cluster node's settings, resolved: what the command line, the environment and the defaults say.

import { totalmem } from "node:os"
import { DEFAULT_STORAGE_SETTINGS, type StorageSettings } from "./storage-settings.ts"
import type { ScriptLimits } from "../cql/scripts/script-host.ts"

export interface NodeConfig {
  readonly clusterName: string
  /** Everything the node keeps is below it. */
  readonly dataDirectory: string
  /** Address for clients and for other nodes. */
  readonly address: string
  /** What others are told, when it differs from what is bound (containers). */
  readonly broadcastAddress: string
  /** What the client port is bound to when it is not the address; with 0.0.0.0, all there are, clients are told the broadcast address. */
  readonly nativeAddress?: string
  readonly nativePort: number
  readonly listenPort: number
  /** Admin HTTP binds to loopback, or to `adminAddress`. */
  readonly adminAddress: string
  readonly adminPort: number
  /** "address:port" of internode listeners; the first is where a new cluster begins. */
  readonly seeds: readonly string[]
  readonly dataCenter: string
  readonly rack: string
  readonly tokensPerNode: number
  /** Opens /fault on the admin port. */
  readonly testing: boolean
  readonly logLevel: "DEBUG" | "INFO" | "WARN" | "ERROR"
  readonly memtableSpaceBytes: number
  readonly storage: StorageSettings
  /** Takes a snapshot of a table before it is truncated or dropped. */
  readonly autoSnapshot: boolean
  /** Limits of user-defined functions; absent: the usual ones; null: there are no functions (user_defined_functions_enabled: false). */
  readonly userDefinedFunctions?: ScriptLimits | null
}

const MEBIBYTE = 1024 * 1024

/** A 64th of the machine's memory, between 64 and 256 MiB: twice that is used while memtables are flushed, and three nodes on one machine must not take it over. */
function defaultMemtableSpaceBytes(): number {
  return Math.min(256, Math.max(64, Math.floor(totalmem() / 64 / MEBIBYTE))) * MEBIBYTE
}

export const DEFAULTS = {
  clusterName: "Test Cluster",
  nativePort: 9042,
  listenPort: 7000,
  adminPort: 7199,
  dataCenter: "datacenter1",
  rack: "rack1",
  tokensPerNode: 16,
  memtableSpaceBytes: defaultMemtableSpaceBytes(),
  storage: DEFAULT_STORAGE_SETTINGS,
} as const

/** Splits "address:port"; the port may be missing. Throws an Error that names the text. */
export function parseEndpoint(text: string, defaultPort: number): { address: string; port: number } {
  const match = /^(.*?)(?::(\d+))?$/.exec(text)
  const address = match?.[1] ?? ""
  const port = match?.[2] === undefined ? defaultPort : Number(match[2])
  if (address === "" || !(port > 0 && port < 65536)) throw new Error(`not an address with an optional port: "${text}"`)
  return { address, port }
}
