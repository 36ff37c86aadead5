// Gradient descent and Adam on the mean square error of all samples.

/** The state of an optimizer for so many parameters. */
class Optimizer {
  constructor(settings, count) {
    this.adam = settings.optimizer === "adam";
    this.rate = settings.rate;
    this.steps = 0;
    this.mean = new Float32Array(this.adam ? count : 0);
    this.square = new Float32Array(this.adam ? count : 0);
  }

  /** Move the parameters by one step. Adam has the constants 0.9, 0.999 and 1e-8. */
  move(parameters, gradients) {
    this.steps += 1;
    if (!this.adam) {
      for (let i = 0; i < parameters.length; i++) parameters[i] -= this.rate * gradients[i];
      return;
    }
    const size = this.rate / (1 - 0.9 ** this.steps);
    const root = Math.sqrt(1 - 0.999 ** this.steps);
    for (let i = 0; i < parameters.length; i++) {
      const g = gradients[i];
      this.mean[i] += 0.1 * (g - this.mean[i]);
      this.square[i] = 0.999 * this.square[i] + 0.001 * g * g;
      parameters[i] -= (size * this.mean[i]) / (Math.sqrt(this.square[i]) / root + 1e-8);
    }
  }
}

/** A training that can be interrupted between groups of rows, so that a frame is never late. */
class Training {
  constructor(network, optimizer, x, y) {
    Object.assign(this, { network, optimizer, x, y, row: 0, sum: 0, loss: NaN });
  }

  /** Handle the next rows; return whether this completed an optimizer step. */
  advance() {
    const { network, x, y } = this;
    if (this.row === 0) { network.gradients.fill(0); this.sum = 0; }
    const rows = Math.min(ROWS, x.length - this.row);
    network.forward(x, this.row, rows);
    const last = network.sizes.length - 1;
    for (let r = 0; r < rows; r++) {
      const error = network.values[last][r] - y[this.row + r];
      this.sum += error * error;
      network.errors[last][r] = (2 * error) / x.length;
    }
    network.backward(rows);
    this.row += rows;
    if (this.row < x.length) return false;
    this.row = 0;
    this.loss = this.sum / x.length;
    this.optimizer.move(network.parameters, network.gradients);
    return true;
  }
}
