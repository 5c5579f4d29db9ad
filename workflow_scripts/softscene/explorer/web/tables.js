// Counts and scores, of methods and of events.

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
