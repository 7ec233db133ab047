/** Light, dark, or what the system says. The choice is kept in the browser, where that is allowed. */

import { Store } from './store.js';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'tallyd-theme';
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

export const theme = new Store<Theme>(kept());
/** What is shown. Plots and timelines are drawn anew when it changes, since a canvas knows no style sheet. */
export const shade = new Store<'light' | 'dark'>('light');

export function watchTheme(): void {
  theme.subscribe(apply);
  systemIsDark.addEventListener('change', apply);
  apply();
}

export function nextTheme(current: Theme): Theme {
  const order: readonly Theme[] = ['system', 'light', 'dark'];
  return order[(order.indexOf(current) + 1) % order.length]!;
}

function apply(): void {
  const chosen = theme.value;
  const shown = chosen === 'system' ? (systemIsDark.matches ? 'dark' : 'light') : chosen;
  document.documentElement.dataset.shade = shown;
  shade.set(shown);
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // No storage: the choice lasts as long as the page.
  }
}

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

/** A custom property of the style sheet, for what is drawn on a canvas. */
export function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
