// Statements about roles, permissions and identities. Nobody logs in to this cluster: everything is allowed to everybody, as
// with Cassandra's AllowAllAuthenticator and AllowAllAuthorizer, and roles are managed by nobody, since only somebody who
// has logged in may. What is wrong with a statement is said first, in Cassandra's order: what it would take a superuser
// for, options that nothing here supports, then that nobody is logged in.
import { ERROR_CODE, InvalidRequestError, RequestError } from "../errors.ts"
import type { RoleOptions, RoleStatement } from "../language/ast-roles.ts"

const MANAGER = "org.apache.cassandra.auth.CassandraRoleManager"
/** The one role there is. */
const DEFAULT_SUPERUSER = "cassandra"

/** Throws RequestErrors, always. */
export function refuseRoleStatement(statement: RoleStatement): never {
  switch (statement.kind) {
    case "createRole":
      if (statement.options.superuser === true) throw unauthorized("Only superusers can create a role with superuser status")
      checkOptions(statement.options)
      if (statement.role === "") throw new InvalidRequestError("Role name can't be an empty string")
      break
    case "alterRole":
      if (statement.options.superuser !== null) throw unauthorized("Only superusers are allowed to alter superuser status")
      if (statement.options.dataCenters !== null) throw unauthorized("Only superusers are allowed to alter access to datacenters.")
      if (isEmpty(statement.options)) throw new InvalidRequestError("ALTER [ROLE|USER] can't be empty")
      checkOptions(statement.options)
      break
    case "dropRole":
      if (statement.role === DEFAULT_SUPERUSER) throw unauthorized("Only superusers can drop a role with superuser status")
      break
    default:
      break
  }
  throw unauthorized("You have to be logged in and not anonymous to perform this request")
}

function checkOptions({ password, hashedPassword, options, cidrGroups }: RoleOptions): void {
  const unsupported = password !== null ? "PASSWORD" : hashedPassword !== null ? "HASHED_PASSWORD" : options !== null ? "OPTIONS" : null
  if (unsupported !== null) throw new InvalidRequestError(`${MANAGER} doesn't support ${unsupported}`)
  if (cidrGroups !== null && cidrGroups !== "all") throw new InvalidRequestError(`Invalid CIDR group(s): [${cidrGroups.join(", ")}]. Available CIDR Groups are: []`)
}

function isEmpty(options: RoleOptions): boolean {
  return Object.values(options).every((value) => value === null)
}

function unauthorized(message: string): RequestError {
  return new RequestError(ERROR_CODE.unauthorized, message)
}
