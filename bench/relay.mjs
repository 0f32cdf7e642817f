// SPDX-License-Identifier: Apache-2.0
// ./dev bench relay: what the gateway costs beside nginx and haproxy as plain reverse proxies.
//
// One core for the proxy, one for the load generator and the upstream, the same upstream and the same signed requests
// for all; variants take turns within a round, so that a slow minute of the machine meets all of them. CPU is the
// scheduler's run time of all threads of the process (/proc/PID/task/*/schedstat), its trail writer included, divided by
// calls that ended well. The gateway has everything on: SigV4, profile, quota, plan, record on disk, metrics.
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  cannedUpstream, cpuUs, directory, gateway, haproxyProxy, load, loadCore, nginxProxy, portolan, profile, region, residentMib,
  sleep, start, strike, until,
} from "./stage.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const rounds = option("rounds", 5);
const seconds = option("seconds", 3);
const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1].split(",") : null;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const spread = (values) => `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;

/** One variant's share of a round: CPU per call and what callers saw. */
async function measure(variant, keys, extra, perChunk) {
  const before = variant.pid ? cpuUs(variant.pid) : 0;
  const report = await load(variant, keys, extra);
  const used = variant.pid ? cpuUs(variant.pid) - before : 0;
  if (report.complete !== report.sent) throw new Error(`${variant.name}: ${JSON.stringify(report.errors)}`);
  const chunks = perChunk ? report.complete * perChunk : report.complete;
  return { cpu: used / chunks, calls: report.complete, p50: report.total?.p50_ms ?? report.total.p50, p99: report.total?.p99_ms ?? report.total.p99 };
}

async function compare(title, variants, keys, extra, perChunk, unit) {
  const seen = new Map(variants.map((variant) => [variant.name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const variant of variants) {
      const figures = await measure(variant, keys, extra, perChunk);
      if (round >= 0) seen.get(variant.name).push(figures); // the first round warms up
    }
  }
  const reference = seen.get("nginx");
  const lines = [`### ${title}`, "", `| variant | ${unit} | × nginx, round by round | p50 ms | p99 ms | calls/s |`, "|---|---|---|---|---|---|"];
  for (const [name, figures] of seen) {
    const ratios = figures.map((figure, round) => figure.cpu / reference[round].cpu);
    lines.push(`| ${name} | ${name === "null" ? "" : spread(figures.map((figure) => figure.cpu))} | ${name === "null" ? "" : spread(ratios)} | ` +
      `${median(figures.map((figure) => figure.p50)).toFixed(3)} | ${median(figures.map((figure) => figure.p99)).toFixed(3)} | ` +
      `${Math.round(median(figures.map((figure) => figure.calls)) / seconds)} |`);
  }
  console.log(lines.join("\n") + "\n");
}

async function memory(variants, keys) {
  const lines = ["### Memory at 1,000 open streams", "", "| variant | resident MiB at rest | with 1,000 streams | KiB a stream |", "|---|---|---|---|"];
  for (const variant of variants.filter(({ pid }) => pid)) {
    const atRest = residentMib(variant.pid);
    const running = load(variant, keys, ["--operation", "converse-stream", "--concurrency", 1000, "--calls", 1000, "--output-tokens", 400]);
    await sleep(4000);
    const open = residentMib(variant.pid);
    await running;
    lines.push(`| ${variant.name} | ${atRest.toFixed(1)} | ${open.toFixed(1)} | ${((open - atRest) * 1.024).toFixed(1)} |`);
  }
  console.log(lines.join("\n") + "\n");
}

