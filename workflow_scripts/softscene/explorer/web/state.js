// The page's state, and helpers that the other files use.

const byId = (id) => document.getElementById(id);
const json = (id) => JSON.parse(byId(id).textContent);
const page = json("study");
page.modes = ["adaptive", "fixed", "oracle", "given"].filter((mode) => page.modes.includes(mode));
const FIXED = page.levels.indexOf(0.5);

const state = {
  chosen: 0, // index of the recording that was chosen
  index: 0, // of the one that is shown
  recording: null, // its content, once it is loaded
  order: "scene", // of the recordings: by scene, or by the error rate of the student with this number
  mode: page.modes[0],
  level: FIXED, // of the own threshold
  view: { from: 0, to: 1 },
  pointed: null, // time under the mouse
  drawn: null, // the selection while it is drawn
  renewed: 0, // when the readout was last renewed, in milliseconds
  played: null, // onset of the event that was last played
  error: null, // the one that was last selected
  hiddenLanes: new Set(), // -1 is the reference's, then a number for each student
  hiddenEvents: new Set(), // names
  events: [], // all that occur or are detected
  rows: [], // those of them that are shown
  counts: [],
  layout: null,
};
const player = new Player(new Audio(), onPlayer);

function facts() {
  return page.recordings[state.index];
}

function seconds() {
  return facts().frames * page.hop;
}

/** -1 for the reference, where there is one, and a number for each student. */
function allLanes() {
  return [...(page.reference ? [-1] : []), ...page.students.keys()];
}

function visibleLanes() {
  return allLanes().filter((lane) => !state.hiddenLanes.has(lane));
}

// --- Elements

/** An element with properties and children: `make("td", { textContent: "1" })`. */
function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  const { dataset = {}, attributes = {}, ...rest } = properties;
  Object.assign(element, rest);
  Object.assign(element.dataset, dataset);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const percent = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(2)} %` : "–");
const ratio = (value) => (Number.isFinite(value) ? value.toFixed(4) : "–");
const spoken = (scene) => scene.replaceAll("_", " ");
const milliseconds = (time) => Math.round(time * 1000) / 1000; // the precision of links
const basename = (path) => path.split("/").at(-1);
const colours = page.students.map((student) => student.colour);
