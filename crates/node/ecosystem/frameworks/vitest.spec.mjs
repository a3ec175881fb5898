import { WebSocket } from 'fullduplex';
import { afterEach, expect, test, vi } from 'vitest';
import { EXPECTED, talk } from '../suite.mjs';

afterEach(() => vi.useRealTimers());

test('an echo', async () => expect(await talk(WebSocket)).toEqual(EXPECTED));
test('an echo with fake timers', async () => {
  vi.useFakeTimers();
  expect(await talk(WebSocket)).toEqual(EXPECTED);
});
