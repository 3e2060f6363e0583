// CREATE, ALTER, DROP, GRANT, REVOKE and LIST of roles, users and permissions; identities.
import { SyntaxError } from "../errors.ts"
import type {
  AlterRoleStatement, CreateRoleStatement, DropRoleStatement, GrantPermissionsStatement, GrantRoleStatement, IdentityStatement, ListPermissionsStatement,
  ListRolesStatement, ListUsersStatement, Permission, Resource, RevokeRoleStatement, RoleOptions,
} from "./ast-roles.ts"
import { TOKEN } from "./tokens.ts"
import { takeIfExists, takeIfNotExists } from "./parse-modifications.ts"
import { parseTextMap } from "./parse-properties.ts"
import { parseFunctionName, parseTableName } from "./parse-types.ts"
import { parseArgumentTypes } from "./parse-types-and-functions.ts"
import type { TokenStream } from "./token-stream.ts"

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const noOptions = (): Mutable<RoleOptions> => ({ password: null, hashedPassword: null, superuser: null, login: null, options: null, dataCenters: null, cidrGroups: null })

/** A role's name: a word, a quoted name or a string. */
function parseRoleName(stream: TokenStream): string {
  return stream.kind() === TOKEN.string ? stream.next() : stream.identifier()
}

/** Behind CREATE ROLE. */
export function parseCreateRole(stream: TokenStream): CreateRoleStatement {
  const ifNotExists = takeIfNotExists(stream)
  const role = parseRoleName(stream)
  const options = parseRoleOptions(stream)
  return { kind: "createRole", role, ifNotExists, options: { ...options, login: options.login ?? false, superuser: options.superuser ?? false } }
}
/** Behind ALTER ROLE. */
export function parseAlterRole(stream: TokenStream): AlterRoleStatement {
  const ifExists = takeIfExists(stream)
  return { kind: "alterRole", role: parseRoleName(stream), ifExists, options: parseRoleOptions(stream) }
}
/** Behind CREATE USER: a role that may log in. */
export function parseCreateUser(stream: TokenStream): CreateRoleStatement {
  const ifNotExists = takeIfNotExists(stream)
  const role = parseRoleName(stream)
  const options = parseUserOptions(stream)
  return { kind: "createRole", role, ifNotExists, options: { ...options, login: true, superuser: options.superuser ?? false } }
}
/** Behind ALTER USER. */
export function parseAlterUser(stream: TokenStream): AlterRoleStatement {
  const ifExists = takeIfExists(stream)
  return { kind: "alterRole", role: parseRoleName(stream), ifExists, options: parseUserOptions(stream) }
}
/** Behind DROP ROLE or DROP USER. */
export function parseDropRole(stream: TokenStream): DropRoleStatement {
  const ifExists = takeIfExists(stream)
  return { kind: "dropRole", role: parseRoleName(stream), ifExists }
}

function parseUserOptions(stream: TokenStream): RoleOptions {
  const options = noOptions()
  if (stream.takeWord("with")) {
    const hashed = stream.takeWord("hashed")
    stream.expectWord("password")
    options[hashed ? "hashedPassword" : "password"] = stream.string()
  }
  if (stream.takeWord("superuser")) options.superuser = true
  else if (stream.takeWord("nosuperuser")) options.superuser = false
  return options
}

/** WITH, if it is there. */
function parseRoleOptions(stream: TokenStream): RoleOptions {
  const options = noOptions()
  if (!stream.takeWord("with")) return options
  do parseRoleOption(stream, options)
  while (stream.takeWord("and"))
  return options
}

