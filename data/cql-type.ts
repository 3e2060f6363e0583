// CQL types as plain frozen data. The tree holds no code: codecs and comparators are looked up by kind.

export type NativeTypeName =
  | "ascii" | "bigint" | "blob" | "boolean" | "counter" | "date" | "decimal" | "double" | "duration" | "float"
  | "inet" | "int" | "smallint" | "text" | "time" | "timestamp" | "timeuuid" | "tinyint" | "uuid" | "varint"

export type CqlType =
  | { readonly kind: "native"; readonly name: NativeTypeName }
  | { readonly kind: "list"; readonly element: CqlType; readonly frozen: boolean }
  | { readonly kind: "set"; readonly element: CqlType; readonly frozen: boolean }
  | { readonly kind: "map"; readonly key: CqlType; readonly value: CqlType; readonly frozen: boolean }
  | { readonly kind: "tuple"; readonly elements: readonly CqlType[] }
  | { readonly kind: "udt"; readonly keyspace: string; readonly name: string; readonly fields: readonly UdtField[]; readonly frozen: boolean }
  | { readonly kind: "vector"; readonly element: CqlType; readonly dimension: number }

export interface UdtField {
  readonly name: string
  readonly type: CqlType
}

/** True for types whose value is stored as several cells, one per element: collections and UDTs that are not frozen. */
export function isMultiCell(type: CqlType): boolean {
  switch (type.kind) {
    case "list":
    case "set":
    case "map":
    case "udt":
      return !type.frozen
    case "native":
    case "tuple":
    case "vector":
      return false
  }
}
