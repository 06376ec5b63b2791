// Theory's line for a network that the reader changes: activation, σw, σb and depth. Mean-field theory of infinitely
// wide layers (Poole 2016, arXiv:1606.05340; Schoenholz 2017, arXiv:1611.01232): q ← σw² E φ(√q z)² + σb², and the square
// of the gradient changes by χ = σw² E φ'(√q z)² in each layer, with z standard normal.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const erf = (x) => { // Abramowitz and Stegun, 7.1.26
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return Math.sign(x) * (1 - sum * Math.exp(-x * x));
  };
  const ACTIVATIONS = {
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
    tanh: Math.tanh,
    relu: (x) => Math.max(0, x),
    linear: (x) => x,
    leaky_relu: (x) => (x > 0 ? x : 0.01 * x),
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
    gelu: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    swish: (x) => x / (1 + Math.exp(-x)),
    softplus: (x) => Math.max(0, x) + Math.log1p(Math.exp(-Math.abs(x))),
  };
  const STEP = 0.01, REACH = 8;

  /** The mean over a standard normal z of `of(z)`. */
  const mean = (of) => {
    let sum = 0;
    for (let z = -REACH + STEP / 2; z < REACH; z += STEP) sum += of(z) * Math.exp(-z * z / 2);
    return sum * STEP / Math.sqrt(2 * Math.PI);
  };

  /** The logarithm of the gradient's norm in layers depth … 1, compared with the last one. */
  const gradient = (name, weights, bias, depth, input) => {
    const act = ACTIVATIONS[name], slope = (u) => (act(u + 1e-4) - act(u - 1e-4)) / 2e-4;
    const factors = [];
    let q = weights ** 2 * input + bias ** 2;
    for (let layer = 1; layer < depth; layer++) {
      const root = Math.sqrt(q);
      factors.push(0.5 * Math.log(weights ** 2 * mean((z) => slope(root * z) ** 2)));
      q = weights ** 2 * mean((z) => act(root * z) ** 2) + bias ** 2;
    }
    const logs = [0];
    for (const factor of factors.reverse()) logs.push(logs[logs.length - 1] + factor);
    return logs;
  };

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const superscript = (power) => String(power).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  /** A share or factor as people write it. */
  const written = (log) => {
    const power = Math.floor(log / Math.LN10), value = Math.exp(log);
    if (value >= 0.001 && value < 1.005) return `${Number((100 * value).toPrecision(3))} %`;
    if (value >= 1 && value < 1e4) return `${Number(value.toPrecision(3))} times`;
    return `${(Math.exp(log - power * Math.LN10)).toFixed(1)}·10${superscript(power)}${value > 1 ? " times" : ""}`;
  };

  for (const figure of document.querySelectorAll("figure")) {
    const views = [...figure.querySelectorAll('script[type="application/json"]')].map((island) => ({ island, known: JSON.parse(island.textContent) }));
    if (!views.length || !views[0].known.live) continue;
    const start = views[0].known.live;
    const lines = views.map(({ island, known }) => {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", "live");
      island.parentElement.querySelector("svg").append(line);
      return { line, panel: known.panels[0] };
    });
    const choice = make("select", {}, ...Object.keys(ACTIVATIONS).map((name) => make("option", {}, name)));
    choice.value = start.act;
    const slider = (label, min, max, step, value) => {
      const input = make("input", { type: "range", min, max, step, value }), told = make("output");
      return { input, told, element: make("label", { class: "slider" }, label + " ", input, told) };
    };
    const weights = slider("σw", 0.1, 4, 0.01, start.weights), bias = slider("σb", 0, 2, 0.01, start.bias);
    const depth = slider("layers", 2, start.layers, 1, start.layers);
    const said = make("output", { class: "said", "aria-live": "polite" });
    const draw = () => {
      const layers = Number(depth.input.value);
      for (const each of [weights, bias, depth]) each.told.textContent = each.input.value;
      const logs = gradient(choice.value, Number(weights.input.value), Number(bias.input.value), layers, start.input);
      for (const { line, panel: { scale: [x0, dx, y0, dy], box: [left, top, right, bottom] } } of lines) {
        const places = logs.map((log, i) => [x0 + dx * (layers - i), y0 + dy * log / Math.LN10]);
        const inside = places.filter(([x, y]) => x >= left - 0.1 && x <= right + 0.1 && y >= top && y <= bottom);
        line.setAttribute("d", inside.map(([x, y], i) => `${i ? "L" : "M"} ${x.toFixed(1)} ${y.toFixed(1)}`).join(" "));
      }
      const total = logs[logs.length - 1];
      said.textContent = `Theory: a layer passes on ${written(total / (layers - 1))} of the gradient; the first of ${layers} layers receives ${written(total)} of what the last does.`;
    };
    for (const each of [weights, bias, depth]) each.input.addEventListener("input", draw);
    choice.addEventListener("change", draw);
    const title = make("summary", {}, "Try another network");
    const words = make("p", {}, "The bold dashed line is what theory expects of very wide plain layers with Gaussian weights of variance σw²/n and biases of variance σb², on these inputs.");
    const controls = make("details", { class: "try" }, title, words,
      make("label", { class: "slider" }, "activation ", choice), weights.element, bias.element, depth.element, make("p", {}, said));
    controls.addEventListener("toggle", () => lines.forEach(({ line }) => { line.style.display = controls.open ? "" : "none"; }));
    lines.forEach(({ line }) => { line.style.display = "none"; });
    figure.append(controls);
    draw();
  }
})();
