// The sound, of all of the recording or of a selection, once or in a loop.

class Player {
  constructor(audio, onChange) {
    this.audio = audio;
    this.onChange = onChange;
    this.range = null; // of the selection, { from, to } in seconds
    this.loop = false;
    this.start = 0; // what to go to once the sound is there
    this.canPlay = audio.canPlayType('audio/ogg; codecs="opus"') !== "";
    audio.addEventListener("loadedmetadata", () => { audio.currentTime = this.start; });
    for (const kind of ["play", "pause", "ended", "seeked", "loadedmetadata", "error"]) {
      audio.addEventListener(kind, () => onChange(kind));
    }
    audio.addEventListener("timeupdate", () => this.tick()); // also where nothing is drawn
    audio.addEventListener("ended", () => this.loop && this.play());
  }

  /** Take a data URI; as a blob, so that every browser can seek in it. */
  load(uri) {
    const [head, content] = uri.split(";base64,");
    if (this.audio.src) URL.revokeObjectURL(this.audio.src);
    this.start = 0;
    this.range = null;
    if (!this.canPlay) return;
    this.audio.src = URL.createObjectURL(new Blob([bytesOf(content)], { type: head.slice(5) }));
  }

  get time() {
    return this.audio.readyState ? this.audio.currentTime : this.start;
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  get speed() {
    return this.audio.defaultPlaybackRate;
  }

  set speed(factor) {
    this.audio.defaultPlaybackRate = factor; // of the recordings to come
    this.audio.playbackRate = factor;
  }

  seek(time) {
    this.start = time;
    if (this.audio.readyState) this.audio.currentTime = time;
    this.onChange("seek");
  }

  toggle() {
    if (this.playing) this.audio.pause();
    else this.play();
  }

  /** Play from the cursor; of a selection, from its beginning where the cursor is outside of it. */
  play() {
    if (!this.canPlay) return;
    const { range } = this;
    if (range && (this.time < range.from - 1e-3 || this.time >= range.to - 1e-3)) this.seek(range.from);
    this.audio.play().catch((error) => error.name !== "AbortError" && this.onChange("error"));
  }

  /** To be called while it plays: stops at the end of the selection, or begins again. */
  tick() {
    if (!this.playing || !this.range || this.time < this.range.to) return;
    if (this.loop) this.seek(this.range.from);
    else this.audio.pause();
  }
}