function parseRoleOption(stream: TokenStream, options: Mutable<RoleOptions>): void {
  if (stream.takeWord("access")) {
    if (stream.takeWord("to")) setOption(options, "dataCenters", parseNames(stream, "datacenters"))
    else {
      stream.expectWord("from")
      setOption(options, "cidrGroups", parseNames(stream, "cidrs"))
    }
    return
  }
  if (stream.takeWord("hashed")) {
    stream.expectWord("password")
    stream.expectSymbol("=")
    setOption(options, "hashedPassword", stream.string())
    return
  }
  const name = stream.text()
  if (name !== "password" && name !== "options" && name !== "superuser" && name !== "login") throw stream.noAlternative()
  stream.next()
  stream.expectSymbol("=")
  if (name === "password") setOption(options, name, stream.string())
  else if (name === "options") setOption(options, name, parseTextMap(stream))
  else setOption(options, name, stream.boolean())
}

const OPTION_NAMES: Readonly<Record<string, string>> = { hashedPassword: "HASHED_PASSWORD", login: "LOGIN", options: "OPTIONS", password: "PASSWORD", superuser: "SUPERUSER" }

function setOption<K extends keyof RoleOptions>(options: Mutable<RoleOptions>, name: K, value: RoleOptions[K]): void {
  if (options[name] !== null) throw new SyntaxError(`Multiple definition for property '${OPTION_NAMES[name] ?? name}'`)
  options[name] = value
}

/** `ALL word` or `word {'a', 'b'}`. */
function parseNames(stream: TokenStream, word: string): "all" | string[] {
  const all = stream.takeWord("all")
  stream.expectWord(word)
  if (all) return "all"
  stream.expectSymbol("{")
  const names = stream.list((inner) => inner.string())
  stream.expectSymbol("}")
  return names
}

const PERMISSIONS: ReadonlySet<string> = new Set<Permission>([
  "CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "DESCRIBE", "EXECUTE", "UNMASK", "SELECT_MASKED",
])

/** Behind GRANT or REVOKE: permissions ON a resource, or a role; then TO or FROM a role. */
export function parseGrant(stream: TokenStream, revoke: boolean): GrantPermissionsStatement | GrantRoleStatement | RevokeRoleStatement {
  const preposition = revoke ? "from" : "to"
  if (!startsPermissions(stream) || stream.isWord(preposition, 1)) {
    const role = parseRoleName(stream)
    stream.expectWord(preposition)
    return { kind: revoke ? "revokeRole" : "grantRole", role, grantee: parseRoleName(stream) }
  }
  const permissions = parsePermissions(stream)
  stream.expectWord("on")
  const resource = parseResource(stream)
  stream.expectWord(preposition)
  const grantee = parseRoleName(stream)
  checkApplicable(permissions, resource)
  return { kind: revoke ? "revokePermissions" : "grantPermissions", permissions, resource, grantee }
}

const OF_DATA: readonly Permission[] = ["ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE", "UNMASK", "SELECT_MASKED"]
const OF_JMX: readonly Permission[] = ["AUTHORIZE", "DESCRIBE", "EXECUTE", "MODIFY", "SELECT"]

/** What may be granted on a resource, and what Cassandra calls it. */
const APPLICABLE: Readonly<Record<Resource["kind"], readonly [type: string, permissions: readonly Permission[]]>> = {
  allKeyspaces: ["DataResource", ["CREATE", ...OF_DATA]],
  keyspace: ["DataResource", ["CREATE", ...OF_DATA]],
  allTables: ["DataResource", ["CREATE", ...OF_DATA]],
  table: ["DataResource", OF_DATA],
  allRoles: ["RoleResource", ["CREATE", "ALTER", "DROP", "AUTHORIZE", "DESCRIBE"]],
  role: ["RoleResource", ["ALTER", "DROP", "AUTHORIZE"]],
  allFunctions: ["FunctionResource", ["CREATE", "ALTER", "DROP", "AUTHORIZE", "EXECUTE"]],
  function: ["FunctionResource", ["ALTER", "DROP", "AUTHORIZE", "EXECUTE"]],
  allMbeans: ["JMXResource", OF_JMX],
  mbean: ["JMXResource", OF_JMX],
}

