/** A cluster node's number: given by the cluster metadata when it joins, from 1, never reused. 0 is a node that has not joined. */
export type NodeId = number

/** Messages of one lane do not wait behind another lane's bytes. */
export const LANE = { control: 0, data: 1, bulk: 2 } as const
export type Lane = (typeof LANE)[keyof typeof LANE]

export interface NetworkHandlers {
  /** One message, as given to `send`. `bytes` is valid during the call only. */
  message(from: NodeId, lane: Lane, bytes: Buffer): void
  /** The link to a peer came up or went down. Not a verdict about the peer: messages are lost without notice too. */
  link(peer: NodeId, up: boolean): void
}

/**
 * Messages between nodes: at most once, unordered, bounded. No reply, no error: who needs one sends an answer and
 * sets a deadline. Sending to oneself is a mistake (asserted): local work is called directly.
 */
export interface Network {
  readonly self: NodeId
  /** Copies the bytes. False when the peer's queue is over its bound or there is no link: the message is dropped. */
  send(to: NodeId, lane: Lane, bytes: Uint8Array): boolean
  /** REQUIRES: called once, before the first event. */
  start(handlers: NetworkHandlers): void
  stop(): Promise<void>
}

/** Questions to nodes of which only the address is known: how a node that has no number yet asks to join. */
export interface JoinNetwork {
  /** The first answer to `bytes`. Rejects when none comes within `timeoutMs` or the other side refuses the connection. */
  requestByAddress(address: string, port: number, bytes: Uint8Array, timeoutMs: number): Promise<Buffer>
  /** Who answers such questions; `bytes` is valid during the call only. Without a handler they are refused. */
  onAnonymous(fn: (bytes: Buffer, reply: (bytes: Uint8Array) => void) => void): void
}
