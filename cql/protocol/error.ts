// ERROR: <code><message> and what the code has beyond (section 9 of the specification). Errors that an old version does
// not know are told as the nearest it knows, as Cassandra does.
import type { ByteWriter } from "../../data/bytes.ts"
import {
  AlreadyExistsError, FunctionFailureError, InvalidRequestError, CasWriteUnknownError, ReadFailureError, ReadTimeoutError, type ReplicaFailure, type RequestError, UnavailableError,
  UnpreparedError, WriteFailureError, WriteTimeoutError,
} from "../errors.ts"
import { parseInetAddress, writeInetAddress } from "./inet.ts"
import { writeMessage, writeShortBytes, writeString, writeStringList } from "./primitives.ts"
import { hasContentions, hasFailureErrors, hasFailureReasons } from "./version.ts"

const UNKNOWN_ADDRESS = "0.0.0.0"

export function encodeError(out: ByteWriter, version: number, error: RequestError): void {
  const known = translate(error, version)
  out.int32(known.code)
  writeMessage(out, known.message)
  writeFields(out, version, known)
}

// v3 has no failures; an unknown result of a conditional update has its own code since v5.
function translate(error: RequestError, version: number): RequestError {
  if (error instanceof CasWriteUnknownError && !hasContentions(version)) {
    return new WriteTimeoutError(error.consistency, error.received, error.required, "CAS", 0, error.message)
  }
  if (hasFailureErrors(version)) return error
  if (error instanceof ReadFailureError) return new ReadTimeoutError(error.consistency, error.received, error.required, error.dataPresent)
  if (error instanceof WriteFailureError) return new WriteTimeoutError(error.consistency, error.received, error.required, error.writeType)
  if (error instanceof FunctionFailureError) return new InvalidRequestError(error.message)
  return error
}

function writeFields(out: ByteWriter, version: number, error: RequestError): void {
  if (error instanceof UnavailableError) {
    out.uint16(error.consistency)
    out.int32(error.required)
    out.int32(error.alive)
  } else if (error instanceof WriteTimeoutError) {
    writeCounts(out, error)
    writeString(out, error.writeType)
    if (error.writeType === "CAS" && hasContentions(version)) out.uint16(Math.min(error.contentions, 0xffff))
  } else if (error instanceof ReadTimeoutError) {
    writeCounts(out, error)
    out.uint8(error.dataPresent ? 1 : 0)
  } else if (error instanceof WriteFailureError) {
    writeCounts(out, error)
    writeFailures(out, version, error.failures)
    writeString(out, error.writeType)
  } else if (error instanceof ReadFailureError) {
    writeCounts(out, error)
    writeFailures(out, version, error.failures)
    out.uint8(error.dataPresent ? 1 : 0)
  } else if (error instanceof CasWriteUnknownError) {
    writeCounts(out, error)
  } else if (error instanceof FunctionFailureError) {
    writeString(out, error.keyspace)
    writeString(out, error.functionName)
    writeStringList(out, error.argumentTypes)
  } else if (error instanceof AlreadyExistsError) {
    writeString(out, error.keyspace)
    writeString(out, error.table)
  } else if (error instanceof UnpreparedError) {
    writeShortBytes(out, error.id)
  }
}

function writeCounts(out: ByteWriter, error: { readonly consistency: number; readonly received: number; readonly required: number }): void {
  out.uint16(error.consistency)
  out.int32(error.received)
  out.int32(error.required)
}

function writeFailures(out: ByteWriter, version: number, failures: readonly ReplicaFailure[]): void {
  out.int32(failures.length)
  if (!hasFailureReasons(version)) return
  for (const failure of failures) {
    writeInetAddress(out, addressOnly(failure.address))
    out.uint16(failure.code)
  }
}

// "10.0.0.1:7000" and "[fe80::1]:7000" lose the port. An error must reach the client even if an address is odd.
function addressOnly(address: string): string {
  if (parseInetAddress(address) !== null) return address
  const bare = address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1")
  return parseInetAddress(bare) === null ? UNKNOWN_ADDRESS : bare
}
