import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changeParams, formatPlace, parsePlace } from '../../../src/control/page/location.js';

test('a place has parts and parameters', () => {
  expect(parsePlace('#/workflow/nightly%2F42?task=load%20orders')).toEqual({
    parts: ['workflow', 'nightly/42'],
    params: new Map([['task', 'load orders']]),
  });
});

test.each([[''], ['#'], ['#/']])('%j is the place without parts', (hash) => {
  expect(parsePlace(hash).parts).toEqual([]);
});

test('a place that nobody could have written is read as far as it goes', () => {
  expect(parsePlace('#/workflow/%zz').parts).toEqual(['workflow', '%zz']);
});

test('whatever the ids and filters are, a place is read back as it was written', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 3 }),
      fc.dictionary(text, text, { maxKeys: 3 }),
      (parts, params) => {
        const place = parsePlace(formatPlace(parts, params));
        expect(place.parts).toEqual(parts);
        expect(place.params).toEqual(new Map(Object.entries(params)));
      },
    ),
  );
});

test('parameters change one by one, and one without a value is gone', () => {
  const place = parsePlace('#/workflows?status=failed&q=x');
  expect(changeParams(place, { status: null, phase: 'test' })).toBe('#/workflows?q=x&phase=test');
});
