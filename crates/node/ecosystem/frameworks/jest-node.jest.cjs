/** @jest-environment node */
const { WebSocket } = require('fullduplex');

afterEach(() => jest.useRealTimers());

test('an echo', async () => {
  const { EXPECTED, talk } = await import('../suite.mjs');
  expect(await talk(WebSocket)).toEqual(EXPECTED);
});

test('an echo with fake timers', async () => {
  const { EXPECTED, talk } = await import('../suite.mjs');
  jest.useFakeTimers();
  expect(await talk(WebSocket)).toEqual(EXPECTED);
});
