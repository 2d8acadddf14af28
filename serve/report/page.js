// Draws the tasks from the data in the page, filters and sorts them. Nothing is fetched.
"use strict";
const { palette, outcome, configuration, tasks } = JSON.parse(document.getElementById("data").textContent);

/** An element with attributes and children. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** A grid as a picture, one path a colour; cells that differ from the truth are outlined where the sizes agree. */
function drawGrid(packed, label, truth) {
  if (!packed) return element("span", {}, "no grid");
  const rows = packed.split("/");
  const [height, width] = [rows.length, rows[0].length];
  const cell = Math.max(5, Math.min(20, Math.floor(150 / Math.max(height, width))));
  const paths = new Map();
  rows.forEach((row, r) => {
    for (const match of row.matchAll(/(.)\1*/g)) {
      const d = `M${match.index} ${r}h${match[0].length}v1h-${match[0].length}z`;
      paths.set(match[1], (paths.get(match[1]) ?? "") + d);
    }
  });
  const names = [...paths.keys()].sort().map((colour) => palette[colour].name);
  const picture = shape("svg", {
    class: "grid",
    role: "img",
    "aria-label": `${label}: ${height} by ${width} cells; ${names.join(", ")}`,
    viewBox: `0 0 ${width} ${height}`,
    width: width * cell,
    height: height * cell,
  });
  for (const [colour, d] of paths) {
    const { hex, name } = palette[colour];
    picture.append(shape("path", { d, fill: hex }, shape("title", {}, `${colour} ${name}`)));
  }
  let lines = "";
  for (let r = 1; r < height; r++) lines += `M0 ${r}h${width}`;
  for (let c = 1; c < width; c++) lines += `M${c} 0v${height}`;
  picture.append(shape("path", { class: "lines", d: lines }));
  const right = truth?.split("/");
  if (right && right.length === height && right[0].length === width) {
    let errors = "";
    rows.forEach((row, r) => {
      for (let c = 0; c < width; c++) if (row[c] !== right[r][c]) errors += `M${c + 0.15} ${r + 0.15}h.7v.7h-.7z`;
    });
    if (errors) picture.append(shape("path", { class: "errors", d: errors }));
  }
  return picture;
}

function figure(packed, label, truth, ...notes) {
  return element("figure", {}, drawGrid(packed, label, truth), element("figcaption", {}, label, ...notes));
}

/** Loss and exactness over the steps of an adaptation. */
function drawCurve(curve) {
  const [width, height] = [360, 90];
  const last = curve.at(-1)[0] || 1;
  const most = Math.max(...curve.map(([, loss]) => loss)) || 1;
  const line = (value) =>
    curve.map((point) => `${(point[0] / last * width).toFixed(1)},${(height - value(point) * height).toFixed(1)}`)
      .join(" ");
  const label = `Adaptation over ${last} steps: loss from ${curve[0][1].toFixed(3)} to ${
    curve.at(-1)[1].toFixed(3)
  }, exact from ${percent(curve[0][2])} to ${percent(curve.at(-1)[2])}`;
  return element(
    "figure",
    {},
    shape(
      "svg",
      { class: "curve", role: "img", "aria-label": label, viewBox: `-2 -2 ${width + 4} ${height + 4}`, width, height },
      shape("polyline", { class: "loss", points: line(([, loss]) => loss / most) }, shape("title", {}, "loss")),
      shape("polyline", { class: "exact", points: line(([, , exact]) => exact) }, shape("title", {}, "exact")),
    ),
    element("figcaption", {}, label),
  );
}

function drawTest({ input, truth, attempts, votes, candidates, refinement }, t) {
  const row = element("div", { class: "row" }, figure(input, "input"));
  attempts.forEach((grid, a) => {
    const right = grid === truth;
    const mark = truth === undefined
      ? []
      : [element("span", { class: right ? "right" : "wrong" }, right ? " ✓ right" : " ✗ wrong")];
    const [count, halt, doubt] = votes[a] ?? votes[0] ?? [0, 0, 0];
    const doubted = doubt ? `, doubt ${doubt.toFixed(1)}` : "";
    const note = element("div", {}, `${count} ${count === 1 ? "vote" : "votes"}, certainty ${percent(halt)}${doubted}`);
    row.append(figure(grid, `attempt ${a + 1}`, truth, ...mark, note));
  });
  if (truth !== undefined) row.append(figure(truth, "truth"));
  const parts = [element("h3", {}, `Test ${t + 1} · ${candidates} candidates`), row];
  if (refinement.length) {
    const details = element("details", {}, element("summary", {}, `Refinement over ${refinement.length} segments`));
    details.addEventListener("toggle", () => {
      const steps = refinement.map((grid, i) => figure(grid, `segment ${i + 1}`, truth));
      details.append(element("div", { class: "row" }, ...steps));
    }, { once: true });
    parts.push(details);
  }
  return element("section", {}, ...parts);
}

