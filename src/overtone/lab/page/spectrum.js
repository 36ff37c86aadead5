// Power per band of frequencies of periodic samples.

/** Return ascending edges in cycles per window: bands of half an octave that contain every mode once. */
function bandEdges(samples) {
  const edges = [0, 0.5, 1.5, 2.5];
  for (let low = 2; low < samples / 2; low *= 2) edges.push(Math.max(low * 1.5, low + 1) + 0.5, low * 2 + 0.5);
  const top = samples / 2 + 0.5;
  return [...new Set(edges)].filter((edge) => edge <= top).sort((a, b) => a - b);
}

/** Say which whole numbers of cycles a band holds. */
function bandName(low, high) {
  const [first, last] = [Math.ceil(low), Math.ceil(high) - 1];
  return first === last ? `${first}` : `${first}–${last}`;
}

/** Measures the power per band: |c_k|^2 / N summed over a band, so that all bands add up to the mean square. */
class Bands {
  constructor(samples) {
    this.samples = samples;
    this.edges = bandEdges(samples);
    this.count = this.edges.length - 1;
    this.names = Array.from({ length: this.count }, (_, b) => bandName(this.edges[b], this.edges[b + 1]));
    this.cosines = Float64Array.from({ length: samples }, (_, i) => Math.cos((2 * Math.PI * i) / samples));
  }

  /** Return the power of `values` in each band. */
  power(values) {
    const n = this.samples, out = new Float64Array(this.count);
    let band = 0;
    for (let k = 0; k <= n / 2; k++) {
      while (k >= this.edges[band + 1]) band += 1;
      let real = 0, imaginary = 0;
      for (let i = 0; i < n; i++) {
        const at = (i * k) % n;
        real += values[i] * this.cosines[at];
        imaginary += values[i] * this.cosines[(at + 3 * (n >> 2)) % n];
      }
      const twice = k === 0 || k === n / 2 ? 1 : 2;
      out[band] += (twice * (real * real + imaginary * imaginary)) / (n * n);
    }
    return out;
  }

  /** Return the relative error of each band, the root of residual over target power; NaN without target power. */
  relativeError(target, prediction) {
    const wanted = this.power(target);
    const residual = this.power(target.map((value, i) => value - prediction[i]));
    const least = 1e-6 * wanted.reduce((sum, value) => sum + value, 0);
    return Array.from(residual, (power, b) => (wanted[b] > least ? Math.sqrt(power / wanted[b]) : NaN));
  }
}
