// Control messages between nodes: msgpack arrays whose first element names the message. Descriptors travel as JSON text
// inside, because msgpack-lite loses 64-bit integers and trusts `__proto__`.
import msgpack from "msgpack-lite"

export type ControlValue = string | number | boolean | null
export type ControlMessage = readonly ControlValue[]

export function encodeControl(message: ControlMessage): Buffer {
  return msgpack.encode(message)
}

/** Null when the bytes are not a flat array that begins with a text. */
export function decodeControl(bytes: Uint8Array): ControlMessage | null {
  let value: unknown
  try {
    value = msgpack.decode(bytes)
  } catch {
    return null
  }
  if (!Array.isArray(value) || typeof value[0] !== "string") return null
  for (const item of value) {
    if (item !== null && typeof item === "object") return null
  }
  return value as ControlMessage
}
