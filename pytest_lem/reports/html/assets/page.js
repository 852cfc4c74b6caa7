"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Tables: sort by a button in each head, filter by words and by state.
  const valueOf = (row, column, isNumber) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (!isNumber) return text;
    return text === "" ? null : Number(text);
  };
  const compare = (a, b) =>
    typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  const sort = (head) => {
    const isDown = head.getAttribute("aria-sort") === "ascending";
    const isNumber = head.dataset.sort === "number";
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [valueOf(row, head.cellIndex, isNumber), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // unknown stays last
      return isDown ? compare(b, a) : compare(a, b);
    });
    for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    body.append(...rows.map(([, row]) => row));
  };
  for (const button of all("table.cases thead button")) {
    button.addEventListener("click", () => sort(button.closest("th")));
  }
  const words = document.getElementById("filter");
  const state = document.getElementById("state");
  const rows = all("table.cases tbody tr").map((row) => [row, row.textContent.toLowerCase()]);
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const [row, text] of rows) {
      const hasState = !state.value || row.dataset.states.split(" ").includes(state.value);
      row.hidden = !(hasState && wanted.every((word) => text.includes(word)));
      count += !row.hidden;
    }
    document.getElementById("count").textContent = `${count} of ${rows.length} cases`;
  };
  if (words) {
    words.addEventListener("input", filter);
    state.addEventListener("change", filter);
    filter(); // a browser keeps what was typed when the page is loaded again
  }

  // Charts: each is drawn when it comes into sight, and the library loaded for the first.
  const style = () => getComputedStyle(document.documentElement);
  const themed = (value, look) => {
    if (typeof value === "string" && value[0] === "@") {
      const name = value.slice(1);
      return look.getPropertyValue(/^\d$/.test(name) ? `--c${name}` : `--${name}`).trim() || value;
    }
    if (Array.isArray(value)) return value.map((item) => themed(item, look));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, themed(v, look)]));
    }
    return value;
  };
  const layoutOf = (layout, look) => {
    const line = look.getPropertyValue("--line").trim();
    const found = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { color: look.getPropertyValue("--ink").trim(), family: "system-ui, sans-serif", size: 13 },
      hovermode: "closest", dragmode: isTouched ? false : "zoom", ...layout,
      margin: { l: 64, r: 16, t: layout.legend ? 48 : 16, b: 56, ...layout.margin },
    };
    if (layout.legend) found.legend = { x: 0, y: 1, yanchor: "bottom", ...layout.legend };
    for (const name of Object.keys(found)) {
      if (/^[xy]axis\d*$/.test(name)) {
        found[name] = { gridcolor: line, zerolinecolor: line, automargin: true, ...found[name] };
      }
    }
    return found;
  };
  const isTouched = matchMedia("(hover: none)").matches; // a finger scrolls, and does not zoom
  const drawn = new Map();
  const load = () => { // a second of work, which a reader of the tables need not wait for
    if (window.Plotly) return;
    const script = document.createElement("script");
    script.textContent = document.getElementById("library").textContent;
    document.head.append(script);
  };
  const draw = (figure) => {
    load();
    const plot = figure.querySelector(".plot");
    const spec = drawn.get(figure) || JSON.parse(figure.querySelector("script").textContent);
    drawn.set(figure, spec);
    const look = style();
    const layout = layoutOf(themed(spec.layout, look), look);
    const config = {
      responsive: true, displaylogo: false, displayModeBar: isTouched ? false : "hover",
      modeBarButtonsToRemove: ["lasso2d", "select2d"],
    };
    Plotly.react(plot, themed(spec.data, look), layout, config).then(() => {
      figure.dataset.drawn = "yes";
    });
  };
  const figures = all("figure.chart");
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "300px" });
  for (const figure of figures) seen.observe(figure);
  const again = () => { for (const figure of drawn.keys()) draw(figure); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => {
    for (const figure of figures) {
      if (!drawn.has(figure) && figure.checkVisibility()) draw(figure);
    }
  });

  // A link to a case opens it.
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") {
      target.open = true;
      target.scrollIntoView();
      target.querySelector("summary").focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", open);
  for (const link of all('a[href^="#case-"]')) {
    link.addEventListener("click", () => { if (link.hash === location.hash) open(); });
  }
  open();
})();
