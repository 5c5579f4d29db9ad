// Spectrogram, time axis and lanes on one canvas; cursor and meters on another above it.

const SPECTROGRAM = 150; // heights in CSS pixels
const AXIS = 26;
const REFERENCE = 11; // a lane of the reference
const LANE = 9; // a lane of a student
const BETWEEN = 2; // lanes of an event
const AROUND = 8; // the lanes of an event
const METER = 46; // width
const NARROW = 620; // below it, names are above lanes and there are no meters
const NAME = 15; // height of such a name
const TILE = 5; // size of a hatching's tile
const FONT = '12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
const STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];

/** Seconds as 1:02, with as many decimals as asked for. */
function clock(seconds, decimals = 0) {
  const scale = 10 ** decimals;
  const whole = Math.round(seconds * scale) / scale;
  const minutes = Math.floor(whole / 60);
  return `${minutes}:${(whole - 60 * minutes).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0")}`;
}

/** A canvas of so many CSS pixels, sharp on every screen. */
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  context.font = FONT;
  context.textBaseline = "middle";
  return context;
}

function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function laneHeight(lane) {
  return lane < 0 ? REFERENCE : LANE;
}

/** Where everything in the plot is. */
class Layout {
  /** `lanes` are those to show, -1 the reference's. */
  constructor(width, rows, lanes) {
    this.width = width;
    this.narrow = width < NARROW;
    this.left = this.narrow ? 52 : 148;
    this.right = this.narrow ? 8 : METER + 22;
    this.span = Math.max(50, width - this.left - this.right);
    let top = AROUND / 2 + (this.narrow ? NAME : 0);
    this.tops = new Map();
    for (const lane of lanes) {
      this.tops.set(lane, top);
      top += laneHeight(lane) + BETWEEN;
    }
    this.rowHeight = Math.max(top - BETWEEN + AROUND / 2, 2 * AROUND);
    this.lanes = SPECTROGRAM + AXIS;
    this.height = this.lanes + Math.max(1, rows) * this.rowHeight + 4;
  }

  x(time, view) {
    return this.left + ((time - view.from) / (view.to - view.from)) * this.span;
  }

  time(x, view) {
    return view.from + ((x - this.left) / this.span) * (view.to - view.from);
  }

  rowTop(row) {
    return this.lanes + row * this.rowHeight;
  }

  /** Top of a lane of a row; lane -1 is the reference's. */
  laneTop(row, lane) {
    return this.rowTop(row) + this.tops.get(lane);
  }

  /** Row and lane at a height; null outside of all lanes. */
  laneAt(y, rows) {
    const row = Math.floor((y - this.lanes) / this.rowHeight);
    if (row < 0 || row >= rows) return null;
    for (const lane of this.tops.keys()) {
      const top = this.laneTop(row, lane);
      if (y >= top - 1 && y <= top + laneHeight(lane) + 1) return { row, lane };
    }
    return null;
  }
}

function drawBase(canvas, layout, shown) {
  const context = sized(canvas, layout.width, layout.height);
  context.fillStyle = cssColour("--paper");
  context.fillRect(0, 0, layout.width, layout.height);
  drawSpectrogram(context, layout, shown);
  shown.rows.forEach((row, index) => drawBand(context, layout, row, index));
  drawAxis(context, layout, shown.view);
  clipped(context, layout, () => {
    shown.rows.forEach((row, index) => drawRow(context, layout, shown, row, index));
  });
}

