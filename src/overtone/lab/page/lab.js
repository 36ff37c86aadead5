// The experiment: samples, network, training, prediction and what was recorded.

/** One experiment with fixed settings. */
class Lab {
  constructor(settings) {
    this.settings = settings;
    this.samples = makeSamples(settings);
    this.bands = new Bands(settings.samples);
    this.network = new Network(settings);
    this.optimizer = new Optimizer(settings, this.network.parameters.length);
    this.training = new Training(this.network, this.optimizer, this.samples.x, this.samples.noisy);
    this.target = this.bands.power(this.samples.noisy);
    this.straight = interpolationError(this.samples);
    this.history = [];
    this.best = null;
    this.record();
  }

  /** Number of optimizer steps so far. */
  get step() { return this.optimizer.steps; }

  /** Measure the network as it is, and keep the result in the history. */
  record() {
    const { samples, bands } = this;
    this.prediction = { fit: this.network.predict(samples.x), heldOut: this.network.predict(samples.heldOutX) };
    const { fit, heldOut } = this.prediction;
    const row = {
      step: this.step,
      loss: meanSquare(fit, samples.noisy),
      clean: meanSquare(heldOut, samples.heldOutClean),
      heldOut: meanSquare(heldOut, samples.heldOut),
      errors: bands.relativeError(samples.noisy, fit),
    };
    if (this.history.at(-1)?.step === row.step) return;
    this.history.push(row);
    if (!this.best || row.clean < this.best.clean) this.best = row;
  }

  /** Train until so many steps are done or the time is over; record at steps that grow by a tenth. */
  train(goal, deadline = Infinity) {
    while (this.step < goal && performance.now() < deadline) {
      if (!this.training.advance()) continue;
      if (this.step >= this.history.at(-1).step * 1.1 || this.step === goal) this.record();
    }
  }

  /** Predict the training by the tangent kernel of the initial weights, up to `limit` steps. Call it before training. */
  predict(limit = 131072) {
    const { samples, settings } = this, n = settings.samples;
    const kernel = tangentKernel(this.network, samples.x);
    const largest = largestEigenvalue(kernel, n);
    const fit = this.network.predict(samples.x);
    const rows = predictResiduals(kernel, fit.map((value, i) => value - samples.noisy[i]), settings.rate, limit);
    const none = new Float32Array(n);
    const errors = rows.map((row) => {
      const powers = this.bands.power(row.residual);
      const scale = this.bands.relativeError(samples.noisy, none);
      return Array.from(powers, (power, b) => (Number.isNaN(scale[b]) ? NaN : Math.sqrt(power / this.target[b])));
    });
    const steps = rows.map((row) => row.step);
    this.forecast = { kernel, rows, errors, steps, largestRate: n / largest, learning: learningSteps(steps, errors) };
    return this.forecast;
  }

  /** Return the measured learning step of each band. */
  measured() {
    return learningSteps(this.history.map((row) => row.step), this.history.map((row) => row.errors));
  }
}
