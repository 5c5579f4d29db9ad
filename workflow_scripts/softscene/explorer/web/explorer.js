// What the controls, the sound and the keys do.

const RENEWED = 500; // milliseconds between two readouts while it plays

// --- Recordings

function listParts() {
  byId("part-choice").hidden = page.parts.length < 2;
  page.parts.forEach((part, index) => {
    byId("part").append(make("option", { value: index, textContent: `fold ${part.fold}` }));
  });
  byId("part").addEventListener("change", (event) => {
    listRecordings(Number(event.target.value));
    choose(indicesOf(Number(event.target.value))[0]);
  });
}

/** What recordings can be sorted by: value -> label. */
function orders() {
  const students = page.reference ? [...page.students.entries()] : [];
  return new Map([
    ["scene", "scene"],
    ...students.map(([index, { name }]) => [String(index), `error rate of ${name}, highest first`]),
  ]);
}

function listOrders() {
  byId("order-choice").hidden = !page.reference;
  for (const [value, textContent] of orders()) byId("order").append(make("option", { value, textContent }));
  byId("order").addEventListener("change", (event) => {
    state.order = event.target.value;
    showOrder(page.recordings[state.chosen].part);
    renewLink();
  });
}

function showOrder(part) {
  byId("order").value = state.order;
  byId("part").value = part;
  listRecordings(part);
  markChosen();
}

/** A recording's error rate, for the student that recordings are sorted by. */
function rateOf(index) {
  return errorRate(counted(page.recordings[index], Number(state.order)));
}

/** A part's recordings, in the order of the list. */
function indicesOf(part) {
  const found = [...page.recordings.keys()].filter((index) => page.recordings[index].part === part);
  if (state.order === "scene") return found;
  const rate = (index) => (Number.isNaN(rateOf(index)) ? -1 : rateOf(index));
  return found.sort((one, other) => rate(other) - rate(one));
}

/** The first of the recordings in which the most methods have true positives. */
function firstRecording() {
  if (!page.reference) return 0;
  const finders = page.recordings.map((each) =>
    page.students.filter((_, student) => counted(each, student).hits > 0).length);
  return finders.indexOf(Math.max(...finders));
}

function listRecordings(part) {
  const list = byId("recordings");
  list.replaceChildren();
  let scene = null;
  let group = list;
  for (const index of indicesOf(part)) {
    const each = page.recordings[index];
    if (page.reference && state.order === "scene" && each.scene !== scene) {
      scene = each.scene;
      group = make("div", { attributes: { role: "group", "aria-label": spoken(scene) } },
        make("div", { className: "scene", ariaHidden: "true", textContent: spoken(scene) }));
      list.append(group);
    }
    const length = clock(each.frames * page.hop);
    const option = make(
      "div",
      { id: `option-${index}`, title: each.name, onclick: () => choose(index), attributes: { role: "option" } },
      basename(each.name),
      make("span", { textContent: state.order === "scene" ? length : ratio(rateOf(index)) }),
    );
    group.append(option);
  }
}

/** Load a recording and show it. */
async function choose(index) {
  state.chosen = index;
  markChosen();
  const content = json(`recording-${index}`);
  const { frames } = page.recordings[index];
  const wide = page.levels.length > 255;
  const image = new Image();
  image.src = content.image;
  const read = await Promise.all([
    page.reference ? unpack(content.reference, frames, false) : page.events.map(() => new Uint8Array(frames)),
    ...content.codes.map((text) => unpack(text, frames, wide)),
    image.decode(),
  ]);
  if (index !== state.chosen) return; // another was chosen meanwhile
  state.index = index;
  state.recording = {
    image,
    imageSeconds: image.width * content.frames_a_pixel * page.hop,
    occurrences: content.occurrences ?? [],
    reference: read[0],
    codes: read.slice(1, 1 + content.codes.length),
  };
  player.load(content.sound);
  state.played = state.error = state.drawn = null;
  state.view = { from: 0, to: seconds() };
  const { scene, name, occurrences } = facts();
  const counted = `${occurrences} ${occurrences === 1 ? "event" : "events"}`;
  const title = page.reference ? `${spoken(scene)}: ${basename(name)} ` : `${basename(name)} `;
  const words = page.reference ? counted : inTables(occurrences, counted);
  const small = page.reference || !scene ? words : `${words}; scene: ${spoken(scene)}`;
  byId("recording").replaceChildren(title, make("small", { textContent: small, title: name }));
  update();
  showSelection();
}

/** What the tables beside this page have; the page itself counts what any threshold gives. */
function inTables(number, counted) {
  if (number) return `${counted} in its tables`;
  return "no events in its tables: try a lower threshold (own, below)";
}

