// What is shown, and what the other parts of the page are made with.

const byId = (id) => document.getElementById(id);
const json = (id) => JSON.parse(byId(id).textContent);
const page = json("study");
const FIXED = page.levels.indexOf(0.5);

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

function facts() {
  return page.recordings[state.index];
}

function seconds() {
  return facts().frames * page.hop;
}

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
