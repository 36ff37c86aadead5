// The page: controls, pointer and keyboard, and one picture a frame.

const element = (id) => document.getElementById(id);
const FILE = JSON.parse(element("file").textContent);
const form = element("settings");
const BUDGET = 9; // milliseconds of training in a frame of 16.7
const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

let settings, lab, playing = false, cursor = null, pen = null, waiting = 0, frames = [], drawn = 0, written = 0;
let speed = null, counted = 0; // training steps per second while playing, and the step up to which it was measured

/** Say something in the status line. */
const say = (text) => { element("status").textContent = text; };

/** Write a number with so many digits. */
const digits = (value, count = 3) => (Number.isFinite(value) ? String(Number(value.toPrecision(count))) : "–");

/** Start the experiment anew, and predict it as soon as the page has been drawn. */
function restart(message = "") {
  playing = false;
  lab = new Lab(settings);
  history.replaceState(null, "", writeAddress(settings));
  showSettings();
  show();
  say(message || "Ready. Press Play.");
  clearTimeout(waiting);
  waiting = setTimeout(predict, pen ? 300 : 0);
}

/** Compute the prediction, unless the training has begun. */
function predict() {
  clearTimeout(waiting);
  if (lab.forecast || lab.step > 0) return;
  lab.predict();
  showTable();
  show();
}

/** Put the settings into the controls. */
function showSettings() {
  for (const control of form.elements) if (control.name) control.value = settings[control.name];
  for (const out of form.querySelectorAll("output")) out.textContent = settings[out.dataset.for];
  for (const label of form.querySelectorAll("[data-only]")) label.hidden = label.dataset.only !== settings.network;
  element("play").textContent = playing ? "Pause" : "Play";
}

/** Last step of the axes: the next power of ten. */
const lastStep = () => Math.max(1000, 10 ** Math.ceil(Math.log10(1 + lab.step)));

/** Draw the four figures. */
function show() {
  const { samples, bands, prediction, history: rows } = lab;
  const residual = prediction.fit.map((value, i) => value - samples.noisy[i]);
  const descent = settings.optimizer === "gd" && lab.forecast ? lab.forecast.learning : null;
  const last = Math.min(200000, Math.max(lastStep(), descent ? Math.max(...descent.filter((s) => s !== null && s <= 20000), 0) * 1.2 : 0));
  drawFit(element("fit"), samples, prediction, cursor);
  drawSpectrum(element("spectrum"), bands, lab.target, bands.power(prediction.fit), bands.power(residual));
  drawMap(element("map"), bands, rows, last, descent, lab.measured());
  drawErrors(element("errors"), rows, last, lab.best, lab.straight);
}

/** Fill the table of bands and the sentences beside it. */
function showTable() {
  const row = lab.history.at(-1), measured = lab.measured(), { forecast } = lab;
  const order = forecast ? forecast.learning.filter((step) => step !== null).sort((a, b) => a - b) : [];
  const expected = (b) => {
    if (!forecast || Number.isNaN(row.errors[b])) return "–";
    const step = forecast.learning[b];
    if (step === null) return settings.optimizer === "gd" ? "later than 100,000" : "among the last";
    return settings.optimizer === "gd" ? step.toLocaleString("en") : `order ${order.indexOf(step) + 1}`;
  };
  element("bands").replaceChildren(...lab.bands.names.map((name, b) => {
    const line = document.createElement("tr");
    const step = measured[b] === null ? "–" : measured[b].toLocaleString("en");
    [name, Number.isNaN(row.errors[b]) ? "0" : digits(Math.sqrt(lab.target[b])), digits(row.errors[b]), expected(b), step].forEach((text, i) => {
      const cell = document.createElement(i ? "td" : "th");
      if (!i) cell.scope = "row";
      cell.textContent = text;
      line.append(cell);
    });
    return line;
  }));
  const root = (value) => digits(Math.sqrt(value));
  const pace = playing && speed !== null ? ` (${Math.round(speed).toLocaleString("en")} steps per second)` : "";
  element("summary").textContent = `Step ${row.step.toLocaleString("en")}${pace}: the error is ${root(row.loss)} on the training samples, `
    + `${root(row.heldOut)} on the held-out samples and ${root(row.clean)} to the clean signal. Straight lines between the samples `
    + `have the error ${root(lab.straight)} to the clean signal.`;
  if (!forecast) { element("kernel").textContent = "The prediction was not computed, because the training began before it."; return; }
  const limit = digits(forecast.largestRate, 2);
  const unstable = settings.optimizer === "gd" && settings.rate > forecast.largestRate;
  element("kernel").textContent = `Gradient descent on this network is stable up to a learning rate of about ${limit}. `
    + (unstable ? "The chosen rate is larger, so the predicted error grows without limit." : "");
}

/** Say where the training stopped and where it was best. */
function report(word) {
  const row = lab.history.at(-1), { best } = lab;
  const root = (value) => digits(Math.sqrt(value));
  if (!Number.isFinite(row.loss)) { say(`The training diverged by step ${row.step}. Choose a smaller learning rate.`); return; }
  say(`${word} at step ${row.step.toLocaleString("en")}: the error to the clean signal is ${root(row.clean)}. `
    + `The smallest so far was ${root(best.clean)}, at step ${best.step.toLocaleString("en")}.`);
}

/** Stop the training and state the result. */
function pause(word = "Paused") {
  playing = false;
  lab.record();
  showSettings(); show(); showTable(); report(word);
}