function markChosen() {
  const list = byId("recordings");
  for (const option of list.querySelectorAll("[role=option]")) {
    option.setAttribute("aria-selected", option.id === `option-${state.chosen}`);
  }
  const option = byId(`option-${state.chosen}`);
  if (!option) return;
  list.setAttribute("aria-activedescendant", option.id);
  // The list alone: scrollIntoView would also move the page.
  list.scrollTop = Math.min(list.scrollTop, option.offsetTop);
  list.scrollTop = Math.max(list.scrollTop, option.offsetTop + option.offsetHeight - list.clientHeight);
}

/** Choose the recording `step` places further in the list (back if negative). */
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

/** Recompute detections and counts, and show them. */
function update() {
  const { reference, codes } = state.recording;
  state.counts = codes.map((each, student) => count(reference, each, limitsOf(student)));
  const found = page.events.map((_, event) => state.counts.map((each) => each.events[event]));
  const occurs = found.map(([first]) => first.hits + first.misses > 0);
  const detected = found.map((each) => each.some(({ hits, extras }) => hits + extras > 0));
  const order = [...page.events.keys()];
  state.events = [
    ...order.filter((event) => occurs[event]),
    ...order.filter((event) => !occurs[event] && detected[event]),
  ].map(makeRow);
  state.error = null;
  showThreshold();
  showScores();
  if (state.order !== "scene") showOrder(facts().part);
  showLanes();
}

/** Show the lanes that are not hidden. */
function showLanes() {
  state.rows = state.events.filter(({ name }) => !state.hiddenEvents.has(name));
  for (const box of document.querySelectorAll("#lanes input")) {
    box.checked = !state.hiddenLanes.has(Number(box.value));
  }
  showEvents();
  draw();
  showReadout();
  renewLink();
}

/** A box for each lane, to show or hide it. */
function listLanes() {
  for (const lane of allLanes()) {
    const box = make("input", { type: "checkbox", value: lane });
    box.addEventListener("change", () => {
      if (box.checked) state.hiddenLanes.delete(lane);
      else state.hiddenLanes.add(lane);
      showLanes();
    });
    const name = lane < 0 ? "reference" : page.students[lane].name;
    byId("lanes").append(make("label", {}, box, swatch(lane < 0 ? "var(--reference)" : colours[lane]), name));
  }
}

