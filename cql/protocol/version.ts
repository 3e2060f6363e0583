// What differs between the versions of the native protocol, as named questions. Nothing else in this folder compares
// version numbers. The source is native_protocol_v3.spec to v5.spec, sections "Changes from".

export const OLDEST_VERSION = 3
export const NEWEST_VERSION = 5

export function isSupportedVersion(version: number): boolean {
  return version >= OLDEST_VERSION && version <= NEWEST_VERSION
}
/** Versions 1 and 2 had headers of 8 bytes with a stream id of one byte; errors must still reach their clients. */
export function hasShortHeader(version: number): boolean {
  return version === 1 || version === 2
}
/** After STARTUP everything travels in segments with checksums. */
export function hasSegments(version: number): boolean {
  return version >= 5
}
export function hasUnsetValues(version: number): boolean {
  return version >= 4
}
/** Warnings and custom payloads. */
export function hasWarnings(version: number): boolean {
  return version >= 4
}
export function hasWideQueryFlags(version: number): boolean {
  return version >= 5
}
/** `keyspace` and `now_in_seconds` of a request. */
export function hasRequestKeyspace(version: number): boolean {
  return version >= 5
}
export function hasResultMetadataId(version: number): boolean {
  return version >= 5
}
/** PREPARED says where the partition key is among the bind markers. */
export function hasPartitionKeyIndexes(version: number): boolean {
  return version >= 4
}
/** ReadFailure, WriteFailure and FunctionFailure; before, they are told as timeouts. */
export function hasFailureErrors(version: number): boolean {
  return version >= 4
}
/** Failures carry an address and a reason for each replica, not just their number. */
export function hasFailureReasons(version: number): boolean {
  return version >= 5
}
/** A write timeout of a conditional update tells how often it lost. */
export function hasContentions(version: number): boolean {
  return version >= 5
}
/** SCHEMA_CHANGE has FUNCTION and AGGREGATE targets. */
export function hasFunctionTargets(version: number): boolean {
  return version >= 4
}
/** date, time, smallint and tinyint have ids of their own. */
export function hasSmallTypes(version: number): boolean {
  return version >= 4
}
export function hasDurationType(version: number): boolean {
  return version >= 5
}

/** As Cassandra writes a version: "4/v4". */
export function versionName(version: number): string {
  return version + "/v" + version
}
export function versionNames(): string[] {
  const names = []
  for (let version = OLDEST_VERSION; version <= NEWEST_VERSION; version++) names.push(versionName(version))
  return names
}
export function unsupportedVersionMessage(version: number): string {
  return `Invalid or unsupported protocol version (${version}); supported versions are (${versionNames().join(", ")})`
}