function drawSpectrogram(context, layout, { image, imageSeconds, view, frequencies }) {
  const scale = image.width / imageSeconds;
  context.imageSmoothingEnabled = layout.span < (view.to - view.from) * scale;
  context.imageSmoothingQuality = "high";
  context.drawImage(
    image,
    view.from * scale, 0, (view.to - view.from) * scale, image.height,
    layout.left, 0, layout.span, SPECTROGRAM,
  );
  context.textAlign = "right";
  let above = -Infinity;
  for (const [hertz, place] of [...frequencies].reverse()) {
    const y = (1 - place) * SPECTROGRAM;
    if (y - above < 14 || y < 7 || y > SPECTROGRAM - 5) continue;
    above = y;
    context.fillStyle = cssColour("--faint");
    context.fillText(hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`, layout.left - 8, y);
    context.fillRect(layout.left - 5, y - 0.5, 5, 1);
  }
}

function drawAxis(context, layout, view) {
  const seconds = view.to - view.from;
  const step = STEPS.find((each) => (each / seconds) * layout.span >= 64) ?? 600;
  const decimals = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  context.textAlign = "center";
  for (let k = Math.ceil(view.from / step - 1e-9); k * step <= view.to + 1e-9; k++) {
    const x = layout.x(k * step, view);
    context.fillStyle = cssColour("--line");
    context.fillRect(x - 0.5, SPECTROGRAM, 1, layout.height - SPECTROGRAM);
    context.fillStyle = cssColour("--faint");
    const edge = Math.min(Math.max(x, layout.left + 14), layout.left + layout.span - 14);
    context.fillText(clock(k * step, decimals), edge, SPECTROGRAM + AXIS / 2);
  }
  if (layout.narrow) return;
  context.textAlign = "left";
  context.fillText("now", layout.left + layout.span + 12, SPECTROGRAM + AXIS / 2);
}

function drawBand(context, layout, row, index) {
  if (index % 2 === 0) {
    context.fillStyle = cssColour("--band");
    context.fillRect(0, layout.rowTop(index), layout.width, layout.rowHeight);
  }
  context.fillStyle = cssColour("--text");
  if (layout.narrow) {
    context.textAlign = "left";
    return context.fillText(row.name, 8, layout.rowTop(index) + NAME / 2 + 2);
  }
  context.textAlign = "right";
  const middle = layout.rowTop(index) + layout.rowHeight / 2;
  context.fillText(row.name, layout.left - 8, middle, layout.left - 14);
}

/** Draw only within the time axis. */
function clipped(context, layout, draw) {
  context.save();
  context.beginPath();
  context.rect(layout.left, 0, layout.span, layout.height);
  context.clip();
  draw();
  context.restore();
}

function drawRow(context, layout, shown, row, index) {
  for (const lane of layout.tops.keys()) {
    const top = layout.laneTop(index, lane);
    if (lane >= 0) {
      drawLane(context, layout, shown, row.lanes[lane], shown.colours[lane], top);
      continue;
    }
    context.fillStyle = cssColour("--reference");
    for (const [, onset, offset] of row.occurrences) {
      drawBar(context, layout, shown.view, onset, offset, top, REFERENCE);
    }
  }
}

function drawLane(context, layout, { view, hop }, lane, colour, top) {
  drawProbabilities(context, layout, view, hop, lane, colour, top);
  const tile = hatching(colour);
  const hatch = context.createPattern(tile, "repeat");
  hatch.setTransform(new DOMMatrix().scale(TILE / tile.width)); // a pattern is in screen pixels
  for (const [first, end] of lane.detected) {
    context.fillStyle = cssColour("--paper");
    drawBar(context, layout, view, first * hop, end * hop, top, LANE);
    context.fillStyle = hatch;
    drawBar(context, layout, view, first * hop, end * hop, top, LANE);
  }
  context.fillStyle = colour;
  for (const [first, end] of lane.hits) {
    drawBar(context, layout, view, first * hop, end * hop, top, LANE);
  }
  for (const [first, end] of lane.misses) { // hollow
    drawBar(context, layout, view, first * hop, end * hop, top, 1.5);
    drawBar(context, layout, view, first * hop, end * hop, top + LANE - 1.5, 1.5);
  }
}

function drawBar(context, layout, view, onset, offset, top, height) {
  const from = layout.x(onset, view);
  const to = layout.x(offset, view);
  if (to < layout.left || from > layout.left + layout.span) return;
  context.fillRect(from, top, Math.max(to - from, 1.5), height);
}

/** A tint as strong as the probability: for each pixel the largest of its frames. */
function drawProbabilities(context, layout, view, hop, lane, colour, top) {
  context.fillStyle = colour;
  const perPixel = (view.to - view.from) / layout.span / hop;
  for (let x = 0; x < layout.span; x++) {
    const first = Math.floor(view.from / hop + x * perPixel);
    const end = Math.max(first + 1, Math.floor(view.from / hop + (x + 1) * perPixel));
    let most = 0;
    for (let i = first; i < end && i < lane.codes.length; i++) {
      if (lane.codes[i] > most) most = lane.codes[i];
    }
    const alpha = 0.3 * (most / lane.highest);
    if (alpha < 0.01) continue;
    context.globalAlpha = alpha;
    context.fillRect(layout.left + x, top, 1, LANE);
  }
  context.globalAlpha = 1;
}

const hatchings = new Map();

/** A tile of diagonal lines: detected, but not in the reference. */
function hatching(colour) {
  if (hatchings.has(colour)) return hatchings.get(colour);
  const tile = document.createElement("canvas");
  const ratio = Math.ceil(window.devicePixelRatio || 1);
  const size = TILE * ratio;
  tile.width = tile.height = size;
  const context = tile.getContext("2d");
  context.strokeStyle = colour;
  context.lineWidth = 1.5 * ratio;
  for (const shift of [-size, 0, size]) {
    context.moveTo(shift, size);
    context.lineTo(shift + size, 0);
  }
  context.stroke();
  hatchings.set(colour, tile);
  return tile;
}

/** Cursor, the time that the mouse points at, and each lane's probability at the cursor. */
function drawOverlay(canvas, layout, shown, time, pointed, selection) {
  const context = sized(canvas, layout.width, layout.height);
  if (selection) clipped(context, layout, () => drawSelection(context, layout, shown.view, selection));
  if (pointed !== null) {
    context.fillStyle = cssColour("--faint");
    drawLine(context, layout, layout.x(pointed, shown.view), 1, shown.rows.length);
  }
  if (time >= shown.view.from && time <= shown.view.to) {
    const x = layout.x(time, shown.view);
    context.fillStyle = cssColour("--cursor");
    drawLine(context, layout, x, 2, shown.rows.length);
    drawFlag(context, layout, x, clock(time, 2));
  }
  if (!layout.narrow) shown.rows.forEach((row, index) => drawMeters(context, layout, shown, row, index, time));
}

/** A line through the whole plot, but not through names that stand above their lanes. */
function drawLine(context, layout, x, width, rows) {
  if (!layout.narrow) return context.fillRect(x - width / 2, 0, width, layout.height);
  context.fillRect(x - width / 2, 0, width, layout.lanes);
  for (let row = 0; row < rows; row++) {
    context.fillRect(x - width / 2, layout.rowTop(row) + NAME, width, layout.rowHeight - NAME);
  }
}

function drawSelection(context, layout, view, { from, to }) {
  const [left, right] = [layout.x(from, view), layout.x(to, view)];
  context.fillStyle = cssColour("--selection");
  context.globalAlpha = 0.25;
  context.fillRect(left, 0, right - left, layout.height);
  context.globalAlpha = 1;
  for (const x of [left, right]) context.fillRect(x - 1, 0, 2, layout.height);
}

function drawFlag(context, layout, x, text) {
  const width = context.measureText(text).width + 10;
  const from = Math.min(Math.max(x - width / 2, layout.left), layout.left + layout.span - width);
  context.fillRect(from, SPECTROGRAM + 3, width, AXIS - 6);
  context.fillStyle = cssColour("--paper");
  context.textAlign = "left";
  context.fillText(text, from + 5, SPECTROGRAM + AXIS / 2 + 0.5);
}

function drawMeters(context, layout, shown, row, index, time) {
  const left = layout.left + layout.span + 12;
  const frame = Math.min(Math.floor(time / shown.hop + 1e-6), shown.frames - 1);
  if (row.active[frame] && layout.tops.has(-1)) {
    context.fillStyle = cssColour("--reference");
    context.fillRect(left, layout.laneTop(index, -1), METER, REFERENCE);
  }
  row.lanes.forEach((lane, student) => {
    if (!layout.tops.has(student)) return;
    const top = layout.laneTop(index, student);
    context.fillStyle = cssColour("--line");
    context.fillRect(left, top, METER, LANE);
    context.fillStyle = shown.colours[student];
    context.fillRect(left, top, (METER * lane.codes[frame]) / lane.highest, LANE);
    context.fillStyle = cssColour("--text");
    context.fillRect(left + (METER * lane.limit) / lane.highest, top - 1, 1.5, LANE + 2);
  });
}

/** The whole recording, small, with the part that the plot shows marked. */
function drawOverview(canvas, shown, time, seconds) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const context = sized(canvas, width, height);
  const x = (moment) => (moment / seconds) * width;
  const { image } = shown;
  const used = (image.width * seconds) / shown.imageSeconds;
  context.drawImage(image, 0, 0, used, image.height, 0, 0, width, height);
  context.fillStyle = "#000a";
  context.fillRect(0, 0, x(shown.view.from), height);
  context.fillRect(x(shown.view.to), 0, width - x(shown.view.to), height);
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.strokeRect(x(shown.view.from) + 1, 1, x(shown.view.to) - x(shown.view.from) - 2, height - 2);
  context.fillStyle = "#fff";
  context.fillRect(x(time) - 1, 0, 2, height);
}