/** Train for the time that a frame leaves, and draw. */
function frame(now) {
  if (!playing) return;
  frames = [...frames.slice(-30), now];
  const goal = settings.steps > lab.step ? settings.steps : 200000;
  const before = lab.history.length;
  lab.train(goal, performance.now() + BUDGET);
  // Readers who ask for little motion get a new picture twice a second; the table follows once a second.
  if (lab.history.length > before && now - drawn >= (STILL.matches ? 500 : 0)) { drawn = now; show(); }
  if (now - written >= 1000) {
    if (written) speed = ((lab.step - counted) / (now - written)) * 1000;
    [written, counted] = [now, lab.step];
    showTable();
  }
  if (!Number.isFinite(lab.history.at(-1).loss)) { pause(); return; }
  if (lab.step >= goal) { pause("Stopped"); return; }
  requestAnimationFrame(frame);
}

/** Begin or end the training. */
function toggle() {
  if (playing) { pause(); return; }
  predict();
  playing = true;
  [written, speed] = [0, null];
  say("The network is being trained.");
  showSettings();
  requestAnimationFrame(frame);
}

/** Take the controls' values; those that are not allowed keep the former ones. */
function change(event) {
  const { name, value } = event.target, number = readSetting(name, value);
  if (number === undefined) { showSettings(); say(`The value of ${name} is outside its limits.`); return; }
  settings = { ...settings, [name]: number };
  if (name === "optimizer") settings.rate = number === "gd" ? 0.1 : 0.003;
  if (settings.signal === "drawn" && !settings.points) settings.points = Array.from({ length: DRAWN }, () => 0);
  restart(settings.signal === "drawn" && name === "signal" ? "Draw a signal in the first figure." : "");
}

/** Begin a drawn signal with the present one. */
function beginDrawing() {
  if (settings.signal === "drawn") return;
  const values = lab.samples.clean, points = Array.from({ length: DRAWN }, (_, i) => between(values, i / DRAWN, true));
  settings = { ...settings, signal: "drawn", points };
}

/** Return position and value of a pointer on the first figure. */
function pointed(event) {
  const canvas = element("fit"), box = canvas.getBoundingClientRect();
  const axes = { left: 44, right: box.width - 10, top: 8, bottom: box.height - 36 };
  const top = Math.max(1.1, ...lab.samples.noisy.map(Math.abs)) * 1.05;
  const x = (event.clientX - box.left - axes.left) / (axes.right - axes.left);
  const y = 1 - (2 * (event.clientY - box.top - axes.top)) / (axes.bottom - axes.top);
  return { at: Math.max(0, Math.min(DRAWN - 1, Math.floor(x * DRAWN))), y: Math.max(-1, Math.min(1, y * top)) };
}

/** Draw from the last place of the pointer to this one. */
function draw(event) {
  if (!pen) return;
  const next = pointed(event), count = Math.abs(next.at - pen.at);
  const points = [...settings.points];
  for (let i = 0; i <= count; i++) {
    const share = count ? i / count : 1;
    points[Math.round(pen.at + share * (next.at - pen.at))] = pen.y + share * (next.y - pen.y);
  }
  pen = next;
  // The same rounding as in the address: a link shows the same numbers.
  settings = { ...settings, points: unpackPoints(packPoints(points)) };
  restart("Signal drawn. Press Play.");
}

/** Move the chosen point by the arrow keys. */
function key(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  const at = (((cursor === null ? 0 : Math.round(cursor * 32)) + move[0]) % 32 + 32) % 32;
  cursor = at / 32;
  if (!move[1]) { show(); say(`Point ${at + 1} of 32: ${digits(between(lab.samples.clean, cursor, true), 2)}.`); return; }
  beginDrawing();
  const points = settings.points.map((y, i) => {
    const share = Math.max(0, 1 - Math.abs(i - at * 4) / 4);
    return Math.max(-1, Math.min(1, y + move[1] * share));
  });
  settings = { ...settings, points: unpackPoints(packPoints(points)) };
  restart(`Point ${at + 1} of 32: ${digits(points[at * 4], 2)}.`);
}

/** Copy the address; where the browser forbids it, say where it stands. */
async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link was copied. It holds all settings and the drawn signal.");
  } catch {
    say("The browser does not allow copying. Copy the address in the address bar instead; it holds all settings.");
  }
}

/** Take the settings of the address. */
function open() {
  const read = readAddress(location.hash);
  settings = read.settings;
  restart(read.ignored.length ? `These parts of the address were ignored, because they are not valid: ${read.ignored.join(", ")}.` : "");
}

/** Connect the controls. */
function connect() {
  for (const rate of [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]) form.elements.rate.add(new Option(rate));
  if (!FILE) form.elements.signal.querySelector("[value=file]").remove();
  form.addEventListener("change", change);
  form.addEventListener("submit", (event) => event.preventDefault());
  element("play").addEventListener("click", toggle);
  element("one").addEventListener("click", () => { predict(); lab.train(lab.step + 1); pause(); });
  element("restart").addEventListener("click", () => restart());
  element("copy").addEventListener("click", copyLink);
  const fit = element("fit");
  fit.addEventListener("pointerdown", (event) => {
    fit.setPointerCapture(event.pointerId);
    beginDrawing();
    pen = pointed(event);
    draw(event);
  });
  fit.addEventListener("pointermove", draw);
  fit.addEventListener("pointerup", () => { pen = null; });
  fit.addEventListener("pointercancel", () => { pen = null; });
  fit.addEventListener("keydown", key);
  for (const link of document.querySelectorAll("a[data-state]")) link.href = `#${link.dataset.state}`;
  window.addEventListener("hashchange", open);
  window.addEventListener("resize", show);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}

/** For tests and the console: the present experiment, and the parts of which it is made. */
window.overtoneLab = { get lab() { return lab; }, get frames() { return frames; }, Lab, Bands, readAddress, writeAddress, uniformGenerator, DEFAULTS };
document.body.classList.toggle("embedded", location.search === "?embedded");
connect();
open();
