import { Buffer } from "../../runtime/pure.ts"
import { murmur3Token, tokenHigh, tokenLow } from "../../data/murmur3.ts"
import type { FunctionArgument, FunctionSite, ScalarFunction } from "./function.ts"
import { native } from "./function.ts"

/** token(): the partitioner's token of a partition key of the statement's table. */
export function tokenFunction(_args: readonly FunctionArgument[], site: FunctionSite): ScalarFunction | null {
  const table = site.table
  if (table === null) return null
  return {
    kind: "scalar", name: "token", argumentTypes: table.partitionKey.map((column) => column.type), returnType: native("bigint"), deterministic: true,
    execute: (args) => {
      const key = serializePartitionKey(args)
      if (key === null) return null
      murmur3Token(key, 0, key.length)
      const token = Buffer.allocUnsafe(8)
      token.writeInt32BE(tokenHigh, 0)
      token.writeUInt32BE(tokenLow, 4)
      return token
    },
  }
}

/** A partition key as mutation.ts holds it; null when a component is null. */
function serializePartitionKey(components: readonly (Uint8Array | null)[]): Buffer | null {
  for (const component of components) if (component === null) return null
  const values = components as readonly Uint8Array[]
  const only = values[0]
  if (values.length === 1 && only !== undefined) return Buffer.from(only)
  const parts: Uint8Array[] = []
  for (const value of values) {
    const size = Buffer.alloc(2)
    size.writeUInt16BE(value.length)
    parts.push(size, value, Buffer.alloc(1))
  }
  return Buffer.concat(parts)
}
