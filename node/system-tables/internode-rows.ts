// Rows of system_views.internode_inbound and internode_outbound: messages between this node and each other one.
//
// Nothing expires on its way here, and what is received is processed at once: these columns are zero, and equal to what was received.
// Bytes are those of messages, without frames. How long a connection was throttled is not known, so that column is null.
import type { Snapshot } from "../../coordinator/cluster/cluster-metadata.ts"
import type { LinkFigures } from "../../runtime/real/ws-network.ts"
import type { NodeActivity } from "./system-source.ts"
import type { SystemRow } from "./virtual-rows.ts"

export function outboundRows({ network }: NodeActivity, snapshot: Snapshot): SystemRow[] {
  return network.linkFigures().flatMap((link) => {
    const { outgoing } = link
    return peerRows(link, snapshot, {
      active_connections: outgoing.isUp ? 1 : 0, connection_attempts: outgoing.attempts, successful_connection_attempts: outgoing.successes,
      sent_count: outgoing.sentCount, sent_bytes: outgoing.sentBytes, pending_count: outgoing.pendingCount, pending_bytes: outgoing.pendingBytes,
      using_bytes: outgoing.pendingBytes, using_reserve_bytes: 0, overload_count: outgoing.overloadCount, overload_bytes: outgoing.overloadBytes,
      error_count: outgoing.errorCount, error_bytes: outgoing.errorBytes, expired_count: 0, expired_bytes: 0,
    })
  })
}

export function inboundRows({ network }: NodeActivity, snapshot: Snapshot): SystemRow[] {
  return network.linkFigures().flatMap((link) => {
    const { receivedCount, receivedBytes, damagedFrames, throttledCount } = link.incoming
    return peerRows(link, snapshot, {
      received_count: receivedCount, received_bytes: receivedBytes, processed_count: receivedCount, processed_bytes: receivedBytes,
      scheduled_count: 0, scheduled_bytes: 0, using_bytes: 0, using_reserve_bytes: 0, expired_count: 0, expired_bytes: 0, error_count: 0, error_bytes: 0,
      corrupt_frames_recovered: 0, corrupt_frames_unrecovered: damagedFrames, throttled_count: throttledCount,
    })
  })
}

/** None for a node that is no member any more. */
function peerRows({ node }: LinkFigures, { nodes }: Snapshot, counts: Readonly<Record<string, number>>): SystemRow[] {
  const peer = nodes.get(node)
  if (peer === undefined) return []
  const columns = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count)]))
  return [{ address: peer.listenAddress, port: peer.listenPort, dc: peer.dataCenter, rack: peer.rack, ...columns }]
}
