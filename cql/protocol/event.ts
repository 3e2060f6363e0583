// EVENT: <type> and what that type has (section 4.2.6). Sent on stream -1 to the connections that registered for it.
import type { ByteWriter } from "../../data/bytes.ts"
import type { SchemaEvent, StatusEvent, TopologyEvent } from "../request.ts"
import { writeInet } from "./inet.ts"
import { writeString } from "./primitives.ts"
import { writeSchemaChange } from "./result-schema-change.ts"

export const EVENT_TYPES = ["TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"] as const
export type EventType = (typeof EVENT_TYPES)[number]
export type ServerEvent = SchemaEvent | StatusEvent | TopologyEvent

export const EVENT_STREAM = -1

export function eventType(event: ServerEvent): EventType {
  if (!("kind" in event)) return "SCHEMA_CHANGE"
  return event.kind === "status" ? "STATUS_CHANGE" : "TOPOLOGY_CHANGE"
}

export function encodeEvent(out: ByteWriter, version: number, event: ServerEvent): void {
  writeString(out, eventType(event))
  if ("kind" in event) {
    writeString(out, event.change)
    writeInet(out, event.address, event.port)
  } else {
    writeSchemaChange(out, version, event)
  }
}
