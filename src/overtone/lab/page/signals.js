// The signals to learn, at twice as many places as there are samples: every second one is held out.

/** Return a row of a photograph (512 brightnesses) as values from -1 to 1. */
function photographRow() {
  const bytes = atob(document.getElementById("photograph").textContent.trim());
  return Array.from(bytes, (byte) => byte.charCodeAt(0) / 127.5 - 1);
}

/** Return values at x in [0, 1) between equally spaced points, by straight lines; the ends are joined if periodic. */
function between(points, x, periodic) {
  const place = x * (periodic ? points.length : points.length - 1);
  const left = Math.min(Math.floor(place), points.length - 1);
  const right = periodic ? (left + 1) % points.length : Math.min(left + 1, points.length - 1);
  return points[left] + (place - left) * (points[right] - points[left]);
}

/** Return a signal without a scale, whose power falls with the frequency to the power -1.5, of fixed phases. */
function fractal(x) {
  const uniform = uniformGenerator(7);
  let sum = 0;
  for (let k = 1; k <= 40; k++) sum += Math.cos(2 * Math.PI * (k * x + uniform())) / k ** 0.75;
  return 0.4 * sum;
}

/** Functions of x in [0, 1), by the name in the address. */
const SIGNALS = {
  tones: (x) => (Math.sin(2 * Math.PI * x) + Math.sin(8 * Math.PI * x + 1) + Math.sin(24 * Math.PI * x + 2)) / 2,
  step: (x) => (x < 0.25 || x >= 0.7 ? -0.7 : 0.7),
  chirp: (x) => 0.9 * Math.sin(2 * Math.PI * (x + 12 * x * x)),
  sawtooth: (x) => 1.6 * ((3 * x) % 1) - 0.8,
  fractal,
};

/** Return what is to be learned: coordinates, clean and noisy values of the samples and of the held-out ones. */
function makeSamples(settings) {
  const n = settings.samples;
  let evaluate = SIGNALS[settings.signal];
  const stored = { photo: photographRow, file: () => FILE.values, drawn: () => settings.points };
  if (!evaluate) {
    const points = stored[settings.signal]();
    evaluate = (x) => between(points, x, settings.signal === "drawn");
  }
  const normal = normalGenerator(settings.seed + 1000);
  const all = { x: [], clean: [], noisy: [] };
  for (let i = 0; i < 2 * n; i++) {
    const x = i / (2 * n), clean = evaluate(x);
    all.x.push(x); all.clean.push(clean); all.noisy.push(clean + settings.noise * normal());
  }
  const half = (values, parity) => Float32Array.from(values.filter((_, i) => i % 2 === parity));
  return {
    x: half(all.x, 0), clean: half(all.clean, 0), noisy: half(all.noisy, 0),
    heldOutX: half(all.x, 1), heldOutClean: half(all.clean, 1), heldOut: half(all.noisy, 1),
  };
}

/** Return the mean square error of two runs of values. */
function meanSquare(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum / a.length;
}

/** Return the error to the clean signal of straight lines between the noisy samples, at the held-out places. */
function interpolationError(samples) {
  const middle = samples.noisy.map((value, i) => (value + samples.noisy[(i + 1) % samples.noisy.length]) / 2);
  return meanSquare(middle, samples.heldOutClean);
}
