// Plays a recording or a selection, once or in a loop.

class Player {
  constructor(audio, onChange) {
    this.audio = audio;
    this.onChange = onChange;
    this.range = null; // of the selection, { from, to } in seconds
    this.loop = false;
    this.start = 0; // where to seek once the sound is loaded
    this.canPlay = audio.canPlayType('audio/ogg; codecs="opus"') !== "";
    audio.addEventListener("loadedmetadata", () => { audio.currentTime = this.start; });
    for (const kind of ["play", "pause", "ended", "seeked", "loadedmetadata", "error"]) {
      audio.addEventListener(kind, () => onChange(kind));
    }
    audio.addEventListener("timeupdate", () => this.tick()); // also in a hidden tab, where nothing is drawn
    audio.addEventListener("ended", () => this.loop && this.play());
  }

  /** Load a data URI, as a blob, so that every browser can seek in it. */
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
    this.audio.defaultPlaybackRate = factor; // for later recordings
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

  /** Play from the cursor or, if it is outside the selection, from the selection's beginning. */
  play() {
    if (!this.canPlay) return;
    const { range } = this;
    if (range && (this.time < range.from - 1e-3 || this.time >= range.to - 1e-3)) this.seek(range.from);
    this.audio.play().catch((error) => error.name !== "AbortError" && this.onChange("error"));
  }

  /** Called during playback: stops at the end of the selection, or starts it again. */
  tick() {
    if (!this.playing || !this.range || this.time < this.range.to) return;
    if (this.loop) this.seek(this.range.from);
    else this.audio.pause();
  }
}
