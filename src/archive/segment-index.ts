/** What an index of a segment can be asked, whether it lies in a file (index-file.ts) or grows in memory (growing-index.ts). */

export interface IndexedFrame {
  readonly offset: number;
  /** Of header and data. */
  readonly bytes: number;
  readonly firstLine: number;
  readonly lineCount: number;
  readonly firstArrivalUs: number;
  readonly lastArrivalUs: number;
  /** KIND_TICKS where it has ticks; bit n where it has lines of EVENT_n. */
  readonly kinds: number;
}

export interface SegmentIndex {
  /** The segment is indexed up to this offset. */
  readonly bytes: number;
  readonly frameCount: number;
  /** Stretches that could not be read when it was built: lines of them may be missing in what it says. */
  readonly leftOut: number;
  /** The frames that may hold lines with this key, in order. @throws Failure ERR_DAMAGE */
  framesOf(key: number): IndexedFrame[];
  /** All of them, in order. @throws Failure ERR_DAMAGE */
  frames(): Generator<IndexedFrame>;
}
