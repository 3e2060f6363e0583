// Bloom filter, data directory: parts small enough to be tested on their own.
import { expect, test } from "vitest"
import { SimulatedClock } from "../runtime/simulated/simulated-clock.ts"
import { SimulatedDisk } from "../runtime/simulated/simulated-disk.ts"
import { tokenOf } from "../data/token.ts"
import { BloomFilter } from "./sstable/bloom-filter.ts"
import { DataDirectory } from "./data-directory.ts"
import { DataDirectoryError } from "./errors.ts"

test.each([0.1, 0.01, 0.001])("a Bloom filter misses nothing and errs about as often as it was told: %s", (wanted) => {
  const filter = BloomFilter.create(5000, wanted)
  const tokens = Array.from({ length: 55_000 }, (_, index) => tokenOf(Buffer.from(`key ${index}`)))
  for (const { high, low } of tokens.slice(0, 5000)) filter.add(high, low)
  const copy = BloomFilter.decode(filter.encode())
  for (const { high, low } of tokens.slice(0, 5000)) expect(copy.mayContain(high, low)).toBe(true)
  const wrong = tokens.slice(5000).filter(({ high, low }) => copy.mayContain(high, low)).length / 50_000
  expect(wrong).toBeLessThan(wanted * 1.5 + 0.0003)
  expect(wrong).toBeGreaterThan(wanted / 3)
})

test("a Bloom filter of a narrow range of tokens errs no more often", () => {
  const filter = BloomFilter.create(5000, 0.01)
  const tokens = Array.from({ length: 55_000 }, (_, index) => ({ high: 0x12345678, low: tokenOf(Buffer.from(`key ${index}`)).low }))
  for (const { high, low } of tokens.slice(0, 5000)) filter.add(high, low)
  expect(tokens.slice(5000).filter(({ high, low }) => filter.mayContain(high, low)).length / 50_000).toBeLessThan(0.015)
})

test("a false positive chance of 1 is no filter at all", () => {
  const filter = BloomFilter.create(1000, 1)
  expect(filter.byteLength).toBe(0)
  expect(BloomFilter.decode(filter.encode()).mayContain(1, 2)).toBe(true)
})

test("a directory opens only for its node, its cluster and its format, once at a time", async () => {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  const open = async (host: string, cluster: string): Promise<DataDirectory> => {
    let done = false
    const opening = DataDirectory.open(disk, "data", host, cluster).finally(() => {
      done = true
    })
    opening.catch(() => undefined)
    await clock.run(() => done)
    return opening
  }
  const reasonOf = async (host: string, cluster: string): Promise<string> => {
    const error: unknown = await open(host, cluster).then(() => null, (thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(DataDirectoryError)
    return (error as DataDirectoryError).reason
  }
  const first = await open("host", "cluster")
  expect(await reasonOf("host", "cluster")).toBe("in_use")
  first.close()
  expect(await reasonOf("other", "cluster")).toBe("other_host")
  expect(await reasonOf("host", "other")).toBe("other_cluster")
  ;(await open("host", "cluster")).close()
  const replace = (text: string): void => disk.appendFile("data/belvedere.json", { truncateTo: 0 }).write(Buffer.from(text))
  replace('{"format":2,"hostId":"host","clusterName":"cluster"}')
  expect(await reasonOf("host", "cluster")).toBe("newer_format")
  replace('{"format":1,"hostId":"ho')
  expect(await reasonOf("host", "cluster")).toBe("damaged")
})
