// Drawing on canvases, in the colours of the style sheet.

/** Return a colour of the style sheet. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** A canvas with axes: `x` and `y` map data to pixels. */
class Axes {
  constructor(canvas, left = 44) {
    const ratio = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth;
    this.height = canvas.clientHeight;
    const [w, h] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    this.pen = canvas.getContext("2d");
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.pen.clearRect(0, 0, this.width, this.height);
    this.pen.font = "12px system-ui, sans-serif";
    this.left = left; this.right = this.width - 10; this.top = 8; this.bottom = this.height - 36;
  }

  /** Set the ranges; logarithmic ones hold their logarithms. */
  range(x, y) {
    this.x = (value) => this.left + ((value - x[0]) / (x[1] - x[0])) * (this.right - this.left);
    this.y = (value) => this.bottom - ((value - y[0]) / (y[1] - y[0])) * (this.bottom - this.top);
  }

  /** Draw ticks, pairs of place and text, along the lower or the left border, and the name of the axis. */
  ticks(horizontal, vertical, title) {
    const { pen } = this;
    pen.strokeStyle = colour("line"); pen.fillStyle = colour("soft"); pen.lineWidth = 1;
    pen.strokeRect(this.left, this.top, this.right - this.left, this.bottom - this.top);
    pen.textAlign = "center"; pen.textBaseline = "top";
    for (const [value, text] of horizontal) {
      // A number at the end of the axis stays within the figure.
      const half = pen.measureText(text).width / 2;
      pen.fillText(text, Math.min(this.x(value), this.width - half - 1), this.bottom + 4);
    }
    pen.fillText(title, (this.left + this.right) / 2, this.bottom + 20);
    pen.textAlign = "right"; pen.textBaseline = "middle";
    for (const [value, text] of vertical) pen.fillText(text, this.left - 6, this.y(value));
  }

  /** Draw a line through points. */
  line(xs, ys, name, { width = 2, dash = [] } = {}) {
    const { pen } = this;
    pen.save();
    pen.beginPath(); pen.rect(this.left, this.top, this.right - this.left, this.bottom - this.top); pen.clip();
    pen.strokeStyle = colour(name); pen.lineWidth = width; pen.setLineDash(dash); pen.lineJoin = "round";
    pen.beginPath();
    for (let i = 0; i < xs.length; i++) pen.lineTo(this.x(xs[i]), this.y(ys[i]));
    pen.stroke();
    pen.restore();
  }

  /** Draw a mark: a filled diamond, an open circle or a triangle that points down. */
  mark(px, py, kind) {
    const { pen } = this, size = 5;
    pen.beginPath();
    if (kind === "circle") pen.arc(px, py, size, 0, 7);
    else if (kind === "diamond") [[0, -6], [6, 0], [0, 6], [-6, 0]].forEach(([a, b]) => pen.lineTo(px + a, py + b));
    else [[-6, -10], [6, -10], [0, 0]].forEach(([a, b]) => pen.lineTo(px + a, py + b));
    pen.closePath();
    pen.lineWidth = 4; pen.strokeStyle = colour("paper"); pen.stroke();
    pen.lineWidth = 2; pen.strokeStyle = colour("ink"); pen.stroke();
    if (kind !== "circle") { pen.fillStyle = colour("ink"); pen.fill(); }
  }
}

/** Draw signal, samples and fit. */
function drawFit(canvas, samples, prediction, cursor) {
  const axes = new Axes(canvas);
  const top = Math.max(1.1, ...samples.noisy.map(Math.abs)) * 1.05;
  axes.range([0, 1], [-top, top]);
  axes.ticks([[0, "0"], [0.25, "0.25"], [0.5, "0.5"], [0.75, "0.75"], [1, "1"]], [[-1, "-1"], [0, "0"], [1, "1"]], "position in the window");
  axes.pen.fillStyle = colour("error");
  samples.noisy.forEach((value, i) => axes.pen.fillRect(axes.x(samples.x[i]) - 1.5, axes.y(value) - 1.5, 3, 3));
  const mixed = (even, odd) => Array.from({ length: 2 * even.length }, (_, i) => (i % 2 ? odd : even)[i >> 1]);
  const x = mixed(samples.x, samples.heldOutX);
  axes.line(x, mixed(samples.clean, samples.heldOutClean), "target");
  axes.line(x, mixed(prediction.fit, prediction.heldOut), "learned", { width: 2.5 });
  if (cursor !== null) axes.line([cursor, cursor], [-top, top], "ink", { width: 1, dash: [4, 4] });
  return axes;
}