/** Of several permissions one is enough. */
function checkApplicable(permissions: readonly Permission[] | null, resource: Resource): void {
  const [type, applicable] = APPLICABLE[resource.kind]
  if (permissions !== null && !permissions.some((permission) => applicable.includes(permission))) {
    throw new SyntaxError(`Resource type ${type} does not support any of the requested permissions`)
  }
}

function startsPermissions(stream: TokenStream): boolean {
  return stream.isWord("all") || (stream.kind() === TOKEN.word && PERMISSIONS.has(stream.text().toUpperCase()))
}

/** Null: ALL. */
function parsePermissions(stream: TokenStream): Permission[] | null {
  if (stream.takeWord("all")) {
    stream.takeWord("permissions")
    return null
  }
  const permissions = stream.list((inner) => {
    if (!startsPermissions(inner)) throw inner.noAlternative()
    return inner.next().toUpperCase() as Permission
  })
  if (!stream.takeWord("permission")) stream.takeWord("permissions")
  return permissions
}

function parseResource(stream: TokenStream): Resource {
  if (stream.isWord("all") && !stream.isSymbol(".", 1)) return parseAllResource(stream)
  if (stream.takeWord("keyspace")) return { kind: "keyspace", keyspace: stream.identifier() }
  if (stream.isWord("role") && !stream.isSymbol(".", 1)) {
    stream.next()
    return { kind: "role", role: parseRoleName(stream) }
  }
  if (stream.isWord("function") && !stream.isSymbol(".", 1)) {
    stream.next()
    const { keyspace, name } = parseFunctionName(stream)
    return { kind: "function", keyspace, name, argumentTypes: parseArgumentTypes(stream) ?? [] }
  }
  const pattern = stream.isWord("mbeans")
  if ((pattern || stream.isWord("mbean")) && stream.kind(1) === TOKEN.string) {
    stream.next()
    return { kind: "mbean", name: stream.string(), pattern }
  }
  if (stream.isWord("table") || stream.isWord("columnfamily")) stream.next()
  return { kind: "table", ...parseTableName(stream) }
}

function parseAllResource(stream: TokenStream): Resource {
  stream.next()
  if (stream.takeWord("keyspaces")) return { kind: "allKeyspaces" }
  if (stream.takeWord("roles")) return { kind: "allRoles" }
  if (stream.takeWord("mbeans")) return { kind: "allMbeans" }
  const tables = stream.takeWord("tables")
  if (!tables) stream.expectWord("functions")
  if (!tables && !stream.isWord("in")) return { kind: "allFunctions", keyspace: null }
  stream.expectWord("in")
  stream.expectWord("keyspace")
  return { kind: tables ? "allTables" : "allFunctions", keyspace: stream.identifier() }
}

/** Behind LIST. */
export function parseList(stream: TokenStream): ListPermissionsStatement | ListRolesStatement | ListUsersStatement {
  if (stream.takeWord("users")) return { kind: "listUsers" }
  if (stream.takeWord("roles")) {
    const grantee = stream.takeWord("of") ? parseRoleName(stream) : null
    return { kind: "listRoles", grantee, recursive: !stream.takeWord("norecursive") }
  }
  const permissions = parsePermissions(stream)
  const resource = stream.takeWord("on") ? parseResource(stream) : null
  const grantee = stream.takeWord("of") ? parseRoleName(stream) : null
  return { kind: "listPermissions", permissions, resource, grantee, recursive: !stream.takeWord("norecursive") }
}

/** Behind ADD IDENTITY. */
export function parseAddIdentity(stream: TokenStream): IdentityStatement {
  const conditional = takeIfNotExists(stream)
  const identity = stream.string()
  stream.expectWord("to")
  stream.expectWord("role")
  return { kind: "addIdentity", identity, role: parseRoleName(stream), conditional }
}
/** Behind DROP IDENTITY. */
export function parseDropIdentity(stream: TokenStream): IdentityStatement {
  const conditional = takeIfExists(stream)
  return { kind: "dropIdentity", identity: stream.string(), role: null, conditional }
}
