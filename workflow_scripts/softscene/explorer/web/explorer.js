// What the controls, the sound and the keys do.

const RENEWED = 500; // milliseconds between two readouts while it plays

// --- Recordings

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

// --- Keys and controls

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
