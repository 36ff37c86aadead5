// What the tangent kernel of the network at its initial weights predicts.

/** Return the (N, N) kernel K = J J^T of all parameters at coordinates x. */
function tangentKernel(network, x) {
  const n = x.length, total = new Float64Array(n * n);
  const values = network.layers.map((layer) => new Float64Array(n * layer.inputs));
  const errors = network.layers.map((layer) => new Float64Array(n * layer.outputs));
  for (let first = 0; first < n; first += ROWS) {
    const rows = Math.min(ROWS, n - first);
    network.forward(x, first, rows);
    network.errors[network.sizes.length - 1].fill(1);
    for (let l = network.layers.length - 1; l >= 0; l--) {
      const { inputs, outputs } = network.layers[l];
      values[l].set(network.values[l].subarray(0, rows * inputs), first * inputs);
      errors[l].set(network.errors[l + 1].subarray(0, rows * outputs), first * outputs);
      if (l > 0) network.carryBack(l, rows);
    }
  }
  // The gradient of a layer is the outer product of error and input, so a kernel is a product of two.
  network.layers.forEach((layer, l) => {
    const inputs = new Float64Array(n * n).fill(1), outputs = new Float64Array(n * n);
    addProduct(values[l], values[l], inputs, n, n, layer.inputs);
    addProduct(errors[l], errors[l], outputs, n, n, layer.outputs);
    for (let i = 0; i < n * n; i++) total[i] += inputs[i] * outputs[i];
  });
  return total;
}

/** Return the largest eigenvalue of a symmetric positive matrix, by 60 power iterations. */
function largestEigenvalue(matrix, n) {
  let vector = new Float64Array(n).map((_, i) => 1 + 0.01 * i), size = 0;
  for (let i = 0; i < 60; i++) {
    const next = new Float64Array(n);
    addProduct(matrix, vector, next, n, 1, n);
    size = Math.sqrt(dot(next, 0, next, 0, n));
    vector = next.map((value) => value / size);
  }
  return size;
}

/**
 * Predict the residuals of gradient descent on the linearised network: r(t + 1) = (I - 2 rate K / N) r(t).
 *
 * Steps grow by a quarter to a seventh: m 2^j for m = 4..7. The matrix is squared for each octave, which is exact.
 */
function predictResiduals(kernel, residual, rate, limit) {
  const n = residual.length;
  let matrix = kernel.map((value) => (-2 * rate * value) / n);
  for (let i = 0; i < n; i++) matrix[i * n + i] += 1;
  const rows = [{ step: 0, residual: Float64Array.from(residual) }];
  let vector = rows[0].residual;
  const apply = () => {
    const next = new Float64Array(n);
    addProduct(matrix, vector, next, n, 1, n);
    vector = next;
  };
  for (let m = 1; m < 8; m++) { apply(); rows.push({ step: m, residual: vector }); }
  for (let scale = 2; 4 * scale <= limit; scale *= 2) {
    const squared = new Float64Array(n * n);
    addProduct(matrix, matrix, squared, n, n, n);
    matrix = squared;
    vector = rows[0].residual;
    for (let m = 0; m < 4; m++) apply();
    rows.push({ step: 4 * scale, residual: vector });
    for (let m = 5; m < 8; m++) { apply(); rows.push({ step: m * scale, residual: vector }); }
  }
  return rows;
}

/** Return for each band the first step after which its relative error stays below a half; null if there is none. */
function learningSteps(steps, errors) {
  return errors[0].map((_, b) => {
    let at = null;
    for (let i = steps.length - 1; i >= 0; i--) {
      if (!(errors[i][b] < 0.5)) break;
      at = steps[i];
    }
    return at;
  });
}
