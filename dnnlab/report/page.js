// What a page can do beyond being read: say the values of a line, hide lines, show other moments of a training, sort and
// filter tables, copy commands. Text is only ever set as text. Without this script all is there to read.
"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const NEAR = 30; // points of the SVG within which a line is pointed at

  /** An element with attributes and children, which are elements or text. */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // Figures ------------------------------------------------------------------------------------------------------

  /** The lines of all panels of a drawing, each with its axes and with its group in the SVG. */
  const linesOf = (drawing, known) => known.panels.flatMap((panel) => panel.lines.map((line) => ({
    ...line, panel, group: drawing.querySelector("#" + CSS.escape(known.prefix + line.id)), hidden: false, now: line.at,
  })));

  /** Says the value of the point nearest to the pointer, or of the one that the arrow keys have reached. */
  const tellValues = (drawing, svg, lines) => {
    const tip = make("output", { class: "tip", hidden: "" });
    const dot = document.createElementNS(SVG, "circle");
    for (const [name, value] of Object.entries({ r: 4.5, class: "dot", visibility: "hidden" })) dot.setAttribute(name, value);
    svg.append(dot);
    drawing.append(tip);
    let here = null;

    const hide = () => { tip.hidden = true; dot.setAttribute("visibility", "hidden"); here = null; };
    const show = (line, index) => {
      const [x, y, across, up] = line.now[index];
      here = { line, index };
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
      dot.setAttribute("visibility", "visible");
      const title = line.panel.title ? line.panel.title + ", " : "";
      tip.replaceChildren(make("strong", {}, title + line.name), make("br"),
        `${line.panel.x.split(":")[0]} ${across}`, make("br"), `${line.panel.y} ${up}`);
      tip.hidden = false;
      const box = svg.getBoundingClientRect(), around = drawing.getBoundingClientRect();
      const scale = box.width / svg.viewBox.baseVal.width;
      const left = box.left - around.left + drawing.scrollLeft + x * scale + 12;
      tip.style.left = Math.max(0, Math.min(left, around.width + drawing.scrollLeft - tip.offsetWidth - 4)) + "px";
      tip.style.top = Math.max(0, box.top - around.top + y * scale - tip.offsetHeight - 10) + "px";
    };

    const seen = () => lines.filter((line) => !line.hidden && line.now.length);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      let best = null, least = NEAR * NEAR;
      for (const line of seen()) {
        line.now.forEach(([px, py], index) => {
          const distance = (px - x) ** 2 + (py - y) ** 2;
          if (distance < least) { least = distance; best = [line, index]; }
        });
      }
      if (best) show(...best); else hide();
    });
    svg.addEventListener("pointerleave", hide);
    drawing.addEventListener("blur", hide);
    drawing.addEventListener("focus", () => { if (drawing.matches(":focus-visible") && seen().length) show(seen()[0], 0); });
    drawing.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], turn = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (event.key === "Escape") hide();
      if (!here || (step === undefined && turn === undefined)) return;
      event.preventDefault();
      if (step) {
        const order = here.line.now.map((_, i) => i).sort((a, b) => here.line.now[a][0] - here.line.now[b][0]);
        const place = order.indexOf(here.index) + step;
        if (place >= 0 && place < order.length) show(here.line, order[place]);
      } else {
        const all = seen(), next = all[(all.indexOf(here.line) + turn + all.length) % all.length], x = here.line.now[here.index][0];
        const near = next.now.reduce((best, point, i) => (Math.abs(point[0] - x) < Math.abs(next.now[best][0] - x) ? i : best), 0);
        show(next, near);
      }
    });
    return hide;
  };

  /** Buttons that hide and show the lines of each name. */
  const addToggles = (figure, drawings) => {
    const names = [...new Set(drawings.flatMap(({ lines }) => lines.map((line) => line.name)))];
    if (names.length < 2) return;
    const buttons = names.map((name) => {
      const those = drawings.flatMap(({ lines }) => lines.filter((line) => line.name === name));
      const path = those.map((line) => line.group && line.group.querySelector("path")).find(Boolean);
      const swatch = make("span", { class: "swatch" });
      if (path) swatch.style.background = path.style.stroke;
      const button = make("button", { type: "button", "aria-pressed": "true" }, swatch, name);
      button.addEventListener("click", () => {
        const hidden = button.getAttribute("aria-pressed") === "true";
        button.setAttribute("aria-pressed", String(!hidden));
        for (const line of those) {
          line.hidden = hidden;
          if (line.group) line.group.style.display = hidden ? "none" : "";
        }
      });
      return button;
    });
    figure.append(make("div", { class: "toggles", role: "group", "aria-label": "Lines shown" }, ...buttons));
  };

  /** Draws a line through its points at another moment. */
  const redraw = (line, points) => {
    line.now = points;
    if (!line.group) return;
    const path = [...line.group.querySelectorAll("path")].find((each) => !each.closest("defs"));
    if (path) path.setAttribute("d", points.map(([x, y], i) => `${i ? "L" : "M"} ${x} ${y}`).join(" "));
    const every = Math.max(1, Math.floor(line.at.length / 10));
    line.group.querySelectorAll("use").forEach((mark, number) => {
      const point = points[number * every];
      mark.style.display = point ? "" : "none";
      if (point) { mark.setAttribute("x", point[0]); mark.setAttribute("y", point[1]); }
    });
  };

  /** A slider over the moments at which the lines are known. */
  const addSlider = (figure, drawings) => {
    const { what, moments, shown } = drawings[0].known;
    if (!moments || !drawings.some(({ lines }) => lines.some((line) => line.along))) return;
    const printed = moments.indexOf(shown);
    const slider = make("input", { type: "range", min: 0, max: moments.length - 1, value: printed, "aria-valuetext": `${what} ${shown}` });
    const told = make("output", {}, String(shown));
    slider.addEventListener("input", () => {
      const moment = Number(slider.value);
      told.textContent = moments[moment];
      slider.setAttribute("aria-valuetext", `${what} ${moments[moment]}`);
      for (const { drawing, lines, known, hide } of drawings) {
        hide();
        for (const line of lines) if (line.along) redraw(line, line.along[moment]);
        // Bands, theory and names belong to the lines as they are printed.
        for (const part of drawing.querySelectorAll(`[id^="${CSS.escape(known.prefix)}beside"]`)) part.style.display = moment === printed ? "" : "none";
      }
    });
    figure.append(make("label", { class: "slider" }, what + " ", slider, told));
  };

  for (const figure of document.querySelectorAll("figure")) {
    const drawings = [];
    for (const island of figure.querySelectorAll('script[type="application/json"]')) {
      const drawing = island.parentElement, svg = drawing.querySelector("svg"), known = JSON.parse(island.textContent);
      const lines = linesOf(drawing, known);
      drawings.push({ drawing, known, lines, hide: tellValues(drawing, svg, lines) });
    }
    if (!drawings.length) continue;
    addSlider(figure, drawings);
    addToggles(figure, drawings);
  }

  // Tables -------------------------------------------------------------------------------------------------------

  const valueOf = (cell) => {
    const value = cell.dataset.value;
    return value === undefined ? cell.textContent : Number(value.replace("inf", "Infinity"));
  };

  /** Numbers before text, and what is missing last. */
  const compare = (a, b) => {
    const left = valueOf(a), right = valueOf(b);
    if (typeof left === typeof right) return typeof left === "number" ? left - right : left.localeCompare(right, "en", { numeric: true });
    return typeof left === "number" ? -1 : 1;
  };

  for (const table of document.querySelectorAll(".summary table")) {
    const body = table.tBodies[0], rows = [...body.rows];
    if (rows.length < 2) continue;
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = make("button", { type: "button", class: "sort" }, ...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const down = heading.getAttribute("aria-sort") === "ascending";
        headings.forEach((each) => each.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...[...rows].sort((a, b) => (down ? -1 : 1) * compare(a.cells[column], b.cells[column])));
      });
    });
    if (rows.length < 6) continue;
    const search = make("input", { type: "search", placeholder: "these words" });
    const count = make("output", {});
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? ` ${shown} of ${rows.length} rows` : "";
    });
    table.parentElement.before(make("label", { class: "filter" }, "Rows with ", search, count));
  }

  // Commands -----------------------------------------------------------------------------------------------------

  for (const block of document.querySelectorAll("pre")) {
    const button = make("button", { type: "button", class: "copy" }, "Copy");
    button.addEventListener("click", async () => {
      const text = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch { // not every browser lets a page on disk write to the clipboard: the text is selected instead
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    const holder = make("div", { class: "command" });
    block.replaceWith(holder);
    holder.append(block, button);
  }
})();
