// SPDX-License-Identifier: Apache-2.0
// What the benchmarks play on: processes pinned to cores, the canned upstream, the proxies, the gateway, the load.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const repository = path.resolve(import.meta.dirname, "..");
export const portolan = process.env.PORTOLAN_BIN ?? path.join(repository, "build/release/portolan");
export const proxyCore = 0;
export const loadCore = 1;
export const profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
export const region = "us-east-1";

export const directory = mkdtempSync(path.join(os.tmpdir(), "portolan-bench-"));
const children = [];
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function start(core, command, args, options = {}) {
  const child = spawn("taskset", ["-c", String(core), command, ...args], { stdio: ["ignore", "pipe", "pipe"], ...options });
  child.out = "";
  child.stdout.on("data", (text) => (child.out += text));
  child.stderr.on("data", (text) => (child.err = (child.err ?? "") + text));
  children.push(child);
  return child;
}

export async function until(probe, what) {
  for (let i = 0; i < 1500; i += 1) {
    const value = await probe();
    if (value) return value;
    await sleep(20);
  }
  throw new Error(`not ${what}: ${children.map((child) => child.err ?? "").join("\n")}`);
}

const listening = (port) =>
  until(() => new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  }), `listening on ${port}`);

/** A port that was free a moment ago. */
export const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** A process and all that it started. */
function family(pid) {
  const ids = [pid];
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean)) ids.push(...family(Number(child)));
  return ids;
}
export const cpuUs = (pid) =>
  family(pid).reduce((sum, id) => sum + readdirSync(`/proc/${id}/task`).reduce((own, task) => {
    try {
      return own + Number(readFileSync(`/proc/${id}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1000;
    } catch {
      return own; // a thread that ended meanwhile
    }
  }, 0), 0);
export const residentMib = (pid) =>
  family(pid).reduce((sum, id) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) / 1024, 0);

// ------------------------------------------------------------------------------------------------ the cast

const cannedReply = JSON.stringify({
  output: { message: { role: "assistant", content: [{ text: "x".repeat(1800) }] } },
  stopReason: "end_turn",
  usage: { inputTokens: 250, outputTokens: 100, totalTokens: 350 },
  metrics: { latencyMs: 5 },
});

async function startNginx(core, config) {
  const port = await freePort();
  const folder = path.join(directory, `nginx-${port}`);
  mkdirSync(folder);
  writeFileSync(path.join(folder, "nginx.conf"),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log crit;
     events { worker_connections 16384; }
     http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
            uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s; keepalive_requests 100000000; client_body_buffer_size 64k;
            tcp_nodelay on; ${config(port)} }`);
  const child = start(core, "nginx", ["-p", folder, "-c", path.join(folder, "nginx.conf")]);
  await listening(port);
  return { pid: child.pid, port };
}

export const cannedUpstream = () => startNginx(loadCore, (port) =>
  `server { listen 127.0.0.1:${port}; location / { default_type application/json; return 200 '${cannedReply}'; } }`);

export const nginxProxy = (upstream, http2 = false) => startNginx(proxyCore, (port) =>
  `upstream region { server ${upstream}; keepalive 2048; keepalive_requests 100000000; }
   server { listen 127.0.0.1:${port}${http2 ? " http2" : ""};
     location / { proxy_pass http://region; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
                  proxy_buffering off; } }`);

export async function haproxyProxy(upstream) {
  const port = await freePort();
  const file = path.join(directory, `haproxy-${port}.cfg`);
  writeFileSync(file, `global
  maxconn 5000
  nbthread 1
defaults
  mode http
  option http-no-delay
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:${port}
  default_backend region
backend region
  http-reuse always
  server region ${upstream}
`);
  const child = start(proxyCore, "haproxy", ["-db", "-f", file]);
  await listening(port);
  return { pid: child.pid, port };
}

/** `more`: { batch, tenants } makes the benchmark's tenant one of the batch class and adds others. */
export async function gateway(upstream, keys, wrapper = [], more = {}) {
  const port = await freePort();
  const adminPort = await freePort();
  const folder = path.join(directory, `gateway-${port}`);
  mkdirSync(folder);
  const file = path.join(folder, "portolan.yaml");
  writeFileSync(file, `version: 1
dev: true
data_dir: ${folder}/data
source_region: ${region}
listen: {address: 127.0.0.1, port: ${port}}
admin: {address: 127.0.0.1, port: ${adminPort}}
reactors: 1
account: {name: bench, account_id: "999900001111", access_key_id: ${keys.id}, secret_access_key: ${keys.secret}}
regions:
  ${region}: {endpoint: "http://${upstream}"}
tenants:
${more.tenants ?? ""}  - name: bench
    class: ${more.batch ? "batch" : "standard"}
    account_id: "111122223333"
    quota: {requests_per_minute: 1000000000, tokens_per_minute: 1000000000000}
    keys: [{name: bench, access_key_id: ${keys.id}, secret_access_key: ${keys.secret}}, {name: bot, api_key_sha256: ${keys.apiKeySha256}}]
`);
  const [command, ...args] = [...wrapper, "serve", "-c", file];
  const child = start(proxyCore, wrapper.length ? command : portolan, wrapper.length ? args : ["serve", "-c", file]);
  await listening(port);
  return { pid: child.pid, port, child };
}

// ------------------------------------------------------------------------------------------------ measuring

export async function load(port, keys, extra) {
  const child = start(loadCore, portolan, ["load", "--json", "--quiet", "--url", `http://${port.host ?? "127.0.0.1"}:${port.port}`, "--model", profile,
    "--access-key-id", keys.id, "--secret-access-key", keys.secret, "--source-region", region, ...extra.map(String)]);
  await new Promise((resolve) => child.on("close", resolve));
  children.splice(children.indexOf(child), 1);
  if (!child.out) throw new Error(child.err);
  return JSON.parse(child.out);
}


/** Ends all that was started, by its id, and removes what it wrote. */
export async function strike() {
  children.forEach((child) => child.kill("SIGTERM"));
  await sleep(500);
  rmSync(directory, { recursive: true, force: true });
}
