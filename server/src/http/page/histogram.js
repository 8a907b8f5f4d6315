// Round trips in buckets, so that their number costs no memory.

/** Buckets per doubling of the value: a percentile is exact to about one percent. */
const PER_OCTAVE = 64;
/** Buckets that a bar of the chart merges. */
const PER_BAR = 16;
const OCTAVES = 36;
/** Upper bound of the first bucket, in milliseconds. */
const LOWEST_MS = 0.001;

export class Histogram {
  constructor() {
    this.counts = new Float64Array(PER_OCTAVE * OCTAVES);
    this.count = 0;
    this.minMs = null;
    this.maxMs = null;
  }

  add(ms) {
    this.counts[bucketOf(ms)] += 1;
    this.count += 1;
    this.minMs = this.minMs === null ? ms : Math.min(this.minMs, ms);
    this.maxMs = this.maxMs === null ? ms : Math.max(this.maxMs, ms);
  }

  /** Returns the value that this share of the round trips does not exceed, or `null` if there are none. */
  percentile(share) {
    if (this.count === 0) return null;
    let left = Math.max(1, Math.ceil(this.count * share));
    const bucket = this.counts.findIndex((count) => (left -= count) <= 0);
    return Math.min(this.maxMs, Math.max(this.minMs, lowerBound(bucket + 0.5)));
  }

  /** Returns the bars from the first that is not empty to the last. */
  bars() {
    const bars = [];
    for (let bar = 0; bar < this.counts.length / PER_BAR; bar += 1) {
      const counts = this.counts.subarray(bar * PER_BAR, (bar + 1) * PER_BAR);
      const count = counts.reduce((sum, one) => sum + one, 0);
      bars.push({ fromMs: lowerBound(bar * PER_BAR), toMs: lowerBound((bar + 1) * PER_BAR), count });
    }
    const first = bars.findIndex((bar) => bar.count > 0);
    const last = bars.findLastIndex((bar) => bar.count > 0);
    return first < 0 ? [] : bars.slice(first, last + 1);
  }
}

function bucketOf(ms) {
  const bucket = Math.floor(Math.log2(Math.max(ms, LOWEST_MS) / LOWEST_MS) * PER_OCTAVE);
  return Math.min(bucket, PER_OCTAVE * OCTAVES - 1);
}

function lowerBound(bucket) {
  return LOWEST_MS * 2 ** (bucket / PER_OCTAVE);
}
