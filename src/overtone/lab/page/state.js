// All settings stand in the address, so that a link shows others the same training.

/** What a setting may be: one of some words, or a number between two limits. */
const CHOICES = {
  signal: ["tones", "step", "chirp", "sawtooth", "fractal", "photo", "drawn", "file"],
  network: ["relu", "tanh", "fourier", "sine"],
  optimizer: ["adam", "gd"],
};
const LIMITS = {
  sigma: [0.5, 40], omega: [1, 60], width: [16, 256], depth: [2, 3], rate: [0.00001, 2],
  samples: [128, 256], seed: [0, 99999], noise: [0, 1], steps: [0, 200000],
};
const WHOLE = ["width", "depth", "samples", "seed", "steps"];
const DEFAULTS = {
  signal: "tones", network: "relu", optimizer: "adam", sigma: 4, omega: 20, width: 64, depth: 2,
  rate: 0.003, samples: 128, seed: 1, noise: 0, steps: 0,
};
const DRAWN = 128;

/** Return points of a drawn signal as text, one byte a point. */
function packPoints(points) {
  const bytes = points.map((y) => String.fromCharCode(Math.round((Math.max(-1, Math.min(1, y)) + 1) * 127.5)));
  return btoa(bytes.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Return the points that `packPoints` wrote, or null. */
function unpackPoints(text) {
  if (!/^[\w-]+$/.test(text)) return null;
  let bytes;
  try { bytes = atob(text.replaceAll("-", "+").replaceAll("_", "/")); } catch { return null; }
  return bytes.length === DRAWN ? Array.from(bytes, (byte) => byte.charCodeAt(0) / 127.5 - 1) : null;
}

/** Read one setting; undefined if it is not allowed. */
function readSetting(name, text) {
  if (name === "points") return unpackPoints(text) ?? undefined;
  if (Object.hasOwn(CHOICES, name)) return CHOICES[name].includes(text) ? text : undefined;
  if (!Object.hasOwn(LIMITS, name) || !/^\d+(\.\d+)?(e-?\d+)?$/.test(text)) return undefined;
  const number = Number(text), [low, high] = LIMITS[name];
  if (number < low || number > high || (WHOLE.includes(name) && !Number.isInteger(number))) return undefined;
  if ((name === "width" && number % 4) || (name === "samples" && number % 128)) return undefined;
  return number;
}

/** Return the settings of an address and the names of those that were ignored. */
function readAddress(hash) {
  const settings = { ...DEFAULTS, points: null }, ignored = [];
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const value = readSetting(name, text);
    if (value === undefined) ignored.push(name.replace(/[^\w-]/g, "").slice(0, 20) || "an empty name");
    else settings[name] = value;
  }
  if ((settings.signal === "drawn" && !settings.points) || (settings.signal === "file" && !FILE)) {
    settings.signal = DEFAULTS.signal;
    if (!ignored.includes("points")) ignored.push("signal");
  }
  return { settings, ignored };
}

/** Return the address of settings. */
function writeAddress(settings) {
  const words = new URLSearchParams();
  for (const name of Object.keys(DEFAULTS)) words.set(name, settings[name]);
  if (settings.signal === "drawn") words.set("points", packPoints(settings.points));
  return `#${words}`;
}
