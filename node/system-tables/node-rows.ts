// Rows of system.local, peers and peers_v2, and of the tables about views and nodes.
import type { Snapshot } from "../../coordinator/cluster/cluster-metadata.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { NodeDescriptor } from "../../data/topology.ts"
import { CQL_VERSION, NATIVE_PROTOCOL_VERSION, PARTITIONER, RELEASE_VERSION, type SystemSource } from "./system-source.ts"
import type { SystemRow } from "./virtual-rows.ts"

const MINIMUM_TOKEN = "-9223372036854775808"

export function localRows(source: SystemSource): SystemRow[] {
  const snapshot = source.snapshot()
  const node = snapshot.nodes.get(source.self)
  const row: SystemRow = {
    key: "local",
    bootstrapped: node !== undefined && node.state !== "joining" ? "COMPLETED" : "IN_PROGRESS",
    cluster_name: snapshot.clusterName,
    cql_version: CQL_VERSION,
    gossip_generation: source.generation,
    native_protocol_version: NATIVE_PROTOCOL_VERSION,
    partitioner: PARTITIONER,
    release_version: RELEASE_VERSION,
    schema_version: snapshot.schema.version,
  }
  if (node === undefined) return [row]
  return [
    {
      ...row,
      broadcast_address: node.listenAddress,
      broadcast_port: node.listenPort,
      data_center: node.dataCenter,
      host_id: node.hostId,
      listen_address: node.listenAddress,
      listen_port: node.listenPort,
      rack: node.rack,
      rpc_address: node.nativeAddress,
      rpc_port: node.nativePort,
      tokens: node.tokens,
    },
  ]
}

/** Drivers that read this table know no ports: when nodes share an address it would send them all to one node, so it is empty. */
export function peersRows(source: SystemSource): SystemRow[] {
  const snapshot = source.snapshot()
  const addresses = [...snapshot.nodes.values()].map((node) => node.nativeAddress)
  if (new Set(addresses).size < addresses.length) return []
  return peers(source).map((node) => ({ peer: node.listenAddress, rpc_address: node.nativeAddress, ...peerColumns(node, snapshot) }))
}

export function peersV2Rows(source: SystemSource): SystemRow[] {
  return peers(source).map((node) => ({
    peer: node.listenAddress,
    peer_port: node.listenPort,
    native_address: node.nativeAddress,
    native_port: node.nativePort,
    ...peerColumns(node, source.snapshot()),
  }))
}

/** The other nodes that own tokens: drivers refuse a peer without them. */
function peers(source: SystemSource): NodeDescriptor[] {
  return [...source.snapshot().nodes.values()].filter(
    (node) => node.node !== source.self && node.tokens.length > 0 && (node.state === "normal" || node.state === "leaving"),
  )
}

function peerColumns(node: NodeDescriptor, snapshot: Snapshot): SystemRow {
  return {
    data_center: node.dataCenter,
    host_id: node.hostId,
    rack: node.rack,
    release_version: RELEASE_VERSION,
    // Every node follows one log: there is no other version to be at.
    schema_version: snapshot.schema.version,
    tokens: node.tokens,
  }
}

export function gossipRows(source: SystemSource): SystemRow[] {
  const snapshot = source.snapshot()
  return [...snapshot.nodes.values()].map((node) => ({
    address: node.listenAddress,
    port: node.listenPort,
    alive: node.node === source.self || source.liveness.isAlive(node.node),
    dc: node.dataCenter,
    generation: node.node === source.self ? source.generation : null,
    host_id: node.hostId,
    native_address_and_port: `${node.nativeAddress}:${node.nativePort}`,
    rack: node.rack,
    internal_address_and_port: `${node.listenAddress}:${node.listenPort}`,
    internal_ip: node.listenAddress,
    release_version: RELEASE_VERSION,
    rpc_address: node.nativeAddress,
    schema: snapshot.schema.version,
    status: node.state.toUpperCase(),
    status_with_port: node.state.toUpperCase(),
  }))
}

export function builtViewsRows(source: SystemSource): SystemRow[] {
  return viewsOfNode(source, "SUCCESS").map((view) => ({ keyspace_name: view.keyspace, view_name: view.name, status_replicated: true }))
}

/** A view is built over the whole ring, so its range is the whole ring. */
export function viewBuildsInProgressRows(source: SystemSource): SystemRow[] {
  return viewsOfNode(source, "STARTED").map((view) => ({
    keyspace_name: view.keyspace,
    view_name: view.name,
    start_token: MINIMUM_TOKEN,
    end_token: MINIMUM_TOKEN,
  }))
}

function viewsOfNode(source: SystemSource, status: "STARTED" | "SUCCESS"): TableSchema[] {
  const { schema, viewBuilds } = source.snapshot()
  const views: TableSchema[] = []
  for (const [id, statuses] of viewBuilds) {
    const view = schema.tableById(id)
    if (view?.kind === "view" && statuses.get(source.self) === status) views.push(view)
  }
  return views
}

export function viewBuildStatusRows(source: SystemSource): SystemRow[] {
  const { schema, viewBuilds, nodes } = source.snapshot()
  const rows: SystemRow[] = []
  for (const [id, statuses] of viewBuilds) {
    const view = schema.tableById(id)
    if (view?.kind !== "view") continue
    for (const [number, status] of statuses) {
      const node = nodes.get(number)
      if (node !== undefined) rows.push({ keyspace_name: view.keyspace, view_name: view.name, host_id: node.hostId, status })
    }
  }
  return rows
}
