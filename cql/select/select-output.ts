// How the rows of a SELECT without aggregates become result rows: columns as they are, or expressions.
import type { ByteWriter } from "../../data/bytes.ts"
import type { TableSchema } from "../../data/schema.ts"
import { RowProjector } from "./row-projector.ts"
import type { Expression, Scope } from "./select-expression.ts"
import { RowReader } from "./select-row-reader.ts"
import type { Selection } from "./selection.ts"

export interface RowOutput {
  start(terms: Scope["terms"], nowSeconds: number): void
  /** REQUIRES: the key stays as it is until the next partition. */
  partition(key: Buffer): void
  staticRow(bytes: Buffer, from: number, to: number): void
  /** Appends the result row of the row at `bytes[from, ...)`. */
  row(bytes: Buffer, from: number, out: ByteWriter): void
  /** Appends the result row of a partition that has only a static row. */
  staticOnly(out: ByteWriter): void
}

export function rowOutput(table: TableSchema, selection: Selection): RowOutput {
  return selection.plain === null ? new ComputedOutput(table, selection) : new PlainOutput(new RowProjector(table, selection.plain))
}

class PlainOutput implements RowOutput {
  readonly #projector: RowProjector
  #nowSeconds = 0
  constructor(projector: RowProjector) {
    this.#projector = projector
  }
  start(_terms: Scope["terms"], nowSeconds: number): void {
    this.#nowSeconds = nowSeconds
  }
  partition(key: Buffer): void {
    this.#projector.partition(key)
  }
  staticRow(bytes: Buffer, from: number, to: number): void {
    this.#projector.staticRow(bytes, from, to, this.#nowSeconds)
  }
  row(bytes: Buffer, from: number, out: ByteWriter): void {
    this.#projector.row(bytes, from, this.#nowSeconds, out)
  }
  staticOnly(out: ByteWriter): void {
    this.#projector.staticOnly(out)
  }
}

class ComputedOutput implements RowOutput {
  readonly #reader: RowReader
  readonly #expressions: readonly Expression[]
  readonly #scope: Scope
  constructor(table: TableSchema, selection: Selection) {
    this.#reader = new RowReader(table, selection.fetched, selection.needsCells)
    this.#expressions = selection.expressions
    this.#scope = { row: this.#reader, terms: [], aggregates: [], nowSeconds: 0 }
  }
  start(terms: Scope["terms"], nowSeconds: number): void {
    this.#scope.terms = terms
    this.#scope.nowSeconds = nowSeconds
  }
  partition(key: Buffer): void {
    this.#reader.partition(key)
  }
  staticRow(bytes: Buffer, from: number, to: number): void {
    this.#reader.staticRow(bytes, from, to, this.#scope.nowSeconds)
  }
  row(bytes: Buffer, from: number, out: ByteWriter): void {
    this.#reader.row(bytes, from, this.#scope.nowSeconds)
    writeRow(this.#expressions, this.#scope, out)
  }
  staticOnly(out: ByteWriter): void {
    this.#reader.noRow()
    writeRow(this.#expressions, this.#scope, out)
  }
}

/** Appends the values of the expressions as [bytes]. */
export function writeRow(expressions: readonly Expression[], scope: Scope, out: ByteWriter): void {
  for (const expression of expressions) {
    const value = expression.evaluate(scope)
    if (value === null) out.int32(-1)
    else {
      out.int32(value.length)
      out.bytes(value)
    }
  }
}
