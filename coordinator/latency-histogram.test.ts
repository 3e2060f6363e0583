import fc from "fast-check"
import { expect, test } from "vitest"
import { LatencyHistogram, NO_VALUES } from "./latency-histogram.ts"

test("nothing recorded", () => {
  expect(new LatencyHistogram().distribution()).toEqual(NO_VALUES)
})

test("law: percentiles are those of the sorted values, to within a sixteenth", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0x7fffffff })), { minLength: 1 }), (values) => {
      const histogram = new LatencyHistogram()
      for (const value of values) histogram.record(value, 1)
      const sorted = values.toSorted((a, b) => a - b)
      const { count, median, percentile99, max } = histogram.distribution()
      expect([count, max]).toEqual([values.length, sorted.at(-1)])
      for (const [told, share] of [[median, 0.5], [percentile99, 0.99]] as const) {
        const exact = sorted[Math.ceil(values.length * share) - 1] as number
        expect(told).toBeGreaterThanOrEqual(exact)
        expect(told).toBeLessThanOrEqual(exact * (1 + 1 / 16))
      }
    }),
  )
})

test("one value many times, fractions, values beyond all buckets", () => {
  const histogram = new LatencyHistogram()
  histogram.record(3.9, 99)
  histogram.record(1e12, 1)
  expect(histogram.distribution()).toMatchObject({ count: 100, median: 3, percentile99: 3, max: 0x7fffffff })
})

test("old values are forgotten after two windows, but counted", () => {
  const histogram = new LatencyHistogram()
  histogram.record(1000, 1)
  histogram.tick(300)
  histogram.record(10, 1)
  expect(histogram.distribution()).toMatchObject({ count: 2, median: 10, max: 1000 })
  histogram.tick(300)
  expect(histogram.distribution()).toMatchObject({ count: 2, median: 10, max: 10 })
  histogram.tick(300)
  expect(histogram.distribution()).toMatchObject({ count: 2, median: 0, percentile99: 0, max: 0 })
})

test("the rate is of about the last minute", () => {
  const histogram = new LatencyHistogram()
  for (let seconds = 0; seconds < 600; seconds += 5) {
    histogram.record(1, 50)
    histogram.tick(5)
  }
  expect(histogram.distribution().perSecond).toBeCloseTo(10)
  for (let seconds = 0; seconds < 60; seconds += 5) histogram.tick(5)
  expect(histogram.distribution().perSecond).toBeCloseTo(10 / Math.E)
})
