// A multilayer perceptron from one coordinate to one value, with gradients written by hand.

/** Pairs of Fourier features, and rows of samples that are handled at once. */
const FEATURES = 32;
const ROWS = 32;

/** Add a b^T to `out`: a is (rows, inner), b is (columns, inner), out is (rows, columns). */
function addProduct(a, b, out, rows, columns, inner) {
  let c = 0;
  // Blocks of 2 x 4 sums use each loaded number several times.
  for (; c + 4 <= columns; c += 4) {
    let r = 0;
    for (; r + 2 <= rows; r += 2) {
      const p = r * inner, q = p + inner;
      const b0 = c * inner, b1 = b0 + inner, b2 = b1 + inner, b3 = b2 + inner;
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
      for (let k = 0; k < inner; k++) {
        const x = a[p + k], y = a[q + k];
        const w0 = b[b0 + k], w1 = b[b1 + k], w2 = b[b2 + k], w3 = b[b3 + k];
        s0 += x * w0; s1 += x * w1; s2 += x * w2; s3 += x * w3;
        t0 += y * w0; t1 += y * w1; t2 += y * w2; t3 += y * w3;
      }
      const i = r * columns + c, j = i + columns;
      out[i] += s0; out[i + 1] += s1; out[i + 2] += s2; out[i + 3] += s3;
      out[j] += t0; out[j + 1] += t1; out[j + 2] += t2; out[j + 3] += t3;
    }
    if (r < rows) for (let d = c; d < c + 4; d++) out[r * columns + d] += dot(a, r * inner, b, d * inner, inner);
  }
  for (; c < columns; c++) {
    for (let r = 0; r < rows; r++) out[r * columns + c] += dot(a, r * inner, b, c * inner, inner);
  }
}

/** Return the sum of products of two runs of numbers. */
function dot(a, i, b, j, count) {
  let sum = 0;
  for (let k = 0; k < count; k++) sum += a[i + k] * b[j + k];
  return sum;
}

/** Write the transpose of `a`, (rows, columns), to `out`. */
function transpose(a, out, rows, columns) {
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = a[r * columns + c];
}

/** A network, its parameters and its gradients; `settings` are those of the address. */
class Network {
  constructor(settings) {
    this.kind = settings.network;
    this.omega = settings.omega;
    this.frequencies = new Float32Array(FEATURES);
    const inputs = this.kind === "fourier" ? 2 * FEATURES : 1;
    this.sizes = [inputs, ...Array(settings.depth).fill(settings.width), 1];
    let count = 0;
    this.layers = [];
    for (let l = 0; l + 1 < this.sizes.length; l++) {
      const [n, m] = [this.sizes[l], this.sizes[l + 1]];
      this.layers.push({ inputs: n, outputs: m, weight: count, bias: count + n * m });
      count += n * m + m;
    }
    this.parameters = new Float32Array(count);
    this.gradients = new Float32Array(count);
    this.initialise(settings);
    // Rows of samples pass through buffers that are allocated once.
    const widest = Math.max(...this.sizes);
    this.values = this.sizes.map((size) => new Float32Array(ROWS * size));
    this.slopes = this.sizes.map((size) => new Float32Array(ROWS * size));
    this.errors = this.sizes.map((size) => new Float32Array(ROWS * size));
    this.turned = [new Float32Array(ROWS * widest), new Float32Array(ROWS * widest)];
    this.turnedWeights = new Float32Array(widest * widest);
  }

  /** Draw the initial weights: uniform, with the bounds of PyTorch's linear layers or of sine networks. */
  initialise(settings) {
    const uniform = uniformGenerator(settings.seed);
    const normal = normalGenerator(settings.seed + 1);
    for (let i = 0; i < FEATURES; i++) this.frequencies[i] = settings.sigma * normal();
    this.layers.forEach((layer, index) => {
      const plain = 1 / Math.sqrt(layer.inputs);
      const sine = index === 0 ? 1 / layer.inputs : Math.sqrt(6 / layer.inputs) / this.omega;
      const bound = this.kind === "sine" ? sine : plain;
      for (let i = layer.weight; i < layer.bias; i++) this.parameters[i] = bound * (2 * uniform() - 1);
      for (let i = 0; i < layer.outputs; i++) this.parameters[layer.bias + i] = plain * (2 * uniform() - 1);
    });
  }

