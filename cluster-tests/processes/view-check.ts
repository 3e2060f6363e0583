// Compares views with their base table, by what a client is answered: every view row must be the query over the base.
import { type Client, types } from "cassandra-driver"

export type Rows = Map<string, string>

/** All rows of a query at CL ALL, keyed by `key`'s columns; values are the other columns. */
export async function readAll(client: Client, query: string, key: readonly string[]): Promise<Rows> {
  const rows: Rows = new Map()
  const stream = client.stream(query, [], { prepare: true, consistency: types.consistencies.all, fetchSize: 5000, autoPage: true })
  for await (const record of stream as unknown as AsyncIterable<types.Row>) {
    const name = JSON.stringify(key.map((column) => String(record[column])))
    if (rows.has(name)) throw new Error(`${query}: ${name} came twice`)
    const others = record.keys().filter((column) => !key.includes(column)).sort()
    rows.set(name, JSON.stringify(others.map((column) => [column, record[column] === null ? null : String(record[column])])))
  }
  return rows
}

/** Up to ten differences, as text. */
export function differences(expected: Rows, found: Rows): string[] {
  const texts: string[] = []
  for (const [key, value] of expected) {
    const other = found.get(key)
    if (other === undefined) texts.push(`missing in the view: ${key} ${value}`)
    else if (other !== value) texts.push(`wrong in the view: ${key} is ${other}, should be ${value}`)
    if (texts.length >= 10) return texts
  }
  for (const key of found.keys()) {
    if (!expected.has(key)) texts.push(`ghost in the view: ${key}`)
    if (texts.length >= 10) return texts
  }
  return texts
}

/** A view with primary key (column, id) of a table with key (id), and the other columns it has. */
export interface ViewShape {
  readonly name: string
  readonly column: string
  readonly selected: readonly string[]
}

/** Differences between the views and what they must hold, from one scan of the base, all at CL ALL. */
export async function checkViews(client: Client, table: string, views: readonly ViewShape[]): Promise<string[]> {
  const columns = [...new Set(["id", ...views.flatMap(({ column, selected }) => [column, ...selected])])]
  const expected = views.map((): Rows => new Map())
  const stream = client.stream(`SELECT ${columns.join(", ")} FROM ${table}`, [], { prepare: true, consistency: types.consistencies.all, fetchSize: 5000, autoPage: true })
  for await (const record of stream as unknown as AsyncIterable<types.Row>) {
    views.forEach(({ column, selected }, index) => {
      if (record[column] === null) return
      const others = [...selected].sort()
      expected[index]?.set(JSON.stringify([String(record[column]), String(record["id"])]), JSON.stringify(others.map((name) => [name, record[name] === null ? null : String(record[name])])))
    })
  }
  const texts: string[] = []
  for (const [index, { name, column }] of views.entries()) {
    const found = await readAll(client, `SELECT * FROM ${name}`, [column, "id"])
    texts.push(...differences(expected[index] as Rows, found).map((text) => `${name}: ${text}`))
  }
  return texts
}
