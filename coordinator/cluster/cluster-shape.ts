import type { ClusterShape } from "../../cql/plan.ts"
import type { Snapshot } from "./cluster-metadata.ts"

/** What keyspace statements look at: the nodes that own tokens or are about to, by data centre. */
export function clusterShape(snapshot: Snapshot): ClusterShape {
  const dataCenters = new Map<string, { nodes: number; readonly names: Set<string> }>()
  for (const { dataCenter, rack, state } of snapshot.nodes.values()) {
    if (state === "left") continue
    const centre = dataCenters.get(dataCenter) ?? { nodes: 0, names: new Set<string>() }
    centre.nodes++
    centre.names.add(rack)
    dataCenters.set(dataCenter, centre)
  }
  return { dataCenters: new Map([...dataCenters].map(([name, { nodes, names }]) => [name, { nodes, racks: names.size }])) }
}
