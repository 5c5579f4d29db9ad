// The sound, from one moment to its end or to the end of an event.

class Player {
  constructor(audio, onChange) {
    this.audio = audio;
    this.onChange = onChange;
    this.stopAt = Infinity;
    this.start = 0; // what to go to once the sound is there
    for (const kind of ["play", "pause", "ended", "seeked", "loadedmetadata"]) {
      audio.addEventListener(kind, () => onChange(kind));
    }
    audio.addEventListener("loadedmetadata", () => { audio.currentTime = this.start; });
  }

  /** Take a data URI; as a blob, so that every browser can seek in it. */
  load(uri) {
    const [head, content] = uri.split(";base64,");
    if (this.audio.src) URL.revokeObjectURL(this.audio.src);
    this.start = 0;
    this.stopAt = Infinity;
    this.audio.src = URL.createObjectURL(new Blob([bytesOf(content)], { type: head.slice(5) }));
  }

  get time() {
    return this.audio.readyState ? this.audio.currentTime : this.start;
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  seek(time) {
    this.stopAt = Infinity;
    this.start = time;
    if (this.audio.readyState) this.audio.currentTime = time;
    this.onChange("seek");
  }

  toggle() {
    if (this.playing) this.audio.pause();
    else this.play();
  }

  play() {
    this.audio.play().catch((error) => this.onChange("error", error));
  }

  /** Play from onset to offset and stop there. */
  playStretch(onset, offset) {
    this.seek(onset);
    this.stopAt = offset;
    this.play();
  }

  /** To be called while it plays: stops at the end of the event. */
  tick() {
    if (this.playing && this.time >= this.stopAt) {
      this.audio.pause();
      this.stopAt = Infinity;
    }
  }
}
