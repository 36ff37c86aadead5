(async () => {
  const plots = [...document.querySelectorAll(".plot")];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const ink = () => (dark.matches ? "#d7dce1" : "#2a3138");
  const tell = (reason) => plots.filter((p) => !p.classList.contains("drawn")).forEach((p) => {
    const note = document.createElement("p");
    note.className = "waiting";
    note.textContent = "This figure could not be drawn here (" + reason + "). It needs a browser from 2023 or later. " +
      "The sentence below says what it shows, and the tables hold its numbers.";
    p.replaceChildren(note);
    p.style.minHeight = "0";
  });
  try {
    if (!("DecompressionStream" in window)) { tell("the browser cannot unpack the drawing library"); return; }
    const packed = atob(document.getElementById("drawing-library").textContent.trim());
    const bytes = new Uint8Array(packed.length);
    for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    const config = { responsive: true, displaylogo: false, displayModeBar: coarse ? false : "hover",
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    for (const plot of plots) {
      const figure = JSON.parse(document.getElementById(plot.dataset.figure).textContent);
      figure.layout.font = { color: ink() };
      if (coarse) figure.layout.dragmode = false;
      plot.replaceChildren();
      await Plotly.newPlot(plot, figure.data, figure.layout, config);
      plot.classList.add("drawn");
    }
    document.querySelectorAll("details").forEach((d) => d.addEventListener("toggle", () => {
      if (d.open) d.querySelectorAll(".plot.drawn").forEach((p) => Plotly.Plots.resize(p));
    }));
    dark.addEventListener("change", () => plots.forEach((p) => Plotly.relayout(p, { "font.color": ink() })));
    document.documentElement.dataset.ready = "yes";
  } catch (error) {
    tell(String(error && error.message || error));
  }
})();
