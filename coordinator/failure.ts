// Why a replica could not do what it was asked. Payload of VERB.writeFailed and VERB.readFailed: u16 code.
import { ERROR_CODE, RequestError } from "../cql/errors.ts"
import { AssertionError } from "../runtime/pure.ts"

/** The first ones are the protocol's (RequestFailureReason); the others stay between nodes. */
export const FAILURE = {
  unknown: 0, timeout: 2, incompatibleSchema: 3,
  /** The sender's metadata is older than the last change of the range or the table: fetch it and send again. */
  staleEpoch: 0x100,
  /** The table is gone. */
  unknownTable: 0x101,
} as const

/** The code that a client may see. */
export function clientFailureCode(code: number): number {
  if (code === FAILURE.staleEpoch || code === FAILURE.unknownTable) return FAILURE.incompatibleSchema
  return code < 0x100 ? code : FAILURE.unknown
}

/**
 * Sorts an error that the local store threw: a bug goes on up, a RequestError (a sink may throw one, and a mutation that
 * is too large is one) is the client's, anything else is an operating failure of this replica: null.
 */
export function requestErrorOf(error: unknown): RequestError | null {
  if (error instanceof AssertionError || error instanceof TypeError || error instanceof RangeError) throw error
  if (error instanceof RequestError) return error
  if (error instanceof Error && error.name === "MutationTooLargeError") return new RequestError(ERROR_CODE.invalid, error.message)
  return null
}
