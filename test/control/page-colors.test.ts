import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const css = readFileSync(new URL('../../src/control/page/styles/colors.css', import.meta.url), 'utf8');

/** Custom properties of a rule that are colours, as `#rrggbb`. */
function colorsOf(selector: string): Map<string, string> {
  const from = css.indexOf(`${selector} {`);
  const body = css.slice(from, css.indexOf('}', from));
  return new Map([...body.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1]!, match[2]!]));
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(a: string, b: string): number {
  const luminance = (color: string) => {
    const [r = 0, g = 0, blue = 0] = [1, 3, 5].map((at) => {
      const share = Number.parseInt(color.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const TEXTS = [
  'text',
  'quiet',
  'accent',
  's-completed',
  's-failed',
  's-timeout',
  's-cancelled',
  's-running',
  's-pending',
];
const GROUNDS = ['ground', 'surface', 'raised'];
const BARS = ['f-completed', 'f-failed', 'f-timeout', 'f-cancelled', 'f-running'];

test.each([
  ['light', ':root'],
  ['dark', ':root[data-shade="dark"]'],
])('in %s, text has a contrast of 4.5 on every ground, and on every bar of a timeline', (_, selector) => {
  const colors = colorsOf(selector);
  const pairs = [
    ...TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground] as const)),
    ...BARS.map((bar) => ['bar-text', bar] as const),
    ['accent', 'accent-ground'] as const,
    ['s-completed', 'good-ground'] as const,
    ['s-timeout', 'warn-ground'] as const,
    ['s-failed', 'bad-ground'] as const,
    ['text', 'bad-ground'] as const,
    ['quiet', 'bad-ground'] as const,
  ];
  const poor = pairs.flatMap(([text, ground]) => {
    const ratio = contrast(colors.get(text)!, colors.get(ground)!);
    return ratio < 4.5 ? [`${text} on ${ground}: ${ratio.toFixed(2)}`] : [];
  });
  expect(poor).toEqual([]);
});
