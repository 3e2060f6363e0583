// REGISTER: a [string list] of the events a client wants to be told of. Answered with READY.
import { ProtocolError } from "../errors.ts"
import { EVENT_TYPES, type EventType } from "./event.ts"
import type { BodyReader } from "./primitives.ts"

/** Throws ProtocolError for an event nobody knows. */
export function decodeRegister(body: BodyReader): EventType[] {
  return body.stringList().map((name) => {
    const type = EVENT_TYPES.find((known) => known === name.toUpperCase())
    if (type === undefined) throw new ProtocolError(`Invalid value '${name}' for Type`)
    return type
  })
}
