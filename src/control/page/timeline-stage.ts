/** A timeline's canvas with its pointer and its keys: they move and zoom the span, and choose tasks. Draws at most once a frame. */

import type { TaskReply } from '../../model/replies.js';
import { Store } from './store.js';
import { besideBar, firstBarAfter, type Layout, nearestBar } from './timeline-layout.js';
import {
  AXIS_HEIGHT,
  paintMap,
  paintTimeline,
  ROW_HEIGHT,
  readPalette,
  timeAt,
  type View,
} from './timeline-painter.js';
import { kept, type Span, ZOOM_STEP, zoomed } from './timeline-span.js';

export const MAP_HEIGHT = 36;
const GUTTER = 150;
const GUTTER_NARROW = 84;
const NARROW = 560;
/** Room for what is said of a task beside the pointer. */
const TIP_WIDTH = 250;
const TIP_HEIGHT = 180;
/** How near to a bar is on it. */
const REACH_PX = 4;

export interface StageProps {
  readonly tasks: readonly TaskReply[];
  readonly layout: Layout;
  readonly whole: Span;
  readonly span: Span;
  readonly onSpan: (span: Span | null) => void;
  readonly isLive: boolean;
  readonly selected: number | null;
  readonly onSelect: (task: number | null) => void;
}

export interface Hover {
  readonly bar: number;
  readonly x: number;
  readonly y: number;
  /** whether what is said of it stands above the pointer, for want of room below */
  readonly isAbove: boolean;
}

const NO_HOVER: Hover = { bar: -1, x: 0, y: 0, isAbove: false };

export class Stage {
  readonly hover = new Store<Hover>(NO_HOVER);
  readonly #latest: { readonly current: StageProps };
  #palette = readPalette();
  #box: HTMLDivElement | null = null;
  #canvas: HTMLCanvasElement | null = null;
  #map: HTMLCanvasElement | null = null;
  #frame = 0;

  constructor(latest: { readonly current: StageProps }) {
    this.#latest = latest;
  }

