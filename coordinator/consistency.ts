// What a consistency level asks for: how many acknowledgements, and of which replicas.
// The numbers come from the keyspace's configured replication, not from the nodes there are, as in Cassandra's
// ConsistencyLevel: on one node a keyspace with factor 3 cannot reach QUORUM.
//
// SERIAL and LOCAL_SERIAL reads are quorum reads: they promise to see finished conditional updates, which write quorums.
import { CONSISTENCY, type Consistency, InvalidRequestError, consistencyName } from "../cql/errors.ts"
import { type Replication, factorOf } from "./cluster/replication.ts"

/** Acknowledgements a request at this level needs, without pending replicas. */
export function blockFor(consistency: Consistency, replication: Replication, dataCenter: string): number {
  switch (consistency) {
    case CONSISTENCY.any:
    case CONSISTENCY.one:
    case CONSISTENCY.localOne:
      return 1
    case CONSISTENCY.two:
      return 2
    case CONSISTENCY.three:
      return 3
    case CONSISTENCY.quorum:
    case CONSISTENCY.serial:
      return quorum(replication.factor)
    case CONSISTENCY.all:
      return replication.factor
    case CONSISTENCY.localQuorum:
    case CONSISTENCY.localSerial:
      return quorum(factorOf(replication, dataCenter))
    case CONSISTENCY.eachQuorum: {
      if (replication.kind !== "networkTopology") return quorum(replication.factor)
      let sum = 0
      for (const factor of replication.dataCenters.values()) sum += quorum(factor)
      return sum
    }
  }
}

export function quorum(factor: number): number {
  return (factor >>> 1) + 1
}

/** Only replicas of the coordinator's own data centre count. */
export function isDataCenterLocal(consistency: Consistency): boolean {
  return consistency === CONSISTENCY.localOne || consistency === CONSISTENCY.localQuorum || consistency === CONSISTENCY.localSerial
}

/** True when every data centre needs a quorum of its own. */
export function isEachQuorum(consistency: Consistency, replication: Replication): boolean {
  return consistency === CONSISTENCY.eachQuorum && replication.kind === "networkTopology"
}

/** Throws InvalidRequestError with Cassandra's words. */
export function validateForRead(consistency: Consistency): void {
  if (consistency === CONSISTENCY.any) throw new InvalidRequestError("ANY ConsistencyLevel is only supported for writes")
}

/** Throws InvalidRequestError with Cassandra's words. */
export function validateForWrite(consistency: Consistency): void {
  if (consistency === CONSISTENCY.serial || consistency === CONSISTENCY.localSerial) {
    throw new InvalidRequestError("You must use conditional updates for serializable writes")
  }
}

export function isSerial(consistency: Consistency): boolean {
  return consistency === CONSISTENCY.serial || consistency === CONSISTENCY.localSerial
}

/** Throws InvalidRequestError with Cassandra's words. */
export function validateForCounters(consistency: Consistency, table: string): void {
  if (consistency === CONSISTENCY.any) throw new InvalidRequestError(`Consistency level ANY is not yet supported for counter table ${table}`)
  if (isSerial(consistency)) throw new InvalidRequestError("Counter operations are inherently non-serializable")
}

/** The level at which a conditional update is decided. Throws InvalidRequestError with Cassandra's words. */
export function validateForCas(consistency: Consistency): void {
  if (!isSerial(consistency)) throw new InvalidRequestError("Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL")
}

/** The level at which its write must be kept. Throws InvalidRequestError with Cassandra's words. */
export function validateForCasCommit(consistency: Consistency): void {
  if (!isSerial(consistency)) return
  throw new InvalidRequestError(
    `${consistencyName(consistency)} is not supported as conditional update commit consistency. Use ANY if you mean "make sure it is accepted but I don't care how many replicas commit it for non-SERIAL reads"`,
  )
}
