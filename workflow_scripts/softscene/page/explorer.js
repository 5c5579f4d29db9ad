// What is shown, and what the controls do.

const byId = (id) => document.getElementById(id);
const json = (id) => JSON.parse(byId(id).textContent);
const page = json("study");
const FIXED = page.levels.indexOf(0.5);
const SHORTEST = 1; // seconds of a view
const RENEWED = 500; // milliseconds between two readouts while it plays

const state = {
  chosen: 0, // index of the recording that is to be shown
  index: 0, // of the one that is shown
  recording: null, // its content, once it is read
  mode: "adaptive",
  level: FIXED, // of the own threshold
  view: { from: 0, to: 1 },
  pointed: null, // time under the mouse
  told: 0, // when the readout was last renewed, in milliseconds
  played: null, // onset of the event that was last played
  rows: [],
  counts: [],
  layout: null,
};
const player = new Player(new Audio(), onPlayer);

// --- Elements

/** An element with properties and children: `make("td", { textContent: "1" })`. */
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  const { dataset = {}, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, dataset);
  element.append(...children);
  return element;
}

const percent = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(2)} %` : "–");
const ratio = (value) => (Number.isFinite(value) ? value.toFixed(4) : "–");
const spoken = (scene) => scene.replaceAll("_", " ");
const basename = (path) => path.split("/").at(-1);
const colours = page.students.map((student) => student.colour);

// --- Recordings

function facts() {
  return page.recordings[state.index];
}

function seconds() {
  return facts().frames * page.hop;
}

function listParts() {
  page.parts.forEach((part, index) => {
    byId("part").append(make("option", { value: index, textContent: `fold ${part.fold}` }));
  });
  byId("part").addEventListener("change", (event) => {
    listRecordings(Number(event.target.value));
    choose(indicesOf(Number(event.target.value))[0]);
  });
}

function indicesOf(part) {
  return [...page.recordings.keys()].filter((index) => page.recordings[index].part === part);
}

function listRecordings(part) {
  const list = byId("recordings");
  list.replaceChildren();
  let scene = null;
  for (const index of indicesOf(part)) {
    const each = page.recordings[index];
    if (each.scene !== scene) {
      scene = each.scene;
      list.append(make("li", { className: "scene", role: "presentation", textContent: spoken(scene) }));
    }
    const option = make(
      "li",
      { id: `option-${index}`, role: "option", title: each.name, onclick: () => choose(index) },
      basename(each.name),
      make("span", { textContent: clock(each.frames * page.hop) }),
    );
    list.append(option);
  }
}

/** Read a recording and show it. */
async function choose(index) {
  state.chosen = index;
  markChosen();
  const content = json(`recording-${index}`);
  const { frames } = page.recordings[index];
  const wide = page.levels.length > 255;
  const image = new Image();
  image.src = content.image;
  const read = await Promise.all([
    unpack(content.reference, frames, false),
    ...content.codes.map((text) => unpack(text, frames, wide)),
    image.decode(),
  ]);
  if (index !== state.chosen) return; // another was chosen meanwhile
  state.index = index;
  state.recording = {
    image,
    imageSeconds: image.width * content.frames_a_pixel * page.hop,
    occurrences: content.occurrences,
    reference: read[0],
    codes: read.slice(1, 1 + content.codes.length),
  };
  player.load(content.sound);
  state.played = null;
  state.view = { from: 0, to: seconds() };
  byId("recording").replaceChildren(
    `${spoken(facts().scene)}: ${basename(facts().name)} `,
    make("small", { textContent: `${facts().occurrences} events`, title: facts().name }),
  );
  update();
}

function markChosen() {
  const list = byId("recordings");
  for (const option of list.querySelectorAll("[role=option]")) {
    option.setAttribute("aria-selected", option.id === `option-${state.chosen}`);
  }
  list.setAttribute("aria-activedescendant", `option-${state.chosen}`);
  byId(`option-${state.chosen}`).scrollIntoView({ block: "nearest" });
}

function chooseNext(step) {
  const indices = indicesOf(page.recordings[state.chosen].part);
  const place = indices.indexOf(state.chosen) + step;
  choose(indices[Math.min(Math.max(place, 0), indices.length - 1)]);
}

// --- Thresholds, detections and counts

/** The level of each event's threshold, for a student. */
function limitsOf(student) {
  if (state.mode === "own") return page.events.map(() => state.level);
  return page.parts[facts().part].students[student].thresholds[state.mode];
}

/** Detect and count anew, and show it. */
function update() {
  const { reference, codes } = state.recording;
  state.counts = codes.map((each, student) => count(reference, each, limitsOf(student)));
  const found = page.events.map((_, event) => state.counts.map((each) => each.events[event]));
  const occurs = found.map(([first]) => first.hits + first.misses > 0);
  const detected = found.map((each) => each.some(({ hits, extras }) => hits + extras > 0));
  const order = [...page.events.keys()];
  state.rows = [
    ...order.filter((event) => occurs[event]),
    ...order.filter((event) => !occurs[event] && detected[event]),
  ].map(makeRow);
  showThreshold();
  showScores();
  showEvents();
  draw();
  showReadout();
}

function makeRow(event) {
  const { reference, codes, occurrences } = state.recording;
  const active = reference[event];
  const lanes = codes.map((rows, student) => {
    const limit = limitsOf(student)[event];
    const hit = rows[event].map((code, frame) => (code > limit ? active[frame] : 0));
    return {
      codes: rows[event],
      highest: page.levels.length - 1,
      limit,
      detected: stretches(rows[event], limit),
      hits: stretches(hit, 0),
    };
  });
  return {
    event,
    name: page.events[event],
    active,
    occurrences: occurrences.filter(([each]) => each === event),
    lanes,
  };
}

function showThreshold() {
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.checked = radio.value === state.mode;
  }
  const slider = byId("threshold");
  const text = page.levels[state.level].toFixed(2);
  slider.value = state.level;
  slider.setAttribute("aria-valuetext", text);
  slider.style.opacity = state.mode === "own" ? 1 : 0.6;
  byId("threshold-value").textContent = text;
}

function setMode(mode) {
  state.mode = mode;
  update();
}

function setLevel(level) {
  state.level = Math.min(Math.max(level, 0), page.levels.length - 1);
  setMode("own");
}

const COLUMNS = [
  ["hits", "TP", (counts) => counts.hits],
  ["extras", "FP", (counts) => counts.extras],
  ["misses", "FN", (counts) => counts.misses],
  ["f-score", "F-score", (counts) => percent(fScore(counts))],
  ["error-rate", "error rate", (counts) => ratio(errorRate(counts))],
];

function cells(counts, where, className = "") {
  return COLUMNS.map(([name, , value]) =>
    make("td", { textContent: value(counts), className, dataset: { count: `${where}-${name}` } }),
  );
}

/** What was counted of the whole part, of which the page has only some recordings. */
function partCounts(student) {
  const { modes, levels } = page.parts[facts().part].students[student];
  return countOf(state.mode === "own" ? levels[state.level] : modes[state.mode]);
}

function showScores() {
  const part = page.parts[facts().part];
  const whole = `whole evaluation part: ${part.recordings} recordings of fold ${part.fold}`;
  const names = (className) =>
    COLUMNS.map(([, title]) => make("th", { textContent: title, scope: "col", className }));
  const head = make(
    "thead", {},
    make("tr", {},
      make("th"),
      make("th", { colSpan: 5, className: "over", textContent: "this recording" }),
      make("th", { colSpan: 5, className: "over part", textContent: whole })),
    make("tr", {},
      make("th", { textContent: "method", scope: "col" }), ...names(""), ...names("part")),
  );
  const rows = page.students.map((student, index) =>
    make("tr", { dataset: { student: index } },
      make("th", { scope: "row" }, swatch(student.colour), student.name),
      ...cells(state.counts[index], "recording"),
      ...cells(partCounts(index), "part", "part")),
  );
  byId("scores").replaceChildren(head, make("tbody", {}, ...rows));
}

function swatch(colour) {
  const element = make("span", { className: "swatch" });
  element.style.background = colour;
  return element;
}

function hatchedSwatch(colour) {
  const element = swatch("transparent");
  element.style.backgroundImage = `url(${hatching(colour).toDataURL()})`;
  element.style.backgroundSize = "5px 5px";
  return element;
}

function showEvents() {
  const head = make(
    "thead", {},
    make("tr", {},
      make("th"), make("th"),
      ...page.students.map((student) =>
        make("th", { colSpan: 3, className: "over" }, swatch(student.colour), student.name))),
    make("tr", {},
      make("th", { textContent: "event", scope: "col" }),
      make("th", { textContent: "reference", scope: "col" }),
      ...page.students.flatMap(() =>
        ["threshold", "TP / FP / FN", "F-score"].map((title) =>
          make("th", { textContent: title, scope: "col" })))),
  );
  const rows = state.rows.map((row) =>
    make("tr", { dataset: { event: row.name } },
      make("th", { textContent: row.name, scope: "row" }),
      make("td", { textContent: row.active.reduce((sum, each) => sum + each, 0) }),
      ...row.lanes.flatMap((lane, student) => eventCells(row, lane, student))),
  );
  byId("events").replaceChildren(head, make("tbody", {}, ...rows));
}

function eventCells(row, lane, student) {
  const counts = state.counts[student].events[row.event];
  const dataset = { student };
  return [
    make("td", { textContent: page.levels[lane.limit].toFixed(2), dataset }),
    make("td", { textContent: `${counts.hits} / ${counts.extras} / ${counts.misses}`, dataset }),
    make("td", { textContent: percent(fScore(counts)), dataset }),
  ];
}

// --- Plot

function shown() {
  const { image, imageSeconds } = state.recording;
  const { view, rows } = state;
  const { hop, frequencies } = page;
  return { image, imageSeconds, view, rows, hop, frequencies, colours, frames: facts().frames };
}

function draw() {
  const width = byId("plot").clientWidth;
  state.layout = new Layout(width, state.rows.length, page.students.length);
  const names = state.rows.map((row) => row.name).join(", ");
  byId("plot").setAttribute("aria-label", `Spectrogram, and lanes of ${names || "no event"}`);
  drawBase(byId("base"), state.layout, shown());
  drawCursor();
}

function drawCursor() {
  drawOverlay(byId("overlay"), state.layout, shown(), player.time, state.pointed);
  drawOverview(byId("overview"), shown(), player.time, seconds());
  byId("time").textContent = `${clock(player.time, 2)} / ${clock(seconds(), 2)}`;
}

function setView(from, length) {
  const span = Math.min(Math.max(length, Math.min(SHORTEST, seconds())), seconds());
  const start = Math.min(Math.max(from, 0), seconds() - span);
  state.view = { from: start, to: start + span };
  draw();
}

/** Make the view so many times longer, around a moment that stays where it is. */
function zoom(factor, around) {
  const { from, to } = state.view;
  setView(around - (around - from) * factor, (to - from) * factor);
}

function middle() {
  const { from, to } = state.view;
  return player.time >= from && player.time <= to ? player.time : (from + to) / 2;
}

/** Turn the page when the cursor leaves the view. */
function follow() {
  const { from, to } = state.view;
  if (player.time < from || player.time > to) setView(player.time - 0.05 * (to - from), to - from);
}

// --- Sound

function onPlayer(kind, error) {
  if (!state.recording) return;
  byId("play").textContent = player.playing ? "❚❚ Pause" : "▶ Play";
  if (kind === "error") return say(`The sound cannot be played: ${error.message}`);
  // Screen readers hear what stands there when it stops, and not each half second.
  byId("readout").setAttribute("aria-live", player.playing ? "off" : "polite");
  if (kind === "play") return requestAnimationFrame(animate);
  follow();
  drawCursor();
  showReadout();
}

function animate() {
  player.tick();
  follow();
  drawCursor();
  if (performance.now() - state.told >= RENEWED) showReadout();
  if (player.playing) requestAnimationFrame(animate);
}

function seek(time) {
  state.played = null;
  player.seek(Math.min(Math.max(time, 0), seconds()));
}

/** Play the reference's next event, or the one before. */
function playEvent(step) {
  const from = state.played ?? player.time;
  const later = ([, onset]) => (state.played === null ? onset >= from - 1e-3 : onset > from + 1e-3);
  const earlier = ([, onset]) => onset < from - 1e-3;
  const { occurrences } = state.recording;
  const found = step > 0 ? occurrences.find(later) : occurrences.findLast(earlier);
  if (found) playStretch(found[1], found[2]);
}

function playStretch(onset, offset) {
  state.played = onset;
  player.playStretch(onset, offset);
}

// --- Words

function say(text) {
  byId("readout").textContent = text;
}

function listed(names) {
  const more = names.length > 6 ? ` and ${names.length - 6} more` : "";
  return names.slice(0, 6).join(", ") + more || "nothing";
}

/** What reference and methods say at the cursor, in words. */
function showReadout() {
  state.told = performance.now();
  const frame = Math.min(Math.floor(player.time / page.hop + 1e-6), facts().frames - 1);
  const active = state.rows.filter((row) => row.active[frame]).map((row) => row.name);
  const parts = page.students.map((student, index) => {
    const above = ({ lanes }) => lanes[index].codes[frame] > lanes[index].limit;
    return `${student.name}: ${listed(state.rows.filter(above).map((row) => row.name))}`;
  });
  const all = [`At ${clock(player.time, 2)}`, `Reference: ${listed(active)}`, ...parts];
  say(`${all.join(". ")}.`);
}

/** The occurrence or detection at a place of the plot. */
function barAt(x, y) {
  const { layout, rows, view } = state;
  const place = layout.laneAt(y, rows.length, page.students.length);
  if (!place || x < layout.left || x > layout.left + layout.span) return null;
  const row = rows[place.row];
  const near = (3 / layout.span) * (view.to - view.from); // a mouse is no needle
  const time = layout.time(x, view);
  const bars =
    place.lane < 0
      ? row.occurrences.map(([, onset, offset]) => ({ onset, offset }))
      : row.lanes[place.lane].detected.map(([first, behind]) => ({
          onset: first * page.hop, offset: behind * page.hop, first, behind,
        }));
  const found = bars.find(({ onset, offset }) => time >= onset - near && time <= offset + near);
  return found ? { ...found, row, lane: place.lane } : null;
}

function describe({ row, lane, onset, offset, first, behind }) {
  const times = `${clock(onset, 2)} to ${clock(offset, 2)}, ${(offset - onset).toFixed(2)} s`;
  if (lane < 0) return [row.name, `reference, ${times}`];
  const { codes, limit } = row.lanes[lane];
  const most = page.levels[Math.min(Math.max(...codes.subarray(first, behind)), page.levels.length - 1)];
  const right = row.active.subarray(first, behind).reduce((sum, each) => sum + each, 0);
  return [
    row.name,
    `${page.students[lane].name}, ${times}`,
    `probability up to ${most.toFixed(2)}, threshold ${page.levels[limit].toFixed(2)}`,
    `${right} of ${behind - first} frames are in the reference`,
  ];
}

function showTip(x, y) {
  const tip = byId("tip");
  const bar = barAt(x, y);
  tip.hidden = !bar;
  byId("plot").style.cursor = bar ? "pointer" : "default";
  if (!bar) return;
  const [name, ...lines] = describe(bar);
  tip.replaceChildren(make("strong", { textContent: name }), ...lines.map((line) => make("div", { textContent: line })));
  const { offsetWidth, offsetHeight } = tip;
  tip.style.left = `${Math.min(x + 14, state.layout.width - offsetWidth - 4)}px`;
  tip.style.top = `${y + 18 + offsetHeight > state.layout.height ? y - offsetHeight - 10 : y + 18}px`;
}

// --- Mouse

function listenToPlot() {
  const plot = byId("plot");
  let pressed = null;
  plot.addEventListener("pointerdown", (event) => {
    pressed = { x: event.offsetX, from: state.view.from, moved: false };
  });
  plot.addEventListener("pointermove", (event) => {
    const { layout, view } = state;
    const inside = event.offsetX >= layout.left && event.offsetX <= layout.left + layout.span;
    state.pointed = inside ? layout.time(event.offsetX, view) : null;
    if (pressed && event.buttons && Math.abs(event.offsetX - pressed.x) > 4) {
      pressed.moved = true;
      const length = view.to - view.from;
      setView(pressed.from - ((event.offsetX - pressed.x) / layout.span) * length, length);
    }
    showTip(event.offsetX, event.offsetY);
    drawCursor();
  });
  plot.addEventListener("pointerup", (event) => {
    if (pressed && !pressed.moved) clickPlot(event.offsetX, event.offsetY);
    pressed = null;
  });
  plot.addEventListener("pointerleave", () => {
    state.pointed = null;
    byId("tip").hidden = true;
    drawCursor();
  });
  plot.addEventListener("wheel", turnWheel, { passive: false });
}

function clickPlot(x, y) {
  const bar = barAt(x, y);
  if (bar) playStretch(bar.onset, bar.offset);
  else if (x >= state.layout.left && x <= state.layout.left + state.layout.span) {
    seek(state.layout.time(x, state.view));
  }
}

function turnWheel(event) {
  const { from, to } = state.view;
  const aside = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
  if (event.ctrlKey || event.metaKey) {
    zoom(Math.exp(event.deltaY * 0.002), state.layout.time(event.offsetX, state.view));
  } else if (aside) {
    setView(from + (aside / state.layout.span) * (to - from), to - from);
  } else return; // an unmodified wheel scrolls the page
  event.preventDefault();
}

function listenToOverview() {
  const overview = byId("overview");
  const move = (event) => {
    const { from, to } = state.view;
    const time = (event.offsetX / overview.clientWidth) * seconds();
    setView(time - (to - from) / 2, to - from);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    move(event);
  });
  overview.addEventListener("pointermove", (event) => event.buttons && move(event));
}

// --- Keys

const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: (event) => seek(player.time - (event.shiftKey ? page.hop : 1)),
  ArrowRight: (event) => seek(player.time + (event.shiftKey ? page.hop : 1)),
  Home: () => seek(0),
  End: () => seek(seconds()),
  e: (event) => playEvent(event.shiftKey ? -1 : 1),
  n: () => chooseNext(1),
  p: () => chooseNext(-1),
  "+": () => zoom(0.5, middle()),
  "=": () => zoom(0.5, middle()),
  "-": () => zoom(2, middle()),
  "0": () => setView(0, seconds()),
  ",": () => setLevel(state.level - 1),
  ".": () => setLevel(state.level + 1),
  a: () => setMode("adaptive"),
  f: () => setMode("fixed"),
  o: () => setMode("oracle"),
  "?": () => byId("help").showModal(),
};
const OWN_KEYS = /^(Arrow|Home|End|Page)/; // of a slider, a list or a choice that has the focus

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const focused = document.activeElement;
  if (focused.matches("input, select") && OWN_KEYS.test(event.key)) return;
  if (focused.matches("select")) return;
  if (event.key === " " && focused.matches("button:focus-visible, summary:focus-visible")) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || !state.recording) return;
  event.preventDefault();
  act(event);
}

function listenToList() {
  byId("recordings").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    chooseNext(step);
  });
}

function listenToControls() {
  const clicks = {
    play: () => player.toggle(),
    "event-before": () => playEvent(-1),
    "event-next": () => playEvent(1),
    "zoom-in": () => zoom(0.5, middle()),
    "zoom-out": () => zoom(2, middle()),
    "zoom-all": () => setView(0, seconds()),
    "help-open": () => byId("help").showModal(),
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  byId("threshold").max = page.levels.length - 1;
  byId("threshold").addEventListener("input", (event) => setLevel(Number(event.target.value)));
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.addEventListener("change", () => setMode(radio.value));
  }
  document.addEventListener("keydown", onKey);
  window.addEventListener("resize", () => state.recording && draw());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.recording && draw());
}

// --- Beginning

function showNotes() {
  byId("note").hidden = !page.note;
  byId("note").textContent = page.note ?? "";
  byId("terms").hidden = !page.terms;
  if (!page.terms) return;
  byId("terms-words").textContent =
    "This page holds recordings or annotations that may be used for non-commercial purposes only, and not be passed on.";
  byId("terms").querySelector("pre").textContent = page.terms;
}

showNotes();
byId("detected").append(...colours.map(swatch));
byId("alarms").append(...colours.map(hatchedSwatch));
listParts();
listRecordings(0);
listenToPlot();
listenToOverview();
listenToList();
listenToControls();
choose(0);
