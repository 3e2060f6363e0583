// Every error a client can get, as the native protocol defines it (native_protocol_v5.spec, section 9). One class per
// body layout; the text is Cassandra's.

export const ERROR_CODE = {
  server: 0x0000, protocol: 0x000a, badCredentials: 0x0100, unavailable: 0x1000, overloaded: 0x1001, isBootstrapping: 0x1002,
  truncate: 0x1003, writeTimeout: 0x1100, readTimeout: 0x1200, readFailure: 0x1300, functionFailure: 0x1400, writeFailure: 0x1500,
  casWriteUnknown: 0x1700,
  syntax: 0x2000, unauthorized: 0x2100, invalid: 0x2200, config: 0x2300, alreadyExists: 0x2400, unprepared: 0x2500,
} as const
export type ErrorCode = (typeof ERROR_CODE)[keyof typeof ERROR_CODE]

export type WriteType = "SIMPLE" | "BATCH" | "UNLOGGED_BATCH" | "COUNTER" | "BATCH_LOG" | "CAS" | "VIEW" | "CDC"

/** The protocol's [consistency] values. */
export const CONSISTENCY = {
  any: 0, one: 1, two: 2, three: 3, quorum: 4, all: 5, localQuorum: 6, eachQuorum: 7, serial: 8, localSerial: 9, localOne: 10,
} as const
export type Consistency = (typeof CONSISTENCY)[keyof typeof CONSISTENCY]

/** Codes without further fields: server, protocol, overloaded, truncate, syntax, invalid, config, ... */
export class RequestError extends Error {
  override readonly name: string = "RequestError"
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export class InvalidRequestError extends RequestError {
  constructor(message: string) {
    super(ERROR_CODE.invalid, message)
  }
}
export class SyntaxError extends RequestError {
  constructor(message: string) {
    super(ERROR_CODE.syntax, message)
  }
}
export class ConfigurationError extends RequestError {
  constructor(message: string) {
    super(ERROR_CODE.config, message)
  }
}
export class ProtocolError extends RequestError {
  constructor(message: string) {
    super(ERROR_CODE.protocol, message)
  }
}

export class UnavailableError extends RequestError {
  readonly consistency: Consistency
  readonly required: number
  readonly alive: number
  constructor(consistency: Consistency, required: number, alive: number) {
    super(ERROR_CODE.unavailable, "Cannot achieve consistency level " + consistencyName(consistency))
    this.consistency = consistency
    this.required = required
    this.alive = alive
  }
}

export class WriteTimeoutError extends RequestError {
  readonly consistency: Consistency
  readonly received: number
  readonly required: number
  readonly writeType: WriteType
  /** How often a conditional update lost to another; told for writeType CAS (v5). */
  readonly contentions: number
  constructor(consistency: Consistency, received: number, required: number, writeType: WriteType, contentions = 0, message: string | null = null) {
    super(ERROR_CODE.writeTimeout, message ?? "Operation timed out - received only " + received + " responses.")
    this.consistency = consistency
    this.received = received
    this.required = required
    this.writeType = writeType
    this.contentions = contentions
  }
}

export function casTimeout(consistency: Consistency, received: number, required: number, contentions: number): WriteTimeoutError {
  const message = `CAS operation timed out: received ${received} of ${required} required responses after ${contentions} contention retries`
  return new WriteTimeoutError(consistency, received, required, "CAS", contentions, message)
}

/** A proposal that some replicas accepted, but no quorum that is known: it may yet be applied. */
export class CasWriteUnknownError extends RequestError {
  readonly consistency: Consistency
  readonly received: number
  readonly required: number
  constructor(consistency: Consistency, received: number, required: number) {
    super(ERROR_CODE.casWriteUnknown, `CAS operation result is unknown - proposal accepted by ${received} but not a quorum.`)
    this.consistency = consistency
    this.received = received
    this.required = required
  }
}

export class ReadTimeoutError extends RequestError {
  readonly consistency: Consistency
  readonly received: number
  readonly required: number
  readonly dataPresent: boolean
  constructor(consistency: Consistency, received: number, required: number, dataPresent: boolean) {
    super(ERROR_CODE.readTimeout, "Operation timed out - received only " + received + " responses.")
    this.consistency = consistency
    this.received = received
    this.required = required
    this.dataPresent = dataPresent
  }
}

/** Why a replica failed, by its address (v5; v3 and v4 carry only the count). */
export interface ReplicaFailure {
  readonly address: string
  readonly code: number
}

export class WriteFailureError extends RequestError {
  readonly consistency: Consistency
  readonly received: number
  readonly required: number
  readonly failures: readonly ReplicaFailure[]
  readonly writeType: WriteType
  constructor(consistency: Consistency, received: number, required: number, failures: readonly ReplicaFailure[], writeType: WriteType) {
    super(ERROR_CODE.writeFailure, `Operation failed - received ${received} responses and ${failures.length} failures`)
    this.consistency = consistency
    this.received = received
    this.required = required
    this.failures = failures
    this.writeType = writeType
  }
}

export class ReadFailureError extends RequestError {
  readonly consistency: Consistency
  readonly received: number
  readonly required: number
  readonly failures: readonly ReplicaFailure[]
  readonly dataPresent: boolean
  constructor(consistency: Consistency, received: number, required: number, failures: readonly ReplicaFailure[], dataPresent: boolean) {
    super(ERROR_CODE.readFailure, `Operation failed - received ${received} responses and ${failures.length} failures`)
    this.consistency = consistency
    this.received = received
    this.required = required
    this.failures = failures
    this.dataPresent = dataPresent
  }
}

/** A function or operation that failed on the values it was called with. */
export class FunctionFailureError extends RequestError {
  readonly keyspace: string
  readonly functionName: string
  readonly argumentTypes: readonly string[]
  constructor(keyspace: string, functionName: string, argumentTypes: readonly string[], message: string) {
    super(ERROR_CODE.functionFailure, message)
    this.keyspace = keyspace
    this.functionName = functionName
    this.argumentTypes = argumentTypes
  }
}

/** `table` is empty for a keyspace. */
export class AlreadyExistsError extends RequestError {
  readonly keyspace: string
  readonly table: string
  constructor(keyspace: string, table: string, message: string) {
    super(ERROR_CODE.alreadyExists, message)
    this.keyspace = keyspace
    this.table = table
  }
}

export class UnpreparedError extends RequestError {
  readonly id: Uint8Array
  constructor(id: Uint8Array, hex: string) {
    super(ERROR_CODE.unprepared, `Prepared query with ID ${hex} not found (either the query was not prepared on this host (maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)`)
    this.id = id
  }
}

const CONSISTENCY_NAMES = ["ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"] as const

export function consistencyName(consistency: Consistency): string {
  return CONSISTENCY_NAMES[consistency]
}