/** HTTP/2 on the client's side, by h2load: 8 connections, bearer keys. */
async function h2(variants, keys) {
  const body = path.join(directory, "body.json");
  writeFileSync(body, JSON.stringify({ messages: [{ role: "user", content: [{ text: "x".repeat(900) }] }], inferenceConfig: { maxTokens: 100 } }));
  const lines = ["### h2c on the client's side (h2load, 8 connections × 16 streams, 1 KiB requests)", "",
    "| variant | CPU µs a call | × nginx | calls/s |", "|---|---|---|---|"];
  const seen = new Map(variants.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const variant of variants) {
      const before = cpuUs(variant.pid);
      const out = execFileSync("taskset", ["-c", String(loadCore), "h2load", "-n", "20000", "-c", "8", "-m", "16", "-d", body,
        "-H", `authorization: Bearer ${keys.apiKey}`, "-H", "content-type: application/json",
        `http://127.0.0.1:${variant.port}/model/${encodeURIComponent(profile)}/converse`], { encoding: "utf8" });
      const ok = Number(/(\d+) 2xx/.exec(out)[1]);
      if (ok !== 20000) throw new Error(`${variant.name}: ${out}`);
      const figures = { cpu: (cpuUs(variant.pid) - before) / ok, rate: Number(/([\d.]+) req\/s/.exec(out)[1]) };
      if (round >= 0) seen.get(variant.name).push(figures);
    }
  }
  const reference = seen.get("nginx");
  for (const [name, figures] of seen)
    lines.push(`| ${name} | ${spread(figures.map(({ cpu }) => cpu))} | ${spread(figures.map(({ cpu }, round) => cpu / reference[round].cpu))} | ` +
      `${Math.round(median(figures.map(({ rate }) => rate)))} |`);
  console.log(lines.join("\n") + "\n");
}

const wanted = (name) => only === null || only.includes(name);

async function main() {
  if (!existsSync(portolan)) throw new Error(`${portolan} is missing: ./dev build`);
  const apiKey = "bench-key";
  const keys = { id: "AKIAPORTOLANBENCH001", secret: "bench-secret", apiKey,
    apiKeySha256: execFileSync("sha256sum", { input: apiKey, encoding: "utf8" }).slice(0, 64) };
  console.log(`Machine: ${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}. Date: ${new Date().toISOString().slice(0, 10)}. ` +
    `${rounds} rounds of ${seconds} s, variants in turn; median (least–most).\n`);

  const canned = await cannedUpstream();
  const address = `127.0.0.1:${canned.port}`;
  const unary = [
    { name: "null", host: "127.0.0.1", port: canned.port },
    { name: "nginx", ...(await nginxProxy(address)) },
    { name: "haproxy", ...(await haproxyProxy(address)) },
    { name: "portolan", ...(await gateway(address, keys)) },
  ];
  for (const [name, bytes] of [["1k", 1024], ["4k", 4096]])
    if (wanted(name))
      await compare(`Unary, ${bytes / 1024} KiB request, 2 KiB reply, c = 64`, unary, keys,
        ["--concurrency", 64, "--for", `${seconds}s`, "--request-bytes", bytes, "--output-tokens", 100], 0, "CPU µs a call");
  if (wanted("latency"))
    await compare("Latency at 500 calls a second, open loop, 1 KiB request", unary, keys,
      ["--rate", 500, "--for", `${seconds}s`, "--request-bytes", 1024, "--output-tokens", 100], 0, "CPU µs a call");
  if (wanted("h2")) await h2([{ name: "nginx", ...(await nginxProxy(address, true)) }, unary.find(({ name }) => name === "portolan")], keys);

  if (wanted("stream") || wanted("memory")) {
    // A Region of the sandbox, in real time; its credentials are the callers' too, for nginx and haproxy pass signatures on.
    const sandbox = start(loadCore, portolan, ["sandbox", "--json", "--data-dir", path.join(directory, "sandbox"), "--access-key-id", keys.id, "--secret-access-key", keys.secret]);
    const ready = JSON.parse(await until(() => sandbox.out.includes("\n") && sandbox.out, "ready"));
    const { host } = new URL(ready.regions[region]);
    const streamed = [
      { name: "null", host: host.split(":")[0], port: Number(host.split(":")[1]) },
      { name: "nginx", ...(await nginxProxy(host)) },
      { name: "haproxy", ...(await haproxyProxy(host)) },
      { name: "portolan", ...(await gateway(host, keys)) },
    ];
    const tokens = 150;
    // A stream is its tokens and the frames around them: messageStart, contentBlockStop, messageStop, metadata.
    if (wanted("stream"))
      await compare(`Streams, 200 at once, ${tokens} tokens each 15 ms apart`, streamed, keys,
        ["--operation", "converse-stream", "--concurrency", 200, "--calls", 400, "--output-tokens", tokens], tokens + 4, "CPU µs a chunk");
    if (wanted("memory")) await memory(streamed, keys);
  }
}

try {
  await main();
} finally {
  await strike();
}
