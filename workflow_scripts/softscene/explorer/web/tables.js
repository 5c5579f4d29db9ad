// Counts and scores, of methods and of events.

const COLUMNS = [
  ["hits", "TP", (counts) => counts.hits], // explained below the plot
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

/** Python's counts for a student: in a whole part, or in a recording that is not loaded yet. */
function counted({ students }, student) {
  const { modes, levels } = students[student];
  return countOf(state.mode === "own" ? levels[state.level] : modes[state.mode]);
}

function showScores() {
  byId("scores-place").hidden = !page.reference;
  if (!page.reference) return;
  const part = page.parts[facts().part];
  const whole = `whole evaluation part: ${part.recordings} recordings of fold ${part.fold}`;
  const names = (className) =>
    COLUMNS.map(([, title]) => make("th", { textContent: title, scope: "col", className }));
  const head = make(
    "thead", {},
    make("tr", {},
      make("td"),
      make("th", { colSpan: 5, className: "over", scope: "colgroup", textContent: "this recording" }),
      make("th", { colSpan: 5, className: "over part", scope: "colgroup", textContent: whole })),
    make("tr", {},
      make("th", { textContent: "method", scope: "col" }), ...names(""), ...names("part")),
  );
  const rows = page.students.map((student, index) =>
    make("tr", { dataset: { student: index } },
      make("th", { scope: "row" }, swatch(student.colour), student.name),
      ...cells(state.counts[index], "recording"),
      ...cells(counted(part, index), "part", "part")),
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

function hollowSwatch(colour) {
  const element = swatch("transparent");
  element.style.borderBlock = `2px solid ${colour}`;
  element.style.borderRadius = 0;
  return element;
}

function showEvents() {
  const given = page.reference ? ["reference"] : [];
  const titles = page.reference
    ? ["threshold", "TP / FP / FN", "F-score"]
    : ["threshold", "times", "seconds", "highest probability"];
  const head = make(
    "thead", {},
    make("tr", {},
      make("td"), ...given.map(() => make("td")),
      ...page.students.map((student) =>
        make("th", { colSpan: titles.length, className: "over", scope: "colgroup" }, swatch(student.colour), student.name))),
    make("tr", {},
      ...["event", ...given, ...page.students.flatMap(() => titles)].map((title) =>
        make("th", { textContent: title, scope: "col" }))),
  );
  const rows = state.events.map((row) =>
    make("tr", { dataset: { event: row.name } },
      make("th", { scope: "row" }, eventSwitch(row.name)),
      ...given.map(() => make("td", { textContent: row.active.reduce((sum, each) => sum + each, 0) })),
      ...row.lanes.flatMap((lane, student) => eventCells(row, lane, student))),
  );
  byId("events").replaceChildren(head, make("tbody", {}, ...rows));
}

/** A box to show or hide an event's lanes. */
function eventSwitch(name) {
  const box = make("input", { type: "checkbox", checked: !state.hiddenEvents.has(name), title: "Show its lanes" });
  box.addEventListener("change", () => {
    if (box.checked) state.hiddenEvents.delete(name);
    else state.hiddenEvents.add(name);
    showLanes();
  });
  return make("label", {}, box, name);
}

function eventCells(row, lane, student) {
  const counts = state.counts[student].events[row.event];
  const texts = page.reference
    ? [`${counts.hits} / ${counts.extras} / ${counts.misses}`, percent(fScore(counts))]
    : [
        lane.detected.length,
        ((counts.hits + counts.extras) * page.hop).toFixed(2),
        highest(lane.codes).toFixed(2),
      ];
  return [page.levels[lane.limit].toFixed(2), ...texts].map((textContent) =>
    make("td", { textContent, dataset: { student } }));
}

/** The highest level that a row of codes reaches. */
function highest(codes) {
  return page.levels[codes.reduce((most, each) => Math.max(most, each), 1) - 1];
}
