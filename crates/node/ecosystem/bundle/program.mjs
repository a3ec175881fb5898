import { WebSocket } from 'fullduplex';
import { EXPECTED, talk } from '../suite.mjs';

const got = JSON.stringify(await talk(WebSocket));
if (got !== JSON.stringify(EXPECTED)) throw new Error(got);
console.log('ok');