  /** Write the inputs of the first layer for coordinates x in [0, 1). */
  encode(x, first, rows) {
    const out = this.values[0];
    for (let r = 0; r < rows; r++) {
      if (this.kind !== "fourier") { out[r] = 2 * x[first + r] - 1; continue; }
      for (let i = 0; i < FEATURES; i++) {
        const angle = 2 * Math.PI * this.frequencies[i] * x[first + r];
        out[r * 2 * FEATURES + i] = Math.cos(angle);
        out[r * 2 * FEATURES + FEATURES + i] = Math.sin(angle);
      }
    }
  }

  /** Replace the sums of a hidden layer by its activations, and write their slopes. */
  activate(z, slope, count) {
    if (this.kind === "sine") {
      for (let i = 0; i < count; i++) {
        slope[i] = this.omega * Math.cos(this.omega * z[i]);
        z[i] = Math.sin(this.omega * z[i]);
      }
    } else if (this.kind === "tanh") {
      for (let i = 0; i < count; i++) { z[i] = Math.tanh(z[i]); slope[i] = 1 - z[i] * z[i]; }
    } else {
      for (let i = 0; i < count; i++) {
        slope[i] = z[i] > 0 ? 1 : 0;
        if (z[i] <= 0) z[i] = 0;
      }
    }
  }

  /** Evaluate at most ROWS samples, keeping what the backward pass needs; the outputs are the last `values`. */
  forward(x, first, rows) {
    this.encode(x, first, rows);
    this.layers.forEach((layer, l) => {
      const out = this.values[l + 1];
      const bias = this.parameters.subarray(layer.bias, layer.bias + layer.outputs);
      for (let r = 0; r < rows; r++) out.set(bias, r * layer.outputs);
      const weight = this.parameters.subarray(layer.weight, layer.bias);
      addProduct(this.values[l], weight, out, rows, layer.outputs, layer.inputs);
      if (l + 1 < this.layers.length) this.activate(out, this.slopes[l + 1], rows * layer.outputs);
    });
  }

  /** Carry errors[l + 1], the derivatives by the sums of layer l, back to those of the layer before. */
  carryBack(l, rows) {
    const layer = this.layers[l], out = this.errors[l];
    const weight = this.parameters.subarray(layer.weight, layer.bias);
    transpose(weight, this.turnedWeights, layer.outputs, layer.inputs);
    out.fill(0, 0, rows * layer.inputs);
    addProduct(this.errors[l + 1], this.turnedWeights, out, rows, layer.inputs, layer.outputs);
    const slope = this.slopes[l];
    for (let i = 0; i < rows * layer.inputs; i++) out[i] *= slope[i];
  }

  /** Add the gradient of the rows that were evaluated last; errors of the outputs are set. */
  backward(rows) {
    for (let l = this.layers.length - 1; l >= 0; l--) {
      const layer = this.layers[l];
      transpose(this.errors[l + 1], this.turned[0], rows, layer.outputs);
      transpose(this.values[l], this.turned[1], rows, layer.inputs);
      const gradient = this.gradients.subarray(layer.weight, layer.bias);
      addProduct(this.turned[0], this.turned[1], gradient, layer.outputs, layer.inputs, rows);
      for (let o = 0; o < layer.outputs; o++) {
        let sum = 0;
        for (let r = 0; r < rows; r++) sum += this.turned[0][o * rows + r];
        this.gradients[layer.bias + o] += sum;
      }
      if (l > 0) this.carryBack(l, rows);
    }
  }

  /** Write the values at the coordinates from `first` on to `out`, for at most ROWS of them; return for how many. */
  predictRows(x, first, out) {
    const rows = Math.min(ROWS, x.length - first);
    this.forward(x, first, rows);
    out.set(this.values[this.values.length - 1].subarray(0, rows), first);
    return rows;
  }

  /** Return the network's values at all coordinates. */
  predict(x) {
    const out = new Float32Array(x.length);
    for (let first = 0; first < x.length;) first += this.predictRows(x, first, out);
    return out;
  }
}
