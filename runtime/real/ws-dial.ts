// A WebSocket connection to another node, up to the answered handshake.
import { WebSocket } from "ws"
import { MAX_FRAME_SIZE } from "./network-frame.ts"
import { encodeHandshake, readHandshake, REFUSED } from "./network-handshake.ts"
import type { Handshake } from "./network-handshake.ts"

/** How long connecting may take, the handshake's answer included. */
const DIAL_TIMEOUT_MS = 2000

export interface DialHandlers {
  /** The other side answered. From now on `message` is called. */
  open(peer: Handshake): void
  message(bytes: Buffer): void
  pong(): void
  /** Called exactly once, last; `reason` is null after an ordinary close. */
  close(reason: string | null): void
}

/** Connects and shakes hands as `own`. Close it with `terminate` or `close`. */
export function dial(address: string, port: number, own: Handshake, handlers: DialHandlers): WebSocket {
  const host = address.includes(":") ? `[${address}]` : address
  const socket = new WebSocket(`ws://${host}:${port}`, {
    perMessageDeflate: false, skipUTF8Validation: true, handshakeTimeout: DIAL_TIMEOUT_MS, maxPayload: MAX_FRAME_SIZE,
    // A client must mask what it sends; a mask of zeros changes nothing and is skipped on both sides.
    generateMask: (mask) => mask.fill(0),
  })
  let isOpen = false
  let failure: string | null = null
  const timeout = setTimeout(() => {
    failure ??= "no answer to the handshake"
    socket.terminate()
  }, DIAL_TIMEOUT_MS).unref()
  socket.on("open", () => socket.send(encodeHandshake(own)))
  socket.on("message", (data) => {
    const bytes = data as Buffer
    if (isOpen) return handlers.message(bytes)
    const peer = readHandshake(bytes, own)
    if (typeof peer === "string") {
      failure ??= `refused the other side: ${peer}`
      socket.close(REFUSED, peer.slice(0, 100))
      return
    }
    isOpen = true
    clearTimeout(timeout)
    handlers.open(peer)
  })
  socket.on("pong", () => handlers.pong())
  socket.on("error", (error) => {
    failure ??= (error as NodeJS.ErrnoException).code ?? error.message
  })
  socket.on("close", (code, reason) => {
    clearTimeout(timeout)
    if (code === REFUSED) failure ??= `refused by the other side: ${reason.toString()}`
    handlers.close(failure)
  })
  return socket
}
