// Compiled statements by id or text, bounded. Eviction is second chance: a statement used since the hand last came by
// goes to the back of the queue instead, so that looking one up costs no reordering.
import type { Prepared } from "../cql/plan.ts"

export interface CachedStatement {
  prepared: Prepared
  /** `prepared.resultMetadata.id` as the protocol hands ids in; null for statements without rows. */
  resultMetadataId: string | null
  used: boolean
}

export class PreparedCache {
  readonly #statements = new Map<string, CachedStatement>()
  readonly #capacity: number
  #evicted = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#statements.size
  }

  /** How many had to go since the start because there were too many. */
  get evicted(): number {
    return this.#evicted
  }

  get(name: string): CachedStatement | null {
    const statement = this.#statements.get(name)
    if (statement === undefined) return null
    statement.used = true
    return statement
  }

  set(name: string, prepared: Prepared): CachedStatement {
    const resultMetadataId = prepared.resultMetadata === null ? null : prepared.resultMetadata.id.toString("latin1")
    const known = this.#statements.get(name)
    if (known !== undefined) {
      known.prepared = prepared
      known.resultMetadataId = resultMetadataId
      return known
    }
    if (this.#statements.size >= this.#capacity) this.#evict()
    const statement = { prepared, resultMetadataId, used: false }
    this.#statements.set(name, statement)
    return statement
  }

  delete(name: string): void {
    this.#statements.delete(name)
  }

  *values(): Iterable<Prepared> {
    for (const { prepared } of this.#statements.values()) yield prepared
  }

  #evict(): void {
    for (const [name, statement] of this.#statements) {
      this.#statements.delete(name)
      if (!statement.used) {
        this.#evicted++
        return
      }
      statement.used = false
      this.#statements.set(name, statement)
    }
  }
}
