// Rows of system_views: what this node is doing.
import type { KeyspaceSchema } from "../../data/schema.ts"
import { taskUuid } from "./compaction-history.ts"
import type { SystemSource } from "./system-source.ts"
import type { SystemRow } from "./virtual-rows.ts"

const BYTES_PER_MEBIBYTE = 1024 * 1024

export function clientsRows(source: SystemSource): SystemRow[] {
  return [...source.clients()].map((client) => {
    const colon = client.remote.lastIndexOf(":")
    const address = client.remote.slice(0, colon).replace(/^\[|\]$/g, "")
    return {
      address,
      port: Number(client.remote.slice(colon + 1)),
      connection_stage: "READY",
      driver_name: client.driverName,
      driver_version: client.driverVersion,
      hostname: address,
      keyspace_name: client.keyspace,
      protocol_version: client.version,
      request_count: client.requestCount ?? null,
      ssl_enabled: false,
      username: "anonymous",
    }
  })
}

export function settingsRows(source: SystemSource): SystemRow[] {
  return [...source.settings()].map(([name, value]) => ({ name, value }))
}

export function diskUsageRows(source: SystemSource, keyspaces: readonly KeyspaceSchema[]): SystemRow[] {
  const rows: SystemRow[] = []
  for (const keyspace of keyspaces) {
    for (const table of keyspace.tables.values()) {
      if (table.kind === "virtual") continue
      const mebibytes = Math.ceil(source.stats(table.id).diskBytes / BYTES_PER_MEBIBYTE)
      rows.push({ keyspace_name: keyspace.name, table_name: table.name, mebibytes })
    }
  }
  return rows
}

export function sstableTasksRows(source: SystemSource, keyspaces: readonly KeyspaceSchema[]): SystemRow[] {
  const rows: SystemRow[] = []
  const tables = new Map(keyspaces.flatMap((keyspace) => [...keyspace.tables.values()].map((table) => [table.id, table] as const)))
  for (const { id, table: tableId, totalBytes, doneBytes, inputs, startedAtMicros } of source.compactions()) {
    const table = tables.get(tableId)
    if (table === undefined) continue
    rows.push({
      keyspace_name: table.keyspace, table_name: table.name, task_id: taskUuid(id, startedAtMicros), kind: "compaction", unit: "bytes",
      progress: BigInt(doneBytes), total: BigInt(totalBytes), completion_ratio: totalBytes === 0 ? 1 : doneBytes / totalBytes, sstables: inputs,
    })
  }
  return rows
}
