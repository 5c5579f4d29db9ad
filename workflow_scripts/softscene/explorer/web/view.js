// The plot and the overview, their mouse and touch input, and the readout.

const SHORTEST = 1; // seconds of a view

// --- Plot

function shown() {
  const { image, imageSeconds } = state.recording;
  const { view, rows } = state;
  const { hop, frequencies } = page;
  return { image, imageSeconds, view, rows, hop, frequencies, colours, frames: facts().frames };
}

function draw() {
  const width = byId("plot").clientWidth;
  state.layout = new Layout(width, state.rows.length, visibleLanes());
  const names = state.rows.map((row) => row.name).join(", ");
  byId("plot").setAttribute("aria-label", `Spectrogram, and lanes of ${names || "no event"}`);
  drawBase(byId("base"), state.layout, shown());
  drawCursor();
}

function drawCursor() {
  drawOverlay(byId("overlay"), state.layout, shown(), player.time, state.pointed, state.drawn ?? player.range);
  drawOverview(byId("overview"), shown(), player.time, seconds());
  byId("time").textContent = `${clock(player.time, 2)} / ${clock(seconds(), 2)}`;
}

function setView(from, length) {
  const span = Math.min(Math.max(length, Math.min(SHORTEST, seconds())), seconds());
  const start = Math.min(Math.max(from, 0), seconds() - span);
  state.view = { from: milliseconds(start), to: milliseconds(start + span) };
  draw();
  renewLink();
}

/** Make the view `factor` times longer; the time `around` stays in place. */
function zoom(factor, around) {
  const { from, to } = state.view;
  setView(around - (around - from) * factor, (to - from) * factor);
}

function middle() {
  const { from, to } = state.view;
  return player.time >= from && player.time <= to ? player.time : (from + to) / 2;
}

/** Scroll when the cursor leaves the view. */
function follow() {
  const { from, to } = state.view;
  if (player.time < from || player.time > to) setView(player.time - 0.05 * (to - from), to - from);
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
  state.renewed = performance.now();
  const frame = Math.min(Math.floor(player.time / page.hop + 1e-6), facts().frames - 1);
  const active = state.rows.filter((row) => row.active[frame]).map((row) => row.name);
  const parts = page.students.map((student, index) => {
    const above = ({ lanes }) => lanes[index].codes[frame] > lanes[index].limit;
    return `${student.name}: ${listed(state.rows.filter(above).map((row) => row.name))}`;
  });
  const reference = page.reference ? [`Reference: ${listed(active)}`] : [];
  const all = [`At ${clock(player.time, 2)}`, ...reference, ...parts];
  say(`${state.error ? errorInWords(state.error) : ""}${all.join(". ")}.`);
}

/** The occurrence or detection at a place of the plot. */
function barAt(x, y) {
  const { layout, rows, view } = state;
  const place = layout.laneAt(y, rows.length);
  if (!place || x < layout.left || x > layout.left + layout.span) return null;
  const row = rows[place.row];
  const pixels = matchMedia("(pointer: coarse)").matches ? 12 : 3; // pointers are imprecise
  const near = (pixels / layout.span) * (view.to - view.from);
  const time = layout.time(x, view);
  const bars =
    place.lane < 0
      ? row.occurrences.map(([, onset, offset]) => ({ onset, offset }))
      : row.lanes[place.lane].detected.map(([first, end]) => ({
          onset: first * page.hop, offset: end * page.hop, first, end,
        }));
  const found = bars.find(({ onset, offset }) => time >= onset - near && time <= offset + near);
  return found ? { ...found, row, lane: place.lane } : null;
}

function describe({ row, lane, onset, offset, first, end }) {
  const times = `${clock(onset, 2)} to ${clock(offset, 2)}, ${(offset - onset).toFixed(2)} s`;
  if (lane < 0) return [row.name, `reference, ${times}`];
  const { codes, limit } = row.lanes[lane];
  const most = highest(codes.subarray(first, end));
  const right = row.active.subarray(first, end).reduce((sum, each) => sum + each, 0);
  return [
    row.name,
    `${page.students[lane].name}, ${times}`,
    `highest probability ${most.toFixed(2)}, threshold ${page.levels[limit].toFixed(2)}`,
    ...(page.reference ? [`${right} of ${end - first} frames are in the reference`] : []),
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

// --- Mouse and touch

/** Where a pointer is in the plot, also while it is dragged out of it. */
function placeOf(event) {
  const plot = byId("plot");
  const box = plot.getBoundingClientRect();
  return { x: event.clientX - box.left - plot.clientLeft, y: event.clientY - box.top - plot.clientTop };
}

function inTimes(x) {
  return x >= state.layout.left && x <= state.layout.left + state.layout.span;
}

/** The time at a place, within the view. */
function timeAt(x) {
  const { left, span } = state.layout;
  return state.layout.time(Math.min(Math.max(x, left), left + span), state.view);
}

function listenToPlot() {
  const plot = byId("plot");
  let pressed = null;
  plot.addEventListener("pointerdown", (event) => {
    const { x, y } = placeOf(event);
    plot.setPointerCapture(event.pointerId);
    const selecting = inTimes(x) && y < SPECTROGRAM + AXIS;
    pressed = { x, from: state.view.from, time: timeAt(x), selecting, moved: false };
  });
  plot.addEventListener("pointermove", (event) => {
    const { x, y } = placeOf(event);
    state.pointed = inTimes(x) ? state.layout.time(x, state.view) : null;
    if (pressed && (pressed.moved || Math.abs(x - pressed.x) > 4)) drag(pressed, x);
    showTip(x, y);
    drawCursor();
  });
  plot.addEventListener("pointerup", (event) => {
    const { x, y } = placeOf(event);
    const { drawn } = state;
    state.drawn = null;
    if (pressed && !pressed.moved) clickPlot(x, y);
    else if (drawn && drawn.to - drawn.from >= page.hop) goToStretch(drawn.from, drawn.to, player.playing);
    if (event.pointerType !== "mouse") showTip(x, y);
    pressed = null;
  });
  plot.addEventListener("pointercancel", () => { // the finger scrolls the page
    pressed = state.drawn = null;
    drawCursor();
  });
  plot.addEventListener("pointerleave", (event) => {
    state.pointed = null;
    if (event.pointerType === "mouse") byId("tip").hidden = true;
    drawCursor();
  });
  plot.addEventListener("wheel", turnWheel, { passive: false });
}

/** Select on the spectrogram, scroll on the lanes. */
function drag(pressed, x) {
  pressed.moved = true;
  if (pressed.selecting) {
    const [from, to] = [pressed.time, timeAt(x)].sort((one, other) => one - other);
    state.drawn = { from, to };
  } else {
    const length = state.view.to - state.view.from;
    setView(pressed.from - ((x - pressed.x) / state.layout.span) * length, length);
  }
}

function clickPlot(x, y) {
  const bar = barAt(x, y);
  if (bar) playStretch(bar.onset, bar.offset);
  else if (inTimes(x)) {
    clearSelection();
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
