// The objects that requests are decoded into. Requests are decoded and handed over one at a time, so all connections of
// a server share one set: it stays in the processor's caches, and an idle connection costs little.
import { BatchDecoder } from "./batch.ts"
import { ExecuteDecoder } from "./execute.ts"
import { BodyReader } from "./primitives.ts"
import { PooledQueryOptions } from "./query-options.ts"

export class RequestDecoder {
  readonly body = new BodyReader()
  readonly options = new PooledQueryOptions()
  readonly execute = new ExecuteDecoder()
  readonly batch = new BatchDecoder()
}
