// FN-12: checked by `tsc` and not run.
import 'fullduplex/global';

const socket = new WebSocket('wss://example.com/');
socket.onmessage = ({ data }) => console.log(data);
const stream = new WebSocketStream('wss://example.com/', { headers: { A: 'b' } });
const opened: Promise<{ protocol: string }> = stream.opened;
const error: Error = new WebSocketError('m', { closeCode: 3000 });
void [opened, error];
