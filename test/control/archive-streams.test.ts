import { expect, test } from 'vitest';
import { archiveFilterOf } from '../../src/control/archive-streams.js';
import { ALL_LINES } from '../../src/query/archive-filter.js';

const filterOf = (query: string) => archiveFilterOf(new URLSearchParams(query), 1_700_000_000);

test('parameters that are not given, or are empty, ask for all lines', () => {
  expect(filterOf('')).toEqual(ALL_LINES);
  expect(filterOf('since=&until=&workflow=&agent=&type=')).toEqual(ALL_LINES);
});

test('times are microseconds of the log, and names may be repeated', () => {
  expect(filterOf('since=1700000000.123456&until=2023-11-14T22:13:21Z')).toMatchObject({
    sinceUs: 1_700_000_000_123_456,
    untilUs: 1_700_000_001_000_000,
  });
  expect(filterOf('since=-2h').sinceUs).toBe((1_700_000_000 - 7200) * 1e6);
  expect(filterOf('workflow=a&workflow=b&agent=x&type=task.end')).toMatchObject({
    workflows: ['a', 'b'],
    agents: ['x'],
    types: ['task.end'],
  });
});

test.each([
  ['since=soon', 'since must be Unix seconds, RFC 3339 or -2h, is "soon"'],
  ['until=2020-01-01', 'until must be Unix seconds, RFC 3339 or -2h, is "2020-01-01"'],
  ['since=20&until=10', 'since is not before until'],
  ['since=10&until=10', 'since is not before until'],
])('%s is a bad parameter', (query, detail) => {
  expect(() => filterOf(query)).toThrow(expect.objectContaining({ status: 400, message: detail }));
});
