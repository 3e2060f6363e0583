import { expect, test } from "vitest"
import { ByteWriter } from "../../data/bytes.ts"
import type { CqlType } from "../../data/cql-type.ts"
import { writeTypeOption } from "./type-option.ts"

const PREFIX = "org.apache.cassandra.db.marshal."
const int: CqlType = { kind: "native", name: "int" }
const text: CqlType = { kind: "native", name: "text" }

function vectorOf(element: CqlType): string {
  const out = new ByteWriter()
  writeTypeOption(out, { kind: "vector", element, dimension: 2 }, 4)
  expect(out.view().readUInt16BE(0)).toBe(0)
  return out.view().toString("latin1", 4)
}

test.each<[CqlType, string]>([
  [int, "Int32Type"],
  [{ kind: "list", element: int, frozen: true }, `FrozenType(${PREFIX}ListType(${PREFIX}Int32Type))`],
  [{ kind: "set", element: text, frozen: false }, `SetType(${PREFIX}UTF8Type)`],
  [{ kind: "map", key: text, value: int, frozen: false }, `MapType(${PREFIX}UTF8Type,${PREFIX}Int32Type)`],
  [{ kind: "tuple", elements: [int, text] }, `TupleType(${PREFIX}Int32Type,${PREFIX}UTF8Type)`],
  [
    { kind: "udt", keyspace: "ks", name: "ad", fields: [{ name: "é", type: int }], frozen: true },
    `FrozenType(${PREFIX}UserType(ks,6164,c3a9:${PREFIX}Int32Type))`,
  ],
  [{ kind: "vector", element: int, dimension: 3 }, `VectorType(${PREFIX}Int32Type , 3)`],
])("a vector of %j is named by its class", (element, name) => {
  expect(vectorOf(element)).toBe(`${PREFIX}VectorType(${PREFIX}${name} , 2)`)
})