  attach(box: HTMLDivElement, canvas: HTMLCanvasElement, map: HTMLCanvasElement): () => void {
    this.#box = box;
    this.#canvas = canvas;
    this.#map = map;
    const off = new AbortController();
    const { signal } = off;
    box.addEventListener('scroll', () => this.draw(), { signal });
    box.addEventListener('wheel', (event) => this.#wheel(event), { signal, passive: false });
    box.addEventListener('keydown', (event) => this.#key(event), { signal });
    box.addEventListener('pointerdown', (event) => this.#drag(event), { signal });
    box.addEventListener('pointermove', (event) => this.#point(event), { signal });
    box.addEventListener('pointerleave', () => this.#hoverOn(NO_HOVER), { signal });
    map.addEventListener('pointerdown', (event) => this.#dragMap(event), { signal });
    const resizing = new ResizeObserver(() => this.draw());
    resizing.observe(box);
    const ticking = setInterval(() => {
      if (this.#latest.current.isLive && !document.hidden) this.draw();
    }, 250);
    this.draw();
    return () => {
      off.abort();
      resizing.disconnect();
      clearInterval(ticking);
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
    };
  }

  recolor(): void {
    this.#palette = readPalette();
    this.draw();
  }

  draw(): void {
    if (this.#frame !== 0 || this.#box === null) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  /** Scrolls and moves until the bar is in view. */
  reveal(bar: number): void {
    const { layout, span, whole, onSpan } = this.#latest.current;
    if (bar < 0 || this.#box === null) return;
    const top = layout.rowOfBar[bar]! * ROW_HEIGHT;
    const room = this.#box.clientHeight - AXIS_HEIGHT - ROW_HEIGHT;
    if (top < this.#box.scrollTop) this.#box.scrollTop = top;
    else if (top > this.#box.scrollTop + room) this.#box.scrollTop = top - room;
    const start = layout.starts[bar]!;
    const end = Math.min(layout.ends[bar]!, whole.to);
    if (end < span.from || start > span.to) {
      const half = (span.to - span.from) / 2;
      onSpan(kept({ from: start - half, to: start + half }, whole));
    }
    this.draw();
  }

  #view(): View {
    const { span } = this.#latest.current;
    const { clientWidth, clientHeight, scrollTop } = this.#box!;
    return {
      ...span,
      scrollTop,
      width: clientWidth,
      height: clientHeight,
      gutter: clientWidth < NARROW ? GUTTER_NARROW : GUTTER,
    };
  }

  #paint(): void {
    const { layout, tasks, whole, span, selected } = this.#latest.current;
    const view = this.#view();
    const context = contextOf(this.#canvas!, view.width, view.height);
    const marks = {
      hovered: this.hover.value.bar,
      selected: selected === null ? -1 : (layout.barOfTask[selected] ?? -1),
    };
    const now = Date.now() / 1000;
    paintTimeline(context, layout, view, marks, this.#palette, now, (task) => tasks[task]!.task);
    const mapContext = contextOf(this.#map!, view.width, MAP_HEIGHT);
    paintMap(mapContext, layout, { ...view, ...span, height: MAP_HEIGHT }, whole, this.#palette);
  }

  /** With Ctrl (a pinch comes as that) it zooms, sideways it moves; else the box scrolls by itself. */
  #wheel(event: WheelEvent): void {
    const { span, whole, onSpan } = this.#latest.current;
    const view = this.#view();
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.1 : 0.004));
      onSpan(zoomed(span, whole, factor, timeAt(view, event.offsetX)));
    } else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      event.preventDefault();
      this.#move((sideways / (view.width - view.gutter)) * (span.to - span.from));
    }
  }

  #move(seconds: number): void {
    const { span, whole, onSpan } = this.#latest.current;
    onSpan(kept({ from: span.from + seconds, to: span.to + seconds }, whole));
  }

  #drag(event: PointerEvent): void {
    // A finger scrolls the page as everywhere; a tap chooses.
    if (event.button !== 0) return;
    const box = this.#box!;
    const { span } = this.#latest.current;
    const view = this.#view();
    const startX = event.clientX;
    const startY = event.clientY;
    const scrollTop = box.scrollTop;
    let moved = false;
    const off = new AbortController();
    const onMove = (move: PointerEvent) => {
      if (move.pointerType === 'touch') return;
      const dx = move.clientX - startX;
      if (!moved && Math.hypot(dx, move.clientY - startY) < REACH_PX) return;
      moved = true;
      this.#hoverOn(NO_HOVER);
      const seconds = (-dx / (view.width - view.gutter)) * (span.to - span.from);
      const { whole, onSpan } = this.#latest.current;
      onSpan(kept({ from: span.from + seconds, to: span.to + seconds }, whole));
      box.scrollTop = scrollTop - (move.clientY - startY);
    };
    const onUp = (up: PointerEvent) => {
      off.abort();
      if (moved || Math.hypot(up.clientX - startX, up.clientY - startY) >= 2 * REACH_PX) return;
      const bar = this.#barAt(up);
      this.#latest.current.onSelect(bar < 0 ? null : this.#latest.current.layout.tasks[bar]!);
    };
    addEventListener('pointermove', onMove, { signal: off.signal });
    addEventListener('pointerup', onUp, { signal: off.signal });
    addEventListener('pointercancel', () => off.abort(), { signal: off.signal });
  }

  /** Where one presses on the map, there the view goes. */
  #dragMap(event: PointerEvent): void {
    const map = this.#map!;
    map.setPointerCapture(event.pointerId);
    const off = new AbortController();
    const go = (move: PointerEvent) => {
      const { span, whole, onSpan } = this.#latest.current;
      const view = this.#view();
      const time = timeAt({ ...view, ...whole }, move.offsetX);
      const isWhole = span.to - span.from >= whole.to - whole.from;
      const half = isWhole ? (whole.to - whole.from) / 8 : (span.to - span.from) / 2;
      onSpan(kept({ from: time - half, to: time + half }, whole));
    };
    go(event);
    map.addEventListener('pointermove', go, { signal: off.signal });
    map.addEventListener('pointerup', () => off.abort(), { signal: off.signal });
    map.addEventListener('pointercancel', () => off.abort(), { signal: off.signal });
  }

  #point(event: PointerEvent): void {
    if (event.buttons !== 0) return;
    const bar = this.#barAt(event);
    if (bar < 0) {
      this.#hoverOn(NO_HOVER);
      return;
    }
    const { left, top, width } = this.#box!.getBoundingClientRect();
    const x = Math.max(0, Math.min(event.clientX - left, width - TIP_WIDTH));
    const isAbove = event.clientY > innerHeight - TIP_HEIGHT;
    const y = event.clientY - top + MAP_HEIGHT + (isAbove ? -10 : 18);
    this.#hoverOn({ bar, x, y, isAbove });
  }

  #hoverOn(next: Hover): void {
    const { value } = this.hover;
    if (next.bar === value.bar && next.x === value.x && next.y === value.y) return;
    this.hover.set(next);
    if (next.bar !== value.bar) this.draw();
  }

  #barAt(event: PointerEvent): number {
    const { layout } = this.#latest.current;
    const rect = this.#box!.getBoundingClientRect();
    const view = this.#view();
    const x = event.clientX - rect.left;
    const y = event.clientY - rect.top - AXIS_HEIGHT;
    const row = layout.rows[Math.floor((y + view.scrollTop) / ROW_HEIGHT)];
    if (y < 0 || x < view.gutter || row === undefined) return -1;
    const now = Date.now() / 1000;
    const reach = (REACH_PX * (view.to - view.from)) / (view.width - view.gutter);
    const time = timeAt(view, x);
    let best = -1;
    let bestDistance = reach;
    for (let bar = firstBarAfter(layout, row, time - reach); bar < row.firstBar + row.barCount; bar++) {
      const start = layout.starts[bar]!;
      if (start > time + reach) break;
      const end = Math.min(layout.ends[bar]!, Math.max(now, start));
      const distance = Math.max(0, start - time, time - end);
      if (distance <= bestDistance) {
        best = bar;
        bestDistance = distance;
        if (distance === 0) break;
      }
    }
    return best;
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { span, whole, onSpan, onSelect, selected, layout } = this.#latest.current;
    const bar = selected === null ? -1 : (layout.barOfTask[selected] ?? -1);
    const around = bar < 0 ? undefined : Math.min(Math.max(layout.starts[bar]!, span.from), span.to);
    const act = (): boolean => {
      switch (event.key) {
        case '+':
        case '=':
          onSpan(zoomed(span, whole, ZOOM_STEP, around));
          return true;
        case '-':
          onSpan(zoomed(span, whole, 1 / ZOOM_STEP, around));
          return true;
        case '0':
          onSpan(null);
          return true;
        case 'Escape':
          onSelect(null);
          return true;
        case 'ArrowLeft':
        case 'ArrowRight': {
          const sign = event.key === 'ArrowLeft' ? -1 : 1;
          if (event.shiftKey) this.#move((sign * (span.to - span.from)) / 5);
          else this.#choose(besideBar(layout, bar, sign));
          return true;
        }
        case 'ArrowUp':
          this.#choose(nearestBar(layout, bar, -1));
          return true;
        case 'ArrowDown':
          this.#choose(nearestBar(layout, bar, 1));
          return true;
        case 'Home':
          this.#choose(0);
          return true;
        case 'End':
          this.#choose(layout.starts.length - 1);
          return true;
        default:
          return false;
      }
    };
    if (act()) event.preventDefault();
  }

  #choose(bar: number): void {
    const { layout, onSelect } = this.#latest.current;
    if (bar >= 0 && bar < layout.starts.length) onSelect(layout.tasks[bar]!);
  }
}

/** Sized for the device's pixels, so that text is sharp. */
function contextOf(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio;
  const wide = Math.round(width * ratio);
  const tall = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== tall) {
    canvas.width = wide;
    canvas.height = tall;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
