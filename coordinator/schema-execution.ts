// CREATE, ALTER, DROP and TRUNCATE: through the cluster metadata, then until every node that is up has followed.
import { ERROR_CODE, RequestError } from "../cql/errors.ts"
import type { SchemaPlan, TruncatePlan } from "../cql/plan.ts"
import type { Reply } from "../cql/request.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Random } from "../runtime/random.ts"
import { type ClusterMetadata, MetadataUnavailableError, StaleSchemaError } from "./cluster/cluster-metadata.ts"
import { clusterShape } from "./cluster/cluster-shape.ts"

export interface SchemaExecutionDeps {
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly random: Random
}

/** How long a DDL answer waits for nodes that are up but behind. */
const APPLY_TIMEOUT_MS = 10_000
const TRUNCATE_TIMEOUT_MS = 60_000
const MAX_ATTEMPTS = 20
const RETRY_MS = 20

/** Answers the request. Others may change the schema meanwhile: then the statement is worked out again on theirs. */
export async function executeSchema(deps: SchemaExecutionDeps, plan: SchemaPlan, reply: Reply): Promise<void> {
  const { metadata, clock, random } = deps
  for (let attempt = 1; ; attempt++) {
    const snapshot = metadata.current()
    const outcome = plan.transform(snapshot.schema, snapshot.schemaDescriptor, clock.nowMicros(), () => random.uuid(), clusterShape(snapshot))
    if (outcome.warnings.length > 0) reply.warnings = [...outcome.warnings]
    if (outcome.event === null) {
      reply.void()
      return
    }
    try {
      const epoch = await metadata.propose({ kind: "schema", expected: snapshot.schemaEpoch, schema: outcome.next })
      const all = await metadata.waitForAll(epoch, clock.monotonicMs() + APPLY_TIMEOUT_MS)
      if (!all) addWarning(reply, "The schema change is made, but not every live node has applied it yet")
      reply.schemaChange(outcome.event)
      return
    } catch (error) {
      if (!(error instanceof StaleSchemaError) || attempt === MAX_ATTEMPTS) throw asRequestError(error)
      // Whoever was faster may not have been heard of here yet.
      if (metadata.current() === snapshot) await clock.sleep(RETRY_MS * attempt)
    }
  }
}

export async function executeTruncate(deps: SchemaExecutionDeps, plan: TruncatePlan, reply: Reply): Promise<void> {
  const { metadata, clock } = deps
  try {
    const epoch = await metadata.propose({ kind: "truncate", table: plan.table.id })
    const all = await metadata.waitForAll(epoch, clock.monotonicMs() + TRUNCATE_TIMEOUT_MS)
    if (!all) throw new RequestError(ERROR_CODE.truncate, `Error during truncate: not every live node has truncated ${plan.table.keyspace}.${plan.table.name} in time`)
  } catch (error) {
    throw asRequestError(error)
  }
  reply.void()
}

function addWarning(reply: Reply, warning: string): void {
  reply.warnings = [...(reply.warnings ?? []), warning]
}

function asRequestError(error: unknown): unknown {
  if (error instanceof StaleSchemaError) return new RequestError(ERROR_CODE.server, "The schema keeps changing: try again")
  if (error instanceof MetadataUnavailableError) return new RequestError(ERROR_CODE.server, error.message)
  return error
}
