// The selection, and going through the errors of the lanes that are shown.

function select(from, to) {
  player.range = { from: milliseconds(from), to: milliseconds(to) };
  state.error = null;
  showSelection();
}

function clearSelection() {
  player.range = null;
  state.error = null;
  showSelection();
}

function showSelection() {
  const { range } = player;
  byId("selection").hidden = !range;
  if (range) byId("selection-times").textContent = `${clock(range.from, 2)} to ${clock(range.to, 2)}`;
  drawCursor();
  renewLink();
}

/** Make the cursor the beginning ("from") or the end ("to") of the selection. */
function setEdge(edge) {
  const { from, to } = player.range ?? { from: 0, to: seconds() };
  const range = { from, to, [edge]: player.time };
  if (range.from >= range.to) Object.assign(range, edge === "from" ? { to: seconds() } : { from: 0 });
  if (range.to - range.from >= page.hop) select(range.from, range.to);
}

/** Select a stretch, go to its beginning, and play it or not. */
function goToStretch(from, to, play) {
  select(from, to);
  player.seek(milliseconds(from));
  if (play) player.play();
  if (from < state.view.from || to > state.view.to) {
    const length = Math.max(state.view.to - state.view.from, (to - from) * 1.2);
    setView((from + to) / 2 - length / 2, length);
  }
}

/** Errors of the lanes that are shown, by time: a stretch of FP or of FN each. */
function listErrors() {
  const found = state.rows.flatMap((row) =>
    visibleLanes().filter((lane) => lane >= 0).flatMap((lane) =>
      ["extras", "misses"].flatMap((kind) =>
        row.lanes[lane][kind].map(([first, end]) => ({
          kind, lane, name: row.name, from: first * page.hop, to: end * page.hop,
        })))));
  return found.sort((one, other) => one.from - other.from);
}

/** Go to the next or previous error and select it, so that it can be played. */
function goToError(step) {
  const errors = listErrors();
  let place = state.error ? errors.findIndex((each) => same(each, state.error)) + step : -1;
  if (!state.error) {
    place = step > 0
      ? errors.findIndex(({ from }) => from >= player.time - 1e-3)
      : errors.findLastIndex(({ from }) => from < player.time - 1e-3);
  }
  const error = errors[place];
  if (!error) return say(`There is no ${step > 0 ? "further" : "earlier"} error in the lanes that are shown.`);
  goToStretch(error.from, error.to, false);
  state.error = error;
  showReadout();
}

function same(one, other) {
  return ["kind", "lane", "name", "from"].every((key) => one[key] === other[key]);
}

function errorInWords({ kind, lane, name, from, to }) {
  const method = page.students[lane].name;
  const what =
    kind === "extras"
      ? `False positive: ${method} detects ${name}, which is not in the reference`
      : `False negative: ${method} misses ${name}`;
  return `${what}, ${clock(from, 2)} to ${clock(to, 2)}. `;
}
