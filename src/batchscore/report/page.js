"use strict";
(() => {
  const of = (id) => document.getElementById(id);
  const root = document.documentElement;
  root.classList.add("js");

  const folded = [...document.querySelectorAll("details:not([open])")];
  addEventListener("beforeprint", () => folded.forEach((one) => { one.dataset.was = one.open ? "open" : ""; one.open = true; }));
  addEventListener("afterprint", () => folded.forEach((one) => { one.open = one.dataset.was === "open"; }));

  // Where a narrow screen lays rows out as blocks some browsers forget that they are a table: the roles say it again.
  const roles = { table: "table", "thead, tbody, tfoot": "rowgroup", tr: "row", td: "cell", "thead th": "columnheader", "[scope=row]": "rowheader" };
  for (const [which, role] of Object.entries(roles)) {
    document.querySelectorAll(which).forEach((one) => one.setAttribute("role", role));
  }

  const held = of("cutoffs");
  if (!held) return;
  const data = JSON.parse(held.textContent);
  const slider = of("stop");
  const plot = of("scores-plot");
  const hasLabels = data.positives + data.negatives > 0;
  let at = data.inForce;

  // Numbers are spelt as in figures.py.
  const magnitude = (value) => Number(value.toExponential().split("e")[1]);
  const withExponent = (value) => value.toExponential(3).replace(/\.?0*e/, "e");
  const count = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2 });
  const cost = (value) => (value > 0 && value < 1 ? String(Number(value.toPrecision(4))) : count(value));
  const share = (part, whole) => {
    if (!whole) return "\u2013";
    const percent = (100 * part) / whole;
    if (percent > 0 && percent < 0.01) return "< 0.01%";
    if (percent > 99.99 && percent < 100) return "> 99.99%";
    return `${percent.toFixed(percent === 0 || percent === 100 ? 0 : percent < 10 || percent > 90 ? 2 : 1)}%`;
  };
  const rate = (part, whole) => {
    if (!whole) return "\u2013";
    const value = part / whole;
    if (value === 0) return "0";
    return value < 1e-4 ? withExponent(value) : value.toFixed(3 - magnitude(value));
  };
  const score = (value) => {
    if (value <= 0 || value >= 1) return String(value);
    if (value < 1e-4) return withExponent(value);
    const digits = 3 - magnitude(value < 0.5 ? value : 1 - value);
    return value.toFixed(Math.min(17, digits)).replace(/0+$/, "");
  };
  // The shortest text that reads back as the number; YAML 1.1 wants a point before an exponent.
  const yamlNumber = (value) => {
    const text = String(value);
    return text.includes("e") && !text.includes(".") ? text.replace("e", ".0e") : text;
  };

  const write = (id, text) => { of(id).textContent = text; };
  // Near an end of the picture the outer name has no room: as in cutoff.py.
  const nearEnd = (place) => {
    const room = Math.min(place, 1 - place);
    return room < 0.36 ? `${room < 0.2 ? "at" : "near"}-${place < 0.5 ? "start" : "end"}` : "";
  };
  const percent = (fraction) => `${Math.round(10000 * fraction) / 100}%`;

  const move = (dot, x, y) => {
    if (!dot) return;
    const known = Number.isFinite(x) && Number.isFinite(y);
    dot.setAttribute("visibility", known ? "visible" : "hidden");
    if (!known) return;
    dot.setAttribute("cx", percent(x));
    dot.setAttribute("cy", percent(1 - y));
  };

  const costs = () => {
    const wrong = of("cost-wrong").valueAsNumber;
    const missed = of("cost-missed").valueAsNumber;
    return wrong >= 0 && missed >= 0 ? [wrong, missed] : null;
  };
  const costOf = (place, [wrong, missed]) =>
    data.wrong[place] * wrong + (data.positives - data.hits[place]) * missed;
  const cheapest = (each) => {
    let best = data.inForce;
    for (let place = 0; place < data.thresholds.length; place += 1) {
      if (costOf(place, each) < costOf(best, each)) best = place;
    }
    return best;
  };

  const showCosts = () => {
    const each = costs();
    if (!each) {
      write("cost", "\u2013");
      write("cheapest", "Type two numbers, 0 or above.");
      of("go-cheapest").disabled = true;
      return;
    }
    const best = cheapest(each);
    write("cost", cost(costOf(at, each)));
    write("cheapest", best === at ? "It is the lowest." : `The lowest is ${cost(costOf(best, each))}, at ${score(data.thresholds[best])}.`);
    of("go-cheapest").disabled = best === at;
  };

  const showQuality = () => {
    const hits = data.hits[at];
    const wrong = data.wrong[at];
    write("precision", rate(hits, hits + wrong));
    write("recall", rate(hits, data.positives));
    write("f1", rate(2 * hits, hits + wrong + data.positives));
    write("wrong-ones", `${count(wrong)} of label 0 answered 1`);
    write("missed", `${count(data.positives - hits)} of label 1 answered 0`);
    move(of("roc"), wrong / data.negatives, hits / data.positives);
    move(of("pr"), hits / data.positives, hits / (hits + wrong));
    showCosts();
  };

  const show = (place) => {
    at = place;
    const threshold = data.thresholds[at];
    const above = data.above[at];
    const isInForce = at === data.inForce;
    slider.value = String(at);
    slider.setAttribute("aria-valuetext", `${score(threshold)}${isInForce ? ", in force" : ""}: ${count(above)} answered 1`);
    of("cut").setAttribute("x", percent(data.places[at]));
    of("cut").setAttribute("class", nearEnd(data.places[at]));
    of("cut-from").setAttribute("x", percent(data.places[at]));
    write("here", score(threshold));
    write("here-note", isInForce ? "in force" : `in force is ${score(data.thresholds[data.inForce])}`);
    write("ones", count(above));
    write("ones-share", share(above, data.records));
    write("zeros", count(data.records - above));
    write("zeros-share", share(data.records - above, data.records));
    write("line", `threshold: ${yamlNumber(threshold)}`);
    write("copied", "");
    of("back").disabled = isInForce;
    if (hasLabels) showQuality();
  };

  const nearest = (fraction) => {
    let low = 0;
    let high = data.places.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (data.places[middle] < fraction) low = middle + 1; else high = middle;
    }
    return low > 0 && fraction - data.places[low - 1] < data.places[low] - fraction ? low - 1 : low;
  };
  const drag = (event) => {
    const box = plot.getBoundingClientRect();
    show(nearest((event.clientX - box.left) / box.width));
  };

  slider.addEventListener("input", () => show(Number(slider.value)));
  plot.addEventListener("pointerdown", (event) => {
    plot.setPointerCapture(event.pointerId);
    slider.focus({ preventScroll: true });
    drag(event);
  });
  plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) drag(event); });
  of("back").addEventListener("click", () => show(data.inForce));
  of("copy").addEventListener("click", async () => {
    const line = of("line");
    try {
      await navigator.clipboard.writeText(line.textContent);
      write("copied", "Copied.");
    } catch {
      getSelection().selectAllChildren(line);
      write("copied", "Selected: press Ctrl+C to copy it, on a Mac Command+C.");
    }
  });
  if (hasLabels) {
    for (const id of ["cost-wrong", "cost-missed"]) of(id).addEventListener("input", showCosts);
    of("go-cheapest").addEventListener("click", () => { const each = costs(); if (each) show(cheapest(each)); });
  }
  show(at);
})();
