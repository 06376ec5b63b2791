// What a reader would stumble over on the page as the browser has laid it out: a list of complaints.
({ phone }) => {
  const complaints = [];
  const say = (what, element) => complaints.push(`${what}: ${(element.textContent || "").trim().slice(0, 60)}`);

  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) complaints.push(`the page is ${root.scrollWidth} wide on a screen of ${root.clientWidth}`);
  for (const drawing of document.querySelectorAll(".drawing"))
    if (drawing.scrollWidth > drawing.clientWidth + 1) complaints.push(`a figure is ${drawing.scrollWidth} wide in ${drawing.clientWidth}`);

  // Every piece of text that can be seen, with the boxes of its lines.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const texts = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    if (!node.data.trim() || holder.closest("script, style, title, desc, [hidden]")) continue;
    if (!holder.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 1 && box.height > 1 && box.right > 0 && box.bottom > -scrollY);
    if (boxes.length) texts.push({ node, holder, boxes, slanted: /rotate\(-?(?!0|90)/.test(holder.getAttribute("transform") || "") });
  }

  // Over each other, or cut by the edge of the screen, of a figure or of a part that does not scroll.
  const scrolls = (element) => element.closest(".scroll, .summary, pre");
  const flat = texts.filter((text) => !text.slanted).flatMap((text) => text.boxes.map((box) => ({ ...text, box })));
  flat.sort((a, b) => a.box.top - b.box.top);
  flat.forEach((one, i) => {
    for (let j = i + 1; j < flat.length && flat[j].box.top < one.box.bottom; j++) {
      const other = flat[j];
      if (other.holder === one.holder || one.holder.closest("svg") !== other.holder.closest("svg")) continue;
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      // Letters do not fill their boxes: a fifth of a box above and below is empty.
      if (across > 1.5 && down > 0.35 * Math.min(one.box.height, other.box.height))
        complaints.push(`"${one.node.data.trim().slice(0, 40)}" lies over "${other.node.data.trim().slice(0, 40)}"`);
    }
    const svg = one.holder.closest("svg"), frame = svg ? svg.getBoundingClientRect() : { left: 0, right: root.clientWidth };
    if (!scrolls(one.holder) && (one.box.left < frame.left - 1 || one.box.right > frame.right + 1)) say("cut at the side", one.holder);
  });

  // Words broken in the middle, save commands, paths and digests.
  for (const { node, holder } of texts) {
    if (holder.closest("svg, pre, code, dd, a, .about, output")) continue;
    for (const match of node.data.matchAll(/[^\s\-–\/_:,.=]+/g)) {
      if (match[0].length > 24) continue;
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = new Set([...range.getClientRects()].filter((box) => box.width > 0).map((box) => Math.round(box.top)));
      if (lines.size > 1) complaints.push(`the word "${match[0]}" is broken`);
    }
  }

  // Contrast of text with what lies behind it (WCAG 2.2, 1.4.3).
  const parsed = (colour) => {
    const numbers = colour.match(/[\d.]+/g).map(Number);
    return colour.startsWith("color(srgb") ? [...numbers.slice(0, 3).map((c) => 255 * c), numbers[3] ?? 1] : [...numbers.slice(0, 3), numbers[3] ?? 1];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const [r, g, b, a] = parsed(getComputedStyle(each).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const told = new Set();
  for (const { holder } of texts) {
    const style = getComputedStyle(holder), svg = holder.closest("svg");
    // A number on a cell of a heat map lies on that cell, which no style tells.
    const ink = parsed(svg ? style.fill : style.color);
    if (svg && holder.closest("svg").querySelector("image") && style.fill !== getComputedStyle(svg).color) continue;
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [light, dark] = [luminance(ink.slice(0, 3)), luminance(behind(svg || holder))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < (large ? 3 : 4.5) && !told.has(holder.className + style.color)) {
      told.add(holder.className + style.color);
      say(`contrast ${ratio.toFixed(2)}`, holder);
    }
  }

  // Letters of a figure on a phone.
  for (const { holder, boxes } of phone ? texts : [])
    if (holder.closest("svg") && boxes[0].height < 9.5 && !holder.getAttribute("transform")) say(`letters ${boxes[0].height.toFixed(1)} high`, holder);
  return [...new Set(complaints)];
}
