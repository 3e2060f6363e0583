// The first WebSocket message of each internode connection, in both directions: who is there. A msgpack array:
//
//   [ "belvedere", transport version, cluster name, node number, host id, incarnation ]
//
// The transport version covers frames, envelopes and payloads of everything that nodes say to each other. Node number 0 is a node
// that has not joined: it may ask one question (requestByAddress). The incarnation grows with every start of a node.
// A side that refuses closes the connection with code REFUSED and the reason as text.
import { createRequire } from "node:module"
import type { NodeId } from "../network.ts"

export const TRANSPORT_VERSION = 1
/** A handshake is short; anything longer comes from somebody else. */
export const MAX_HANDSHAKE_SIZE = 4096
/** WebSocket close code: the handshake was refused, the reason says why. */
export const REFUSED = 4001
const MAGIC = "belvedere"

export interface Handshake {
  readonly clusterName: string
  readonly self: NodeId
  readonly hostId: string
  readonly incarnation: number
}

interface Msgpack {
  encode(value: unknown): Buffer
  decode(bytes: Buffer): unknown
}
let msgpackModule: Msgpack | null = null
function msgpack(): Msgpack {
  msgpackModule ??= createRequire(import.meta.url)("msgpack-lite") as Msgpack
  return msgpackModule
}

export function encodeHandshake(handshake: Handshake, version = TRANSPORT_VERSION): Buffer {
  return msgpack().encode([MAGIC, version, handshake.clusterName, handshake.self, handshake.hostId, handshake.incarnation])
}

/** The other side's handshake, or a sentence that says why it is refused. */
export function readHandshake(bytes: Buffer, own: Handshake): Handshake | string {
  if (bytes.length > MAX_HANDSHAKE_SIZE) return "this is no handshake"
  let fields: unknown
  try {
    fields = msgpack().decode(bytes)
  } catch {
    return "this is no handshake"
  }
  if (!Array.isArray(fields) || fields[0] !== MAGIC) return "this is no handshake"
  const [, version, clusterName, self, hostId, incarnation] = fields as unknown[]
  if (version !== TRANSPORT_VERSION) return `transport version ${String(version)}, ours is ${TRANSPORT_VERSION}`
  if (typeof clusterName !== "string" || typeof hostId !== "string" || !isCount(self) || !isCount(incarnation)) return "a malformed handshake"
  if (clusterName !== own.clusterName) return `cluster name "${clusterName.slice(0, 40)}", ours is "${own.clusterName.slice(0, 40)}"`
  return { clusterName, self, hostId, incarnation }
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0
}
