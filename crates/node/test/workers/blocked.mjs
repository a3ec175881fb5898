import { parentPort } from 'node:worker_threads';
import { WebSocket, untilClosed } from '../support.mjs';

const { names } = await untilClosed(new WebSocket('ws://127.0.0.1:9/'));
parentPort.postMessage(names);
