// Runs the rows in a page or in a worker. The query is the URL of the echo server.
import init from './rows.js';

globalThis.testServer = location.search.slice(1);
// Firefox opens a connection although the server selected none of the offered subprotocols.
globalThis.leftOut = navigator.userAgent.includes('Firefox') ? 'protocol_and_extensions' : '';
let sent = Promise.resolve();
globalThis.report = (text) => {
  sent = sent.then(() => fetch('/report', { method: 'POST', body: text }));
};
init().catch((error) => report(String(error)));
