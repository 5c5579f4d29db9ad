// Detections from probabilities and thresholds. A code is the number of levels that a probability reaches,
// so `probability >= levels[k]` is `code > k`: exactly what the evaluation decides.

/** Bytes of base 64. */
function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Events x frames of numbers, from what `packed` in encode.py wrote: an array for each event. */
async function unpack(text, frames, wide) {
  const inflated = new Blob([bytesOf(text)])
    .stream()
    .pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(inflated).arrayBuffer();
  const all = wide ? new Uint16Array(buffer) : new Uint8Array(buffer);
  const rows = [];
  for (let start = 0; start < all.length; start += frames) {
    rows.push(all.subarray(start, start + frames));
  }
  return rows;
}

/** Counts of one student over a recording; `limits` has a level for each event. */
function count(reference, codes, limits) {
  const frames = reference[0].length;
  const missed = new Uint8Array(frames);
  const extra = new Uint8Array(frames);
  const events = reference.map((active, event) => {
    const each = { hits: 0, extras: 0, misses: 0 };
    const row = codes[event];
    const limit = limits[event];
    for (let i = 0; i < frames; i++) {
      if (row[i] > limit) {
        if (active[i]) each.hits++;
        else { each.extras++; extra[i]++; }
      } else if (active[i]) { each.misses++; missed[i]++; }
    }
    return each;
  });
  const total = (name) => events.reduce((sum, each) => sum + each[name], 0);
  let errors = 0; // substitutions, deletions and insertions: the larger of misses and extras
  for (let i = 0; i < frames; i++) errors += Math.max(missed[i], extra[i]);
  return { events, errors, hits: total("hits"), extras: total("extras"), misses: total("misses") };
}

/** The same from the sums that Python counted over a whole part. */
function countOf([hits, extras, misses, substitutions, deletions, insertions]) {
  return { hits, extras, misses, errors: substitutions + deletions + insertions };
}

/** 2 TP / (2 TP + FP + FN); NaN if there is nothing to find and nothing was found. */
function fScore({ hits, extras, misses }) {
  return (2 * hits) / (2 * hits + extras + misses);
}

/** (S + D + I) / reference; NaN if the reference is empty. */
function errorRate({ errors, hits, misses }) {
  return hits + misses ? errors / (hits + misses) : NaN;
}

/** First frame, and frame after the last, of each stretch of a row above a level. */
function stretches(row, level) {
  const found = [];
  let first = -1;
  for (let i = 0; i <= row.length; i++) {
    const active = i < row.length && row[i] > level;
    if (active && first < 0) first = i;
    if (!active && first >= 0) {
      found.push([first, i]);
      first = -1;
    }
  }
  return found;
}
