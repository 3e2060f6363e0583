// What a node does for a client on all replicas of the data: the interface that `execute.ts` runs plans on.
import type { Consistency, RequestError, WriteType } from "../cql/errors.ts"
import type { RowSink } from "../data/local-store.ts"
import type { ReadCommand } from "../data/read-command.ts"

/** Told once how a request went; possibly before the call that started it returns. */
export interface Completion {
  done(error: RequestError | null): void
}

export interface Coordinator {
  /**
   * Writes the `count` mutations of one keyspace that `mutations` starts with, one behind the other, to all their replicas and
   * completes when each has `consistency` acknowledgements. The bytes are copied where they are kept; what follows them does not matter.
   */
  write(keyspace: string, mutations: Buffer, count: number, consistency: Consistency, writeType: WriteType, completion: Completion): void
  /**
   * Reads at the consistency level: data from one replica, digests from the others, merge and blocking read repair on
   * mismatch, short-read protection; for views the entry merge and visibility. The sink gets merged rows, in order.
   */
  read(command: ReadCommand, consistency: Consistency, sink: RowSink, completion: Completion): void
}
