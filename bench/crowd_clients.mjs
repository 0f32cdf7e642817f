// SPDX-License-Identifier: Apache-2.0
// The crowd of ./dev bench crowd, in a process of its own: PORT IDLE SLOW OVER_S. Opens IDLE connections that say nothing
// and, over OVER_S seconds, SLOW ones that send a request one byte a second; whoever is sent away comes back at once.
// Prints "ready" when all stand, and at the end (SIGTERM) how often they were sent away.
import net from "node:net";

const [port, idle, slow, overS] = process.argv.slice(2).map(Number);
const request = `POST /model/x/converse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\nX-Slow: ${"y".repeat(4_000)}`;
const opensAtOnce = 200;
const counts = { open: 0, sentAway: 0, refused: 0, idle, slow };
const slowOnes = new Map(); // socket → bytes sent
let opening = 0;
const waiting = [];

function open(isSlow) {
  if (opening >= opensAtOnce) return void waiting.push(isSlow);
  opening += 1;
  const settled = () => {
    opening -= 1;
    if (waiting.length > 0) open(waiting.shift());
  };
  const socket = net.connect(port, "127.0.0.1");
  let connected = false;
  socket.on("connect", () => {
    connected = true;
    counts.open += 1;
    if (isSlow) slowOnes.set(socket, 0);
    settled();
  });
  socket.on("data", () => {});
  socket.on("error", () => {});
  socket.on("close", () => {
    slowOnes.delete(socket);
    if (connected) {
      counts.open -= 1;
      counts.sentAway += 1;
      open(isSlow);
    } else {
      counts.refused += 1;
      settled();
      setTimeout(open, 100, isSlow);
    }
  });
}

for (let i = 0; i < idle; i += 1) open(false);
for (let i = 0; i < slow; i += 1) setTimeout(open, (i * overS * 1_000) / slow, true);

// One in a hundred of them each hundredth of a second: a second's bytes do not come in one burst.
let turn = 0;
setInterval(() => {
  turn = (turn + 1) % 100;
  let i = 0;
  for (const [socket, sent] of slowOnes) {
    if (i++ % 100 !== turn) continue;
    socket.write(request[sent % request.length]);
    slowOnes.set(socket, sent + 1);
  }
}, 10);

let ready = false;
setInterval(() => {
  if (ready || counts.open < (idle + slow) * 0.99) return;
  ready = true;
  console.log("ready");
}, 50);

process.on("SIGTERM", () => {
  console.log(JSON.stringify(counts));
  process.exit(0);
});
