import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'fullduplex';
import { EXPECTED, talk } from '../suite.mjs';

test('an echo', async () => assert.deepEqual(await talk(WebSocket), EXPECTED));
test('an echo with fake timers', async (t) => {
  t.mock.timers.enable();
  assert.deepEqual(await talk(WebSocket), EXPECTED);
});
