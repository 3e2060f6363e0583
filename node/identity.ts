// Who this node is: its host id, given once, and how often it has been started.
import type { Disk } from "../runtime/disk.ts"
import type { Random } from "../runtime/random.ts"
import { readStateFile, writeStateFile } from "./state-file.ts"

const FILE = "identity"
const FORMAT_VERSION = 1

export interface Identity {
  readonly formatVersion: number
  readonly clusterName: string
  readonly hostId: string
  /** Starts of this node, this one included. */
  readonly incarnation: number
}

/** The directory holds data of another cluster or of a newer release. */
export class DataDirectoryError extends Error {
  override readonly name = "DataDirectoryError"
}

/** Reads or makes the identity, counts this start, and makes that durable. REQUIRES: the directory is locked. */
export async function openIdentity(disk: Disk, directory: string, clusterName: string, random: Random): Promise<Identity> {
  const known = readStateFile(disk, `${directory}/${FILE}`) as Identity | null
  if (known !== null) {
    if (known.formatVersion > FORMAT_VERSION) {
      throw new DataDirectoryError(`${directory} was written by a newer release (format ${known.formatVersion}; this one knows ${FORMAT_VERSION})`)
    }
    if (known.clusterName !== clusterName) {
      throw new DataDirectoryError(`Saved cluster name ${known.clusterName} != configured name ${clusterName} in ${directory}`)
    }
  }
  const identity: Identity = {
    formatVersion: FORMAT_VERSION,
    clusterName,
    hostId: known?.hostId ?? random.uuid(),
    incarnation: (known?.incarnation ?? 0) + 1,
  }
  await writeStateFile(disk, directory, FILE, identity)
  return identity
}