/** Draw the three spectra as bars. */
function drawSpectrum(canvas, bands, target, learned, error) {
  const axes = new Axes(canvas);
  const root = (power) => Math.sqrt(power);
  const top = Math.max(...target.map(root), 0.01) * 1.15;
  axes.range([-0.5, bands.count - 0.5], [0, top]);
  const every = axes.width < 420 ? 2 : 1;
  const names = bands.names.map((name, b) => [b, b % every ? "" : name.split("–")[0]]);
  axes.ticks(names, [[0, "0"], [top / 1.15, (top / 1.15).toPrecision(2)]], "lowest frequency of the band (cycles)");
  const width = (axes.x(1) - axes.x(0)) * 0.27;
  [[target, "target"], [learned, "learned"], [error, "error"]].forEach(([powers, name], i) => {
    axes.pen.fillStyle = colour(name);
    powers.forEach((power, b) => {
      const y = Math.max(axes.top, axes.y(root(power)));
      axes.pen.fillRect(axes.x(b) + (i - 1.5) * width, y, width - 1, axes.bottom - y);
    });
  });
}

/** Place of a step on a logarithmic axis that begins with step 0. */
const place = (step) => Math.log10(1 + step);

/** Return ticks at powers of ten. */
function stepTicks(last) {
  const out = [[0, "0"]];
  for (let step = 10; step <= last; step *= 10) out.push([place(step), step.toLocaleString("en")]);
  return out;
}

/** Draw the learned share, one column for each recorded step, and the predicted and measured learning steps. */
function drawMap(canvas, bands, history, last, predicted, measured) {
  const axes = new Axes(canvas);
  axes.range([0, place(last)], [-0.5, bands.count - 0.5]);
  const row = axes.y(0) - axes.y(1);
  axes.pen.fillStyle = colour("target");
  history.forEach((record, i) => {
    const end = history[i + 1]?.step ?? record.step * 1.05;
    const [left, right] = [axes.x(place(record.step)), Math.min(axes.right, axes.x(place(end)))];
    record.errors.forEach((error, b) => {
      if (Number.isNaN(error)) return;
      axes.pen.globalAlpha = Math.max(0, Math.min(1, 1 - error));
      axes.pen.fillRect(left, axes.y(b) - row / 2, right - left + 0.5, row);
    });
  });
  axes.pen.globalAlpha = 1;
  axes.pen.strokeStyle = colour("line"); axes.pen.lineWidth = 1;
  history[0]?.errors.forEach((error, b) => {
    if (!Number.isNaN(error)) return;
    axes.pen.beginPath();
    for (let x = axes.left; x < axes.right - row; x += 10) {
      axes.pen.moveTo(x, axes.y(b) + row / 2); axes.pen.lineTo(x + row, axes.y(b) - row / 2);
    }
    axes.pen.stroke();
  });
  axes.ticks(stepTicks(last), bands.names.map((name, b) => [b, b % 2 ? "" : name]), "training step");
  for (let b = 0; b < bands.count; b++) {
    for (const [steps, kind] of [[predicted, "diamond"], [measured, "circle"]]) {
      if (steps && steps[b] !== null && steps[b] <= last) axes.mark(axes.x(place(steps[b])), axes.y(b), kind);
    }
  }
}

/** Draw the errors on logarithmic axes and mark the best step. */
function drawErrors(canvas, history, last, best, straight) {
  const axes = new Axes(canvas);
  axes.range([0, place(last)], [-3, 0.3]);
  axes.ticks(stepTicks(last), [[-3, "0.001"], [-2, "0.01"], [-1, "0.1"], [0, "1"]], "training step");
  const steps = history.map((record) => place(record.step));
  const height = (square) => Math.log10(Math.max(1e-12, square)) / 2;
  axes.line([0, place(last)], [height(straight), height(straight)], "ink", { width: 1.5, dash: [6, 4] });
  for (const [key, name] of [["loss", "loss"], ["heldOut", "learned"], ["clean", "target"]]) {
    axes.line(steps, history.map((record) => height(record[key])), name);
  }
  if (best) axes.mark(axes.x(place(best.step)), axes.y(Math.max(-3, height(best.clean))), "triangle");
}
