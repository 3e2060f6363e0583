// QUERY: <query><query_parameters>, the first a [long string].
import type { BodyReader } from "./primitives.ts"
import type { PooledQueryOptions } from "./query-options.ts"

/** Returns the query's text; the parameters go to `options`. Throws ProtocolError. */
export function decodeQuery(body: BodyReader, version: number, options: PooledQueryOptions): string {
  const text = body.longString()
  options.read(body, version)
  return text
}