function drawTask(task) {
  const { id, status, cells, seconds, solver, train, tests, curve } = task;
  const facts = [
    status === "unscored" ? "truth not known" : `${status}, ${percent(cells)} of cells right`,
    solver.adaptation_steps
      ? `adapted in ${solver.adaptation_steps} steps`
      : solver.known
      ? "known to the weights"
      : "not adapted to",
    `${solver.augmentations} looks, up to ${solver.segments} segments`,
    `${seconds.toFixed(1)} s`,
  ];
  const card = element(
    "article",
    { class: status, id: `task-${id}`, "data-status": status },
    element(
      "div",
      { class: "heading" },
      element("h2", {}, id),
      element("p", { class: "facts" }, facts.join(" · ")),
    ),
    element("h3", {}, "Demonstrations"),
    element(
      "div",
      { class: "row" },
      ...train.map(([input, output], i) =>
        element(
          "div",
          { class: "pair" },
          drawGrid(input, `input ${i + 1}`),
          element("span", { "aria-hidden": "true" }, "→"),
          drawGrid(output, `output ${i + 1}`),
        )
      ),
    ),
    ...tests.map(drawTest),
  );
  if (curve.length) {
    const details = element("details", {}, element("summary", {}, "Adaptation curve"));
    details.addEventListener("toggle", () => details.append(drawCurve(curve)), { once: true });
    card.append(details);
  }
  return card;
}

const filters = { all: () => true };
for (const status of ["solved", "nearly", "failed", "unscored"]) {
  if (tasks.some((task) => task.status === status)) filters[status] = (task) => task.status === status;
}

const orders = {
  name: (a, b) => a.id < b.id ? -1 : 1,
  "right cells": (a, b) => b.cells - a.cells,
  certainty: (a, b) => certainty(b) - certainty(a),
  votes: (a, b) => share(b) - share(a),
  segments: (a, b) => b.solver.segments - a.solver.segments,
  seconds: (a, b) => b.seconds - a.seconds,
};

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const certainty = ({ tests }) => mean(tests.map(({ votes }) => votes[0]?.[1] ?? 0));
const share = ({ tests }) => mean(tests.map(({ votes }) => votes[0]?.[0] ?? 0));

const cards = new Map(tasks.map((task) => [task, drawTask(task)]));
const main = document.getElementById("tasks");
const sort = document.getElementById("sort");
const buttons = Object.entries(filters).map(([name, keeps]) => {
  const button = element("button", { type: "button" }, `${name} ${tasks.filter(keeps).length}`);
  button.addEventListener("click", () => show(name));
  return [name, button];
});

function show(filter) {
  for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(name === filter));
  for (const [task, card] of cards) card.hidden = !filters[filter](task);
  document.getElementById("count").textContent = `${tasks.filter(filters[filter]).length} of ${tasks.length} tasks`;
}

function arrange() {
  main.append(...tasks.toSorted(orders[sort.value]).map((task) => cards.get(task)));
}

const scoreRows = outcome.scores.map(({ k, outputs, meanTask, tasks }) =>
  element(
    "tr",
    {},
    element("th", { scope: "row" }, `pass@${k}`),
    element("td", {}, `${outputs.solved} of ${outputs.total} (${percent(outputs.solved / outputs.total)})`),
    element("td", {}, percent(meanTask)),
    element("td", {}, `${tasks.solved} of ${tasks.total} (${percent(tasks.solved / tasks.total)})`),
  )
);
if (scoreRows.length) {
  const heads = ["", "test outputs", "mean over tasks", "tasks with all outputs"];
  document.getElementById("scores").append(
    element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))),
    ...scoreRows,
  );
}
const options = Object.entries(configuration.options).map(([name, value]) => `${name} ${value}`);
document.getElementById("configuration").textContent = [
  `${tasks.length} tasks`,
  `weights ${configuration.weights}`,
  ...options,
  `${(outcome.seconds / 3600).toFixed(2)} hours of solving`,
  ...(outcome.dollars === undefined ? [] : [`$${outcome.dollars.toFixed(2)}`]),
  "outlined cells differ from the truth",
].join(" · ");
document.getElementById("filters").append(...buttons.map(([, button]) => button));
sort.append(...Object.keys(orders).map((name) => element("option", { value: name }, name)));
sort.addEventListener("change", arrange);
arrange();
show("all");
