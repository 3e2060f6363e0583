// CREATE statements of functions and aggregates, formatted as DESCRIBE prints them. Run again they make the same.
import { Buffer } from "../../runtime/pure.ts"
import type { AggregateDescriptor, FunctionDescriptor } from "../../data/schema.ts"
import { quoteIdentifier, typeName } from "../../data/types/type-name.ts"
import { cqlLiteral } from "../statements/cql-literal.ts"
import { quoteString } from "../statements/term-text.ts"

/** `f(int, text)`: as lists of functions name it. */
export function functionName({ name, argumentTypes }: FunctionDescriptor | AggregateDescriptor): string {
  return `${quoteIdentifier(name)}(${argumentTypes.map(typeName).join(", ")})`
}

export function createFunctionText(keyspace: string, descriptor: FunctionDescriptor): string {
  const { name, argumentNames, argumentTypes, returnType, calledOnNullInput, language, body } = descriptor
  const parameters = argumentTypes.map((type, index) => `${quoteIdentifier(argumentNames[index] as string)} ${typeName(type)}`)
  return [
    `CREATE FUNCTION ${quoteIdentifier(keyspace)}.${quoteIdentifier(name)}(${parameters.join(", ")})`,
    `    ${calledOnNullInput ? "CALLED" : "RETURNS NULL"} ON NULL INPUT`,
    `    RETURNS ${typeName(returnType)}`,
    `    LANGUAGE ${language}`,
    // A body that has $$ in it would end there.
    `    AS ${body.includes("$") ? quoteString(body) : `$$${body}$$`};`,
  ].join("\n")
}

export function createAggregateText(keyspace: string, descriptor: AggregateDescriptor): string {
  const { name, argumentTypes, stateFunction, stateType, finalFunction } = descriptor
  const lines = [
    `CREATE AGGREGATE ${quoteIdentifier(keyspace)}.${quoteIdentifier(name)}(${argumentTypes.map(typeName).join(", ")})`,
    `    SFUNC ${quoteIdentifier(stateFunction)}`,
    `    STYPE ${typeName(stateType)}`,
  ]
  if (finalFunction !== null) lines.push(`    FINALFUNC ${quoteIdentifier(finalFunction)}`)
  const initial = initialConditionText(descriptor)
  if (initial !== null) lines.push(`    INITCOND ${initial}`)
  return `${lines.join("\n")};`
}

/** As a literal; null: there is none. */
export function initialConditionText({ stateType, initialCondition }: AggregateDescriptor): string | null {
  return initialCondition === null ? null : cqlLiteral(stateType, Buffer.from(initialCondition, "base64"))
}
