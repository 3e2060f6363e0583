// A keyspace's replication options, parsed once per snapshot: how many replicas there are to be, by data centre.
import type { Epoch } from "../../data/schema.ts"

export type ReplicationKind = "local" | "simple" | "networkTopology"

export interface Replication {
  readonly kind: ReplicationKind
  /** Replicas in all. The configured number: a smaller cluster has fewer, and cannot reach ALL. */
  readonly factor: number
  /** Replicas by data centre; empty unless NetworkTopologyStrategy. */
  readonly dataCenters: ReadonlyMap<string, number>
  /** Epoch of the last change of these options, 0 for keyspaces that every release brings along. */
  readonly since: Epoch
}

export const LOCAL_REPLICATION: Replication = { kind: "local", factor: 1, dataCenters: new Map(), since: 0 }

/** REQUIRES: options as in system_schema.keyspaces, checked when the keyspace was made. An unknown class counts as local. */
export function parseReplication(options: Readonly<Record<string, string>>, since: Epoch): Replication {
  const strategy = (options["class"] ?? "").split(".").at(-1)
  if (strategy === "SimpleStrategy") {
    return { kind: "simple", factor: Number(options["replication_factor"] ?? "1"), dataCenters: new Map(), since }
  }
  if (strategy !== "NetworkTopologyStrategy") return { ...LOCAL_REPLICATION, since }
  const dataCenters = new Map<string, number>()
  let factor = 0
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") continue
    const count = Number(value)
    if (count === 0) continue
    dataCenters.set(name, count)
    factor += count
  }
  return { kind: "networkTopology", factor, dataCenters, since }
}

/** Configured replicas in one data centre; SimpleStrategy knows no data centres, so that all count as one's own. */
export function factorOf(replication: Replication, dataCenter: string): number {
  return replication.kind === "networkTopology" ? (replication.dataCenters.get(dataCenter) ?? 0) : replication.factor
}
