// SPDX-License-Identifier: Apache-2.0
// `portolan serve` as a process of its own before the sandbox of a running demonstration, for tests that reload, restart
// or watch the gateway alone.
import { readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { Running } from "./portolan.mjs";

/**
 * A port that was free a moment ago. Its neighbour may not be: the kernel gives odd ports to those that bind, even ones
 * to connections.
 */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts it with the demonstration's configuration, as `change` leaves it, and the data directory `dataDir`; gives
 * { running, file, text, dataDir, admin, gateway, apiKey } when it is ready. The caller ends `running`.
 */
export async function serveBefore(portolan, dataDir, change = (text) => text) {
  const file = `${dataDir}.yaml`;
  const port = await freePort();
  const adminPort = await freePort();
  const demo = await readFile(path.join(portolan.dataDir, "portolan.yaml"), "utf8");
  const text = demo
    .replace(/^data_dir: .*$/m, `data_dir: ${JSON.stringify(dataDir)}`)
    .replace(/^listen: .*$/m, `listen: {address: 127.0.0.1, port: ${port}}`)
    .replace(/^admin: .*$/m, `admin: {address: 127.0.0.1, port: ${adminPort}}`);
  await writeFile(file, change(text));
  const running = new Running(["serve", "-c", file]);
  const admin = `http://127.0.0.1:${adminPort}`;
  await running.until(async () => (await fetch(`${admin}/readyz`).catch(() => ({}))).status === 200, "ready");
  return { running, file, text, dataDir, admin, gateway: `http://127.0.0.1:${port}`, apiKey: portolan.apiKey };
}
