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
    this.measurement = this.beginMeasurement();
    while (this.measurement) this.measure();
  }

  /** Return a measurement of the present weights that has not evaluated any sample yet. */
  beginMeasurement() {
    const { x, heldOutX } = this.samples;
    return [{ name: "fit", x, row: 0 }, { name: "heldOut", x: heldOutX, row: 0 }]
      .map((part) => ({ ...part, out: new Float32Array(part.x.length) }));
  }

  /** Evaluate the next rows of the measurement; the last ones complete it. */
  measure() {
    const part = this.measurement.find(({ x, row }) => row < x.length);
    part.row += this.network.predictRows(part.x, part.row, part.out);
    if (this.measurement.every(({ x, row }) => row >= x.length)) this.keep();
  }

  /** Put the completed measurement into the history. */
  keep() {
    const { samples, bands } = this;
    this.prediction = Object.fromEntries(this.measurement.map(({ name, out }) => [name, out]));
    this.measurement = null;
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

  /**
   * Train until so many steps are done or the time is over; record at steps that grow by a tenth.
   *
   * Training and measurements are cut into groups of rows, and none is begun that would end after the deadline, judged by
   * the one before it. Each call handles at least one.
   */
  train(goal, deadline = Infinity) {
    const unfinished = () => this.step < goal || this.measurement;
    let begin = performance.now(), duration = 0;
    for (let first = true; unfinished() && (first || begin + duration < deadline); first = false) {
      if (this.measurement) this.measure();
      else if (this.training.advance() && (this.step >= this.history.at(-1).step * 1.1 || this.step === goal)) {
        this.measurement = this.beginMeasurement();
      }
      const end = performance.now();
      [duration, begin] = [end - begin, end];
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