function makeRow(event) {
  const { reference, codes, occurrences } = state.recording;
  const active = reference[event];
  const lanes = codes.map((rows, student) => {
    const limit = limitsOf(student)[event];
    const where = (kind) => stretches(rows[event].map((code, frame) => Number(kind(code > limit, active[frame]))), 0);
    return {
      codes: rows[event],
      highest: page.levels.length - 1,
      limit,
      detected: stretches(rows[event], limit),
      // Without a reference, all that is detected is drawn alike, and nothing is an error.
      hits: where((found, there) => found && (there || !page.reference)),
      extras: where((found, there) => found && !there && page.reference),
      misses: where((found, there) => !found && there),
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
  if (![...page.modes, "own"].includes(mode)) return;
  state.mode = mode;
  update();
}

function setLevel(level) {
  state.level = Math.min(Math.max(level, 0), page.levels.length - 1);
  setMode("own");
}

// --- Sound

function onPlayer(kind) {
  if (kind === "error") player.canPlay = false;
  if (!player.canPlay) showNoSound();
  if (!state.recording) return;
  byId("play").textContent = player.playing ? "❚❚ Pause" : "▶ Play";
  // Screen readers announce it when playback stops, not every half second.
  byId("readout").setAttribute("aria-live", player.playing ? "off" : "polite");
  if (kind === "play") return requestAnimationFrame(animate);
  follow();
  drawCursor();
  showReadout();
  renewLink();
}

/** Some browsers do not play Opus; everything but the sound works there. */
function showNoSound() {
  byId("no-sound").hidden = false;
  for (const id of ["play", "loop", "speed"]) byId(id).disabled = true;
}

function setLoop(loop) {
  player.loop = loop;
  byId("loop").setAttribute("aria-pressed", loop);
  renewLink();
}

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2];

function setSpeed(speed) {
  if (!SPEEDS.includes(speed)) return;
  player.speed = speed;
  byId("speed").value = speed;
  renewLink();
}

function changeSpeed(step) {
  setSpeed(SPEEDS[SPEEDS.indexOf(player.speed) + step]);
}

function animate() {
  player.tick();
  follow();
  drawCursor();
  if (performance.now() - state.renewed >= RENEWED) showReadout();
  if (player.playing) requestAnimationFrame(animate);
}

function seek(time) {
  state.played = state.error = null;
  player.seek(Math.min(Math.max(time, 0), seconds()));
}

/** Play the next event of the reference, or the next detection if there is no reference. */
function playEvent(step) {
  const from = state.played ?? player.time;
  const later = ([, onset]) => (state.played === null ? onset >= from - 1e-3 : onset > from + 1e-3);
  const earlier = ([, onset]) => onset < from - 1e-3;
  const events = page.reference ? state.recording.occurrences : detections();
  const found = step > 0 ? events.find(later) : events.findLast(earlier);
  if (found) playStretch(found[1], found[2]);
}

/** All that is detected, in the form of occurrences. */
function detections() {
  const found = state.rows.flatMap((row) => row.lanes.flatMap((lane) =>
    lane.detected.map(([first, end]) => [row.event, first * page.hop, end * page.hop])));
  return found.sort((one, other) => one[1] - other[1]);
}

/** Select an event and play it. */
function playStretch(onset, offset) {
  goToStretch(onset, offset, true);
  state.played = onset;
}

// --- Keys and controls

const KEYS = {
  " ": () => player.toggle(),
  ArrowLeft: (event) => seek(player.time - (event.shiftKey ? page.hop : 1)),
  ArrowRight: (event) => seek(player.time + (event.shiftKey ? page.hop : 1)),
  Home: () => seek(0),
  End: () => seek(seconds()),
  e: (event) => playEvent(event.shiftKey ? -1 : 1),
  x: (event) => page.reference && goToError(event.shiftKey ? -1 : 1),
  l: () => player.canPlay && setLoop(!player.loop),
  "[": () => setEdge("from"),
  "]": () => setEdge("to"),
  "<": () => changeSpeed(-1),
  ">": () => changeSpeed(1),
  Escape: () => clearSelection(),
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
const PRESSED_BY_SPACE = "button, summary, input[type=checkbox]";
let clicked = null; // what was clicked last: the space bar plays, and does not press it again
const OWN_KEYS = /^(Arrow|Home|End|Page)/; // of a slider, a list or a choice that has the focus

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  const focused = document.activeElement;
  if (focused.matches("input[type=range], input[type=radio]") && OWN_KEYS.test(event.key)) return;
  if (focused.matches("select")) return;
  if (event.key === " " && focused.matches(PRESSED_BY_SPACE) && focused !== clicked) return;
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
    "error-before": () => goToError(-1),
    "error-next": () => goToError(1),
    "recording-before": () => chooseNext(-1),
    "recording-next": () => chooseNext(1),
    loop: () => setLoop(!player.loop),
    unselect: () => clearSelection(),
    link: () => copyLink(),
    "zoom-in": () => zoom(0.5, middle()),
    "zoom-out": () => zoom(2, middle()),
    "zoom-all": () => setView(0, seconds()),
    "help-open": () => byId("help").showModal(),
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  byId("threshold").max = page.levels.length - 1;
  byId("threshold").addEventListener("input", (event) => setLevel(Number(event.target.value)));
  for (const radio of document.querySelectorAll("[name=mode]")) {
    radio.closest("label").hidden = ![...page.modes, "own"].includes(radio.value);
    radio.addEventListener("change", () => setMode(radio.value));
  }
  for (const speed of SPEEDS) byId("speed").append(make("option", { value: speed, textContent: `${speed} ×` }));
  byId("speed").addEventListener("change", (event) => setSpeed(Number(event.target.value)));
  window.addEventListener("hashchange", openLink);
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", ({ target }) => {
    clicked = target.closest("label")?.control ?? target.closest(PRESSED_BY_SPACE);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target !== clicked) clicked = null;
  });
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

/** Without a reference there are neither errors nor other recordings. */
function hideWhatIsNotThere() {
  if (!player.canPlay) showNoSound();
  const several = page.recordings.length > 1;
  for (const id of ["recording-before", "recording-next", "nav"]) byId(id).hidden = !several;
  document.body.classList.toggle("single", !several);
  for (const element of document.querySelectorAll(".of-reference")) element.hidden = !page.reference;
  for (const element of document.querySelectorAll(".of-detections")) element.hidden = page.reference;
  for (const element of document.querySelectorAll(".of-several")) element.hidden = !several;
  for (const element of document.querySelectorAll("[data-key-of]")) {
    element.hidden = !page.modes.includes(element.dataset.keyOf);
  }
}

showNotes();
for (const place of document.querySelectorAll(".solid")) place.append(...colours.map(swatch));
for (const place of document.querySelectorAll(".hatched")) place.append(...colours.map(hatchedSwatch));
for (const place of document.querySelectorAll(".hollow")) place.append(...colours.map(hollowSwatch));
hideWhatIsNotThere();
listParts();
listOrders();
listLanes();
listenToPlot();
listenToOverview();
listenToList();
listenToControls();
openLink();
