/** A titled part of a view, and what stands in it while there is nothing to show. */

import type { ComponentChildren } from 'preact';
import type { Refusal } from './api.js';

export function Panel({
  title,
  end,
  children,
  className = '',
}: {
  title: string;
  end?: ComponentChildren;
  children: ComponentChildren;
  className?: string;
}) {
  return (
    <section class={`panel ${className}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {end !== undefined && <span class="panel-end">{end}</span>}
      </header>
      {children}
    </section>
  );
}

/** The daemon's own words; one that is not built, or not known, is no alarm. */
export function RefusalNote({ refusal }: { refusal: Refusal }) {
  return (
    <p class="note" role="status">
      <strong>{refusal.title}.</strong> {refusal.message}
    </p>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>;
}

/** A row of a `dl`. */
export function Fact({
  label,
  children,
  wide,
}: {
  label: string;
  children: ComponentChildren;
  wide?: boolean;
}) {
  return (
    <div class={wide ? 'wide' : undefined}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
