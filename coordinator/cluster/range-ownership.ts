import { int64Text } from "../../data/timestamp.ts"
import type { Snapshot } from "./cluster-metadata.ts"

/** For DESCRIBE CLUSTER: the token that ends each range, as decimal text, to its replicas' addresses. */
export function rangeOwnership(snapshot: Snapshot, keyspace: string): Map<string, readonly string[]> {
  const ownership = new Map<string, readonly string[]>()
  for (const { endHigh, endLow, placement } of snapshot.ranges(keyspace)) {
    const addresses = placement.read.map((number) => {
      const node = snapshot.nodes.get(number)
      return node === undefined ? "" : `/${node.listenAddress}:${node.listenPort}`
    })
    ownership.set(int64Text(endHigh, endLow), addresses)
  }
  return ownership
}
