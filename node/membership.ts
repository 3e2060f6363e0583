// How a node becomes a member. The first seed begins a new cluster and leads its metadata; every other node asks a seed,
// and is sent on to the leader when that seed is not it. The question is also asked by a member whose addresses have
// changed. The leader gives the node its number and its tokens and answers with the whole metadata state.
//
// A node that joins a cluster with user keyspaces is refused: the data it would own would have to be streamed to it first.
import { setTimeout as sleep } from "node:timers/promises"
import { allocateTokens } from "../coordinator/cluster/token-allocation.ts"
import { type MetadataState, applyChange, emptyState } from "../coordinator/cluster/snapshot.ts"
import type { NodeDescriptor } from "../data/topology.ts"
import type { JoinNetwork } from "../runtime/network.ts"
import type { Random } from "../runtime/random.ts"
import { type NodeConfig, parseEndpoint } from "./config.ts"
import { decodeControl, encodeControl } from "./control-message.ts"
import type { Log } from "./log.ts"
import type { MetadataService } from "./metadata-service.ts"
import { RELEASE_VERSION } from "./system-tables/system-source.ts"

const QUESTION_TIMEOUT_MS = 5000
const RETRY_MS = 50
const JOIN_TIMEOUT_MS = 60_000

/** What a node keeps of its membership, besides the metadata itself. */
export interface Membership {
  readonly self: number
  readonly leader: number
  readonly state: MetadataState
}

/** The cluster does not want this node. */
export class JoinRefusedError extends Error {
  override readonly name = "JoinRefusedError"
}

/** What the node says of itself when it joins; number, tokens and epoch are the leader's to give. */
export function describeSelf(config: NodeConfig, hostId: string): NodeDescriptor {
  return {
    node: 0, hostId, state: "normal", dataCenter: config.dataCenter, rack: config.rack,
    listenAddress: config.broadcastAddress, listenPort: config.listenPort,
    nativeAddress: advertisedNativeAddress(config), nativePort: config.nativePort,
    releaseVersion: RELEASE_VERSION, tokens: [], epoch: 0,
  }
}

/** Where others and the drivers find the client port. */
function advertisedNativeAddress(config: NodeConfig): string {
  const own = config.nativeAddress ?? config.address
  return own === "0.0.0.0" || own === config.address ? config.broadcastAddress : own
}

export function isFirstSeed(config: NodeConfig): boolean {
  const first = config.seeds[0]
  if (first === undefined) return true
  const seed = parseEndpoint(first, config.listenPort)
  return seed.port === config.listenPort && (seed.address === config.broadcastAddress || seed.address === config.address)
}

/** A new cluster of this one node. */
export function beginCluster(config: NodeConfig, hostId: string, random: Random): Membership {
  const node = { ...describeSelf(config, hostId), node: 1, tokens: allocateTokens([], config.tokensPerNode, random) }
  return { self: 1, leader: 1, state: applyChange(emptyState(config.clusterName), { kind: "node", node }) }
}

/** Asks the seeds until one takes this node in. Throws JoinRefusedError. */
export async function joinCluster(config: NodeConfig, hostId: string, network: JoinNetwork, log: Log): Promise<Membership> {
  const question = encodeControl(["join", JSON.stringify(describeSelf(config, hostId)), config.tokensPerNode])
  const deadlineMs = performance.now() + JOIN_TIMEOUT_MS
  let reason = "no seed answered"
  for (let round = 0; performance.now() < deadlineMs; round++) {
    let target = config.seeds[round % config.seeds.length] as string
    for (let hops = 0; hops < 3; hops++) {
      const answer = await ask(network, target, config.listenPort, question)
      if (typeof answer === "string") {
        reason = answer
        break
      }
      if (answer[0] === "welcome") return { self: Number(answer[1]), leader: Number(answer[2]), state: JSON.parse(String(answer[3])) as MetadataState }
      if (answer[0] === "refused") throw new JoinRefusedError(String(answer[1]))
      if (answer[0] === "redirect") target = String(answer[1])
      else break
    }
    if (round === 40) log.info(`JOINING: waiting for a seed (${reason})`)
    await sleep(RETRY_MS)
  }
  throw new JoinRefusedError(`Unable to contact any seeds: ${reason}`)
}

async function ask(network: JoinNetwork, target: string, defaultPort: number, question: Uint8Array): Promise<readonly (string | number | boolean | null)[] | string> {
  const { address, port } = parseEndpoint(target, defaultPort)
  try {
    return decodeControl(await network.requestByAddress(address, port, question, QUESTION_TIMEOUT_MS)) ?? "the answer made no sense"
  } catch (error) {
    return (error as Error).message
  }
}

/** The leader's side: answers the questions of nodes that want to join. */
export function answerJoins(network: JoinNetwork, metadata: MetadataService, self: number, leader: number, isAlive: (node: number) => boolean, random: Random, log: Log): void {
  // One after the other, so that no two get the same number or tokens.
  let queue: Promise<void> = Promise.resolve()
  network.onAnonymous((bytes, reply) => {
    const control = decodeControl(bytes)
    if (control === null || control[0] !== "join") return
    const node = JSON.parse(String(control[1])) as NodeDescriptor
    const tokens = Number(control[2])
    queue = queue.then(async () => {
      try {
        reply(encodeControl(await admit(metadata, self, leader, isAlive, node, tokens, random, log)))
      } catch (error) {
        log.warn(`A node could not join: ${(error as Error).message}`)
      }
    })
  })
}

async function admit(
  metadata: MetadataService, self: number, leader: number, isAlive: (node: number) => boolean, asked: NodeDescriptor, tokens: number, random: Random, log: Log,
): Promise<(string | number)[]> {
  const snapshot = metadata.current()
  if (self !== leader) {
    const node = snapshot.nodes.get(leader)
    return node === undefined ? ["later"] : ["redirect", `${node.listenAddress}:${node.listenPort}`]
  }
  const nodes = [...snapshot.nodes.values()]
  const known = nodes.find((node) => node.hostId === asked.hostId)
  const rival = nodes.find((node) => node.hostId !== asked.hostId && node.listenAddress === asked.listenAddress && node.listenPort === asked.listenPort)
  // Members that start together may have been given each other's old addresses.
  if (rival !== undefined && (known === undefined || isAlive(rival.node))) {
    return ["refused", `A node with address ${asked.listenAddress}:${asked.listenPort} already exists, with host id ${rival.hostId}`]
  }
  if (known === undefined && metadata.state().schema.keyspaces.length > 0) {
    return ["refused", "The cluster has keyspaces already, and a new node would have to be sent its data, which this release cannot do: start all nodes before the first CREATE KEYSPACE"]
  }
  const number = known?.node ?? Math.max(0, ...nodes.map(({ node }) => node)) + 1
  const node: NodeDescriptor = { ...asked, node: number, state: "normal", tokens: known?.tokens ?? allocateTokens(nodes, tokens, random) }
  if (known === undefined || JSON.stringify({ ...known, epoch: 0 }) !== JSON.stringify({ ...node, epoch: 0 })) await metadata.propose({ kind: "node", node })
  log.info(`${node.listenAddress}:${node.listenPort} state jump to NORMAL`)
  return ["welcome", number, leader, JSON.stringify(metadata.state())]
}
