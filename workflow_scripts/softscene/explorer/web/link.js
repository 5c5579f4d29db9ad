// The page's address says what is shown, so that it can be sent to others.

const LINK_DELAY = 300; // milliseconds; browsers allow few changes of an address a second
let linkTimer = null;

function linkWords() {
  const words = new URLSearchParams({ recording: facts().name });
  if (state.mode === "own") words.set("threshold", page.levels[state.level]);
  else if (state.mode !== page.modes[0]) words.set("mode", state.mode);
  const { view } = state;
  if (view.to - view.from < seconds() - 1e-6) words.set("view", stretchInWords(view));
  if (player.range) words.set("selection", stretchInWords(player.range));
  if (player.time > 0) words.set("at", milliseconds(player.time));
  if (player.loop) words.set("loop", "1");
  if (player.speed !== 1) words.set("speed", player.speed);
  if (state.order !== "scene") words.set("order", state.order);
  for (const lane of state.hiddenLanes) words.append("hide", lane < 0 ? "reference" : lane);
  for (const name of state.hiddenEvents) words.append("hide-event", name);
  return words;
}

function stretchInWords({ from, to }) {
  return `${milliseconds(from)}-${milliseconds(to)}`;
}

/** Put what is shown into the address, soon; during playback, when it stops. */
function renewLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => {
    if (!player.playing && state.recording) history.replaceState(null, "", `#${linkWords()}`);
  }, LINK_DELAY);
}

async function copyLink() {
  history.replaceState(null, "", `#${linkWords()}`);
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link to this view was copied.");
  } catch {
    say("Copy the address of this page: it is a link to this view.");
  }
}

/** Two numbers in order and within the recording, or null. */
function stretchOf(text) {
  const [from, to] = (text ?? "").split("-").map(Number);
  return from >= 0 && to <= seconds() + page.hop && to - from >= page.hop / 2 ? { from, to } : null;
}

/** Show what the address says; what is missing or invalid in it gets its default. */
async function openLink() {
  const words = new URLSearchParams(location.hash.slice(1));
  const named = page.recordings.findIndex(({ name }) => name === words.get("recording"));
  const index = named < 0 ? firstRecording() : named;
  const threshold = words.has("threshold") ? Number(words.get("threshold")) : NaN;
  state.mode = page.modes.includes(words.get("mode")) ? words.get("mode") : page.modes[0];
  if (threshold >= 0 && threshold <= 1) {
    state.mode = "own";
    state.level = nearestLevel(threshold);
  }
  const hidden = words.getAll("hide").map((each) => (each === "reference" ? -1 : Number(each)));
  state.hiddenLanes = new Set(hidden.filter((each) => allLanes().includes(each)));
  state.hiddenEvents = new Set(words.getAll("hide-event").filter((each) => page.events.includes(each)));
  state.order = orders().has(words.get("order")) ? words.get("order") : "scene";
  setSpeed(SPEEDS.includes(Number(words.get("speed"))) ? Number(words.get("speed")) : 1);
  setLoop(words.get("loop") === "1");
  showOrder(page.recordings[index].part);
  await choose(index);
  if (index !== state.index) return;
  const view = stretchOf(words.get("view"));
  if (view) setView(view.from, view.to - view.from);
  const at = Number(words.get("at") ?? 0);
  if (at > 0 && at <= seconds()) player.seek(at);
  const range = stretchOf(words.get("selection"));
  if (range) select(range.from, range.to);
}

function nearestLevel(threshold) {
  const distances = page.levels.map((level) => Math.abs(level - threshold));
  return distances.indexOf(Math.min(...distances));
}
