// Statements about roles, users, permissions and identities.
import type { TypeNode } from "./ast-terms.ts"

export interface RoleOptions {
  readonly password: string | null
  readonly hashedPassword: string | null
  readonly superuser: boolean | null
  readonly login: boolean | null
  readonly options: readonly { readonly key: string; readonly value: string }[] | null
  /** ACCESS TO: null not given, "all", or names. */
  readonly dataCenters: "all" | readonly string[] | null
  /** ACCESS FROM. */
  readonly cidrGroups: "all" | readonly string[] | null
}

/** CREATE ROLE and CREATE USER; a user is a role that may log in. */
export interface CreateRoleStatement {
  readonly kind: "createRole"
  readonly role: string
  readonly ifNotExists: boolean
  readonly options: RoleOptions
}
export interface AlterRoleStatement {
  readonly kind: "alterRole"
  readonly role: string
  readonly ifExists: boolean
  readonly options: RoleOptions
}
export interface DropRoleStatement {
  readonly kind: "dropRole"
  readonly role: string
  readonly ifExists: boolean
}
export interface GrantRoleStatement {
  readonly kind: "grantRole"
  readonly role: string
  readonly grantee: string
}
export interface RevokeRoleStatement {
  readonly kind: "revokeRole"
  readonly role: string
  readonly grantee: string
}

export type Permission = "CREATE" | "ALTER" | "DROP" | "SELECT" | "MODIFY" | "AUTHORIZE" | "DESCRIBE" | "EXECUTE" | "UNMASK" | "SELECT_MASKED"

export type Resource =
  | { readonly kind: "allKeyspaces" }
  | { readonly kind: "keyspace"; readonly keyspace: string }
  | { readonly kind: "table"; readonly keyspace: string | null; readonly name: string }
  | { readonly kind: "allTables"; readonly keyspace: string }
  | { readonly kind: "allRoles" }
  | { readonly kind: "role"; readonly role: string }
  /** `keyspace` null: of all keyspaces. */
  | { readonly kind: "allFunctions"; readonly keyspace: string | null }
  | { readonly kind: "function"; readonly keyspace: string | null; readonly name: string; readonly argumentTypes: readonly TypeNode[] }
  | { readonly kind: "allMbeans" }
  | { readonly kind: "mbean"; readonly name: string; readonly pattern: boolean }

export interface GrantPermissionsStatement {
  readonly kind: "grantPermissions" | "revokePermissions"
  /** Null: ALL. */
  readonly permissions: readonly Permission[] | null
  readonly resource: Resource
  readonly grantee: string
}
export interface ListPermissionsStatement {
  readonly kind: "listPermissions"
  readonly permissions: readonly Permission[] | null
  readonly resource: Resource | null
  readonly grantee: string | null
  readonly recursive: boolean
}
export interface ListRolesStatement {
  readonly kind: "listRoles"
  readonly grantee: string | null
  readonly recursive: boolean
}
export interface ListUsersStatement {
  readonly kind: "listUsers"
}
export interface IdentityStatement {
  readonly kind: "addIdentity" | "dropIdentity"
  readonly identity: string
  /** ADD IDENTITY ... TO ROLE; null for DROP. */
  readonly role: string | null
  /** IF NOT EXISTS or IF EXISTS. */
  readonly conditional: boolean
}

export type RoleStatement =
  | CreateRoleStatement
  | AlterRoleStatement
  | DropRoleStatement
  | GrantRoleStatement
  | RevokeRoleStatement
  | GrantPermissionsStatement
  | ListPermissionsStatement
  | ListRolesStatement
  | ListUsersStatement
  | IdentityStatement
